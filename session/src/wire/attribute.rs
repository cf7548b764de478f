//! Attributes as messages, and back.

use sessiond_proto::v1;
use zeroize::Zeroizing;

use super::{InvalidSession, checked_key};
use crate::{Attribute, MAX_ATTRIBUTE_VALUE};

impl From<Attribute> for v1::Attribute {
    fn from(attribute: Attribute) -> Self {
        let Attribute { key, mut value, secret } = attribute;
        let value = std::mem::take(&mut *value);
        Self { key, has_value: !value.is_empty(), value, secret }
    }
}

impl TryFrom<v1::Attribute> for Attribute {
    type Error = InvalidSession;

    fn try_from(attribute: v1::Attribute) -> Result<Self, InvalidSession> {
        let v1::Attribute { key, value, secret, has_value: _ } = attribute;
        let value = Zeroizing::new(value);
        checked_key("attributes.key", &key)?;
        if value.len() > MAX_ATTRIBUTE_VALUE {
            let problem = format!("has {} bytes, and at most {MAX_ATTRIBUTE_VALUE} are kept", value.len());
            return Err(InvalidSession::new(format!("attributes[key={key}].value"), problem));
        }
        Ok(Self { key, value, secret })
    }
}

#[cfg(test)]
mod tests {
    use sessiond_proto::v1;

    use crate::{Attribute, MAX_ATTRIBUTE_VALUE};

    fn of(key: &str, bytes: usize) -> v1::Attribute {
        v1::Attribute { key: key.into(), value: vec![1; bytes], secret: true, has_value: bytes > 0 }
    }

    #[test]
    fn an_attribute_survives_the_round_trip_at_its_limits() {
        for message in [of(&"~".repeat(256), MAX_ATTRIBUTE_VALUE), of(" ", 0)] {
            let attribute = Attribute::try_from(message.clone()).expect("valid");
            assert!(v1::Attribute::from(attribute) == message);
        }
    }

    #[test]
    fn a_key_is_printable_ascii_and_a_value_is_bounded() {
        for key in ["", "\n", "é", &"a".repeat(257)] {
            assert_eq!(Attribute::try_from(of(key, 1)).expect_err(key).field, "attributes.key");
        }
        let refused = Attribute::try_from(of("k", MAX_ATTRIBUTE_VALUE + 1)).expect_err("too long");
        assert_eq!(refused.field, "attributes[key=k].value");
    }
}
