//! `Debug` of the messages with a secret in them: keys and tokens are not shown, only whether they are there.

use std::fmt::{Debug, Formatter, Result};

use crate::v1;

/// Writes `Debug` for a message: every field named, those after `secret` by their presence alone.
macro_rules! redacted {
    ($message:ident { $($field:ident),* $(,)? } secret $secret:ident) => {
        impl Debug for v1::$message {
            fn fmt(&self, f: &mut Formatter<'_>) -> Result {
                let Self { $($field,)* $secret } = self;
                f.debug_struct(stringify!($message))
                    $(.field(stringify!($field), $field))*
                    .field(stringify!($secret), &Presence(!$secret.is_empty()))
                    .finish()
            }
        }
    };
}

redacted!(HoldRequest { name, label, wait } secret token);
redacted!(Granted { fence, revision, session, resume_within } secret token);
redacted!(ReleaseRequest { name } secret token);
redacted!(LoadRequest { name } secret token);
redacted!(SaveRequest { name, session, mode, expected_revision, request_id, clear } secret token);
redacted!(AdvanceRequest { name, change, expected_revision, request_id } secret token);
redacted!(AdvanceStreamRequest { name, change, sequence } secret token);
redacted!(DeleteRequest { name, expected_revision, request_id } secret token);

impl Debug for v1::DataCenter {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Self { id, ipv4_addr, ipv6_addr, auth, has_auth } = self;
        f.debug_struct("DataCenter")
            .field("id", id)
            .field("ipv4_addr", ipv4_addr)
            .field("ipv6_addr", ipv6_addr)
            .field("auth", &Presence(auth.as_ref().is_some_and(|auth| !auth.is_empty())))
            .field("has_auth", has_auth)
            .finish()
    }
}

/// Stands for a secret.
struct Presence(bool);

impl Debug for Presence {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(if self.0 { "<secret>" } else { "<none>" })
    }
}

#[cfg(test)]
mod tests {
    use crate::v1;

    #[test]
    fn a_secret_is_not_in_the_debug_output() {
        let dc = v1::DataCenter { id: 2, auth: Some(vec![171; 256]), ..Default::default() };
        let granted = v1::Granted {
            token: vec![171; 32],
            session: Some(v1::Session { dcs: vec![dc], ..Default::default() }),
            ..Default::default()
        };
        let text = format!("{granted:?}");
        assert!(text.contains("<secret>"), "{text}");
        assert!(!text.contains("171"), "{text}");
    }
}
