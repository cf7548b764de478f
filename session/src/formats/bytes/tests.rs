use proptest::prelude::*;

use super::{Bytes, put_tl_bytes};
use crate::formats::FormatError;

fn offset(error: &FormatError) -> usize {
    match error {
        FormatError::Byte { offset, .. } => *offset,
        other => panic!("{other:?}"),
    }
}

#[test]
fn numbers_are_read_in_either_order() {
    let all: Vec<u8> = (1..=27).collect();
    let mut bytes = Bytes::new(&all);
    assert_eq!(bytes.u16_be().expect("two"), 0x0102);
    assert_eq!(bytes.i32_be().expect("four"), 0x0304_0506);
    assert_eq!(bytes.u64_be().expect("eight"), 0x0708_090a_0b0c_0d0e);
    assert_eq!(bytes.i32_le().expect("four"), 0x1211_100f);
    assert_eq!(bytes.i64_le().expect("eight"), 0x1a19_1817_1615_1413);
    assert_eq!((bytes.offset(), bytes.left()), (26, 1));
    assert_eq!(offset(&bytes.end().expect_err("one is left")), 26);
    assert_eq!(bytes.u8().expect("one"), 27);
    bytes.end().expect("none is left");
}

#[test]
fn what_is_not_there_is_not_taken_and_said_by_its_offset() {
    let mut bytes = Bytes::new(&[0, 0, 0]);
    bytes.u8().expect("one");
    assert_eq!(offset(&bytes.u32_le().expect_err("two are left")), 1);
    assert_eq!(bytes.left(), 2);
    assert_eq!(offset(&bytes.take(usize::MAX).expect_err("two are left")), 1);
}

#[test]
fn a_length_that_is_a_lie_takes_nothing() {
    for lie in [[254, 255, 255, 255].as_slice(), &[3, 1, 2], &[255, 0, 0, 0], &[1, 7]] {
        let mut bytes = Bytes::new(lie);
        assert!(bytes.tl_bytes().is_err(), "{lie:?}");
        assert_eq!(bytes.offset(), 0, "{lie:?}");
    }
    let mut bytes = Bytes::new(&[255, 255, 255, 254]);
    assert!(bytes.qt_bytes().is_err());
    assert_eq!(bytes.offset(), 0);
}

#[test]
fn a_null_byte_array_is_empty() {
    let mut bytes = Bytes::new(&[255, 255, 255, 255, 7]);
    assert!(bytes.qt_bytes().expect("null").is_empty());
    assert_eq!(bytes.left(), 1);
}

#[test]
fn tl_pads_to_four_bytes_and_says_long_lengths_in_four() {
    for (length, whole) in [(0, 4), (3, 4), (4, 8), (253, 256), (254, 260), (256, 260)] {
        let mut tl = Vec::new();
        put_tl_bytes(&mut tl, &vec![9; length]);
        assert_eq!(tl.len(), whole, "{length}");
    }
}

proptest! {
    #[test]
    fn tl_bytes_are_read_as_they_were_put(first in collection(), second in collection()) {
        let mut tl = Vec::new();
        put_tl_bytes(&mut tl, &first);
        put_tl_bytes(&mut tl, &second);
        let mut bytes = Bytes::new(&tl);
        prop_assert_eq!(bytes.tl_bytes().expect("first"), &first);
        prop_assert_eq!(bytes.tl_bytes().expect("second"), &second);
        bytes.end().expect("no more");
    }
}

fn collection() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..600)
}
