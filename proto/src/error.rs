use tonic::Status;
use tonic_types::StatusExt as _;

pub use crate::v1::Reason;

/// Domain of every `google.rpc.ErrorInfo` that sessiond sends.
pub const DOMAIN: &str = "sessiond";

const PREFIX: &str = "REASON_";

impl Reason {
    /// The reason as it stands in an `ErrorInfo`: its name without `REASON_`.
    pub fn name(self) -> &'static str {
        self.as_str_name().strip_prefix(PREFIX).expect("every value of the enum has its prefix")
    }
}

/// The reason in an error's details, if sessiond sent it and this version knows it.
pub fn reason(status: &Status) -> Option<Reason> {
    let info = status.get_details_error_info().filter(|info| info.domain == DOMAIN)?;
    Reason::from_str_name(&format!("{PREFIX}{}", info.reason))
}
