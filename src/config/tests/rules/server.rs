//! `[server]`, `[token_service]`, `[demo]`.

use super::*;

#[test]
fn server_and_demo() {
    check(&[
        ("[server]\nlisten = []", 2, "server.listen", InvalidValue, "leave it out"),
        (
            "[server]\nlisten = [\"http://0.0.0.0:80\"]",
            2,
            "server.listen[0]",
            InsecureListener,
            "behind_tls = true",
        ),
        ("[server]\nlisten = [\"http://[::]:80\"]", 2, "server.listen[0]", InsecureListener, "RFC 6749 §3.2"),
        (
            "[server]\nlisten = [{ url = \"http://0.0.0.0:80\" }]",
            2,
            "server.listen[0].url",
            InsecureListener,
            "127.0.0.1",
        ),
        (
            "[server]\nlisten = [{ url = \"https://0.0.0.0:80\", proxy_protocol = true }]",
            2,
            "server.listen[0].proxy_protocol",
            Conflict,
            "write { from = [\"10.0.0.0/8\"] }",
        ),
        (
            "[server]\nlisten = [{ url = \"https://0.0.0.0:80\", proxy_protocol = { from = [] } }]",
            2,
            "server.listen[0].proxy_protocol.from",
            InvalidValue,
            "is empty",
        ),
        (
            "[server]\nlisten = [{ url = \"https://0.0.0.0:80\", proxy_protocol = {} }]",
            2,
            "server.listen[0].proxy_protocol",
            MissingKey,
            "load balancers",
        ),
        (
            "[server]\nlisten = [{ url = \"https://127.0.0.1:80\", proxy_protocol = \"10.0.0.1\" }]",
            2,
            "server.listen[0].proxy_protocol",
            WrongType,
            "true, false, or",
        ),
        (
            "[token_service]\ncors = { origins = [\"https://a.example\"], credentials = true }",
            2,
            "token_service.cors.credentials",
            UnknownKey,
            "",
        ),
        (
            "[token_service]\ncors = { origins = [] }",
            2,
            "token_service.cors.origins",
            InvalidValue,
            "is empty",
        ),
        (
            "[server.limits]\nrate_limit_by_address = \"0/s\"",
            2,
            "server.limits.rate_limit_by_address",
            InvalidValue,
            "",
        ),
        ("[server]\nlisten = [{ behind_tls = true }]", 2, "server.listen[0]", MissingKey, "`url` is missing"),
        (
            "[server]\nlisten = [{ url = \"https://0.0.0.0:80\", h2c = true }]",
            2,
            "server.listen[0].url",
            Conflict,
            "http:// listeners",
        ),
        (
            "[server]\nlisten = [\"https://gateway.example.com\"]",
            2,
            "server.listen[0]",
            InvalidValue,
            "IP address",
        ),
        ("[server]\nlisten = [\"https://127.0.0.1:1/x\"]", 2, "server.listen[0]", InvalidValue, "no path"),
        ("[server]\nlisten = [\"127.0.0.1:1\"]", 2, "server.listen[0]", InvalidValue, "https://"),
        (
            "[server]\nlisten = [\"https://127.0.0.1:1\",\n\"http://127.0.0.1:1\"]",
            3,
            "server.listen[1]",
            Duplicate,
            "another listener",
        ),
        (
            "[server]\nlisten = [\"https://0.0.0.0:1\",\n\"http://127.0.0.1:1\"]",
            3,
            "server.listen[1]",
            Duplicate,
            "another listener",
        ),
        ("[server]\naccess_log = { file = \"\" }", 2, "server.access_log.file", InvalidValue, "empty"),
        (
            "[server]\naccess_log = { file = \"no/such/folder/x.log\" }",
            2,
            "server.access_log.file",
            FileUnavailable,
            "there is no folder",
        ),
        (
            "[server]\naccess_log = { format = \"clf\" }",
            2,
            "server.access_log.format",
            InvalidValue,
            "the only format",
        ),
        ("[server]\naccess_log = { path = \"x\" }", 2, "server.access_log.path", UnknownKey, "file"),
        ("[server]\nrequest_id = 1", 2, "server.request_id", WrongType, "true or false"),
        ("[server]\nthreads = 5000", 2, "server.threads", InvalidValue, "from 0 to 1024"),
        ("[server]\nshutdown_grace = \"2d\"", 2, "server.shutdown_grace", InvalidValue, "from 0s to 1d"),
        (
            "[server]\ntrusted_proxies = [\"10.0.0.1/8\"]",
            2,
            "server.trusted_proxies[0]",
            InvalidValue,
            "\"10.0.0.0/8\"",
        ),
        (
            "[server]\ntrusted_proxies = [\"proxy\"]",
            2,
            "server.trusted_proxies[0]",
            InvalidValue,
            "10.0.0.0/8",
        ),
        (
            "[server.tls]\nclient_ca = \"none.pem\"",
            2,
            "server.tls.client_ca",
            FileUnavailable,
            "cannot read ./none.pem: No such file",
        ),
        ("[server.tls]\nclient_ca = \"src\"", 2, "server.tls.client_ca", FileUnavailable, "is a directory"),
        ("[server.tls]\nkey = \"Cargo.toml\"", 1, "server.tls", MissingKey, "go together"),
        (
            "[server.limits]\nmax_header_size = \"1KiB\"",
            2,
            "server.limits.max_header_size",
            InvalidValue,
            "from 8KiB to 1MiB",
        ),
        (
            "[server.limits]\nmax_body_size = \"10MB\"",
            2,
            "server.limits.max_body_size",
            InvalidValue,
            "10MiB",
        ),
        (
            "[server.limits]\nidle_timeout = \"0s\"",
            2,
            "server.limits.idle_timeout",
            InvalidValue,
            "from 1ms to 1d",
        ),
        ("[demo]\nlisten = \"0.0.0.0:9\"", 2, "demo.listen", InsecureListener, "on loopback"),
        ("[demo]\nlisten = \"127.0.0.1\"", 2, "demo.listen", InvalidValue, "address and port"),
        ("[demo]\nlisten = \"127.0.0.1:8443\"", 2, "demo.listen", Duplicate, "the gateway itself"),
        ("[demo]\n", 1, "demo", MissingKey, "`listen` is missing"),
    ]);
}

