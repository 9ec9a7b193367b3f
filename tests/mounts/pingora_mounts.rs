//! The pingora mounts, each behind a TLS listener that accepts client certificates.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use http::{Response, header};
use pingora::apps::ServerApp;
use pingora::apps::http_app::{HttpServer, ServeHttp};
use pingora::http::RequestHeader;
use pingora::listeners::tls::TlsSettings;
use pingora::modules::http::HttpModules;
use pingora::prelude::HttpPeer;
use pingora::protocols::http::ServerSession;
use pingora::protocols::l4::stream::Stream;
use pingora::proxy::{FailToProxy, ProxyHttp, Session, http_proxy};
use pingora::server::configuration::ServerConf;
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::net::TcpListener;
use tollgate::gate::Gate;
use tollgate::oauth::Permit;
use tollgate::plugin::pingora::{
    Access, PingoraModule, Refused, answer_denied, note_connection, serve_endpoint,
};

use crate::mount::{demand, own, seen};

/// Responds with the client in the identity headers and the `Authorization` that it received. Fails the test
/// if a forged name or a proof arrives.
#[derive(Debug)]
struct Upstream;

#[async_trait]
impl ServeHttp for Upstream {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        // The connection closes if an app leaves a part of the body unread.
        session.drain_request_body().await.unwrap();
        let headers = &session.req_header().headers;
        for forged in ["x_client_scope", "x_client_id", "dpop"] {
            assert!(!headers.contains_key(forged), "{headers:?}");
        }
        let value = |name: &str| {
            let values: Vec<_> = headers.get_all(name).iter().collect();
            assert!(values.len() < 2, "{name} is there twice");
            values.first().map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        let authorization = value(header::AUTHORIZATION.as_str());
        let body = seen(&value("x-client-id"), &value("x-client-scope"), &authorization).into_bytes();
        Response::builder().header(header::CONTENT_LENGTH, body.len()).body(body).unwrap()
    }
}

struct Proxy {
    gate: Gate,
    upstream: SocketAddr,
}

/// Returns the demand of every path of the table.
fn module(gate: &Gate) -> PingoraModule {
    let by_path = |head: &RequestHeader| demand(head.uri.path()).map_or(Access::Public, Access::token);
    let own = |permit: &Permit, head: &RequestHeader| match head.uri.path() {
        "/own" => own(permit, head.headers.contains_key("x-mine")),
        _ => Ok(()),
    };
    gate.pingora_module(tollgate::oauth::Requirement::AnyToken).ask_by(by_path).and(own).with_endpoints()
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = ();

    fn new_ctx(&self) {}

    fn init_downstream_modules(&self, modules: &mut HttpModules) {
        modules.add_module(Box::new(module(&self.gate)));
    }

    async fn early_request_filter(&self, session: &mut Session, (): &mut ()) -> pingora::Result<()> {
        note_connection(&mut session.downstream_modules_ctx, &session.downstream_session);
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, (): &mut ()) -> pingora::Result<bool> {
        serve_endpoint(&self.gate, session.as_downstream_mut()).await
    }

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &pingora::Error, (): &mut ()) -> FailToProxy {
        let denied = answer_denied(&session.downstream_modules_ctx, &mut session.downstream_session).await;
        let Some(Refused { status, reusable, .. }) = denied else { panic!("{error}") };
        FailToProxy { error_code: status, can_reuse_downstream: reusable }
    }
}

/// Starts the upstream alone, without TLS.
pub(crate) async fn upstream() -> SocketAddr {
    serve(HttpServer::new_app(Upstream), None).await
}

/// Starts a pingora proxy with the module in front of an upstream.
pub(crate) async fn proxy(gate: &Gate, upstream: SocketAddr, tls: &Path) -> SocketAddr {
    let conf = Arc::new(ServerConf::default());
    serve(http_proxy(&conf, Proxy { gate: gate.clone(), upstream }), Some(tls)).await
}

/// Starts a pingora HTTP app behind the gate.
pub(crate) async fn app(gate: &Gate, tls: &Path) -> SocketAddr {
    serve(HttpServer::new_app(module(gate).around(Upstream)), Some(tls)).await
}

/// `tls` is the folder of the server's key and certificate and of the clients' authority.
async fn serve<A: ServerApp + Send + Sync + 'static>(app: A, tls: Option<&Path>) -> SocketAddr {
    let app = Arc::new(app);
    let acceptor = tls.map(|folder| Arc::new(settings(folder).build()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (_running, shutdown) = tokio::sync::watch::channel(false);
        while let Ok((connection, _)) = listener.accept().await {
            let (app, shutdown, acceptor) = (Arc::clone(&app), shutdown.clone(), acceptor.clone());
            tokio::spawn(async move {
                let connection = Stream::from(connection);
                let mut stream: Option<pingora::protocols::Stream> = match acceptor {
                    None => Some(Box::new(connection)),
                    Some(acceptor) => Some(Box::new(acceptor.tls_handshake(connection).await.unwrap())),
                };
                while let Some(connection) = stream {
                    stream = app.process_new(connection, &shutdown).await;
                }
            });
        }
    });
    address
}

fn settings(folder: &Path) -> TlsSettings {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let mut settings = TlsSettings::intermediate(&path("cert.pem"), &path("key.pem")).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(path("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    settings.set_client_cert_verifier(verifier.allow_unauthenticated().build().unwrap());
    settings
}
