//! Routes with `forward_token = "jwt"`: the bytes that the upstream gets in place of the token, and the keys
//! that verify them.

mod keys;
mod rotation;

use crate::support::jwks::{self, Jwt, KEY_SET};
use crate::support::{Config, Fixture, INTROSPECT, REVOKE, credentials, get, post_form, run};

/// Adds a route with a JWT.
fn routes(config: Config) -> Config {
    config
        .route("path = \"/jwt\"\nscopes = [\"read\"]\nupstream = \"api\"\nforward_token = \"jwt\"")
        .route("path = \"/jwt/any\"\nscopes = []\nupstream = \"api\"\nforward_token = \"jwt\"")
}

/// Returns the JWT that reached the upstream.
#[track_caller]
fn received(fixture: &Fixture, mark: &str) -> String {
    let seen = fixture.upstream.only(mark);
    let values = seen.all("authorization");
    assert_eq!(values.len(), 1, "{}", seen.text());
    values[0].strip_prefix("Bearer ").unwrap_or_else(|| panic!("{}", seen.text())).to_owned()
}

#[track_caller]
fn verified(fixture: &Fixture, jwt: &str) -> Jwt {
    jwks::verify(jwt, &jwks::fetch(fixture.address())).expect("the key is published")
}

#[test]
fn the_upstream_gets_a_signed_jwt_and_never_the_token() {
    let fixture = Fixture::start(routes);
    let token = fixture.token("server", "read");
    let sent = [
        &*format!("Authorization: Bearer {token}"),
        "X-Client-Id: root",
        "x_authorization: Bearer eyJ",
        "X-Kept: 1",
    ];
    fixture.raw(get("/jwt?m=first.", &sent)).status(200);
    let seen = fixture.upstream.only("m=first.");
    let jwt = received(&fixture, "m=first.");
    assert_eq!(
        String::from_utf8_lossy(&seen.head),
        format!(
            "GET /jwt?m=first. HTTP/1.1\r\nHost: localhost\r\nx_authorization: Bearer eyJ\r\nX-Kept: 1\r\n\
             x-client-id: server\r\nx-client-scope: read\r\nauthorization: Bearer {jwt}\r\n\
             x-forwarded-for: 127.0.0.1\r\nx-forwarded-proto: http\r\nx-forwarded-host: localhost\r\n\
             via: 1.1 tollgate\r\n\r\n"
        )
    );
    let Jwt { header, claims } = verified(&fixture, &jwt);
    assert_eq!((&header["typ"], &header["alg"]), (&"at+jwt".into(), &"ES256".into()));
    assert_eq!(header.as_object().map(|header| header.len()), Some(3), "{header}");
    assert_eq!((&claims["sub"], &claims["client_id"]), (&"server".into(), &"server".into()));
    assert_eq!((&claims["scope"], &claims["aud"]), (&"read".into(), &"api".into()));
    // The issuer is that of the metadata, which names the keys.
    let metadata = fixture.raw(get("/.well-known/oauth-authorization-server", &[])).json();
    assert_eq!(claims["iss"], metadata["issuer"]);
    let issuer = claims["iss"].as_str().expect("an issuer");
    assert_eq!(metadata["jwks_uri"], format!("{issuer}{KEY_SET}"));
    // It expires no later than the token.
    let body = format!("{}&token={token}", credentials("introspector"));
    let described = fixture.raw(post_form(INTROSPECT, &[], body)).json();
    let (exp, iat) = (claims["exp"].as_u64().expect("exp"), claims["iat"].as_u64().expect("iat"));
    assert!(exp <= described["exp"].as_u64().expect("exp") && exp > iat, "{claims} {described}");
    assert_eq!(claims["jti"].as_str().map(str::len), Some(22));
    assert!(!fixture.upstream.saw(&token));
}

