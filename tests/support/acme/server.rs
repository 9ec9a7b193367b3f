//! The authority's HTTPS server and its resources (RFC 8555 §7).

use super::jws::{Jws, PublicKey, decode};
use super::{Order, Shared, State, der, issue, validate};
use crate::support::certificates::Authority;
use crate::support::message::{Message, read_message};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// Returns a unique text. In a test, nonces and tokens need not be hard to guess.
fn unique(kind: &str) -> String {
    format!("{kind}-{}-0123456789abcdef", crate::support::jose::unique())
}

/// A response: its status, its headers and its body.
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string() }
    }

    fn problem(status: u16, kind: &str, detail: &str) -> Self {
        Self::json(status, &json!({ "type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail }))
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

pub(super) fn start(state: State) -> Arc<Shared> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (issuer, own) = (Authority::new(), Authority::new());
    let identity = own.sign("localhost");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![identity.certificate.into()], PrivateKeyDer::Pkcs8(identity.key.into()))
        .expect("a certificate");
    let config = Arc::new(config);
    let address = listener.local_addr().expect("its address");
    let (state, changed) = (Mutex::new(state), Condvar::new());
    let shared = Arc::new(Shared { state, changed, address, issuer, own });
    let serving = Arc::clone(&shared);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (shared, config) = (Arc::clone(&serving), Arc::clone(&config));
            thread::spawn(move || serve(&shared, &config, stream));
        }
    });
    shared
}

/// Serves one request: the gateway opens a connection for each.
fn serve(shared: &Arc<Shared>, config: &Arc<ServerConfig>, stream: TcpStream) {
    if shared.lock().faults.down {
        return;
    }
    let connection = ServerConnection::new(Arc::clone(config)).expect("a TLS server");
    let mut stream = StreamOwned::new(connection, stream);
    let Ok(request) = read_message(&mut stream, &mut Vec::new(), None) else { return };
    let Answer { status, headers, body } = answer(shared, &request);
    let nonce = unique("nonce");
    shared.lock().nonces.insert(nonce.clone());
    let kind =
        if body.starts_with("-----") { "application/pem-certificate-chain" } else { "application/json" };
    let mut head = format!(
        "HTTP/1.1 {status} Status\r\nReplay-Nonce: {nonce}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Cache-Control: no-store\r\nConnection: close\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let body = if request.line.starts_with("HEAD ") { "" } else { &body };
    let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes());
    stream.conn.send_close_notify();
    let _ = stream.flush();
}

fn answer(shared: &Arc<Shared>, request: &Message) -> Answer {
    let mut words = request.line.split(' ');
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let mut parts = path.trim_start_matches('/').split('/');
    let (resource, id) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let index = id.parse::<usize>().unwrap_or(usize::MAX);
    match (method, resource) {
        ("GET", "directory") => directory(shared),
        ("HEAD" | "GET", "nonce") => Answer { status: 200, headers: Vec::new(), body: String::new() },
        ("GET", "renewal") => renewal(&shared.lock(), id),
        ("POST", _) => match authenticated(shared, request, path) {
            Err(problem) => problem,
            Ok((jws, account)) => post(shared, resource, index, &jws, account),
        },
        _ => violation(&mut shared.lock(), &format!("{method} {path}")),
    }
}

fn post(shared: &Arc<Shared>, resource: &str, index: usize, jws: &Jws, account: Account) -> Answer {
    let mut state = shared.lock();
    let account = match (resource, account) {
        ("new-account", Account::New(key)) => return new_account(shared, &mut state, jws, key),
        (_, Account::Known(account)) => account,
        _ => return violation(&mut state, "a request of no account"),
    };
    if resource == "account" {
        state.contacts[account] = contacts(jws);
        return Answer::json(200, &json!({ "status": "valid" }));
    }
    if resource == "new-order" {
        return new_order(shared, &mut state, jws, account);
    }
    if state.orders.get(index).is_none_or(|order| order.account != account) {
        return Answer::problem(404, "malformed", "there is no such order");
    }
    match (resource, &jws.payload) {
        ("order", None) => order(shared, &mut state, index, 200),
        ("authorization", None) => {
            let order = &state.orders[index];
            let identifier = json!({ "type": "dns", "value": order.domain });
            let challenges =
                [challenge(shared, order, index, "http-01"), challenge(shared, order, index, "tls-alpn-01")];
            let body =
                json!({ "status": order.authorization, "identifier": identifier, "challenges": challenges });
            Answer::json(200, &body)
        }
        ("challenge", Some(payload)) if *payload == json!({}) => {
            let body = challenge(shared, &state.orders[index], index, "tls-alpn-01");
            drop(state);
            validate::begin(shared, index);
            Answer::json(200, &body)
        }
        ("finalize", Some(payload)) => finalize(shared, &mut state, index, payload),
        ("certificate", None) => match &state.orders[index].chain {
            Some(chain) => Answer { status: 200, headers: Vec::new(), body: chain.clone() },
            None => Answer::problem(404, "malformed", "there is no certificate"),
        },
        _ => violation(&mut state, "a request with the wrong payload"),
    }
}

