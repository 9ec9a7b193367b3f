//! `[scopes]` and `[clients]`.

use super::*;

#[test]
fn scopes_and_clients() {
    check(&[
        ("[scopes.x]\n", 1, "scopes.x", WrongType, "a description"),
        ("[clients.\" a\"]\nsecret = \"HASH\"", 1, "clients.\" a\"", InvalidValue, "with spaces only inside"),
        ("[clients.\"é\"]\nsecret = \"HASH\"", 1, "clients.\"é\"", InvalidValue, "visible ASCII"),
        ("[clients.\"\"]\nsecret = \"HASH\"", 1, "clients.\"\"", InvalidValue, "1 to 255"),
        ("[clients.a]\nscopes = [\"read\"]", 1, "clients.a", MissingKey, "tollgate client reset-secret a"),
        (
            "[clients.a]\nsecret = \"Password1\"",
            2,
            "clients.a.secret",
            PlaintextSecret,
            "tollgate client reset-secret a",
        ),
        (
            "[clients.a]\nsecret = \"$argon2id$v=19$m=9999999,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$7Q1eLKkXYJSKyDV0Lx6fr7BsMRj0kAyIkPQ06xcLF7w\"",
            2,
            "clients.a.secret",
            InvalidValue,
            "at most 128 MiB",
        ),
        (
            "[clients.a]\nsecret = \"$2b$12$abcdefghijklmnopqrstuv\"",
            2,
            "clients.a.secret",
            InvalidValue,
            "argon2id",
        ),
        (
            "[clients.a]\nsecret = \"env:NOT_SET\"",
            2,
            "clients.a.secret",
            SecretUnavailable,
            "NOT_SET is not set",
        ),
        (
            "[clients.a]\nsecret = \"file:none.txt\"",
            2,
            "clients.a.secret",
            SecretUnavailable,
            "cannot read ./none.txt",
        ),
        ("[clients.a]\nsecret = \"env:LEGACY_KEY\"", 2, "clients.a.secret", PlaintextSecret, "is not a hash"),
        (
            "[clients.a]\nsecret = \"HASH\"\nsecrets = [{ id = \"1\", hash = \"HASH\" }]",
            1,
            "clients.a",
            Conflict,
            "`secrets`",
        ),
        ("[clients.a]\nsecrets = []", 2, "clients.a.secrets", InvalidValue, "is empty"),
        (
            "[clients.a]\nsecrets = [{ id = \"1\", hash = \"$argon2id$v=19$m=131072,t=4,p=1$c29tZXNhbHRzb21lc2FsdA$7Q1eLKkXYJSKyDV0Lx6fr7BsMRj0kAyIkPQ06xcLF7w\" }, { id = \"2\", hash = \"$argon2id$v=19$m=131072,t=4,p=1$c29tZXNhbHRzb21lc2FsdA$7Q1eLKkXYJSKyDV0Lx6fr7BsMRj0kAyIkPQ06xcLF7w\" }, { id = \"3\", hash = \"$argon2id$v=19$m=131072,t=4,p=1$c29tZXNhbHRzb21lc2FsdA$7Q1eLKkXYJSKyDV0Lx6fr7BsMRj0kAyIkPQ06xcLF7w\" }]",
            2,
            "clients.a.secrets",
            TooMany,
            "remove old secrets",
        ),
        (
            "[clients.a]\nsecrets = [{ id = \"1\", hash = \"HASH\" },\n{ id = \"1\", hash = \"HASH\" }]",
            3,
            "clients.a.secrets[1].id",
            Duplicate,
            "another",
        ),
        ("[clients.a]\nsecrets = [{ hash = \"HASH\" }]", 2, "clients.a.secrets[0]", MissingKey, "`id`"),
        ("[clients.a]\nsecrets = [{ id = \"1\" }]", 2, "clients.a.secrets[0]", MissingKey, "`hash`"),
        (
            "[clients.a]\nsecrets = [{ id = \"1\", hash = \"HASH\", expires = 2026-12-01 }]",
            2,
            "clients.a.secrets[0].expires",
            InvalidValue,
            "offset",
        ),
        (
            "[clients.a]\nsecrets = [{ id = \"1\", hash = \"HASH\", expires = \"2026-12-01T00:00:00Z\" }]",
            2,
            "clients.a.secrets[0].expires",
            WrongType,
            "not in quotes",
        ),
        (
            "[clients.a]\nsecret = \"HASH\"\ncapabilities = [\"client_credential\"]",
            3,
            "clients.a.capabilities[0]",
            InvalidValue,
            "did you mean \"client_credentials\"?",
        ),
        (
            "[clients.a]\nsecret = \"HASH\"\nscopes = [\"admin\"]",
            3,
            "clients.a.scopes[0]",
            UnknownName,
            "[scopes]",
        ),
        (
            "[clients.a]\nsecret = \"HASH\"\nscopes = [\"read write\"]",
            3,
            "clients.a.scopes[0]",
            InvalidValue,
            "several scopes",
        ),
        (
            "[clients.a]\nsecret = \"HASH\"\nscopes = [\"read\", \"read\"]",
            3,
            "clients.a.scopes[1]",
            Duplicate,
            "twice",
        ),
        (
            "[clients.a]\nsecret = \"HASH\"\nscopes = [\"read\"]\ndefault_scopes = [\"write\"]",
            4,
            "clients.a.default_scopes[0]",
            Conflict,
            "own `scopes`",
        ),
        (
            "[clients.a]\nsecret = \"HASH\"\ntoken_lifetime = \"999ms\"",
            3,
            "clients.a.token_lifetime",
            InvalidValue,
            "from 1s to 30d",
        ),
        (
            "[clients.a]\nsecret = \"HASH\"\nrate_limit = \"100\"",
            3,
            "clients.a.rate_limit",
            InvalidValue,
            "100/s",
        ),
        (
            "[clients.a]\nsecret = \"HASH\"\nrate_limit = { rate = \"1/s\", burst = 0 }",
            3,
            "clients.a.rate_limit.burst",
            InvalidValue,
            "from 1",
        ),
        (
            "[clients.a]\nsecret = \"HASH\"\naudiences = [\"a b\"]",
            3,
            "clients.a.audiences[0]",
            InvalidValue,
            "RFC 8707",
        ),
    ]);
    let error = only_error("[scopes]\n\"a b\" = \"x\"\n");
    assert_eq!((error.key.as_str(), error.kind), ("scopes.\"a b\"", InvalidValue), "{error}");
    let error = only_error("[scopes]\n'a\"b' = \"x\"\n");
    assert!(error.message.contains("RFC 6749 §3.3"), "{error}");
}