#[test]
fn one_jwt_serves_all_requests_of_a_token_and_others_have_their_own() {
    let fixture = Fixture::start(|config| {
        let address =
            "[upstreams.other]\nservers = [\"http://SERVER\"]\njwt_audience = \"https://other.internal\"";
        let config = routes(config);
        let server = config.text();
        let at = server.find("servers = [\"http://").expect("a server") + 19;
        let server = server[at..].split('"').next().expect("an address").to_owned();
        config
            .table(&address.replace("SERVER", &server))
            .route("path = \"/other\"\nscopes = [\"read\"]\nupstream = \"other\"\nforward_token = \"jwt\"")
            .table("[metrics]\nlisten = \"http://127.0.0.1:0\"")
    });
    let bearer = fixture.bearer("server", "read");
    for mark in ["m=1.", "m=2.", "m=3."] {
        fixture.raw(get(&format!("/jwt?{mark}"), &[&bearer])).status(200);
    }
    let first = received(&fixture, "m=1.");
    assert_eq!((received(&fixture, "m=2."), received(&fixture, "m=3.")), (first.clone(), first.clone()));
    fixture.raw(get("/other?m=other.", &[&bearer])).status(200);
    let other = verified(&fixture, &received(&fixture, "m=other."));
    assert_eq!(other.claims["aud"], "https://other.internal");
    assert_ne!(other.claims["jti"], verified(&fixture, &first).claims["jti"]);
    let narrow = fixture.bearer("unscoped", "");
    fixture.raw(get("/jwt/any?m=unscoped.", &[&narrow])).status(200);
    let unscoped = verified(&fixture, &received(&fixture, "m=unscoped."));
    assert_eq!(unscoped.claims.get("scope"), None, "RFC 9068 has no empty scope");
    let scrape = crate::support::metrics::Scrape::of(&fixture.gateway);
    assert_eq!(scrape.value("tollgate_jwts_signed_total"), 3.0);
    assert_eq!((scrape.value("tollgate_jwts_kept"), scrape.value("tollgate_jwt_keys")), (3.0, 1.0));
    assert!(scrape.value("tollgate_jwt_key_age_seconds") < 3_600.0);
}

#[test]
fn a_refused_request_has_no_jwt_and_neither_has_a_public_route() {
    let fixture = Fixture::start(routes);
    let token = fixture.token("server", "read");
    let bearer = format!("Authorization: Bearer {token}");
    fixture.raw(get("/jwt?m=good.", &[&bearer])).status(200);
    let jwt = received(&fixture, "m=good.");
    fixture.raw(post_form(REVOKE, &[], format!("{}&token={token}", credentials("server")))).status(200);
    fixture.raw(get("/jwt?m=revoked.", &[&bearer])).bearer_error(401, Some("invalid_token"));
    // The gateway does not accept its own JWT as a token.
    let with_jwt = format!("Authorization: Bearer {jwt}");
    fixture.raw(get("/jwt?m=replayed.", &[&with_jwt])).status_in(&[400, 401]);
    let write = fixture.bearer("server", "write");
    fixture.raw(get("/jwt?m=scope.", &[&write])).bearer_error(403, Some("insufficient_scope"));
    for mark in ["m=revoked.", "m=replayed.", "m=scope."] {
        assert!(fixture.upstream.requests(mark).is_empty(), "{mark}");
    }
    fixture.raw(get("/public/x?m=public.", &[&fixture.bearer("server", "read")])).status(200);
    let seen = fixture.upstream.only("m=public.");
    assert!(seen.all("authorization").is_empty() && !seen.text().contains("eyJ"), "{}", seen.text());
}

#[test]
fn the_jwt_takes_the_place_of_the_token_in_another_header() {
    let fixture = Fixture::start(|config| {
        config.route(
            "path = \"/own-login\"\nscopes = [\"read\"]\nupstream = \"api\"\ntoken_header = \"X-Gateway-Token\"\n\
             forward_token = \"jwt\"",
        )
    });
    let token = fixture.token("server", "read");
    let own = "Authorization: Basic bGVnYWN5OnB3";
    let sent = [&*format!("X-Gateway-Token: {token}"), "x_gateway_token: forged", own];
    fixture.raw(get("/own-login?m=own.", &sent)).status(200);
    let seen = fixture.upstream.only("m=own.");
    assert_eq!(seen.all("authorization"), ["Basic bGVnYWN5OnB3"]);
    let jwt = seen.all("x-gateway-token");
    assert_eq!(jwt.len(), 1, "{}", seen.text());
    assert_eq!(verified(&fixture, jwt[0]).claims["client_id"], "server");
    assert!(!seen.text().contains("forged") && !seen.text().contains(&token), "{}", seen.text());
}