#[test]
fn jwt() {
    check(&[
        (
            "[token_service.jwt]\nalgorithm = \"RS256\"",
            2,
            "token_service.jwt.algorithm",
            InvalidValue,
            "\"ES256\", \"EdDSA\"",
        ),
        (
            "[token_service.jwt]\nlifetime = \"1d\"",
            2,
            "token_service.jwt.lifetime",
            InvalidValue,
            "from 10s to 1h",
        ),
        ("[token_service.jwt]\nkeys = []", 2, "token_service.jwt.keys", InvalidValue, "is empty"),
        (
            "[token_service.jwt]\nkeys = [\"no.pem\"]",
            2,
            "token_service.jwt.keys[0]",
            FileUnavailable,
            "cannot read",
        ),
        ("[token_service.jwt]\nrotate_every = \"1h\"", 1, "token_service.jwt", Conflict, "more than half"),
        (
            "[token_service]\ntoken_endpoint = \"/.well-known/jwks.json\"",
            2,
            "token_service.token_endpoint",
            Duplicate,
            "the key set",
        ),
    ]);
}

#[test]
fn token_service() {
    check(&[
        (
            "[token_service]\nissuer = \"http://example.com\"",
            2,
            "token_service.issuer",
            InvalidValue,
            "must be https://",
        ),
        (
            "[token_service]\nissuer = \"https://example.com?a\"",
            2,
            "token_service.issuer",
            InvalidValue,
            "no query",
        ),
        (
            "[token_service]\nissuer = \"https://example.com/#a\"",
            2,
            "token_service.issuer",
            InvalidValue,
            "RFC 8414 §2",
        ),
        ("[token_service]\nissuer = \"example.com\"", 2, "token_service.issuer", InvalidValue, "https://"),
        (
            "[token_service]\ntoken_endpoint = \"token\"",
            2,
            "token_service.token_endpoint",
            InvalidValue,
            "begin with /",
        ),
        (
            "[token_service]\ntoken_endpoint = \"/{x}\"",
            2,
            "token_service.token_endpoint",
            InvalidValue,
            "plain path",
        ),
        (
            "[token_service]\ntoken_endpoint = \"/a\"\nrevocation_endpoint = \"/a\"",
            3,
            "token_service.revocation_endpoint",
            Duplicate,
            "`token_endpoint`",
        ),
        (
            "[token_service]\ntoken_endpoint = \"/oauth/v2/oauth-revoke\"",
            1,
            "token_service",
            Duplicate,
            "`revocation_endpoint` is left out",
        ),
        (
            "[token_service]\ntoken_endpoint = \"/.well-known/oauth-authorization-server\"",
            2,
            "token_service.token_endpoint",
            Duplicate,
            "metadata",
        ),
        (
            "[token_service]\ntoken_lifetime = \"100ms\"",
            2,
            "token_service.token_lifetime",
            InvalidValue,
            "from 1s to 30d",
        ),
        (
            "[token_service]\ntoken_lifetime = \"31d\"",
            2,
            "token_service.token_lifetime",
            InvalidValue,
            "from 1s to 30d",
        ),
        (
            "[token_service]\ntoken_lifetime = \"299\"",
            2,
            "token_service.token_lifetime",
            InvalidValue,
            "has no unit",
        ),
        (
            "[token_service]\nmax_tokens = 100_000_001",
            2,
            "token_service.max_tokens",
            InvalidValue,
            "from 1 to 100000000",
        ),
        (
            "[token_service]\nmax_tokens = 5\nmax_tokens_per_client = 6",
            3,
            "token_service.max_tokens_per_client",
            Conflict,
            "max_tokens, which is 5",
        ),
        (
            "[token_service]\nthrottle = { failures = 0 }",
            2,
            "token_service.throttle.failures",
            InvalidValue,
            "from 1 to",
        ),
        ("[token_service]\nrealm = 'a\"b'", 2, "token_service.realm", InvalidValue, "WWW-Authenticate"),
    ]);
}

