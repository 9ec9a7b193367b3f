//! The layer in front of a service that asks the gateway's binary about its tokens.

mod failures;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response, StatusCode, header};
use tollgate::clock::ManualClock;
use tollgate::gate::{Credentials, RemoteGateBuilder};
use tollgate::oauth::AccessToken;
use tollgate::{Denial, Gate, Permit, RemoteGate};
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::relay::{Mode, Relay};
use crate::setup::SECRET;
use crate::support::config::{self, Config};
use crate::support::{Gateway, INTROSPECT, REVOKE, TOKEN, credentials, form, post_form, raw, token_of};
use crate::table;
use crate::tokens::{Issuer, Tokens};
use crate::{Keys, assert_layer, mount, pingora_mounts};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_introspects_matches_the_table() {
    let keys = Keys::new();
    let files = keys.files(pingora_mounts::upstream().await);
    let gateway = Gateway::start_text(&files.before, &[]);
    let tokens = Tokens::prepare(&Issuer::Binary(&gateway), &files, &keys.holders).await;
    // Over TLS, with the gateway's self-signed certificate.
    let certificate = std::fs::read(gateway.dir().join("state/self-signed.pem")).unwrap();
    let url = format!("https://localhost:{}{INTROSPECT}", gateway.tls().port());
    for staleness in [Duration::ZERO, Duration::from_secs(60)] {
        let gate = Gate::remote(&url, Credentials::new("api", SECRET))
            .trusted_certificates(certificate.clone())
            .resource_metadata("https://api.example.com/.well-known/oauth-protected-resource")
            .public_origin("https://api.example.com")
            .unwrap()
            .timeout(Duration::from_secs(20))
            .staleness(staleness)
            .on_failure(|error| panic!("{error}"))
            .build()
            .unwrap();
        gate.check_endpoint().await.unwrap();
        for row in table::all().into_iter().chain(table::plugins()) {
            let path = format!("{}{}", row.path, (row.query)(&tokens));
            let request = || mount::Request {
                path: &path,
                certificate: (row.certificate)(&keys.holders),
                headers: (row.headers)(&tokens),
            };
            assert_layer("remote", &row, mount::remote(&gate, &request()).await);
            assert_layer("remote, again", &row, mount::remote(&gate, &request()).await);
        }
    }
}

/// A gateway, a relay in front of its endpoint, and the reported failures.
struct Setting {
    gateway: Gateway,
    relay: Relay,
    failures: Arc<Mutex<Vec<String>>>,
}

impl Setting {
    async fn start() -> Self {
        let config = Config::standard(([127, 0, 0, 1], 9).into());
        let gateway = Gateway::start(&config);
        let relay = Relay::start(gateway.plain()).await;
        Self { gateway, relay, failures: Arc::default() }
    }

    fn remote(&self) -> RemoteGateBuilder {
        let failures = Arc::clone(&self.failures);
        let url = format!("http://{}{INTROSPECT}", self.relay.address);
        Gate::remote(url, Credentials::new("introspector", config::SECRET))
            .timeout(Duration::from_secs(20))
            .on_failure(move |error| failures.lock().unwrap().push(error.to_string()))
    }

    async fn token(&self, client: &'static str) -> String {
        let address = self.gateway.plain();
        let body = credentials(client) + "&grant_type=client_credentials&scope=read";
        let answer = tokio::task::spawn_blocking(move || raw(address, post_form(TOKEN, &[], body)));
        token_of(&answer.await.unwrap())
    }

    async fn revoke(&self, client: &'static str, token: &str) {
        let address = self.gateway.plain();
        let body = format!("{}&token={}", credentials(client), form(token));
        let answer = tokio::task::spawn_blocking(move || raw(address, post_form(REVOKE, &[], body)));
        answer.await.unwrap().status(200);
    }

    fn failures(&self) -> Vec<String> {
        std::mem::take(&mut *self.failures.lock().unwrap())
    }
}

