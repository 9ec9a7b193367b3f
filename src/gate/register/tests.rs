//! Registration with a fake clock: the life of a client, bounds, expiry, restarts.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use crate::clock::ManualClock;
use crate::gate::{ClientSpec, Endpoint, FormBody, Gate, GateSpec, InitialToken, Origin, RegistrationSpec};
use crate::oauth::registration::{AuthMethod, RegistrationToken, Template, TokenKind};
use crate::oauth::scope::{Requirement, Scopes};
use crate::oauth::secret::Secret;
use crate::store::{Journal, TokenStore, client_key};

const NOW: u64 = 1_800_000_000;
const DAY: u64 = 86_400;
const ENDPOINT: &str = "/oauth/v2/register";

fn template(name: &str) -> Template {
    Template {
        name: name.into(),
        scopes: Scopes::parse("read write").unwrap(),
        default_scopes: Scopes::parse("read").unwrap(),
        token_lifetime: Duration::from_secs(600),
        methods: vec![AuthMethod::Basic, AuthMethod::Post],
        audiences: Vec::new(),
        dpop_bound_tokens: false,
        max_clients: 3,
        unused_expiry: Duration::from_secs(30 * DAY),
    }
}

fn initial(name: &str, max_uses: Option<u64>, expires: Option<u64>) -> (Secret, InitialToken) {
    let seed = [name.len() as u8; 32];
    let (text, digest) = RegistrationToken::from_random(TokenKind::Initial, &seed);
    let expires = expires.map(Duration::from_secs);
    (text, InitialToken { name: name.to_owned(), digest, template: "partner".to_owned(), expires, max_uses })
}

fn registration(tokens: Vec<InitialToken>) -> RegistrationSpec {
    RegistrationSpec {
        endpoint: ENDPOINT.to_owned(),
        max_clients: 4,
        max_per_minute: 1_000,
        templates: vec![Arc::new(template("partner"))],
        tokens,
        disabled: Vec::new(),
        removed: Vec::new(),
    }
}

fn spec(registration: RegistrationSpec) -> GateSpec {
    let own = ClientSpec::with_id("own").unwrap().scopes("read write").unwrap();
    let mut spec = GateSpec::new("https://gateway.example.com").client(own);
    spec.registration = Some(Box::new(registration));
    spec
}

fn gate(registration: RegistrationSpec) -> (Gate, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Duration::from_secs(NOW)));
    let gate = Gate::builder(spec(registration)).clock(clock.clone()).hashing_threads(1).build().unwrap();
    (gate, clock)
}

async fn send(gate: &Gate, method: &str, path: &str, token: &str, body: &str) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let endpoint = gate.endpoint(path);
    assert_eq!(endpoint, Some(Endpoint::Registration), "{path}");
    let body = FormBody::Whole(Bytes::copy_from_slice(body.as_bytes()));
    let origin = Origin::from_address(IpAddr::from([192, 0, 2, 1]));
    let answer = gate.answer(Endpoint::Registration, &parts, body, origin).await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let status = answer.status();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body.is_empty(), status == StatusCode::NO_CONTENT);
    (status.as_u16(), serde_json::from_slice(&body).unwrap_or_default())
}

async fn register(gate: &Gate, token: &Secret, body: Value) -> (u16, Value) {
    send(gate, "POST", ENDPOINT, token.expose(), &body.to_string()).await
}

/// Requests a token by `client_secret_post`, and returns the status and the token.
async fn token(gate: &Gate, id: &str, secret: &str) -> (u16, String) {
    let request = Request::post("/oauth/v2/oauth-token")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let body = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    let answer = gate.answer(Endpoint::Token, &parts, FormBody::Whole(body.into()), Origin::default()).await;
    let status = answer.status().as_u16();
    let body: Value =
        serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap();
    (status, text(&body, "access_token"))
}

