//! How sessions are sealed: encrypted at rest.

use sessiond_proto::{SessionName, v1};

use crate::{Client, Error};

/// How a daemon seals its sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// Id of the master key that wraps the keys of sessions; no secret. `None`: nothing is sealed.
    pub key_id: Option<String>,
    /// Where the master key is, on the daemon's host. `None`: nothing is sealed.
    pub key_path: Option<String>,
    /// Ids of earlier master keys that are there still, newest first.
    pub retired_key_ids: Vec<String>,
    /// How many sessions are sealed.
    pub sealed_count: i64,
    /// Names of the sessions that were opened by choice, in order.
    pub open_names: Vec<String>,
}

impl Client {
    /// How sessions are sealed.
    pub async fn seal(&self) -> Result<Seal, Error> {
        let answer = self.call(self.deadline(), || {
            let mut admin = self.admin();
            async move { admin.get_seal(v1::GetSealRequest {}).await }
        });
        answer.await.map(Into::into)
    }

    /// Seals a session, and takes its keys out of its file.
    pub async fn seal_session(&self, name: impl AsRef<str>) -> Result<(), Error> {
        self.set_sealed(name.as_ref(), true).await
    }

    /// Opens a session, and puts its keys into its file, for programs that read that.
    pub async fn unseal_session(&self, name: impl AsRef<str>) -> Result<(), Error> {
        self.set_sealed(name.as_ref(), false).await
    }

    /// Makes a new master key, and wraps everything with it. Tells its id.
    pub async fn rotate_master_key(&self) -> Result<String, Error> {
        let answer = self.call(self.deadline(), || {
            let mut admin = self.admin();
            async move { admin.rotate_master_key(v1::RotateMasterKeyRequest {}).await }
        });
        answer.await.map(|v1::RotateMasterKeyResponse { key_id }| key_id)
    }

    async fn set_sealed(&self, name: &str, sealed: bool) -> Result<(), Error> {
        let name: SessionName = name.parse()?;
        let answer = self.call(self.deadline(), || {
            let request = v1::SetSealedRequest { name: name.to_string(), sealed };
            let mut admin = self.admin();
            async move { admin.set_sealed(request).await }
        });
        answer.await.map(|v1::SetSealedResponse {}| ())
    }
}

impl From<v1::GetSealResponse> for Seal {
    fn from(seal: v1::GetSealResponse) -> Self {
        let v1::GetSealResponse { key_id, key_path, retired_key_ids, sealed_count, open_names } = seal;
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        Self { key_id: some(key_id), key_path: some(key_path), retired_key_ids, sealed_count, open_names }
    }
}
