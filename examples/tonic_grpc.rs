//! A tonic gRPC server: one service behind the gate. A refusal is UNAUTHENTICATED or PERMISSION_DENIED, which
//! every gRPC client understands.
//!
//! The service is the standard health service, so that no protobuf compiler is needed.
//!
//! ```text
//! cargo run --example tonic_grpc --features tonic
//! ```

use std::error::Error;

use tokio::net::TcpListener;
use tollgate::{ClientSpec, Gate, GateSpec};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::Layer as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = ClientSpec::with_id("server")?.scopes(["read", "health"])?;
    let gate = Gate::builder(GateSpec::new("http://localhost").client(client)).build()?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let (_, health) = tonic_health::server::health_reporter();
    let server = Server::builder()
        // The service keeps its name behind the layer. `Server::layer` would put all services behind it.
        .add_service(gate.require("health").grpc().layer(health))
        .serve_with_incoming(TcpIncoming::from(listener));
    tokio::spawn(server);

    let channel = Channel::from_shared(format!("http://{address}"))?.connect().await?;
    let right = gate.issue_to("server", "health")?;
    let wrong = gate.issue_to("server", "read")?;
    for (what, token, expected) in [
        ("no token", None, Err(Code::Unauthenticated)),
        ("an unknown token", Some("tg_x"), Err(Code::Unauthenticated)),
        ("another scope", Some(wrong.expose()), Err(Code::PermissionDenied)),
        ("the right scope", Some(right.expose()), Ok(())),
    ] {
        let answer = check(channel.clone(), token).await;
        match &answer {
            Ok(()) => println!("{what}: served"),
            Err(status) => println!("{what}: {:?}, {}", status.code(), status.message()),
        }
        assert_eq!(answer.map_err(|status| status.code()), expected);
    }
    Ok(())
}

async fn check(channel: Channel, token: Option<&str>) -> Result<(), Status> {
    let mut request = Request::new(HealthCheckRequest::default());
    if let Some(token) = token {
        let bearer = format!("Bearer {token}").parse().map_err(|_| Status::internal("not ASCII"))?;
        request.metadata_mut().insert("authorization", bearer);
    }
    HealthClient::new(channel).check(request).await.map(drop)
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().unwrap();
    }
}
