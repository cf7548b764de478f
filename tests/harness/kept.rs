use sessiond_proto::v1::{
    self, attribute_service_client::AttributeServiceClient, peer_service_client::PeerServiceClient,
};
use tonic::{Status, transport::Channel};

use super::{Client, Held, within};

impl Client {
    pub(crate) fn peers(&self) -> PeerServiceClient<Channel> {
        PeerServiceClient::new(self.channel.clone())
    }

    pub(crate) fn attributes(&self) -> AttributeServiceClient<Channel> {
        AttributeServiceClient::new(self.channel.clone())
    }
}

/// What is kept beside a session, as its holder asks for it.
impl Held {
    pub(crate) async fn put_peers(&self, peers: Vec<v1::Peer>) -> v1::PutPeersResponse {
        self.try_put_peers(peers).await.expect("put")
    }

    pub(crate) async fn try_put_peers(&self, peers: Vec<v1::Peer>) -> Result<v1::PutPeersResponse, Status> {
        let request = v1::PutPeersRequest { name: self.name.clone(), token: self.token.clone(), peers };
        Ok(self.client.peers().put_peers(request).await?.into_inner())
    }

    /// The peer that a key finds.
    pub(crate) async fn peer(&self, key: v1::peer_key::Key) -> Option<v1::Peer> {
        let keys = vec![v1::PeerKey { key: Some(key) }];
        let request = v1::GetPeersRequest { name: self.name.clone(), token: self.token.clone(), keys };
        let mut answer = self.client.peers().get_peers(request).await.expect("looked up").into_inner();
        answer.results.pop().expect("an answer for each key").peer
    }

    pub(crate) fn list_peers_request(&self) -> v1::ListPeersRequest {
        v1::ListPeersRequest { name: self.name.clone(), token: self.token.clone(), ..Default::default() }
    }

    /// All peers, in the messages that they come in.
    pub(crate) async fn peer_messages(&self) -> Vec<v1::ListPeersResponse> {
        let mut stream =
            self.client.peers().list_peers(self.list_peers_request()).await.expect("begun").into_inner();
        let mut messages = Vec::new();
        while let Some(message) = within(stream.message()).await.expect("told") {
            messages.push(message);
        }
        messages
    }

    pub(crate) async fn all_peers(&self) -> Vec<v1::Peer> {
        self.peer_messages().await.into_iter().flat_map(|message| message.peers).collect()
    }

    pub(crate) async fn try_delete_peers(
        &self,
        ids: &[i64],
        all: bool,
    ) -> Result<v1::DeletePeersResponse, Status> {
        let (name, token) = (self.name.clone(), self.token.clone());
        let request = v1::DeletePeersRequest { name, token, ids: ids.to_vec(), all };
        Ok(self.client.peers().delete_peers(request).await?.into_inner())
    }

    pub(crate) async fn try_put_attributes(
        &self,
        attributes: Vec<v1::Attribute>,
        delete_keys: &[&str],
    ) -> Result<i64, Status> {
        let (name, token) = (self.name.clone(), self.token.clone());
        let delete_keys = delete_keys.iter().map(ToString::to_string).collect();
        let request = v1::PutAttributesRequest { name, token, attributes, delete_keys };
        Ok(self.client.attributes().put_attributes(request).await?.into_inner().revision)
    }

    pub(crate) async fn put_attributes(&self, attributes: Vec<v1::Attribute>) -> i64 {
        self.try_put_attributes(attributes, &[]).await.expect("put")
    }

    pub(crate) async fn get_attributes(&self, keys: &[&str]) -> Vec<v1::Attribute> {
        let (name, token) = (self.name.clone(), self.token.clone());
        let keys = keys.iter().map(ToString::to_string).collect();
        let request = v1::GetAttributesRequest { name, token, keys };
        self.client.attributes().get_attributes(request).await.expect("told").into_inner().attributes
    }

    pub(crate) fn list_attributes_request(&self) -> v1::ListAttributesRequest {
        v1::ListAttributesRequest { name: self.name.clone(), token: self.token.clone(), ..Default::default() }
    }

    pub(crate) async fn list_attributes(
        &self,
        request: v1::ListAttributesRequest,
    ) -> Result<v1::ListAttributesResponse, Status> {
        Ok(self.client.attributes().list_attributes(request).await?.into_inner())
    }

    pub(crate) async fn try_delete_attributes(
        &self,
        keys: &[&str],
        prefix: &str,
    ) -> Result<v1::DeleteAttributesResponse, Status> {
        let (name, token) = (self.name.clone(), self.token.clone());
        let keys = keys.iter().map(ToString::to_string).collect();
        let request = v1::DeleteAttributesRequest { name, token, keys, prefix: prefix.into() };
        Ok(self.client.attributes().delete_attributes(request).await?.into_inner())
    }
}

/// A peer of which everything is known that a library has at the least.
pub(crate) fn peer(id: i64) -> v1::Peer {
    v1::Peer {
        id,
        access_hash: Some(id.wrapping_mul(7_919)),
        has_access_hash: true,
        kind: v1::PeerKind::User.into(),
        usernames: Some(v1::Usernames { names: vec![format!("User{id}")] }),
        name: Some(format!("Peer {id}")),
        seen: Some(1_000),
        ..Default::default()
    }
}

pub(crate) fn attribute(key: &str, value: &[u8]) -> v1::Attribute {
    v1::Attribute { key: key.into(), value: value.into(), secret: false, has_value: !value.is_empty() }
}