#[test]
fn in_shadow_mode_only_tokens_that_would_pass_become_jwts() {
    let fixture = Fixture::start(|config| {
        config.route(
            "path = \"/shadow\"\nscopes = [\"read\"]\nupstream = \"api\"\nforward_token = \"jwt\"\nmode = \"shadow\"",
        )
    });
    let good = fixture.bearer("server", "read");
    fixture.raw(get("/shadow?m=good.", &[&good])).status(200);
    assert_eq!(verified(&fixture, &received(&fixture, "m=good.")).claims["sub"], "server");
    let write = fixture.bearer("server", "write");
    fixture.raw(get("/shadow?m=scope.", &[&write])).status(200);
    fixture.raw(get("/shadow?m=none.", &[])).status(200);
    for mark in ["m=scope.", "m=none."] {
        let seen = fixture.upstream.only(mark);
        assert!(seen.all("authorization").is_empty(), "{}", seen.text());
    }
    // What a caller sends today goes on, and no JWT is added to it.
    fixture.raw(get("/shadow?m=legacy.", &["Authorization: Basic eDp5"])).status(200);
    assert_eq!(fixture.upstream.only("m=legacy.").all("authorization"), ["Basic eDp5"]);
}

#[test]
fn a_retry_sends_the_same_jwt_and_an_upgrade_has_one_too() {
    let fixture = Fixture::start(routes);
    let bearer = fixture.bearer("server", "read");
    let first = std::sync::atomic::AtomicBool::new(true);
    fixture.upstream.on("/jwt", move |_, out| {
        if first.swap(false, std::sync::atomic::Ordering::SeqCst) {
            return Ok(crate::support::Next::Reset);
        }
        std::io::Write::write_all(out, &crate::support::upstream::ok("{}"))?;
        Ok(crate::support::Next::KeepAlive)
    });
    fixture.raw(get("/jwt?m=retry.", &[&bearer])).status(200);
    let tries = fixture.upstream.requests("m=retry.");
    assert_eq!(tries.len(), 2);
    assert_eq!(tries[0].all("authorization"), tries[1].all("authorization"));
    let upgrade = [&*bearer, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
    fixture.raw(get("/jwt?m=upgrade.", &upgrade)).status(200);
    let seen = fixture.upstream.only("m=upgrade.");
    assert_eq!(
        (seen.all("upgrade"), seen.all("authorization")),
        (vec!["websocket"], tries[0].all("authorization"))
    );
}

#[test]
fn http2_servers_get_the_jwt_too() {
    use crate::support::h2_upstream::{H2Upstream, fine};
    let server = H2Upstream::start(|_| fine("{}"));
    let address = server.address();
    let fixture = Fixture::start(|config| {
        config
            .table(&format!("[upstreams.h2]\nservers = [\"http://{address}\"]\nprotocol = \"http2\""))
            .route("path = \"/h2\"\nscopes = [\"read\"]\nupstream = \"h2\"\nforward_token = \"jwt\"")
    });
    let bearer = fixture.bearer("server", "read");
    fixture.raw(get("/h2?m=h2.", &[&bearer])).status(200);
    let arrived = server.only("m=h2.");
    let values: Vec<_> = arrived.head.headers.get_all("authorization").iter().collect();
    assert_eq!(values.len(), 1);
    let jwt = values[0].to_str().expect("text").strip_prefix("Bearer ").expect("a bearer");
    assert_eq!(verified(&fixture, jwt).claims["aud"], "h2");
}

#[test]
fn explain_and_the_matrix_say_that_a_jwt_is_sent() {
    let fixture = Fixture::start(routes);
    let dir = fixture.gateway.dir();
    let routes = run(dir, &["routes", "--json"]).all();
    assert!(routes.contains("\"forward_token\": \"jwt\""), "{routes}");
    let explained = run(dir, &["explain", "GET", "/jwt", "--client", "server"]).all();
    assert!(explained.contains("the upstream gets a JWT for api"), "{explained}");
    let keys = run(dir, &["explain", "GET", KEY_SET]).all();
    assert!(keys.contains("the keys that verify JWTs"), "{keys}");
}