/// The account that has signed a request.
enum Account {
    Known(usize),
    New(PublicKey),
}

/// Verifies the signature, the nonce and the URL of a request (RFC 8555 §6).
fn authenticated(shared: &Shared, request: &Message, path: &str) -> Result<(Jws, Account), Answer> {
    let mut state = shared.lock();
    let is_jose = request.all("content-type") == ["application/jose+json"];
    let jws = serde_json::from_slice(&request.body).ok().and_then(|body| Jws::parse(&body));
    let Some(jws) = jws.filter(|_| is_jose) else { return Err(violation(&mut state, "no JWS")) };
    if jws.header["url"] != *shared.url(path) {
        return Err(violation(&mut state, "another URL"));
    }
    let fresh = jws.header["nonce"].as_str().is_some_and(|nonce| state.nonces.remove(nonce));
    if !fresh {
        return Err(violation(&mut state, "a used nonce"));
    }
    if state.faults.bad_nonces > 0 {
        state.faults.bad_nonces -= 1;
        return Err(Answer::problem(400, "badNonce", "a fault of the test"));
    }
    let account = match (jws.header.get("kid").and_then(Value::as_str), jws.header.get("jwk")) {
        (Some(kid), None) => {
            let index = kid.strip_prefix(&shared.url("/account/")).and_then(|index| index.parse().ok());
            match index.filter(|index: &usize| *index < state.accounts.len()) {
                None => return Err(Answer::problem(400, "accountDoesNotExist", "who is that?")),
                Some(index) => (state.accounts[index].clone(), Account::Known(index)),
            }
        }
        (None, Some(jwk)) => match PublicKey::parse(jwk) {
            Some(key) => (key.clone(), Account::New(key)),
            None => return Err(violation(&mut state, "another kind of key")),
        },
        _ => return Err(violation(&mut state, "neither kid nor jwk alone")),
    };
    match jws.is_signed_by(&account.0) {
        true => Ok((jws, account.1)),
        false => Err(violation(&mut state, "a wrong signature")),
    }
}

/// Records a request that the RFC does not allow, and refuses it.
fn violation(state: &mut State, what: &str) -> Answer {
    state.violations.push(what.to_owned());
    Answer::problem(400, "malformed", what)
}

fn directory(shared: &Shared) -> Answer {
    let mut directory = json!({
        "newNonce": shared.url("/nonce"),
        "newAccount": shared.url("/new-account"),
        "newOrder": shared.url("/new-order"),
        "meta": { "termsOfService": "https://ca.example.test/terms" },
    });
    if shared.lock().renew_now.is_some() {
        directory["renewalInfo"] = shared.url("/renewal").into();
    }
    Answer::json(200, &directory)
}

/// Suggests a window for the renewal (RFC 9773 §4.2).
fn renewal(state: &State, id: &str) -> Answer {
    if id.split('.').filter(|part| decode(part).is_some_and(|part| !part.is_empty())).count() != 2 {
        return Answer::problem(404, "malformed", "this is not the name of a certificate");
    }
    let (start, end) = match state.renew_now {
        Some(true) => ("2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"),
        _ => ("2090-01-01T00:00:00Z", "2090-01-02T00:00:00Z"),
    };
    let body = json!({ "suggestedWindow": { "start": start, "end": end } });
    Answer::json(200, &body).with("Retry-After", "21600".to_owned())
}

fn contacts(jws: &Jws) -> Vec<String> {
    let contacts = jws.payload.as_ref().and_then(|payload| payload["contact"].as_array());
    contacts.into_iter().flatten().filter_map(|contact| contact.as_str().map(str::to_owned)).collect()
}