#[test]
fn metrics() {
    check(&[
        ("[metrics]", 1, "metrics", MissingKey, "http://127.0.0.1:9464"),
        ("[metrics]\nlisten = 9464", 2, "metrics.listen", WrongType, "http://127.0.0.1:9464"),
        ("[metrics]\nlisten = \"127.0.0.1:9464\"", 2, "metrics.listen", InvalidValue, "http://"),
        ("[metrics]\nlisten = \"https://127.0.0.1:9464\"", 2, "metrics.listen", InvalidValue, "without TLS"),
        ("[metrics]\nlisten = \"http://gateway:9464\"", 2, "metrics.listen", InvalidValue, "IP address"),
        (
            "[metrics]\nlisten = \"http://0.0.0.0:9464\"",
            2,
            "metrics.listen",
            InsecureListener,
            "open_to_network = true",
        ),
        (
            "[metrics]\nlisten = \"http://127.0.0.1:8443\"",
            2,
            "metrics.listen",
            Duplicate,
            "itself listens there",
        ),
        (
            "[metrics]\nlisten = \"http://127.0.0.1:1\"\nopen = true",
            3,
            "metrics.open",
            UnknownKey,
            "open_to_network",
        ),
    ]);
    let listens =
        |listen: &str| good(&format!("[metrics]\nlisten = \"{listen}\"")).metrics.unwrap().listen.to_string();
    assert_eq!(listens("http://localhost:9464"), "127.0.0.1:9464");
    assert_eq!(listens("http://[::1]:0"), "[::1]:0");
}

#[test]
fn access_log_and_request_id() {
    use crate::config::AccessLog;
    for (lines, log, id) in [
        ("access_log = false", AccessLog::Off, false),
        ("access_log = true", AccessLog::Stdout, true),
        ("access_log = { format = \"json\" }", AccessLog::Stdout, true),
        ("access_log = true\nrequest_id = false", AccessLog::Stdout, false),
        ("request_id = true", AccessLog::Off, true),
    ] {
        let server = good(&format!("[server]\n{lines}")).server;
        assert_eq!((server.access_log, server.request_id), (log, id), "{lines}");
    }
}
