//! The pingora mounts, each behind a listener.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use http::{Response, header};
use pingora::apps::ServerApp;
use pingora::apps::http_app::{HttpServer, ServeHttp};
use pingora::modules::http::HttpModules;
use pingora::prelude::HttpPeer;
use pingora::protocols::http::ServerSession;
use pingora::protocols::l4::stream::Stream;
use pingora::proxy::{FailToProxy, ProxyHttp, Session, http_proxy};
use pingora::server::configuration::ServerConf;
use tokio::net::TcpListener;
use tollgate::gate::Gate;
use tollgate::plugin::pingora::{Refused, answer_denied, serve_endpoint};

use crate::mount::{requirement, seen};

/// Tells whom the identity headers name, and fails the test should it ever see a token or a forged name.
#[derive(Debug)]
struct Upstream;

#[async_trait]
impl ServeHttp for Upstream {
    async fn response(&self, session: &mut ServerSession) -> Response<Vec<u8>> {
        // What an app leaves unread costs it the connection.
        session.drain_request_body().await.unwrap();
        let headers = &session.req_header().headers;
        assert!(!headers.contains_key(header::AUTHORIZATION) && !headers.contains_key("x_client_scope"));
        let value = |name: &str| headers.get(name).map_or("", |value| value.to_str().unwrap());
        let body = seen(value("x-client-id"), value("x-client-scope")).into_bytes();
        Response::builder().header(header::CONTENT_LENGTH, body.len()).body(body).unwrap()
    }
}

struct Proxy {
    gate: Gate,
    upstream: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = ();

    fn new_ctx(&self) {}

    fn init_downstream_modules(&self, modules: &mut HttpModules) {
        modules.add_module(Box::new(self.gate.pingora_module(requirement()).with_endpoints()));
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

/// The upstream alone.
pub(crate) async fn upstream() -> SocketAddr {
    serve(HttpServer::new_app(Upstream)).await
}

/// A pingora proxy with the module, and an upstream.
pub(crate) async fn proxy(gate: &Gate) -> SocketAddr {
    let upstream = upstream().await;
    let conf = Arc::new(ServerConf::default());
    serve(http_proxy(&conf, Proxy { gate: gate.clone(), upstream })).await
}

/// A pingora HTTP app behind the gate.
pub(crate) async fn app(gate: &Gate) -> SocketAddr {
    serve(HttpServer::new_app(gate.pingora_app(requirement(), Upstream).with_endpoints())).await
}

async fn serve<A: ServerApp + Send + Sync + 'static>(app: A) -> SocketAddr {
    let app = Arc::new(app);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (_running, shutdown) = tokio::sync::watch::channel(false);
        while let Ok((connection, _)) = listener.accept().await {
            let (app, shutdown) = (Arc::clone(&app), shutdown.clone());
            tokio::spawn(async move {
                let mut stream = Some(Box::new(Stream::from(connection)) as pingora::protocols::Stream);
                while let Some(connection) = stream {
                    stream = app.process_new(connection, &shutdown).await;
                }
            });
        }
    });
    address
}
