//! Compiles the schema with protox, so that building needs no protoc.

use std::{env, fs, path::PathBuf};

use protox::prost::Message as _;

/// Messages with a secret in them: their `Debug` is written by hand, in `proto/src/redacted.rs`.
const SECRET_MESSAGES: [&str; 24] = [
    "DataCenter",
    "HoldRequest",
    "Granted",
    "ReleaseRequest",
    "LoadRequest",
    "SaveRequest",
    "AdvanceRequest",
    "AdvanceStreamRequest",
    "DeleteRequest",
    "Peer",
    "PeerKey",
    "Usernames",
    "PutPeersRequest",
    "GetPeersRequest",
    "ListPeersRequest",
    "DeletePeersRequest",
    "Attribute",
    "PutAttributesRequest",
    "GetAttributesRequest",
    "ListAttributesRequest",
    "DeleteAttributesRequest",
    "ImportRequest",
    "ExportRequest",
    "ExportResponse",
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = [
        "sessiond/v1/admin_service.proto",
        "sessiond/v1/attribute_service.proto",
        "sessiond/v1/peer_service.proto",
        "sessiond/v1/reason.proto",
        "sessiond/v1/session.proto",
        "sessiond/v1/session_service.proto",
    ];
    println!("cargo::rerun-if-changed=proto/sessiond");
    let descriptors = protox::compile(files, ["proto"])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.binpb"), descriptors.encode_to_vec())?;
    let secrets = SECRET_MESSAGES.map(|message| format!(".sessiond.v1.{message}"));
    tonic_prost_build::configure().skip_debug(secrets).compile_fds(descriptors)?;
    Ok(())
}
