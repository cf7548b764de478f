use std::{
    io::{self, IsTerminal as _},
    str::FromStr,
};

use serde::Deserialize;
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::ParseError,
    fmt,
    layer::SubscriberExt as _,
    util::{SubscriberInitExt as _, TryInitError},
};

/// How the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    /// Lines for people
    #[default]
    Text,
    /// One object a line
    Json,
}

/// What is logged: a level, also by module and span, as `tracing_subscriber`'s `EnvFilter` reads it. Default: `info`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct LogFilter(String);

/// Writes the log to stderr, from now on.
///
/// # Errors
/// Where the process already has a log.
pub(crate) fn init(filter: &LogFilter, format: LogFormat) -> Result<(), TryInitError> {
    let layer = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let layer = match format {
        LogFormat::Text => layer.boxed(),
        LogFormat::Json => layer.json().flatten_event(true).with_ansi(false).boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(filter.to_env_filter())).try_init()
}

impl LogFilter {
    fn to_env_filter(&self) -> EnvFilter {
        EnvFilter::try_new(&self.0).expect("it could be read when it was made")
    }
}

impl Default for LogFilter {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

impl TryFrom<String> for LogFilter {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        EnvFilter::try_new(&text)?;
        Ok(Self(text))
    }
}

impl FromStr for LogFilter {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        text.to_owned().try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::LogFilter;

    #[test]
    fn a_filter_that_cannot_be_read_is_refused() {
        for text in ["info", "warn,sessiond_server=debug", "off", "[{session=alice}]=debug"] {
            assert!(text.parse::<LogFilter>().is_ok(), "{text}");
        }
        for text in ["a=b=c", "sessiond=loud"] {
            assert!(text.parse::<LogFilter>().is_err(), "{text}");
        }
        assert_eq!(LogFilter::default().to_env_filter().to_string(), "info");
    }
}
