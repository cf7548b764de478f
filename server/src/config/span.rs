use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, de};

/// A span of time of `MIN` to `MAX` milliseconds, both included.
///
/// As text it is a number with a unit, `ms`, `s`, `m` or `h`: `250ms`, `1.5s`, `2m`. A bare number, as text or in the
/// configuration file as a number, is seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span<const MIN: u64, const MAX: u64>(Duration);

/// Something that is no such span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidSpan {
    /// It cannot be read.
    #[error("{0:?} is not a span of time, such as 250ms, 1.5s, 2m or 1h; a bare number is seconds")]
    Syntax(String),
    /// It is too long or too short.
    #[error("{given:?} is not between {min:?} and {max:?}")]
    OutOfRange {
        /// What was given.
        given: Duration,
        /// Shortest allowed.
        min: Duration,
        /// Longest allowed.
        max: Duration,
    },
}

impl<const MIN: u64, const MAX: u64> Span<MIN, MAX> {
    /// The span itself.
    pub(crate) fn duration(self) -> Duration {
        self.0
    }

    fn from_seconds(seconds: f64) -> Result<Self, InvalidSpan> {
        Duration::try_from_secs_f64(seconds).map_err(|_| InvalidSpan::Syntax(seconds.to_string()))?.try_into()
    }
}

impl<const MIN: u64, const MAX: u64> TryFrom<Duration> for Span<MIN, MAX> {
    type Error = InvalidSpan;

    fn try_from(given: Duration) -> Result<Self, InvalidSpan> {
        let (min, max) = (Duration::from_millis(MIN), Duration::from_millis(MAX));
        if (min..=max).contains(&given) {
            Ok(Self(given))
        } else {
            Err(InvalidSpan::OutOfRange { given, min, max })
        }
    }
}

impl<const MIN: u64, const MAX: u64> FromStr for Span<MIN, MAX> {
    type Err = InvalidSpan;

    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        let syntax = || InvalidSpan::Syntax(text.to_owned());
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let number: f64 = number.parse().map_err(|_| syntax())?;
        let seconds = match unit {
            "ms" => number / 1e3,
            "" | "s" => number,
            "m" => number * 60.0,
            "h" => number * 3600.0,
            _ => return Err(syntax()),
        };
        Self::from_seconds(seconds)
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Span<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SpanVisitor)
    }
}

struct SpanVisitor<const MIN: u64, const MAX: u64>;

impl<const MIN: u64, const MAX: u64> de::Visitor<'_> for SpanVisitor<MIN, MAX> {
    type Value = Span<MIN, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a span of time, such as \"250ms\" or \"2m\", or a number of seconds")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Self::Value, E> {
        self.visit_str(&seconds.to_string())
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Self::Value, E> {
        Span::from_seconds(seconds).map_err(E::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{InvalidSpan, Span};

    /// 100 ms to 10 min.
    type Some = Span<100, 600_000>;

    fn parse(text: &str) -> Result<Duration, InvalidSpan> {
        text.parse().map(Some::duration)
    }

    #[test]
    fn a_span_is_a_number_with_a_unit_and_bare_numbers_are_seconds() {
        for (text, milliseconds) in [
            ("250ms", 250),
            ("1s", 1000),
            ("2m", 120_000),
            ("1.5", 1500),
            ("3", 3000),
            (".5s", 500),
            ("0.1h", 360_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        assert_eq!("0".parse().map(Span::<0, 1>::duration), Ok(Duration::ZERO));
    }

    #[test]
    fn what_cannot_be_read_is_no_span() {
        for text in ["", "s", "1 s", "-1s", "1e3", "inf", "nan", "1d", "1.2.3s", "1S", "1ss"] {
            assert_eq!(parse(text), Err(InvalidSpan::Syntax(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn both_bounds_are_included_and_nothing_beyond_them() {
        assert_eq!(parse("100ms"), Ok(Duration::from_millis(100)));
        assert_eq!(parse("10m"), Ok(Duration::from_mins(10)));
        for text in ["99ms", "0", "10.001m", "1h", "99999999999999999999h"] {
            assert!(parse(text).is_err(), "{text}");
        }
        let error = parse("1h").expect_err("too long").to_string();
        assert_eq!(error, "3600s is not between 100ms and 600s");
    }
}
