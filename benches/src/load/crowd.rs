use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Span, Target};

/// Clients that call, wait for the answer, and call again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Crowd {
    pub(crate) target: Target,
    pub(crate) clients: usize,
    pub(crate) connections: usize,
    pub(crate) span: Span,
    /// Idleness before each call. Only for a lone client: it stops the whole generator.
    pub(crate) pause: Option<Duration>,
}
