use proptest::prelude::*;

use super::{Base64, trimmed};

#[test]
fn each_variant_writes_its_own_characters_and_padding() {
    let bytes = [0xfb, 0xef, 0xff, 0xfe];
    assert_eq!(*Base64::Standard.encode(&bytes), "++///g==");
    assert_eq!(*Base64::UrlSafe.encode(&bytes), "--___g==");
    assert_eq!(*Base64::UrlSafeBare.encode(&bytes), "--___g");
}

#[test]
fn padding_may_be_missing_and_spare_bits_may_be_set() {
    for text in ["++///g==", "++///g", "++///h"] {
        let decoded = Base64::Standard.decode(text, 0).expect("decoded");
        assert_eq!(*decoded, [0xfb, 0xef, 0xff, 0xfe], "{text}");
    }
}

#[test]
fn a_character_that_is_wrong_is_counted_in_what_was_given() {
    let error = Base64::UrlSafe.decode("ab+c", 1).expect_err("a plus").to_string();
    assert!(error.starts_with("character 4 "), "{error}");
    let error = Base64::UrlSafe.decode("abcde", 0).expect_err("cut off").to_string();
    assert!(error.starts_with("character 6 is missing"), "{error}");
}

#[test]
fn what_files_and_terminals_put_around_a_string_is_taken_off() {
    assert_eq!(trimmed("\u{feff} 1abc=\r\n"), "1abc=");
    assert_eq!(trimmed("\n\t1abc\0"), "1abc");
}

proptest! {
    #[test]
    fn what_was_encoded_is_decoded(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for variant in [Base64::Standard, Base64::UrlSafe, Base64::UrlSafeBare] {
            let text = variant.encode(&bytes);
            prop_assert_eq!(&*variant.decode(&text, 0).expect("decoded"), &bytes);
        }
    }
}