fn opens(gate: &Gate, token: &str) -> bool {
    let headers = [(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap())].into_iter().collect();
    gate.authorize(&headers, &Requirement::all("read").unwrap()).is_ok()
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_default().to_owned()
}

fn post(scope: &str) -> Value {
    json!({ "token_endpoint_auth_method": "client_secret_post", "scope": scope })
}

#[tokio::test]
async fn a_client_registers_reads_replaces_and_removes_its_registration() {
    let (initial_token, spec_of_it) = initial("ci", None, None);
    let (gate, _) = gate(registration(vec![spec_of_it]));
    let (status, client) = register(&gate, &initial_token, post("read write")).await;
    assert_eq!(status, 201, "{client}");
    let (id, secret) = (text(&client, "client_id"), text(&client, "client_secret"));
    let path = format!("{ENDPOINT}/{id}");
    assert_eq!(client["registration_client_uri"], format!("https://gateway.example.com{path}"));
    assert_eq!(
        (&client["client_secret_expires_at"], &client["client_id_issued_at"]),
        (&json!(0), &json!(NOW))
    );
    let (status, access) = token(&gate, &id, &secret).await;
    assert_eq!(status, 200);
    assert!(opens(&gate, &access));

    let first = text(&client, "registration_access_token");
    let (status, read) = send(&gate, "GET", &path, &first, "").await;
    assert_eq!((status, &read["scope"], read.get("client_secret")), (200, &json!("read write"), None));
    assert_eq!(read["registration_access_token"], first.as_str());

    // An update replaces the secret and the token, and narrows the tokens that were issued.
    let mut update = post("write");
    update["client_id"] = json!(id);
    update["client_secret"] = json!("guessed");
    let (status, refused) = send(&gate, "PUT", &path, &first, &update.to_string()).await;
    assert_eq!((status, &refused["error"]), (400, &json!("invalid_client_metadata")));
    update["client_secret"] = json!(secret);
    let (status, updated) = send(&gate, "PUT", &path, &first, &update.to_string()).await;
    assert_eq!(status, 200, "{updated}");
    assert!(!opens(&gate, &access), "its scope is gone");
    let (second, changed) = (text(&updated, "registration_access_token"), text(&updated, "client_secret"));
    assert!(second != first && changed != secret);
    assert_eq!(token(&gate, &id, &secret).await.0, 401, "the secret before");
    let (status, access) = token(&gate, &id, &changed).await;
    assert_eq!(status, 200);
    // The previous token is valid until the new one is used, because the response may have been lost.
    assert_eq!(send(&gate, "GET", &path, &first, "").await.0, 200);
    assert_eq!(send(&gate, "GET", &path, &second, "").await.0, 200);
    assert_eq!(send(&gate, "GET", &path, &first, "").await.0, 401);

    assert!(gate.tokens_live_of(&id).is_some());
    assert_eq!(send(&gate, "DELETE", &path, &second, "").await.0, 204);
    assert_eq!(gate.tokens_live_of(&id), None);
    assert!(!opens(&gate, &access));
    assert_eq!(token(&gate, &id, &changed).await.0, 401);
    assert_eq!(send(&gate, "GET", &path, &second, "").await.0, 401);
    assert!(gate.registered_clients().is_empty());
}

#[tokio::test]
async fn the_previous_registration_token_is_valid_for_ten_minutes() {
    let (ci, ci_spec) = initial("ci", None, None);
    let (gate, clock) = gate(registration(vec![ci_spec]));
    let (_, client) = register(&gate, &ci, post("read")).await;
    let (id, first) = (text(&client, "client_id"), text(&client, "registration_access_token"));
    let path = format!("{ENDPOINT}/{id}");
    let mut update = post("read");
    update["client_id"] = json!(id);
    let (status, updated) = send(&gate, "PUT", &path, &first, &update.to_string()).await;
    assert_eq!(status, 200, "{updated}");
    clock.advance(Duration::from_secs(599));
    assert_eq!(send(&gate, "GET", &path, &first, "").await.0, 200);
    clock.advance(Duration::from_secs(1));
    assert_eq!(send(&gate, "GET", &path, &first, "").await.0, 401);
    assert_eq!(send(&gate, "PUT", &path, &first, &update.to_string()).await.0, 401);
    let second = text(&updated, "registration_access_token");
    assert_eq!(send(&gate, "GET", &path, &second, "").await.0, 200);
}

