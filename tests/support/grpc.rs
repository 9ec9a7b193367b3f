//! A gRPC service with every kind of call, without a protobuf compiler: its messages are bytes.

use bytes::{Buf, BufMut, Bytes};
use http::request::Parts;
use http::uri::PathAndQuery;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::tokio_stream::wrappers::ReceiverStream;
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status, Streaming};
use tower::{Service, service_fn};

/// A codec that passes bytes through.
#[derive(Clone, Copy, Default)]
pub(crate) struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// The service `test.Echo`, which records the heads of the requests it receives.
#[derive(Clone, Default)]
pub(crate) struct Echo(Arc<Mutex<Vec<Parts>>>);

type Messages = ReceiverStream<Result<Bytes, Status>>;

impl Echo {
    /// Serves on a port chosen by the system, on the runtime of the test.
    pub(crate) async fn start() -> (Self, SocketAddr) {
        let echo = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let serving = Server::builder().add_service(echo.clone());
        tokio::spawn(serving.serve_with_incoming(TcpIncoming::from(listener)));
        (echo, address)
    }

    /// Returns the heads of the requests so far.
    pub(crate) fn reached(&self) -> Vec<Parts> {
        self.0.lock().expect("the requests").clone()
    }

    /// Waits until this number of requests has arrived.
    pub(crate) async fn wait_for(&self, count: usize) {
        while self.reached().len() < count {
            tokio::task::yield_now().await;
        }
    }

    /// Returns one message. "fail" makes the service refuse, without a message.
    async fn unary(request: Request<Bytes>) -> Result<Response<Bytes>, Status> {
        if request.get_ref().starts_with(b"fail") {
            let mut status = Status::new(Code::DataLoss, "lost: 100 % of ümlauts");
            status.metadata_mut().insert("x-why", "asked".parse().expect("ASCII"));
            return Err(status);
        }
        let mut response = Response::new(request.into_inner());
        response.metadata_mut().insert("x-from", "echo".parse().expect("ASCII"));
        Ok(response)
    }

    /// Returns the message three times, then an error status in the trailers.
    async fn down(request: Request<Bytes>) -> Result<Response<Messages>, Status> {
        let (sender, messages) = mpsc::channel(8);
        for _ in 0..3 {
            let _ = sender.send(Ok(request.get_ref().clone())).await;
        }
        let _ = sender.send(Err(Status::out_of_range("no more"))).await;
        Ok(Response::new(ReceiverStream::new(messages)))
    }

    /// Returns all messages joined.
    async fn up(request: Request<Streaming<Bytes>>) -> Result<Response<Bytes>, Status> {
        let (mut messages, mut all) = (request.into_inner(), Vec::new());
        while let Some(message) = messages.message().await? {
            all.extend_from_slice(&message);
        }
        Ok(Response::new(Bytes::from(all)))
    }

    /// Returns each message as it arrives.
    async fn both(request: Request<Streaming<Bytes>>) -> Result<Response<Messages>, Status> {
        let (sender, answers) = mpsc::channel(8);
        let mut messages = request.into_inner();
        tokio::spawn(async move {
            while let Ok(Some(message)) = messages.message().await {
                if sender.send(Ok(message)).await.is_err() {
                    break;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(answers)))
    }
}

impl NamedService for Echo {
    const NAME: &'static str = "test.Echo";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        self.0.lock().expect("the requests").push(parts.clone());
        let request = http::Request::from_parts(parts, body);
        let mut grpc = tonic::server::Grpc::new(Raw);
        Box::pin(async move {
            Ok(match path.as_str() {
                "/test.Echo/Unary" | "/test.Echo/Small" => grpc.unary(service_fn(Echo::unary), request).await,
                "/test.Echo/Down" => grpc.server_streaming(service_fn(Echo::down), request).await,
                "/test.Echo/Up" => grpc.client_streaming(service_fn(Echo::up), request).await,
                "/test.Echo/Both" => grpc.streaming(service_fn(Echo::both), request).await,
                _ => Status::unimplemented("no such method").into_http(),
            })
        })
    }
}

/// A client of the service that sends a token.
pub(crate) struct Caller {
    grpc: tonic::client::Grpc<Channel>,
    authorization: Option<String>,
}

impl Caller {
    /// Creates a client on a channel, with an optional value of `Authorization`.
    pub(crate) fn new(channel: Channel, authorization: Option<&str>) -> Self {
        Self { grpc: tonic::client::Grpc::new(channel), authorization: authorization.map(str::to_owned) }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(value) = &self.authorization {
            request.metadata_mut().insert("authorization", value.parse().expect("ASCII"));
        }
        request
    }

    /// Makes a unary call.
    pub(crate) async fn unary(
        &mut self,
        path: &'static str,
        message: &str,
    ) -> Result<Response<Bytes>, Status> {
        self.grpc.ready().await.expect("a connection to the gateway");
        let request = self.request(Bytes::copy_from_slice(message.as_bytes()));
        self.grpc.unary(request, PathAndQuery::from_static(path), Raw).await
    }

    /// Makes a client-streaming call.
    pub(crate) async fn down(&mut self, message: &str) -> Result<Streaming<Bytes>, Status> {
        self.grpc.ready().await.expect("a connection to the gateway");
        let request = self.request(Bytes::copy_from_slice(message.as_bytes()));
        let path = PathAndQuery::from_static("/test.Echo/Down");
        self.grpc.server_streaming(request, path, Raw).await.map(Response::into_inner)
    }

    /// Makes a server-streaming call.
    pub(crate) async fn up(&mut self, messages: mpsc::Receiver<Bytes>) -> Result<Bytes, Status> {
        self.grpc.ready().await.expect("a connection to the gateway");
        let request = self.request(ReceiverStream::new(messages));
        let path = PathAndQuery::from_static("/test.Echo/Up");
        self.grpc.client_streaming(request, path, Raw).await.map(Response::into_inner)
    }

    /// Makes a bidirectional call.
    pub(crate) async fn both(&mut self, messages: mpsc::Receiver<Bytes>) -> Result<Streaming<Bytes>, Status> {
        self.grpc.ready().await.expect("a connection to the gateway");
        let request = self.request(ReceiverStream::new(messages));
        let path = PathAndQuery::from_static("/test.Echo/Both");
        self.grpc.streaming(request, path, Raw).await.map(Response::into_inner)
    }
}
