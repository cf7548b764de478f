use std::collections::HashMap;

use sessiond_proto::{DOMAIN, Reason};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Makes sure that an error has this code and this reason, as clients match them.
#[track_caller]
pub(crate) fn expect_reason(status: &Status, code: Code, reason: Reason) {
    assert_eq!(status.code(), code, "{status:?}");
    let info = status.get_details_error_info();
    let info = info.unwrap_or_else(|| panic!("every error has an ErrorInfo: {status:?}"));
    assert_eq!((info.domain.as_str(), info.reason.as_str()), (DOMAIN, reason.name()), "{status:?}");
    assert!(!status.message().is_empty(), "every error says what is wrong");
}

/// What an error tells programs beside its reason.
pub(crate) fn metadata_of(status: &Status) -> HashMap<String, String> {
    status.get_details_error_info().map(|info| info.metadata).unwrap_or_default()
}
