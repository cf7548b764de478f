use std::collections::HashSet;

use prost::Message as _;
use sessiond_proto::v1::{self, attribute_service_server::AttributeService};
use sessiond_session::{Attribute, InvalidSession, checked_key};
use tonic::{Request, Response, Status};
use tracing::{debug, instrument};

use super::{Daemon, Refusal, caller, list, parse};
use crate::{
    engine::{AttributeRange, Keep, Op},
    policy::Permission,
};

type Answer<T> = Result<Response<T>, Status>;

/// A page has no more attributes after so many bytes, so that a message has room for it.
const PAGE_BYTES: usize = 3 << 20;

#[tonic::async_trait]
impl AttributeService for Daemon {
    #[instrument(level = "debug", skip_all, fields(session = request.get_ref().name))]
    async fn put_attributes(
        &self,
        request: Request<v1::PutAttributesRequest>,
    ) -> Answer<v1::PutAttributesResponse> {
        let caller = caller(&request)?;
        let bytes = request.get_ref().encoded_len();
        let v1::PutAttributesRequest { name, token, attributes, delete_keys } = request.into_inner();
        parse::kept_at_once("attributes and delete_keys", attributes.len() + delete_keys.len(), bytes)?;
        let attributes = attributes.into_iter().map(Attribute::try_from).collect::<Result<Vec<_>, _>>();
        let attributes = attributes.map_err(Refusal::from)?;
        check_keys("delete_keys", &delete_keys)?;
        check_once(&attributes, &delete_keys)?;
        let keep = Keep::PutAttributes { attributes, delete: delete_keys };
        let write = parse::by_holder(&name, &token, &caller, Op::Keep(keep))?;
        self.permit_write(&caller, Permission::Peers, &write)?;
        let name = write.name.clone();
        let result = self.engine.commit(write).await;
        let revision = self.noting("PutAttributes", &caller, &name, result)?.revision;
        debug!(revision, "attributes put");
        Ok(Response::new(v1::PutAttributesResponse { revision }))
    }

    #[instrument(level = "debug", skip_all, fields(session = request.get_ref().name))]
    async fn get_attributes(
        &self,
        request: Request<v1::GetAttributesRequest>,
    ) -> Answer<v1::GetAttributesResponse> {
        let caller = caller(&request)?;
        let v1::GetAttributesRequest { name, token, keys } = request.into_inner();
        parse::kept_at_once("keys", keys.len(), 0)?;
        check_keys("keys", &keys)?;
        let (name, bearer) = (parse::name(&name)?, parse::bearer(&token, &caller)?);
        self.permit_holder(&caller, Permission::Peers, &name, &bearer)?;
        let result = self.engine.attributes(&name, bearer, keys).await;
        let (found, revision) = self.noting("GetAttributes", &caller, &name, result)?;
        let attributes = found.into_iter().map(Into::into).collect();
        Ok(Response::new(v1::GetAttributesResponse { attributes, revision }))
    }

    #[instrument(level = "debug", skip_all, fields(session = request.get_ref().name))]
    async fn list_attributes(
        &self,
        request: Request<v1::ListAttributesRequest>,
    ) -> Answer<v1::ListAttributesResponse> {
        let caller = caller(&request)?;
        let v1::ListAttributesRequest { name, token, prefix, keys_only, page_size, page_token } =
            request.into_inner();
        if !prefix.is_empty() {
            check_key("prefix", &prefix)?;
        }
        let size = list::page_size(page_size)?;
        let after = if page_token.is_empty() { None } else { Some(list::read_token(&page_token, &prefix)?) };
        let (name, bearer) = (parse::name(&name)?, parse::bearer(&token, &caller)?);
        self.permit_holder(&caller, Permission::Peers, &name, &bearer)?;
        // One more, to know whether there are any after the page.
        let range = AttributeRange { prefix: prefix.clone(), after, count: size + 1, bytes: PAGE_BYTES };
        let told = self.engine.list_attributes(&name, bearer, range).await;
        let (mut attributes, revision) = self.noting("ListAttributes", &caller, &name, told)?;
        let is_full = attributes.iter().map(Attribute::bytes).sum::<usize>() >= PAGE_BYTES;
        let more = attributes.len() > size || is_full;
        attributes.truncate(size);
        let next_page_token = match attributes.last() {
            Some(last) if more => list::page_token_after(&last.key, &prefix),
            _ => String::new(),
        };
        let attributes = attributes.into_iter().map(|attribute| told_as(attribute, keys_only)).collect();
        Ok(Response::new(v1::ListAttributesResponse { attributes, next_page_token, revision }))
    }

    #[instrument(level = "debug", skip_all, fields(session = request.get_ref().name))]
    async fn delete_attributes(
        &self,
        request: Request<v1::DeleteAttributesRequest>,
    ) -> Answer<v1::DeleteAttributesResponse> {
        let caller = caller(&request)?;
        let v1::DeleteAttributesRequest { name, token, keys, prefix } = request.into_inner();
        let prefix = Some(prefix).filter(|prefix| !prefix.is_empty());
        let asked = match &prefix {
            Some(prefix) => {
                check_key("prefix", prefix)?;
                // There may be no keys beside it.
                keys.len().max(1)
            }
            None => keys.len(),
        };
        parse::kept_at_once("keys", asked, 0)?;
        check_keys("keys", &keys)?;
        let keep = Keep::DeleteAttributes { keys, prefix };
        let write = parse::by_holder(&name, &token, &caller, Op::Keep(keep))?;
        self.permit_write(&caller, Permission::Peers, &write)?;
        let name = write.name.clone();
        let result = self.engine.commit(write).await;
        let outcome = self.noting("DeleteAttributes", &caller, &name, result)?;
        let (revision, deleted) = (outcome.revision, parse::count(outcome.applied));
        debug!(revision, deleted, "attributes deleted");
        Ok(Response::new(v1::DeleteAttributesResponse { revision, deleted }))
    }
}

fn told_as(attribute: Attribute, keys_only: bool) -> v1::Attribute {
    let mut attribute = v1::Attribute::from(attribute);
    if keys_only {
        // It may be secret.
        drop(zeroize::Zeroizing::new(std::mem::take(&mut attribute.value)));
    }
    attribute
}

fn check_keys(field: &str, keys: &[String]) -> Result<(), Refusal> {
    keys.iter().try_for_each(|key| check_key(field, key))
}

fn check_key(field: &str, key: &str) -> Result<(), Refusal> {
    Ok(checked_key(field, key)?)
}

/// Each key once: set or deleted.
fn check_once(attributes: &[Attribute], delete: &[String]) -> Result<(), Refusal> {
    let mut keys = HashSet::new();
    let mut all = attributes.iter().map(|attribute| &attribute.key).chain(delete);
    match all.find(|key| !keys.insert(*key)) {
        Some(key) => {
            Err(InvalidSession::new("attributes and delete_keys", format!("have {key:?} twice")).into())
        }
        None => Ok(()),
    }
}