#[test]
fn client_authentication() {
    check(&[
        (
            "[clients.a]\nsecret = \"HASH\"\ntoken_endpoint_auth_methods = [\"private_key\"]",
            3,
            "clients.a.token_endpoint_auth_methods[0]",
            InvalidValue,
            "\"private_key_jwt\"",
        ),
        (
            "[clients.a]\ntoken_endpoint_auth_methods = [\"private_key_jwt\"]",
            1,
            "clients.a",
            MissingKey,
            "`jwks`",
        ),
        (
            "[clients.a]\ntoken_endpoint_auth_methods = [\"client_secret_basic\"]",
            1,
            "clients.a",
            MissingKey,
            "`secret`",
        ),
        (
            "[clients.a]\njwks_uri = \"https://x/y\"",
            1,
            "clients.a",
            Conflict,
            "does not name \"private_key_jwt\"",
        ),
        (
            "[clients.a]\ntoken_endpoint_auth_methods = [\"private_key_jwt\"]\njwks_uri = \"http://x/y\"",
            3,
            "clients.a.jwks_uri",
            InvalidValue,
            "https://",
        ),
        (
            "[clients.a]\ntoken_endpoint_auth_methods = [\"private_key_jwt\"]\njwks_uri = \"https://x\"\njwks = '[]'",
            1,
            "clients.a",
            Conflict,
            "remove one of them",
        ),
        (
            "[clients.a]\ntoken_endpoint_auth_methods = [\"private_key_jwt\"]\njwks = '{}'",
            3,
            "clients.a.jwks",
            InvalidValue,
            "\"keys\"",
        ),
        (
            "[clients.a]\ntoken_endpoint_auth_methods = [\"private_key_jwt\"]\njwks = '{'",
            3,
            "clients.a.jwks",
            InvalidValue,
            "not JSON",
        ),
        (
            "[clients.a]\ntoken_endpoint_auth_methods = [\"private_key_jwt\"]\njwks = []",
            3,
            "clients.a.jwks",
            InvalidValue,
            "1 to 32 keys",
        ),
        (
            "[clients.a]\ntoken_endpoint_auth_methods = [\"private_key_jwt\"]\njwks = [{ kty = \"EC\", crv = \"P-256\", x = \"a\" }]",
            3,
            "clients.a.jwks",
            InvalidValue,
            "lacks `y`",
        ),
        (
            "[clients.a]\ntoken_endpoint_auth_methods = [\"private_key_jwt\"]\njwks = '[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"a\",\"d\":\"b\"}]'",
            3,
            "clients.a.jwks",
            InvalidValue,
            "private part",
        ),
        (
            "[clients.a]\ntoken_endpoint_auth_methods = [\"private_key_jwt\"]\njwks = [{ kty = \"oct\" }]",
            3,
            "clients.a.jwks",
            InvalidValue,
            "\"EC\"",
        ),
        (
            "[clients.a]\ntoken_endpoint_auth_methods = [\"private_key_jwt\"]\njwks = [{ kty = \"EC\", crv = \"P-384\", x = \"a\", y = \"b\" }]",
            3,
            "clients.a.jwks",
            InvalidValue,
            "P-256",
        ),
        (
            "[clients.a]\ntoken_endpoint_auth_methods = [\"tls_client_auth\"]\ntls_san_dns = \"a\"",
            1,
            "clients.a",
            Conflict,
            "client_ca",
        ),
        (
            "[clients.a]\ntoken_endpoint_auth_methods = [\"self_signed_tls_client_auth\"]\ntls_thumbprint = \"AAAA\"",
            3,
            "clients.a.tls_thumbprint",
            InvalidValue,
            "43 characters",
        ),
    ]);
    let ca = "[server.tls]\nclient_ca = \"src/config/tests/authority.pem\"\n[clients.a]\ntoken_endpoint_auth_methods = [\"tls_client_auth\"]\n";
    let table = [
        ("tls_san_dns = \"127.0.0.1\"", "clients.a.tls_san_dns", "DNS name"),
        ("tls_san_uri = \"a b\"", "clients.a.tls_san_uri", "URI"),
        ("tls_subject_dn = \"server\"", "clients.a.tls_subject_dn", "RFC 4514"),
        ("tls_subject_dn = \"NOSUCH=server\"", "clients.a.tls_subject_dn", "RFC 4514"),
        ("tls_subject_dn = \"CN=a\"\ntls_san_dns = \"b\"", "clients.a", "RFC 8705 §2.1.2"),
    ];
    for (text, key, help) in table {
        let error = only_error(&format!("{ca}{text}\n"));
        assert!(error.key == key && error.message.contains(help), "{error}");
    }
}