/// Returns the status of a request with this token, and the client that the service saw.
async fn call(gate: &RemoteGate, token: &str) -> (u16, String) {
    let inner = service_fn(async |request: Request<()>| {
        let client = request.extensions().get::<Permit>().and_then(Permit::client_id);
        Ok::<_, std::convert::Infallible>(Response::new(client.unwrap_or_default().to_owned()))
    });
    let request = Request::get("/orders").header(header::AUTHORIZATION, format!("Bearer {token}"));
    let answer = gate.require("read").layer(inner).oneshot(request.body(()).unwrap()).await.unwrap();
    let status = answer.status();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        assert_eq!(answer.extensions().get::<Denial>(), Some(&Denial::Unavailable));
        assert_eq!(answer.headers()[header::RETRY_AFTER], "1");
    }
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    let client =
        if status == StatusCode::OK { String::from_utf8_lossy(&body).into_owned() } else { String::new() };
    (status.as_u16(), client)
}

async fn status(gate: &RemoteGate, token: &str) -> u16 {
    call(gate, token).await.0
}

/// Returns a well-formed token that was never issued.
fn invented(number: u8) -> String {
    AccessToken::from_random(&[number; 32]).expose().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_staleness_every_request_introspects_and_a_revocation_is_immediate() {
    let setting = Setting::start().await;
    let gate = setting.remote().build().unwrap();
    let token = setting.token("server").await;
    for requests in 1..=3 {
        assert_eq!(call(&gate, &token).await, (200, "server".to_owned()));
        assert_eq!(setting.relay.requests(), requests);
    }
    setting.revoke("server", &token).await;
    assert_eq!(status(&gate, &token).await, 401);
    assert_eq!(setting.relay.requests(), 4);
    // Text that is not in the format of a token is refused without an introspection.
    for text in ["tg_x", "x", &token[..51], &format!("{token}A"), &token.replace("tg_", "tG_")] {
        assert_eq!(status(&gate, text).await, 401, "{text}");
    }
    assert_eq!(setting.relay.requests(), 4);
    assert_eq!(setting.failures(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_is_cached_for_the_staleness_and_no_longer() {
    let setting = Setting::start().await;
    let unix_time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let clock = Arc::new(ManualClock::new(unix_time));
    let remote = setting.remote().clock(Arc::<ManualClock>::clone(&clock));
    let gate = remote.staleness(Duration::from_secs(5)).build().unwrap();
    let token = setting.token("server").await;
    for _ in 0..3 {
        assert_eq!(status(&gate, &token).await, 200);
    }
    assert_eq!(setting.relay.requests(), 1);
    setting.revoke("server", &token).await;
    clock.advance(Duration::from_millis(4_999));
    assert_eq!(status(&gate, &token).await, 200, "within the configured staleness");
    // A cached response needs no gateway.
    setting.relay.set(Mode::Break);
    assert_eq!(status(&gate, &token).await, 200);
    setting.relay.set(Mode::Pass);
    clock.advance(Duration::from_millis(1));
    assert_eq!(status(&gate, &token).await, 401);
    assert_eq!(setting.relay.requests(), 2);
    // A negative response is not cached.
    assert_eq!(status(&gate, &token).await, 401);
    assert_eq!(setting.relay.requests(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cached_response_expires_with_its_token() {
    let setting = Setting::start().await;
    let unix_time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let clock = Arc::new(ManualClock::new(unix_time));
    let remote = setting.remote().clock(Arc::<ManualClock>::clone(&clock));
    let gate = remote.staleness(Duration::from_secs(3_600)).build().unwrap();
    let token = setting.token("minute").await;
    assert_eq!(status(&gate, &token).await, 200);
    clock.advance(Duration::from_secs(55));
    assert_eq!(status(&gate, &token).await, 200);
    assert_eq!(setting.relay.requests(), 1);
    clock.advance(Duration::from_secs(6));
    assert_eq!(status(&gate, &token).await, 401, "expired by the answer of a minute ago");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn disabled_clients_and_missing_scopes_are_refused() {
    let setting = Setting::start().await;
    let gate = setting.remote().build().unwrap();
    let token = setting.token("other").await;
    assert_eq!(status(&gate, &token).await, 200);
    let service =
        service_fn(async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new(String::new())));
    let request =
        Request::get("/").header(header::AUTHORIZATION, format!("Bearer {token}")).body(()).unwrap();
    let answer = gate.require(["read", "write"]).layer(service).oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let challenge = answer.headers()[header::WWW_AUTHENTICATE].to_str().unwrap();
    assert!(challenge.contains("scope=\"read write\""), "{challenge}");
    let dir = setting.gateway.dir().to_owned();
    tokio::task::spawn_blocking(move || {
        let output = crate::support::run(&dir, &["client", "disable", "other"]);
        assert_eq!(output.code, Some(0), "{}", output.all());
    })
    .await
    .unwrap();
    setting.gateway.signal("HUP");
    while status(&gate, &token).await != 401 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_with_one_token_share_an_introspection() {
    let setting = Setting::start().await;
    let token = setting.token("server").await;
    let (strict, stale) = (
        setting.remote().build().unwrap(),
        setting.remote().staleness(Duration::from_secs(60)).build().unwrap(),
    );
    // The first request introspects. The others arrive during that. Without a staleness they need a later
    // introspection, which they share.
    for (gate, expected) in [(strict, 2), (stale, 1)] {
        let before = setting.relay.requests();
        setting.relay.set(Mode::Hold);
        let requests: Vec<_> = (0..50)
            .map(|_| {
                let (gate, token) = (gate.clone(), token.clone());
                tokio::spawn(async move { status(&gate, &token).await })
            })
            .collect();
        setting.relay.wait_for(before + 1).await;
        // All of them are waiting by now. Otherwise they would introspect after the first response.
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(setting.relay.requests(), before + 1);
        setting.relay.set(Mode::Pass);
        for request in requests {
            assert_eq!(request.await.unwrap(), 200);
        }
        assert_eq!(setting.relay.requests(), before + expected);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_made_up_tokens_causes_bounded_requests_and_memory() {
    let setting = Setting::start().await;
    let token = setting.token("server").await;
    let gate =
        setting.remote().max_in_flight(4).staleness(Duration::from_secs(60)).max_cached(1).build().unwrap();
    assert_eq!(status(&gate, &token).await, 200);
    let before = setting.relay.requests();
    setting.relay.set(Mode::Hold);
    let flood: Vec<_> = (0..200)
        .map(|number| {
            let gate = gate.clone();
            tokio::spawn(async move { status(&gate, &invented(number)).await })
        })
        .collect();
    setting.relay.wait_for(before + 4).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(setting.relay.requests(), before + 4, "four introspections in flight");
    assert_eq!(status(&gate, &token).await, 200, "a remembered token does not wait");
    setting.relay.set(Mode::Pass);
    for request in flood {
        assert_eq!(request.await.unwrap(), 401);
    }
    assert_eq!(setting.relay.requests(), before + 200);
    assert_eq!(status(&gate, &token).await, 200, "the flood has not evicted it");
    assert_eq!(setting.relay.requests(), before + 200);

    // More than 64 waiting requests per slot are refused at once.
    let gate = setting.remote().max_in_flight(1).build().unwrap();
    setting.relay.set(Mode::Hold);
    let flood: Vec<_> = (0..80)
        .map(|number| {
            let gate = gate.clone();
            tokio::spawn(async move { status(&gate, &invented(number)).await })
        })
        .collect();
    while setting.failures.lock().unwrap().len() < 80 - 65 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    setting.relay.set(Mode::Pass);
    let mut refused = 0;
    for request in flood {
        refused += usize::from(request.await.unwrap() == 503);
    }
    assert_eq!(refused, 80 - 65);
    assert!(setting.failures()[0].starts_with("too many requests are waiting"));
}
