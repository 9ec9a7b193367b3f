//! Files that compile, and what they compile to.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use argon2::{Argon2, PasswordVerifier};
use http::Method;

use super::*;
use crate::{
    config::{
        Access, AccessLog, Balance, BodyLimit, CorsOrigins, Credentials, ExpectedStatus, IdentityHeader,
        IdentityHeaders, Issuer, JwtKeys, ListenerProtocol, Methods, Pattern, Probe, Protocol, RetryBudget,
        ServerCertificate, TokenForwarding, UpstreamHost,
    },
    gate::KeySource,
    oauth::certificate::Subject,
    oauth::jose::SigningAlgorithm,
    oauth::scope::Requirement,
};

/// Every key, each with a value other than its default.
const MAXIMAL: &str = include_str!("maximal.toml");

const SECOND: Duration = Duration::from_secs(1);

fn maximal() -> Config {
    let folder = tempfile::tempdir().unwrap();
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    for name in ["cert.pem", "clients.pem", "ca.pem"] {
        std::fs::write(folder.path().join(name), pair.cert.pem()).unwrap();
    }
    std::fs::write(folder.path().join("key.pem"), pair.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.path().join("password.txt"), "from-the-file\r\n").unwrap();
    parse_in(MAXIMAL, folder.path()).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn an_empty_file_is_all_defaults() {
    let config = good("");
    let listener = &config.server.listen[0];
    assert_eq!(config.server.listen.len(), 1);
    assert_eq!(listener.address.to_string(), "127.0.0.1:8443");
    assert_eq!(listener.protocol, ListenerProtocol::Https);
    assert_eq!(config.server.threads, None);
    assert_eq!(config.server.state_dir, PathBuf::from("./state"));
    assert_eq!(config.server.tls.certificate, ServerCertificate::SelfSigned);
    assert_eq!(config.server.shutdown_grace, SECOND * 10);
    assert_eq!((&config.server.access_log, config.server.request_id), (&AccessLog::Off, false));
    assert!(config.metrics.is_none());
    let limits = &config.server.limits;
    assert_eq!(
        (limits.header_timeout, limits.max_header_size, limits.max_headers),
        (SECOND * 10, 16 << 10, 100)
    );
    assert_eq!((limits.idle_timeout, limits.max_connections), (SECOND * 75, 20_000));
    assert_eq!(limits.max_connections_per_address, crate::config::ConnectionsPerAddress::Share);
    assert_eq!(
        (limits.max_connections_per_address.of(20_000), limits.max_connections_per_address.of(9)),
        (5_000, 64)
    );
    assert_eq!((limits.body_timeout, limits.write_timeout), (SECOND * 30, SECOND * 30));
    assert_eq!((limits.max_body_size, limits.handshake_timeout), (BodyLimit::Bytes(10 << 20), SECOND * 10));
    assert_eq!(limits.half_closed_timeout, SECOND * 3);
    let service = &config.token_service;
    assert_eq!(service.issuer, Issuer::FromListener("https://localhost:8443".into()));
    assert_eq!(service.token_endpoint, "/oauth/v2/oauth-token");
    assert_eq!(service.introspection_endpoint, "/oauth/v2/oauth-introspect");
    assert_eq!(service.revocation_endpoint, "/oauth/v2/oauth-revoke");
    assert_eq!(service.token_lifetime, SECOND * 299);
    assert_eq!((service.max_tokens.get(), service.max_tokens_per_client.get()), (10_000_000, 100_000));
    assert_eq!((service.throttle.failures.get(), service.throttle.per), (10, SECOND * 60));
    assert_eq!(service.realm, "tollgate");
    assert!(config.clients.is_empty() && config.upstreams.is_empty() && config.routes.is_empty());
    assert!(config.scopes.is_empty() && config.demo.is_none());
}

#[test]
fn empty_tables_are_the_defaults_too() {
    let written = "[server]\n[server.tls]\n[server.limits]\n[token_service]\n[token_service.throttle]\n[scopes]\n[clients]\n[upstreams]\n";
    let (mut with, without) = (good(written), good(""));
    // They differ only in the position that the default listener has.
    with.server.listen[0].position = without.server.listen[0].position;
    assert_eq!(with, without);
}

#[test]
fn a_listener_on_loopback_may_trust_every_proxy() {
    for (url, value, from) in [
        ("https://127.0.0.1:1", "true", Some("127.0.0.0/8 ::1/128")),
        ("https://[::1]:1", "true", Some("127.0.0.0/8 ::1/128")),
        ("https://127.0.0.1:1", "false", None),
        ("https://127.0.0.1:1", "{ from = [\"192.0.2.1\"] }", Some("192.0.2.1/32")),
        ("https://0.0.0.0:1", "{ from = [\"10.0.0.0/8\", \"::1\"] }", Some("10.0.0.0/8 ::1/128")),
    ] {
        let config = good(&format!("[server]\nlisten = [{{ url = \"{url}\", proxy_protocol = {value} }}]\n"));
        let believed = config.server.listen[0].proxy_protocol.as_ref();
        let believed =
            believed.map(|ranges| ranges.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
        assert_eq!(believed.as_deref(), from, "{url} {value}");
    }
}

#[test]
fn every_key_in_server_and_token_service_is_compiled() {
    let config = maximal();
    let server = &config.server;
    let listen: Vec<_> = server
        .listen
        .iter()
        .map(|one| (one.address.to_string(), one.protocol, one.proxy_protocol.is_some()))
        .collect();
    let http = |behind_tls, h2c| ListenerProtocol::Http { behind_tls, h2c };
    assert_eq!(
        listen,
        [
            ("[::1]:9443".to_owned(), ListenerProtocol::Https, false),
            ("0.0.0.0:8080".to_owned(), http(true, true), true),
            ("127.0.0.1:8081".to_owned(), http(false, false), false),
            ("0.0.0.0:80".to_owned(), ListenerProtocol::Redirect, false),
        ]
    );
    assert_eq!(server.listen[1].proxy_protocol.as_deref().unwrap()[0].to_string(), "10.0.0.0/8");
    assert_eq!(server.listen[1].position.line, 4);
    assert_eq!(server.threads, NonZeroUsize::new(2));
    assert!(server.state_dir.ends_with("kept") && server.state_dir.is_absolute());
    let ServerCertificate::Acme(acme, files) = &server.tls.certificate else { panic!("{:?}", server.tls) };
    assert!(
        files.len() == 2 && files[0].certificate.ends_with("cert.pem") && files[0].key.ends_with("key.pem")
    );
    assert_eq!(acme.directory, "https://localhost:14000/dir");
    assert!(acme.directory_ca.as_ref().unwrap().ends_with("clients.pem"));
    assert_eq!(
        (&acme.contact[..], &acme.domains[..]),
        (&["mailto:operators@example.com".to_owned()][..], &["api.example.com".to_owned()][..],)
    );
    let external = acme.external_account.as_ref().unwrap();
    assert_eq!((&*external.kid, external.hmac_secret.expose()), ("kid-1", "AAECAwQFBgcICQoLDA0ODw"));
    assert_eq!((acme.renew_percent_left, acme.max_orders_per_hour), (20, 5));
    assert_eq!(acme.retry_after, SECOND * 60);
    assert!(server.tls.client_ca.as_ref().unwrap().ends_with("clients.pem"));
    assert_eq!(server.shutdown_grace, SECOND * 3);
    assert!(matches!(&server.access_log, AccessLog::File(path) if path.ends_with("access.log")));
    assert!(!server.request_id, "as the file says, although requests are logged");
    assert_eq!(config.metrics.as_ref().unwrap().listen.to_string(), "0.0.0.0:9464");
    assert_eq!(server.trusted_proxies[1].to_string(), "2001:db8::/32");
    let limits = &server.limits;
    assert_eq!((limits.header_timeout, limits.max_header_size, limits.max_headers), (SECOND, 8 << 10, 50));
    assert_eq!((limits.idle_timeout, limits.max_connections), (SECOND * 2, 7));
    assert_eq!(limits.max_connections_per_address.of(7), 3);
    assert_eq!((limits.body_timeout, limits.write_timeout), (SECOND * 4, SECOND * 5));
    assert_eq!((limits.max_body_size, limits.handshake_timeout), (BodyLimit::Unlimited, SECOND * 6));
    assert_eq!(limits.half_closed_timeout, SECOND * 7);
    let service = &config.token_service;
    assert_eq!(service.issuer, Issuer::Configured("https://gateway.example.com/tokens".into()));
    assert_eq!(
        service.endpoints().into_iter().map(|(path, _)| path).collect::<Vec<_>>(),
        [
            "/token",
            "/introspect",
            "/revoke",
            "/.well-known/oauth-authorization-server",
            "/.well-known/oauth-authorization-server/tokens",
            "/.well-known/oauth-protected-resource",
            "/.well-known/oauth-protected-resource/tokens",
            "/register",
            "/.well-known/jwks.json",
        ]
    );
    let registration = service.registration.as_ref().unwrap();
    assert_eq!((registration.max_clients.get(), registration.max_per_minute.get()), (50, 3));
    let template = &registration.templates[0];
    assert_eq!((template.name.as_str(), template.scopes.as_str()), ("partner", "read write"));
    assert_eq!((template.default_scopes.as_str(), template.token_lifetime), ("read", SECOND * 60));
    assert_eq!((template.methods.len(), template.audiences.len()), (2, 1));
    assert_eq!((template.max_clients.get(), template.unused_expiry), (5, SECOND * 30 * 86_400));
    assert!(template.dpop_bound_tokens);
    assert_eq!(template.rate_limit.map(|rate| rate.to_string()).as_deref(), Some("20/s"));
    let token = &registration.tokens[0];
    assert_eq!((token.name.as_str(), token.template.as_str(), token.digest), ("ci", "partner", [0; 32]));
    assert_eq!((token.max_uses.map(NonZeroU32::get), token.expires.is_some()), (Some(2), true));
    assert_eq!(registration.disabled_clients, ["reg_AAAAAAAAAAAAAAAAAAAAAA"]);
    assert_eq!(registration.removed_clients, ["reg_BBBBBBBBBBBBBBBBBBBBBB"]);
    let jwt = service.jwt.as_ref().unwrap();
    let (algorithm, day) = (SigningAlgorithm::EdDsa, SECOND * 86_400);
    let generated = JwtKeys::Generated { algorithm, rotate_every: day * 7, publish_before: SECOND * 7_200 };
    assert_eq!((&jwt.keys, jwt.lifetime), (&generated, SECOND * 60));
    assert_eq!(service.token_lifetime, SECOND * 120);
    assert_eq!((service.max_tokens.get(), service.max_tokens_per_client.get()), (1_000, 10));
    assert_eq!((service.throttle.failures.get(), service.throttle.per), (3, SECOND * 30));
    let cors = service.cors.as_ref().unwrap();
    assert!(
        matches!(&cors.origins, CorsOrigins::Only(origins) if origins[0].to_string() == "https://docs.example.com")
    );
    assert_eq!((cors.headers.len(), cors.max_age, cors.credentials), (1, Some(SECOND * 300), false));
    assert_eq!(limits.rate_limit_by_address.unwrap().to_string(), "100/s");
    assert_eq!(service.realm, "my apis");
    assert_eq!(config.demo.unwrap().listen.to_string(), "127.0.0.1:9000");
    let names: Vec<&str> = config.scopes.iter().map(|scope| scope.name.as_str()).collect();
    assert_eq!(names, ["write", "read", "admin"], "in the order of the file");
}

#[test]
fn every_key_of_a_client_is_compiled() {
    let config = maximal();
    let ids: Vec<&str> = config.clients.iter().map(|client| client.id.as_str()).collect();
    assert_eq!(ids, ["server", "with two", "keys", "key-url", "certificate", "self-signed"]);
    let server = config.client("server").unwrap();
    assert!(!server.enabled && server.capabilities.client_credentials && server.capabilities.introspection);
    assert_eq!((server.scopes.as_str(), server.default_scopes.as_str()), ("read write", "read"));
    assert_eq!(server.token_lifetime, SECOND);
    let rate = server.rate_limit.unwrap();
    assert_eq!((rate.events.get(), rate.per, rate.burst.get()), (100, SECOND, 200));
    assert!(server.certificate_bound_tokens && server.dpop_bound_tokens);
    assert_eq!(server.audiences, ["https://api.example.com"]);
    let secret = server.authentication.secret.as_ref().unwrap();
    assert!(secret.basic && secret.post, "both, where the file names no method");
    assert_eq!((secret.secrets[0].id.as_str(), &*secret.secrets[0].hash.to_phc()), ("default", HASH));

    let two = config.client("with two").unwrap();
    assert_eq!(two.token_lifetime, SECOND * 120, "the token service's");
    let secret = two.authentication.secret.as_ref().unwrap();
    assert!(!secret.basic && secret.post);
    let expires =
        secret.secrets[0].expires.unwrap().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(expires.as_secs(), 1_796_083_200);
    assert_eq!((secret.secrets[1].id.as_str(), secret.secrets[1].expires), ("2026-12", None));

    let of = |id: &str| config.client(id).unwrap().authentication.clone();
    assert!(matches!(of("keys").private_key_jwt, Some(KeySource::Inline(keys)) if keys.keys().len() == 2));
    assert!(matches!(of("key-url").private_key_jwt, Some(KeySource::Uri(url)) if url.ends_with("/keys?v=1")));
    assert_eq!(of("certificate").tls_client_auth, Subject::dn("CN=server,O=Example").ok());
    assert_eq!(of("self-signed").self_signed_tls_client_auth, Some([0; 32]));
    assert!(of("self-signed").secret.is_none());
}

#[test]
fn every_key_of_an_upstream_is_compiled() {
    let config = maximal();
    let hello = &config.upstreams[0];
    let servers: Vec<_> = hello.servers.iter().map(|one| (one.to_string(), one.weight.get())).collect();
    assert_eq!(
        servers,
        [("https://api.example.com".to_owned(), 1), ("https://[2001:db8::1]:8443".to_owned(), 2),]
    );
    assert_eq!((hello.balance, hello.protocol), (Balance::LeastRequests, Protocol::Http2));
    assert_eq!((hello.connect_timeout, hello.read_timeout), (SECOND, SECOND * 2));
    assert_eq!((hello.total_timeout, hello.retries), (Some(SECOND * 3), 2));
    let check = hello.health_check.as_ref().unwrap();
    assert_eq!(
        check.probe,
        Probe::Http { path: "/health?deep=1".into(), expected: ExpectedStatus::Range(200, 299) }
    );
    assert_eq!((check.interval, check.timeout), (SECOND * 4, SECOND));
    assert_eq!((check.healthy_after.get(), check.unhealthy_after.get()), (2, 4));
    assert!(matches!(&hello.credentials, Some(Credentials::Header { name, value })
        if name == "x-api-key" && value.expose() == "from-the-environment"));
    assert!(hello.tls.ca.as_ref().unwrap().ends_with("ca.pem"));
    assert_eq!(hello.tls.pins, [[0; 32]]);
    assert!(hello.tls.client_certificate.is_some());
    assert_eq!(hello.tls.server_name.as_ref().unwrap().to_string(), "inner.example.com");
    assert!(hello.case_insensitive);
    assert_eq!((hello.base_path.as_str(), hello.idle_timeout), ("/base", SECOND * 20));
    assert_eq!(hello.host, UpstreamHost::Name("orders.internal:8080".to_owned()));
    assert_eq!(hello.max_in_flight, NonZeroUsize::new(64));
    let queue = hello.queue.unwrap();
    assert_eq!((queue.most.get(), queue.timeout), (32, SECOND * 2));
    let ejection = hello.ejection.unwrap();
    assert_eq!((ejection.failures.get(), ejection.server_errors), (3, true));
    assert_eq!((ejection.span, ejection.max, ejection.return_over), (SECOND * 5, SECOND * 60, SECOND * 20));
    assert_eq!(hello.retry_budget, Some(RetryBudget { percent: 10, min_per_second: 5 }));

    let plain = &config.upstreams[1];
    assert!(matches!(&plain.credentials, Some(Credentials::Basic { user, password })
        if user == "tollgate" && password.expose() == "from-the-file"));
    assert_eq!(plain.health_check.as_ref().unwrap().probe, Probe::Tcp);
    assert_eq!((plain.ejection, plain.retry_budget, plain.queue), (None, None, None));
    assert_eq!((plain.balance, plain.protocol, plain.retries), (Balance::RoundRobin, Protocol::Http1, 1));
    assert_eq!((plain.connect_timeout, plain.read_timeout), (SECOND * 5, SECOND * 60));
}

#[test]
fn every_key_of_a_route_is_compiled() {
    let config = maximal();
    let [first, second, third] = config.routes.as_slice() else { panic!("{:?}", config.routes) };
    assert_eq!(first.path, Pattern::path("/v1/hello/{name}").unwrap());
    assert_eq!(first.host_names(), "api.example.com,*.apis.example.com");
    assert_eq!(first.methods, Methods::Only(vec![Method::GET, Method::HEAD]));
    let Access::Token { requirement: Requirement::All(scopes), audience } = &first.access else { panic!() };
    assert_eq!((scopes.as_str(), audience.as_deref()), ("read write", Some("https://api.example.com")));
    assert_eq!(config.upstream_of(first).unwrap().name, "hello");
    assert_eq!(first.strip_prefix.as_deref(), Some("/v1"));
    assert_eq!((first.forward_token, second.forward_token), (TokenForwarding::Jwt, TokenForwarding::Removed));
    assert_eq!(config.upstream_of(first).unwrap().audience(), "https://hello.internal");
    assert_eq!(config.upstream_of(second).unwrap().audience(), "plain");
    assert!(first.allow_semicolon && first.allow_encoded_slash);
    assert!(first.allow_encoded_delimiters && first.allow_empty_segments && !first.map_response_urls);
    let consumer = IdentityHeader::Named("x-consumer".parse().unwrap());
    assert_eq!(first.identity_headers, IdentityHeaders { client_id: consumer, scope: IdentityHeader::Off });
    assert_eq!(first.request_headers.remove, ["x-debug"]);
    assert_eq!(first.request_headers.set[0].0, "x-tenant");
    assert_eq!((&first.token_header, first.buffer_request), (&None, None));
    assert_eq!(second.upstream_path.as_ref().unwrap().as_str(), "/all");
    assert_eq!((second.buffer_request, second.map_response_urls), (Some(1 << 20), true));
    assert_eq!(
        (first.max_body_size, first.rate_limit.unwrap().events),
        (BodyLimit::Bytes(512), NonZeroU32::new(10).unwrap())
    );
    assert_eq!(first.max_in_flight, NonZeroUsize::new(5));
    assert_eq!(first.response_headers.remove, ["server", "x-powered-by"]);
    assert_eq!(first.response_headers.set[0].0, "x-frame-options");
    assert_eq!(first.addresses.allow[0].to_string(), "10.0.0.0/8");
    assert_eq!(first.addresses.deny[0].to_string(), "10.1.2.3/32");
    let cors = first.cors.as_ref().unwrap();
    assert!(
        matches!(&cors.origins, CorsOrigins::Only(origins) if origins[0].to_string() == "https://app.example.com")
    );
    assert_eq!(cors.methods, Methods::Only(vec![Method::GET]));
    assert_eq!(
        (cors.headers[0].as_str(), cors.max_age, cors.credentials),
        ("x-one", Some(SECOND * 600), true)
    );
    assert!(first.position.line > 80);

    assert_eq!(second.path, Pattern::prefix("/").unwrap());
    assert!(
        matches!(&second.access, Access::Token { requirement: Requirement::Any(scopes), audience: None } if scopes.as_str() == "read admin")
    );
    assert_eq!(
        (&second.methods, second.max_body_size),
        (&Methods::All, BodyLimit::Unlimited),
        "the server's"
    );
    assert_eq!(third.access, Access::Public);
    assert_eq!(third.cors.as_ref().unwrap().origins, CorsOrigins::Any);
}

#[test]
fn the_issuer_follows_the_first_listener() {
    let table = [
        ("https://127.0.0.1:8443", "https://localhost:8443"),
        ("https://0.0.0.0:443", "https://localhost"),
        ("https://[::1]:1", "https://localhost:1"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("https://192.0.2.1:8443", "https://192.0.2.1:8443"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
    ];
    for (listen, issuer) in table {
        let config = good(&format!("[server]\nlisten = [{listen:?}]\n"));
        assert_eq!(config.token_service.issuer.as_str(), issuer);
    }
    let behind = good("[server]\nlisten = [{ url = \"http://0.0.0.0:8080\", behind_tls = true }]\n");
    assert_eq!(behind.token_service.issuer.as_str(), "https://localhost:8080");
}

#[test]
fn the_shipped_file_compiles_and_knows_password1() {
    let config = Config::load(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("gateway.toml"))
        .unwrap_or_else(|errors| panic!("{errors}"));
    let client = config.client("server").unwrap();
    assert!(client.enabled && client.capabilities.client_credentials && !client.capabilities.introspection);
    assert_eq!((client.scopes.as_str(), client.token_lifetime), ("read", SECOND * 299));
    let secrets = &client.authentication.secret.as_ref().unwrap().secrets;
    let hash = &*secrets[0].hash.to_phc();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    let verify = |secret: &str| Argon2::default().verify_password(secret.as_bytes(), hash).is_ok();
    assert!(verify("Password1"));
    assert!(!verify("Password2"));
    let route = &config.routes[0];
    assert_eq!(route.path, Pattern::path("/hello_world").unwrap());
    let upstream = config.upstream_of(route).unwrap();
    assert_eq!(upstream.servers[0].origin.to_string(), format!("http://{}", config.demo.unwrap().listen));
    assert_eq!(config.server.listen[0].address.to_string(), "127.0.0.1:8443");
}
