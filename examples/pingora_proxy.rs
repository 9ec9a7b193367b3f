//! A pingora proxy behind the gate. The proxy answers the OAuth endpoints itself.
//!
//! ```text
//! cargo run --example pingora_proxy --features pingora
//! ```

#[path = "support/ask.rs"]
mod ask;

use std::error::Error;
use std::net::{SocketAddr, TcpListener};

use async_trait::async_trait;
use pingora::modules::http::HttpModules;
use pingora::prelude::{HttpPeer, Server, http_proxy_service};
use pingora::proxy::{FailToProxy, ProxyHttp, Session};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tollgate::plugin::pingora::{Refused, answer_denied, serve_endpoint};
use tollgate::{ClientSpec, Gate, GateSpec};

struct Proxy {
    gate: Gate,
    upstream: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = ();

    fn new_ctx(&self) {}

    fn init_downstream_modules(&self, modules: &mut HttpModules) {
        modules.add_module(Box::new(self.gate.pingora_module("read").with_endpoints()));
    }

    async fn request_filter(&self, session: &mut Session, (): &mut ()) -> pingora::Result<bool> {
        serve_endpoint(&self.gate, session.as_downstream_mut()).await
    }

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &pingora::Error, (): &mut ()) -> FailToProxy {
        let denied = answer_denied(&session.downstream_modules_ctx, &mut session.downstream_session).await;
        if let Some(Refused { status, reusable, .. }) = denied {
            return FailToProxy { error_code: status, can_reuse_downstream: reusable };
        }
        let code = if let pingora::ErrorType::HTTPStatus(code) = error.etype() { *code } else { 502 };
        // Writing fails if the client has disconnected.
        let _ = session.respond_error(code).await;
        FailToProxy { error_code: code, can_reuse_downstream: false }
    }

    fn suppress_error_log(&self, session: &Session, (): &(), _: &pingora::Error) -> bool {
        // A refused request is not an error of the proxy.
        session.response_written().is_some_and(|answer| answer.status.is_client_error())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let client = ClientSpec::with_id("server")?.plain_secret("Password1")?.scopes("read")?;
    let gate = Gate::builder(GateSpec::new("http://localhost").client(client)).build()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let upstream = runtime.block_on(legacy_api())?;

    let mut server = Server::new(None)?;
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Proxy { gate, upstream });
    // pingora does not report the port that it listens on, so a free one is found first.
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    service.add_tcp(&address.to_string());
    server.add_service(service);
    std::thread::spawn(move || server.run_forever());

    runtime.block_on(async {
        while tokio::net::TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let token = ask::token(address, "read").await?;
        let (status, answer) = ask::ask(address, "GET / HTTP/1.1\r\nX-Client-Id: admin", "").await?;
        println!("without a token: {status}");
        assert!(status == 401 && answer.to_lowercase().contains("www-authenticate: bearer"), "{answer}");
        let bearer = format!("GET / HTTP/1.1\r\nX-Client-Id: admin\r\nAuthorization: Bearer {token}");
        let (status, answer) = ask::ask(address, &bearer, "").await?;
        println!("with one: {status}, {}", answer.lines().last().unwrap_or_default());
        assert!(status == 200 && answer.ends_with("hello, server"), "{answer}");
        Ok(())
    })
}

/// An upstream without any knowledge of tokens. It greets the client in `X-Client-Id`.
async fn legacy_api() -> std::io::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            let mut head = vec![0; 16 * 1024];
            let read = connection.read(&mut head).await.unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..read]).to_lowercase();
            let client = head.lines().find_map(|line| line.strip_prefix("x-client-id: ")).unwrap_or("nobody");
            let hello = format!("hello, {client}");
            let answer = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{hello}",
                hello.len()
            );
            let _ = connection.write_all(answer.as_bytes()).await;
        }
    });
    Ok(address)
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().unwrap();
    }
}