fn new_account(shared: &Shared, state: &mut State, jws: &Jws, key: PublicKey) -> Answer {
    let Some(payload) = &jws.payload else { return violation(state, "an account without contents") };
    if payload["termsOfServiceAgreed"] != true {
        return violation(state, "the terms are not agreed to");
    }
    if let Some((kid, secret)) = &state.external {
        let binding = Jws::parse(&payload["externalAccountBinding"]);
        let url = shared.url("/new-account");
        if !binding.is_some_and(|binding| binding.binds(&key, kid, secret, &url)) {
            return Answer::problem(403, "externalAccountRequired", "no customer is known by this");
        }
    }
    state.accounts.push(key);
    state.contacts.push(contacts(jws));
    let location = shared.url(&format!("/account/{}", state.accounts.len() - 1));
    Answer::json(201, &json!({ "status": "valid" })).with("Location", location)
}

fn new_order(shared: &Shared, state: &mut State, jws: &Jws, account: usize) -> Answer {
    if let Some(wait) = state.faults.rate_limited {
        let problem = Answer::problem(429, "rateLimited", "too many certificates");
        return problem.with("Retry-After", wait.to_string());
    }
    let payload = jws.payload.clone().unwrap_or_default();
    let domain = match payload["identifiers"].as_array().map(Vec::as_slice) {
        Some([one]) if one["type"] == "dns" => one["value"].as_str().unwrap_or("").to_owned(),
        _ => return violation(state, "an order for other than one domain"),
    };
    let replaces = payload["replaces"].as_str().map(str::to_owned);
    let (processing, index) = (state.faults.processing, state.orders.len());
    state.orders.push(Order {
        account,
        domain,
        token: unique("token"),
        authorization: "pending",
        problem: None,
        replaces,
        chain: None,
        processing,
    });
    let is_open = |order: &&Order| order.chain.is_none() && order.authorization != "invalid";
    state.most_open_orders = state.most_open_orders.max(state.orders.iter().filter(is_open).count());
    order(shared, state, index, 201).with("Location", shared.url(&format!("/order/{index}")))
}

fn order(shared: &Shared, state: &mut State, index: usize, status: u16) -> Answer {
    let order = &mut state.orders[index];
    let url = |resource: &str| shared.url(&format!("/{resource}/{index}"));
    let progress = match (order.authorization, &order.chain) {
        ("pending", _) => "pending",
        ("invalid", _) => "invalid",
        (_, None) => "ready",
        (_, Some(_)) if order.processing > 0 => {
            order.processing -= 1;
            "processing"
        }
        (_, Some(_)) => "valid",
    };
    let mut body = json!({
        "status": progress,
        "identifiers": [{ "type": "dns", "value": order.domain }],
        "authorizations": [url("authorization")],
        "finalize": url("finalize"),
    });
    if progress == "valid" {
        body["certificate"] = url("certificate").into();
    }
    if let Some(replaces) = &order.replaces {
        body["replaces"] = replaces.as_str().into();
    }
    Answer::json(status, &body)
}

fn challenge(shared: &Shared, order: &Order, index: usize, kind: &str) -> Value {
    let mut challenge = json!({
        "type": kind,
        "url": shared.url(&format!("/challenge/{index}")),
        "token": order.token,
        "status": order.authorization,
    });
    if let Some(problem) = &order.problem {
        challenge["error"] =
            json!({ "type": "urn:ietf:params:acme:error:unauthorized", "detail": problem, "status": 403 });
    }
    challenge
}

fn finalize(shared: &Shared, state: &mut State, index: usize, payload: &Value) -> Answer {
    if state.orders[index].authorization != "valid" || state.orders[index].chain.is_some() {
        return Answer::problem(403, "orderNotReady", "the domain is not validated");
    }
    let domain = state.orders[index].domain.clone();
    let request = payload["csr"].as_str().and_then(decode);
    let Some(key) = request.and_then(|request| der::request(&request, &domain)) else {
        state.violations.push("a bad certificate request".to_owned());
        return Answer::problem(400, "badCSR", "the request is not for the domain, or not signed");
    };
    state.orders[index].chain = Some(issue::chain(state, &shared.issuer, &domain, key));
    order(shared, state, index, 200)
}
