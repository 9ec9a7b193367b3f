//! An axum server: one scope to read, another to write, and the OAuth endpoints beside them.
//!
//! ```text
//! cargo run --example axum_two_scopes --features axum             # shows what it does and exits
//! cargo run --example axum_two_scopes --features axum -- serve    # keeps running, for curl
//! ```

#[path = "support/ask.rs"]
mod ask;

use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tollgate::{ClientSpec, Gate, GateSpec, Permit};

async fn list(permit: Permit) -> String {
    format!("orders of {}\n", permit.client_id().unwrap_or("nobody"))
}

async fn add(permit: Permit) -> String {
    format!("added for {}\n", permit.client_id().unwrap_or("nobody"))
}

/// A page for everyone. It greets a client by its id if its route is behind a layer.
async fn welcome(permit: Option<Permit>) -> String {
    let client = permit.as_ref().and_then(Permit::client_id);
    format!("hello, {}\n", client.unwrap_or("anyone"))
}

fn app(gate: &Gate) -> Router {
    let reading = Router::new().route("/orders", get(list)).layer(gate.require("read"));
    let writing = Router::new().route("/orders", post(add)).layer(gate.require("write"));
    // Failed authentications are counted by address, which axum has in a type of its own.
    let oauth = gate.oauth_service().address_by(|parts| {
        parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip())
    });
    let app = reading.merge(writing).route("/", get(welcome));
    // The endpoints and the metadata documents at their own paths.
    oauth.paths().iter().fold(app, |app, path| app.route_service(path, oauth.clone()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = ClientSpec::with_id("server")?.plain_secret("Password1")?.scopes(["read", "write"])?;
    let gate = Gate::builder(GateSpec::new("http://localhost:3000").client(client)).build()?;
    let app = app(&gate).into_make_service_with_connect_info::<SocketAddr>();

    let serve = std::env::args().any(|argument| argument == "serve");
    let listener = TcpListener::bind(if serve { "127.0.0.1:3000" } else { "127.0.0.1:0" }).await?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    if serve {
        return Ok(server.await??);
    }

    let token = ask::token(address, "read").await?;
    let bearer = format!("Authorization: Bearer {token}");
    for (head, expected) in [
        ("GET /orders HTTP/1.1".to_owned(), 401),
        (format!("GET /orders HTTP/1.1\r\n{bearer}"), 200),
        (format!("POST /orders HTTP/1.1\r\n{bearer}"), 403),
        ("GET / HTTP/1.1".to_owned(), 200),
        ("GET /.well-known/oauth-protected-resource HTTP/1.1".to_owned(), 200),
    ] {
        let (status, _) = ask::ask(address, &head, "").await?;
        println!("{status}  {}", head.replace(&token, "<token>").replace("\r\n", "  "));
        assert_eq!(status, expected);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().unwrap();
    }
}
