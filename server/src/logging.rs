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

/// The libraries that carry gRPC write several lines a message at `debug`: they do only where the filter names them.
const QUIET: &str = "h2=info,hyper=info,hyper_util=info,tonic=info,tower=info";

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
        // Of two directives for one library the later counts.
        EnvFilter::try_new(format!("{QUIET},{}", self.0)).expect("both parts can be read")
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
    }

    #[test]
    fn libraries_are_as_verbose_as_the_filter_says_of_them_and_no_more() {
        let filter = |text: &str| text.parse::<LogFilter>().expect("valid").to_env_filter().to_string();
        let directives = filter("debug,h2=trace");
        let directives: Vec<_> = directives.split(',').collect();
        for expected in ["debug", "h2=trace", "hyper=info"] {
            assert!(directives.contains(&expected), "{directives:?}");
        }
        assert!(!directives.contains(&"h2=info"));
    }
}
