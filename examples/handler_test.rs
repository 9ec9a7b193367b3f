//! A test of a handler, with tokens that expire without waiting.
//!
//! ```text
//! cargo test --example handler_test
//! ```

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use tollgate::clock::ManualClock;
use tollgate::{ClientSpec, Gate, GateSpec, Permit};
use tower::ServiceExt as _;

/// The program under test.
fn app(gate: &Gate) -> Router {
    let hello = async |permit: Permit| format!("hello, {}", permit.client_id().unwrap_or("nobody"));
    Router::new().route("/hello", get(hello)).layer(gate.require("read"))
}

/// A gate whose clock the test moves.
fn test_gate() -> Result<(Gate, Arc<ManualClock>), Box<dyn Error>> {
    let clock = Arc::new(ManualClock::default());
    let client = ClientSpec::with_id("server")?.scopes("read")?.token_lifetime(Duration::from_secs(299));
    let spec = GateSpec::new("http://localhost").client(client);
    Ok((Gate::builder(spec).clock(Arc::<ManualClock>::clone(&clock)).build()?, clock))
}

async fn status(app: &Router, token: &str) -> Result<StatusCode, Box<dyn Error>> {
    let request =
        Request::get("/hello").header("authorization", format!("Bearer {token}")).body(Body::empty())?;
    Ok(app.clone().oneshot(request).await?.status())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (gate, clock) = test_gate()?;
    let app = app(&gate);
    let token = gate.issue_to("server", "read")?;

    assert_eq!(status(&app, token.expose()).await?, StatusCode::OK);
    clock.advance(Duration::from_millis(298_999));
    assert_eq!(status(&app, token.expose()).await?, StatusCode::OK);
    clock.advance(Duration::from_millis(1));
    assert_eq!(status(&app, token.expose()).await?, StatusCode::UNAUTHORIZED);
    println!("a token of 299 s worked for 298.999 s and not for 299 s");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_token_expires_to_the_millisecond() {
        super::main().unwrap();
    }
}
