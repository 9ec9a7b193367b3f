//! A service function behind the gate and the OAuth endpoints, with hyper and no framework.
//!
//! ```text
//! cargo run --example hyper_bare
//! ```

#[path = "support/ask.rs"]
mod ask;

use std::convert::Infallible;
use std::error::Error;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tollgate::{ClientSpec, Gate, GateSpec, Permit};
use tower::{Layer as _, ServiceExt as _, service_fn};

async fn hello(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let client = request.extensions().get::<Permit>().and_then(Permit::client_id).unwrap_or("nobody");
    Ok(Response::new(Full::from(format!("hello, {client}\n"))))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = ClientSpec::with_id("server")?.plain_secret("Password1")?.scopes("read")?;
    let gate = Gate::builder(GateSpec::new("http://localhost").client(client)).build()?;
    let api = gate.require("read").layer(service_fn(hello));
    let oauth = gate.oauth_service();

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    tokio::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let (gate, api, oauth) = (gate.clone(), api.clone(), oauth.clone());
            let service = service_fn(move |mut request: Request<Incoming>| {
                let (gate, api, oauth) = (gate.clone(), api.clone(), oauth.clone());
                async move {
                    if gate.endpoint(request.uri().path()).is_some() {
                        // The address that failed authentications are counted by.
                        request.extensions_mut().insert(peer);
                        return oauth.oneshot(request).await.map(|answer| answer.map(BodyExt::boxed));
                    }
                    api.oneshot(request).await.map(|answer| answer.map(BodyExt::boxed))
                }
            });
            let connection = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    eprintln!("{peer}: {error}");
                }
            });
        }
    });

    let token = ask::token(address, "read").await?;
    let (status, _) = ask::ask(address, "GET / HTTP/1.1", "").await?;
    println!("without a token: {status}");
    assert_eq!(status, 401);
    let (status, answer) =
        ask::ask(address, &format!("GET / HTTP/1.1\r\nAuthorization: Bearer {token}"), "").await?;
    println!("with one: {status}, {}", answer.lines().last().unwrap_or_default());
    assert!(status == 200 && answer.ends_with("hello, server\n"));
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().unwrap();
    }
}
