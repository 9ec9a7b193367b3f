//! The gateway's data path on the same gate, behind hyper as in the binary. (The binary itself, with its own tokens,
//! is in `tests/wire`.)

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use http::{HeaderValue, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tollgate::config::Config;
use tollgate::gate::Gate;
use tollgate::proxy::{ClientConnection, Proxy, build};

use crate::pingora_mounts;

/// The gateway, its one route asking what the table asks, and an upstream.
pub(crate) async fn gateway(gate: &Gate) -> SocketAddr {
    let upstream = pingora_mounts::upstream().await;
    let text = format!(
        r#"
        [server]
        listen = ["http://127.0.0.1:0"]
        [token_service]
        issuer = "https://api.example.com"
        [scopes]
        read = "Read"
        [upstreams.orders]
        servers = ["http://{upstream}"]
        [[routes]]
        path = "/orders"
        scopes = ["read"]
        upstream = "orders"
        "#
    );
    let config = Config::parse(&text, Path::new("gateway.toml"), Path::new("."), &|_| None)
        .unwrap_or_else(|errors| panic!("{errors}"));
    let routes = build::rules(&config, None).unwrap_or_else(|errors| panic!("{errors:?}"));
    let proxy = Arc::new(Proxy::new(gate.clone(), routes));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((connection, peer)) = listener.accept().await {
            let proxy = Arc::clone(&proxy);
            let service = service_fn(move |request: Request<Incoming>| {
                let proxy = Arc::clone(&proxy);
                async move {
                    let client = ClientConnection {
                        peer: peer.ip(),
                        peer_value: &HeaderValue::from_static("127.0.0.1"),
                        head_is_clear: true,
                        secure: false,
                        certificate: None,
                    };
                    Ok::<_, Infallible>(proxy.serve(request, client).await)
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), service));
        }
    });
    address
}
