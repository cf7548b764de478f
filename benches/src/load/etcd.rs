use http::uri::PathAndQuery;
use tonic::{
    Request,
    client::Grpc,
    transport::{Channel, Endpoint},
};
use tonic_prost::ProstCodec;

use super::{advance::first_counter, target::Call};

/// `etcdserverpb.PutRequest`, as far as a put needs it (etcd `api/etcdserverpb/rpc.proto`).
#[derive(Clone, PartialEq, prost::Message)]
struct PutRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `etcdserverpb.PutResponse`. What is in it does not matter here.
#[derive(Clone, PartialEq, prost::Message)]
struct PutResponse {}

/// A client of etcd, which puts a session's state: durable, with a revision, and others may watch it. Over the same gRPC
/// stack as the clients of sessiond.
#[derive(Debug, Clone)]
pub(super) struct Etcd {
    client: Grpc<Channel>,
    counter: i32,
}

impl Etcd {
    /// So many clients, spread over the connections.
    pub(super) async fn clients(address: &str, clients: usize, count: usize) -> anyhow::Result<Vec<Self>> {
        let mut channels = Vec::with_capacity(count);
        for _ in 0..count {
            channels.push(Endpoint::from_shared(address.to_owned())?.tcp_nodelay(true).connect().await?);
        }
        let client =
            |at: usize| Self { client: Grpc::new(channels[at % count].clone()), counter: first_counter() };
        Ok((0..clients).map(client).collect())
    }
}

impl Call for Etcd {
    async fn call(&mut self) -> anyhow::Result<()> {
        self.counter += 1;
        let value = format!("pts={0} date={0}", self.counter).into_bytes();
        let request = Request::new(PutRequest { key: b"alice".to_vec(), value });
        self.client.ready().await?;
        let path = PathAndQuery::from_static("/etcdserverpb.KV/Put");
        let codec = ProstCodec::<PutRequest, PutResponse>::default();
        self.client.unary(request, path, codec).await?;
        Ok(())
    }
}
