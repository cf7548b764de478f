//! What only one library, or a few, keep in a held session.

use futures_util::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use sessiond_proto::v1;
use sessiond_session::Attribute;

use crate::{Error, HeldSession, Kept};

/// Keys that are sent in one message, and attributes on a page: the most that the daemon takes.
const AT_ONCE: usize = 1_000;

/// An attribute without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeKey {
    /// Its key.
    pub key: String,
    /// Whether its value is as secret as an authorization key.
    pub secret: bool,
    /// Whether it has a value that is not empty.
    pub has_value: bool,
}

/// Attributes are kept beside the session: writing them moves no revision of it, and no watcher is told. All of this needs
/// the session to be held. docs/attributes.md has the keys that libraries share.
///
/// ```no_run
/// # async fn example(hold: sessiond_client::Hold) -> Result<(), sessiond_client::Error> {
/// use futures_util::TryStreamExt as _;
/// use sessiond_client::Attribute;
///
/// let api_id = 12_345_i64.to_le_bytes().to_vec();
/// hold.put_attributes(&[Attribute { key: "api_id".into(), value: api_id.into(), secret: false }], &["takeout_id"]).await?;
/// for attribute in hold.attributes(&["api_id", "created"]).await? {
///     println!("{}: {} bytes", attribute.key, attribute.value.len());
/// }
/// let all: Vec<Attribute> = hold.list_attributes("").try_collect().await?;
/// println!("{} in all", all.len());
/// # Ok(())
/// # }
/// ```
impl HeldSession {
    /// Sets attributes and deletes others, in one commit: together at most 1,000, and 1 MiB. Durable on Ok. To do it again
    /// changes nothing.
    ///
    /// # Errors
    /// [`Error::Lost`] or [`Error::Fenced`] where the session is not held any more, [`Error::InvalidArgument`], also where one
    /// that is secret would no longer be, [`Error::LimitExceeded`], [`Error::StorageFull`], [`Error::Unavailable`] and others.
    pub async fn put_attributes(
        &self,
        attributes: &[Attribute],
        delete: &[impl AsRef<str>],
    ) -> Result<i64, Error> {
        let request = v1::PutAttributesRequest {
            name: self.name().to_string(),
            token: self.token().to_wire(),
            attributes: attributes.iter().cloned().map(Into::into).collect(),
            delete_keys: owned(delete),
        };
        let call = || {
            let (request, mut service) = (request.clone(), self.client().attributes());
            async move { service.put_attributes(request).await }
        };
        let v1::PutAttributesResponse { revision } = self.call(self.client().deadline(), call).await?;
        Ok(revision)
    }

    /// Reads attributes: those of the keys that are there, in their order.
    ///
    /// # Errors
    /// [`Error::Lost`] or [`Error::Fenced`] where the session is not held any more, [`Error::InvalidArgument`],
    /// [`Error::LimitExceeded`] where they are too large to be answered together, [`Error::Unavailable`] and what reading a
    /// store may meet.
    pub async fn attributes(&self, keys: &[impl AsRef<str>]) -> Result<Vec<Attribute>, Error> {
        let mut found = Vec::new();
        for keys in keys.chunks(AT_ONCE) {
            let (name, token) = (self.name().to_string(), self.token().to_wire());
            let request = v1::GetAttributesRequest { name, token, keys: owned(keys) };
            let call = || {
                let (request, mut service) = (request.clone(), self.client().attributes());
                async move { service.get_attributes(request).await }
            };
            let v1::GetAttributesResponse { attributes, revision: _ } =
                self.call(self.client().deadline(), call).await?;
            for attribute in attributes {
                found.push(Attribute::try_from(attribute).map_err(Error::unreadable)?);
            }
        }
        Ok(found)
    }

    /// The attributes whose keys begin with `prefix`, by key. Pages are asked for as the stream is read, each as it is then.
    pub fn list_attributes(&self, prefix: &str) -> BoxStream<'static, Result<Attribute, Error>> {
        let attributes = self.list_pages(prefix, false);
        attributes.map(|attribute| Attribute::try_from(attribute?).map_err(Error::unreadable)).boxed()
    }

    /// The same without their values.
    pub fn list_attribute_keys(&self, prefix: &str) -> BoxStream<'static, Result<AttributeKey, Error>> {
        self.list_pages(prefix, true).map_ok(Into::into).boxed()
    }

    fn list_pages(&self, prefix: &str, keys_only: bool) -> BoxStream<'static, Result<v1::Attribute, Error>> {
        let held = self.clone();
        let first = v1::ListAttributesRequest {
            name: self.name().to_string(),
            token: self.token().to_wire(),
            prefix: prefix.to_owned(),
            keys_only,
            page_size: i32::try_from(AT_ONCE).expect("it is a thousand"),
            page_token: String::new(),
        };
        stream::try_unfold(Some(first), move |request| {
            let held = held.clone();
            async move {
                let Some(request) = request else { return Ok::<_, Error>(None) };
                let call = || {
                    let (request, mut service) = (request.clone(), held.client().attributes());
                    async move { service.list_attributes(request).await }
                };
                let page = held.call(held.client().deadline(), call).await?;
                let next = Some(page.next_page_token)
                    .filter(|token| !token.is_empty())
                    .map(|page_token| v1::ListAttributesRequest { page_token, ..request.clone() });
                Ok(Some((stream::iter(page.attributes).map(Ok), next)))
            }
        })
        .try_flatten()
        .boxed()
    }

    /// Deletes attributes by their keys. Those that are not there do not matter.
    ///
    /// # Errors
    /// As [`put_attributes`](Self::put_attributes).
    pub async fn delete_attributes(&self, keys: &[impl AsRef<str>]) -> Result<Kept, Error> {
        let mut kept = Kept::default();
        for keys in keys.chunks(AT_ONCE) {
            let deleted = self.delete_some_attributes(owned(keys), String::new()).await?;
            kept.add(deleted.revision, deleted.deleted);
        }
        Ok(kept)
    }

    /// Deletes all attributes whose keys begin with `prefix`, which is not empty.
    ///
    /// # Errors
    /// As [`put_attributes`](Self::put_attributes).
    pub async fn delete_attributes_below(&self, prefix: &str) -> Result<Kept, Error> {
        let mut kept = Kept::default();
        let deleted = self.delete_some_attributes(Vec::new(), prefix.to_owned()).await?;
        kept.add(deleted.revision, deleted.deleted);
        Ok(kept)
    }

    async fn delete_some_attributes(
        &self,
        keys: Vec<String>,
        prefix: String,
    ) -> Result<v1::DeleteAttributesResponse, Error> {
        let (name, token) = (self.name().to_string(), self.token().to_wire());
        let request = v1::DeleteAttributesRequest { name, token, keys, prefix };
        let call = || {
            let (request, mut service) = (request.clone(), self.client().attributes());
            async move { service.delete_attributes(request).await }
        };
        self.call(self.client().deadline(), call).await
    }
}

impl From<v1::Attribute> for AttributeKey {
    fn from(attribute: v1::Attribute) -> Self {
        let v1::Attribute { key, value: _, secret, has_value } = attribute;
        Self { key, secret, has_value }
    }
}

fn owned(keys: &[impl AsRef<str>]) -> Vec<String> {
    keys.iter().map(|key| key.as_ref().to_owned()).collect()
}
