//! The servers: one handler behind one gate, over either protocol.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use quinn::crypto::rustls::QuicServerConfig;
use rustix::time::{ClockId, clock_gettime};
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tollgate::{ClientSpec, Gate, GateSpec, Permit};
use tower::{Layer as _, ServiceExt as _};

use crate::{Failure, Protocol};

/// The path whose response is the processor time of the server, in nanoseconds. It needs no token.
pub(crate) const CPU: &str = "/cpu";
/// The length of the response.
pub(crate) const LENGTH: usize = 512;

async fn hello(request: Request<Empty<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    assert!(request.extensions().get::<Permit>().is_some(), "the gate lets nothing else pass");
    Ok(Response::new(Full::from(Bytes::from_static(&[b'x'; LENGTH]))))
}

/// Answers a request of either protocol. The token is checked by the layer that programs use.
async fn answer(gate: &Gate, request: Request<()>) -> Response<Bytes> {
    if request.uri().path() == CPU {
        let spent = clock_gettime(ClockId::ProcessCPUTime);
        let nanos = spent.tv_sec * 1_000_000_000 + spent.tv_nsec;
        return Response::new(nanos.to_string().into());
    }
    let service = gate.require("read").layer(tower::service_fn(hello));
    let request = request.map(|()| Empty::<Bytes>::new());
    let response = service.oneshot(request).await.unwrap_or_else(|never| match never {});
    let (head, body) = response.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    Response::from_parts(head, body)
}

/// Serves until the process is killed. Prints the address and a token first.
pub(crate) async fn serve(protocol: Protocol) -> Result<(), Failure> {
    let client = ClientSpec::with_id("load")?.plain_secret("not-a-secret")?.scopes("read")?;
    let gate = Gate::builder(GateSpec::new("https://localhost").client(client)).build()?;
    let token = gate.issue_to("load", "read")?;
    let started = |address: SocketAddr| println!("{address} {}", token.expose());
    match protocol {
        Protocol::Http2 => over_tls(gate.clone(), started).await,
        Protocol::Http3 => over_quic(gate.clone(), started).await,
    }
}

fn tls(alpn: &[u8]) -> Result<rustls::ServerConfig, Failure> {
    let key = rcgen::KeyPair::generate()?;
    let certificate = rcgen::CertificateParams::new(["localhost".to_owned()])?.self_signed(&key)?;
    let mut config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )?;
    config.alpn_protocols = vec![alpn.to_vec()];
    Ok(config)
}

async fn over_tls(gate: Gate, started: impl FnOnce(SocketAddr)) -> Result<(), Failure> {
    let acceptor = TlsAcceptor::from(Arc::new(tls(b"h2")?));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    started(listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (gate, acceptor) = (gate.clone(), acceptor.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request: Request<Incoming>| {
                let gate = gate.clone();
                async move {
                    let response = answer(&gate, request.map(drop)).await;
                    Ok::<_, Infallible>(response.map(Full::new))
                }
            });
            let _ = http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn over_quic(gate: Gate, started: impl FnOnce(SocketAddr)) -> Result<(), Failure> {
    let config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls(b"h3")?)?));
    let endpoint = quinn::Endpoint::server(config, "127.0.0.1:0".parse()?)?;
    started(endpoint.local_addr()?);
    while let Some(incoming) = endpoint.accept().await {
        let gate = gate.clone();
        tokio::spawn(async move {
            let Ok(connection) = incoming.await else { return };
            let connection = h3::server::builder().build(h3_quinn::Connection::new(connection)).await;
            let Ok(mut connection) = connection else { return };
            while let Ok(Some(resolver)) = connection.accept().await {
                let gate = gate.clone();
                tokio::spawn(async move {
                    let Ok((request, mut stream)) = resolver.resolve_request().await else { return };
                    let (head, body) = answer(&gate, request).await.into_parts();
                    let _ = stream.send_response(Response::from_parts(head, ())).await;
                    let _ = stream.send_data(body).await;
                    let _ = stream.finish().await;
                });
            }
        });
    }
    Ok(())
}