#[tokio::test]
async fn the_tokens_of_others_and_those_for_something_else_are_refused() {
    let (ci, ci_spec) = initial("ci", None, None);
    let (old, old_spec) = initial("expired", None, Some(NOW));
    let (once, once_spec) = initial("single", Some(1), None);
    let (gate, clock) = gate(registration(vec![ci_spec, old_spec, once_spec]));
    let (_, one) = register(&gate, &ci, post("read")).await;
    let (_, other) = register(&gate, &once, post("read")).await;
    let path = format!("{ENDPOINT}/{}", text(&one, "client_id"));
    let mut answers = Vec::new();
    for (method, path, token) in [
        ("POST", ENDPOINT, old.expose()),
        ("POST", ENDPOINT, once.expose()),
        ("POST", ENDPOINT, &text(&one, "registration_access_token")),
        ("POST", ENDPOINT, "tgi_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ("GET", &path, ci.expose()),
        ("GET", &path, &text(&other, "registration_access_token")),
        ("PUT", &path, &text(&other, "registration_access_token")),
        ("DELETE", &path, &text(&other, "registration_access_token")),
        ("DELETE", "/oauth/v2/register/reg_AAAAAAAAAAAAAAAAAAAAAA", &text(&one, "registration_access_token")),
    ] {
        answers.push(send(&gate, method, path, token, "{}").await);
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");
    assert_eq!((answers[0].0, &answers[0].1["error"]), (401, &json!("invalid_token")));
    assert_eq!(gate.registered_clients().len(), 2);
    clock.advance(Duration::from_secs(DAY));
    let (status, _) = register(&gate, &ci, post("read")).await;
    assert_eq!(status, 201);
}

#[tokio::test]
async fn clients_are_bounded_in_number_and_in_rate() {
    let (ci, ci_spec) = initial("ci", None, None);
    let (gate, clock) = gate(RegistrationSpec { max_per_minute: 5, ..registration(vec![ci_spec]) });
    let mut last = Value::Null;
    for _ in 0..3 {
        let (status, client) = register(&gate, &ci, post("read")).await;
        assert_eq!(status, 201);
        last = client;
    }
    let (status, refused) = register(&gate, &ci, post("read")).await;
    assert_eq!((status, &refused["error"]), (403, &json!("access_denied")));
    assert_eq!(register(&gate, &ci, json!({ "scope": "admin" })).await.0, 400);
    assert_eq!(register(&gate, &ci, post("read")).await.0, 429, "refusals count too");
    clock.advance(Duration::from_secs(60));
    let path = format!("{ENDPOINT}/{}", text(&last, "client_id"));
    assert_eq!(send(&gate, "DELETE", &path, &text(&last, "registration_access_token"), "").await.0, 204);
    assert_eq!(register(&gate, &ci, post("read")).await.0, 201, "a place is free again");
}

#[tokio::test]
async fn a_client_that_nobody_uses_is_removed_and_one_that_is_used_stays() {
    let (ci, ci_spec) = initial("ci", None, None);
    let (gate, clock) = gate(registration(vec![ci_spec]));
    let (_, used) = register(&gate, &ci, post("read")).await;
    let (_, unused) = register(&gate, &ci, post("read")).await;
    clock.advance(Duration::from_secs(20 * DAY));
    assert_eq!(token(&gate, &text(&used, "client_id"), &text(&used, "client_secret")).await.0, 200);
    assert!(gate.expire_registered().await.is_empty());
    clock.advance(Duration::from_secs(10 * DAY));
    assert_eq!(gate.expire_registered().await, [text(&unused, "client_id")]);
    assert_eq!(token(&gate, &text(&unused, "client_id"), &text(&unused, "client_secret")).await.0, 401);
    clock.advance(Duration::from_secs(20 * DAY));
    assert_eq!(gate.expire_registered().await, [text(&used, "client_id")]);
    assert!(gate.registered_clients().is_empty());
}

#[tokio::test]
async fn a_reload_bounds_the_clients_that_are_registered_already() {
    let (ci, ci_spec) = initial("ci", None, None);
    let (gate, _) = gate(registration(vec![ci_spec.clone()]));
    let (_, client) = register(&gate, &ci, post("read write")).await;
    let (id, secret) = (text(&client, "client_id"), text(&client, "client_secret"));
    let (_, access) = token(&gate, &id, &secret).await;
    // A reload that changes nothing keeps the client and its tokens.
    gate.reload(spec(registration(vec![ci_spec.clone()])));
    assert!(opens(&gate, &access));
    let narrower = Template {
        scopes: Scopes::parse("write").unwrap(),
        default_scopes: Scopes::none(),
        ..template("partner")
    };
    gate.reload(spec(RegistrationSpec {
        templates: vec![Arc::new(narrower)],
        ..registration(vec![ci_spec.clone()])
    }));
    assert!(!opens(&gate, &access), "the template has lost the scope");
    assert_eq!(token(&gate, &id, &secret).await.0, 200);
    for refused in [
        RegistrationSpec { disabled: vec![id.clone()], ..registration(vec![ci_spec.clone()]) },
        RegistrationSpec { removed: vec![id.clone()], ..registration(vec![ci_spec.clone()]) },
        RegistrationSpec { templates: vec![Arc::new(template("other"))], ..registration(Vec::new()) },
    ] {
        gate.reload(spec(registration(vec![ci_spec.clone()])));
        assert_eq!(token(&gate, &id, &secret).await.0, 200);
        gate.reload(spec(refused));
        assert_eq!(token(&gate, &id, &secret).await.0, 401);
    }
    // A client that an operator removes is also removed from the store.
    gate.reload(spec(RegistrationSpec { removed: vec![id.clone()], ..registration(vec![ci_spec.clone()]) }));
    assert!(gate.expire_registered().await.is_empty());
    assert!(gate.registered_clients().is_empty());
    // Without the table there is no endpoint.
    gate.reload(GateSpec::new("https://gateway.example.com"));
    assert_eq!(gate.endpoint(ENDPOINT), None);
}

#[tokio::test]
async fn registered_clients_and_used_up_tokens_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (once, once_spec) = initial("single", Some(1), None);
    let clock = Arc::new(ManualClock::new(Duration::from_secs(NOW)));
    let start = || {
        let store: Arc<dyn TokenStore> =
            Arc::new(Journal::open(folder.path(), 1_000, clock.clone()).unwrap());
        let spec = spec(registration(vec![once_spec.clone()]));
        Gate::builder(spec).clock(clock.clone()).store(store).hashing_threads(1).build().unwrap()
    };
    let before = start();
    // The journal cannot express a token from the very beginning of the clock.
    clock.advance(Duration::from_secs(60));
    let (status, client) = register(&before, &once, post("read")).await;
    assert_eq!(status, 201);
    let (id, secret) = (text(&client, "client_id"), text(&client, "client_secret"));
    let (_, access) = token(&before, &id, &secret).await;
    drop(before);
    let after = start();
    assert!(opens(&after, &access), "the tokens of a registered client stay");
    assert_eq!(token(&after, &id, &secret).await.0, 200);
    assert_eq!(register(&after, &once, post("read")).await.0, 401);
    let path = format!("{ENDPOINT}/{id}");
    let manage = text(&client, "registration_access_token");
    assert_eq!(send(&after, "DELETE", &path, &manage, "").await.0, 204);
    drop(after);
    let last = start();
    assert!(last.registered_clients().is_empty());
    assert!(!opens(&last, &access));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_update_beside_a_removal_never_brings_a_client_back() {
    let (token, of_it) = initial("ci", None, None);
    let mut bounds = registration(vec![of_it]);
    bounds.max_per_minute = 100_000;
    let (gate, _) = gate(bounds);
    for round in 0..40 {
        let body = json!({ "token_endpoint_auth_method": "client_secret_post", "scope": "read" });
        let (status, client) = register(&gate, &token, body.clone()).await;
        assert_eq!(status, 201, "{client}");
        let (id, manage) = (text(&client, "client_id"), text(&client, "registration_access_token"));
        let path = format!("{ENDPOINT}/{id}");
        let mut update = body;
        update["client_id"] = json!(id);
        let put = {
            let (gate, path, manage) = (gate.clone(), path.clone(), manage.clone());
            tokio::spawn(async move { send(&gate, "PUT", &path, &manage, &update.to_string()).await })
        };
        let delete = {
            let (gate, path, manage) = (gate.clone(), path.clone(), manage.clone());
            tokio::spawn(async move { send(&gate, "DELETE", &path, &manage, "").await.0 })
        };
        let ((put, updated), deleted) = (put.await.unwrap(), delete.await.unwrap());
        assert_eq!(deleted, 204, "round {round}");
        assert!(put == 200 || put == 401, "round {round}: {put} {updated}");
        assert!(gate.registered_clients().is_empty(), "round {round}: the client is there again");
        for client in [&client, &updated] {
            let (status, _) = self::token(&gate, &id, &text(client, "client_secret")).await;
            assert_eq!(status, 401, "round {round}");
            let manage = text(client, "registration_access_token");
            let refused = send(&gate, "GET", &path, &manage, "").await.0;
            assert_eq!(refused, 401, "round {round}");
        }
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_read_neither_stops_the_gate_nor_hides_other_clients() {
    let folder = tempfile::tempdir().unwrap();
    let (token_text, of_it) = initial("ci", None, None);
    let clock = Arc::new(ManualClock::new(Duration::from_secs(NOW)));
    let start = || {
        let store: Arc<dyn TokenStore> =
            Arc::new(Journal::open(folder.path(), 1_000, clock.clone()).unwrap());
        let spec = spec(registration(vec![of_it.clone()]));
        let gate =
            Gate::builder(spec).clock(clock.clone()).store(Arc::clone(&store)).hashing_threads(1).build();
        (gate.unwrap(), store)
    };
    let (gate, store) = start();
    clock.advance(Duration::from_secs(60));
    let (_, client) = register(&gate, &token_text, post("read")).await;
    let (id, secret) = (text(&client, "client_id"), text(&client, "client_secret"));
    let rows = [&b"{\"version\":2}"[..], b"\xff\x00", b"", b"{}"].into_iter().enumerate();
    let rows = rows.map(|(at, row)| (client_key(&format!("reg_{at:022}")), Some(row.to_vec())));
    store.client_table().unwrap().write(rows.collect()).get().await.unwrap();
    drop((gate, store));
    let (gate, store) = start();
    assert_eq!(gate.registered_clients().len(), 1);
    assert_eq!(token(&gate, &id, &secret).await.0, 200);
    for at in 0..4 {
        assert_eq!(token(&gate, &format!("reg_{at:022}"), &secret).await.0, 401);
    }
    // The rows stay for the version of the program that can read them.
    assert!(gate.expire_registered().await.is_empty());
    let kept = store.client_table().unwrap().rows();
    assert_eq!(kept.iter().filter(|(key, _)| key.starts_with("client/")).count(), 5);
    assert_eq!(register(&gate, &token_text, post("read")).await.0, 201);
}
