//! `[[routes]]`.

use super::*;

#[test]
fn one_route() {
    check(&[
        ("[[routes]]\nupstream = \"api\"", 1, "routes[0]", MissingKey, "`prefix`"),
        (
            "[[routes]]\npath = \"/a\"\nprefix = \"/b\"\nupstream = \"api\"",
            3,
            "routes[0].prefix",
            Conflict,
            "exactly one",
        ),
        ("[[routes]]\npath = \"/a\"", 1, "routes[0]", MissingKey, "`upstream` is missing"),
        (
            "[[routes]]\npath = \"/a\"\nupstream = \"apj\"",
            3,
            "routes[0].upstream",
            UnknownName,
            "did you mean \"api\"?",
        ),
        ("[[routes]]\npath = \"a\"\nupstream = \"api\"", 2, "routes[0].path", InvalidValue, "begin with /"),
        (
            "[[routes]]\npath = \"/a{b}\"\nupstream = \"api\"",
            2,
            "routes[0].path",
            InvalidValue,
            "whole segment",
        ),
        (
            "[[routes]]\nprefix = \"/admin/*\"\nupstream = \"api\"",
            2,
            "routes[0].prefix",
            InvalidValue,
            "has \"*\", which is no wildcard here and would match only itself: write prefix = \"/admin\"",
        ),
        (
            "[[routes]]\npath = \"/users/:id\"\nupstream = \"api\"",
            2,
            "routes[0].path",
            InvalidValue,
            "write path = \"/users/{id}\"",
        ),
        (
            "[[routes]]\npath = \"/users/[0-9]+\"\nupstream = \"api\"",
            2,
            "routes[0].path",
            InvalidValue,
            "write path = \"/users/{name}\"",
        ),
        (
            "[[routes]]\npath = \"/users/<id>\"\nupstream = \"api\"",
            2,
            "routes[0].path",
            InvalidValue,
            "write path = \"/users/{id}\"",
        ),
        (
            "[[routes]]\npath = \"/a\"\npublic = true\nupstream = \"api\"",
            3,
            "routes[0].public",
            UnknownKey,
            "write `access = \"public\"`",
        ),
        (
            "[[routes]]\npath = \"/a\"\ntimeout = \"5s\"\nupstream = \"api\"",
            3,
            "routes[0].timeout",
            UnknownKey,
            "timeouts belong to the upstream: `connect_timeout`",
        ),
        ("[[routes]]\npath = \"/a/../b\"\nupstream = \"api\"", 2, "routes[0].path", InvalidValue, "segment"),
        (
            "[[routes]]\npath = \"/a;b\"\nupstream = \"api\"",
            2,
            "routes[0].path",
            InvalidValue,
            "allow_semicolon",
        ),
        (
            "[[routes]]\npath = \"/a%2Fb\"\nupstream = \"api\"",
            2,
            "routes[0].path",
            InvalidValue,
            "allow_encoded_slash",
        ),
        ("[[routes]]\nprefix = \"/a/\"\nupstream = \"api\"", 2, "routes[0].prefix", InvalidValue, "\"/a\""),
        (
            "[[routes]]\npath = \"/oauth/v2/oauth-token\"\nupstream = \"api\"",
            2,
            "routes[0].path",
            ShadowsEndpoint,
            "the token endpoint",
        ),
        (
            "[[routes]]\nprefix = \"/.well-known/oauth-protected-resource\"\nupstream = \"api\"",
            2,
            "routes[0].prefix",
            ShadowsEndpoint,
            "RFC 9728",
        ),
        (
            "[[routes]]\npath = \"/a\"\nhost = \"a:80\"\nupstream = \"api\"",
            3,
            "routes[0].host",
            InvalidValue,
            "no port",
        ),
        (
            "[[routes]]\npath = \"/a\"\nhost = \"a.*.a\"\nupstream = \"api\"",
            3,
            "routes[0].host",
            InvalidValue,
            "*.example.com",
        ),
        (
            "[[routes]]\npath = \"/a\"\nmethods = []\nupstream = \"api\"",
            3,
            "routes[0].methods",
            InvalidValue,
            "is empty",
        ),
        (
            "[[routes]]\npath = \"/a\"\nmethods = [\"TRACE\"]\nupstream = \"api\"",
            3,
            "routes[0].methods[0]",
            InvalidValue,
            "405",
        ),
        (
            "[[routes]]\npath = \"/a\"\nmethods = [\"Connect\"]\nupstream = \"api\"",
            3,
            "routes[0].methods[0]",
            InvalidValue,
            "405",
        ),
        (
            "[[routes]]\npath = \"/a\"\nmethods = [\"get\"]\nupstream = \"api\"",
            3,
            "routes[0].methods[0]",
            InvalidValue,
            "\"GET\"",
        ),
        (
            "[[routes]]\npath = \"/a\"\nmethods = [\"G T\"]\nupstream = \"api\"",
            3,
            "routes[0].methods[0]",
            InvalidValue,
            "RFC 9110",
        ),
        (
            "[[routes]]\npath = \"/a\"\nmethods = [\"GET\", \"GET\"]\nupstream = \"api\"",
            3,
            "routes[0].methods[1]",
            Duplicate,
            "twice",
        ),
        (
            "[[routes]]\npath = \"/a\"\nscopes = [\"nix\"]\nupstream = \"api\"",
            3,
            "routes[0].scopes[0]",
            UnknownName,
            "[scopes]",
        ),
        (
            "[[routes]]\npath = \"/a\"\nscopes = [\"read\"]\nany_scope = [\"write\"]\nupstream = \"api\"",
            4,
            "routes[0].any_scope",
            Conflict,
            "all of `scopes` or one of",
        ),
        (
            "[[routes]]\npath = \"/a\"\nany_scope = []\nupstream = \"api\"",
            3,
            "routes[0].any_scope",
            InvalidValue,
            "is empty",
        ),
        (
            "[[routes]]\npath = \"/a\"\naccess = \"public\"\nscopes = [\"read\"]\nupstream = \"api\"",
            4,
            "routes[0].scopes",
            Conflict,
            "no token",
        ),
        (
            "[[routes]]\npath = \"/a\"\naccess = \"open\"\nupstream = \"api\"",
            3,
            "routes[0].access",
            InvalidValue,
            "\"public\"",
        ),
        (
            "[[routes]]\npath = \"/v1/a\"\nstrip_prefix = \"/v\"\nupstream = \"api\"",
            3,
            "routes[0].strip_prefix",
            Conflict,
            "\"/v1/a\"",
        ),
        (
            "[[routes]]\npath = \"/v1/a\"\nstrip_prefix = \"/v1/\"\nupstream = \"api\"",
            3,
            "routes[0].strip_prefix",
            InvalidValue,
            "must not end with /",
        ),
        (
            "[[routes]]\npath = \"/v1/a\"\nstrip_prefix = \"v1\"\nupstream = \"api\"",
            3,
            "routes[0].strip_prefix",
            InvalidValue,
            "begin with /",
        ),
        (
            "[[routes]]\npath = \"/a\"\nforward_token = true\nupstream = \"basic\"",
            1,
            "routes[0]",
            Conflict,
            "`Authorization`",
        ),
        (
            "[[routes]]\npath = \"/a\"\nforward_token = \"jwt\"\nupstream = \"basic\"",
            1,
            "routes[0]",
            Conflict,
            "`Authorization`",
        ),
        (
            "[[routes]]\npath = \"/a\"\nforward_token = \"jwt\"\naccess = \"public\"\nupstream = \"api\"",
            3,
            "routes[0].forward_token",
            Conflict,
            "no token",
        ),
        (
            "[[routes]]\npath = \"/.well-known/jwks.json\"\nforward_token = \"jwt\"\nupstream = \"api\"",
            2,
            "routes[0].path",
            ShadowsEndpoint,
            "RFC 7517",
        ),
        (
            "[[routes]]\npath = \"/a\"\nallow = [\"10.0.0.0/40\"]\nupstream = \"api\"",
            3,
            "routes[0].allow[0]",
            InvalidValue,
            "longer prefix",
        ),
        (
            "[[routes]]\npath = \"/a\"\nresponse_headers = { remove = [\"Connection\"] }\nupstream = \"api\"",
            3,
            "routes[0].response_headers.remove[0]",
            InvalidValue,
            "connection",
        ),
        (
            "[[routes]]\npath = \"/a\"\nresponse_headers = { set = { \"X Y\" = \"1\" } }\nupstream = \"api\"",
            3,
            "routes[0].response_headers.set.\"X Y\"",
            InvalidValue,
            "header name",
        ),
        (
            "[[routes]]\npath = \"/a\"\nresponse_headers = { set = { X = \"a\\r\\nb\" } }\nupstream = \"api\"",
            3,
            "routes[0].response_headers.set.X",
            InvalidValue,
            "header value",
        ),
        (
            "[[routes]]\npath = \"/a\"\ncors = {}\nupstream = \"api\"",
            3,
            "routes[0].cors",
            MissingKey,
            "`origins`",
        ),
        (
            "[[routes]]\npath = \"/a\"\ncors = { origins = [\"*\"], credentials = true }\nupstream = \"api\"",
            3,
            "routes[0].cors.origins",
            Conflict,
            "name the origins",
        ),
        (
            "[[routes]]\npath = \"/a\"\ncors = { origins = [\"https://a/b\"] }\nupstream = \"api\"",
            3,
            "routes[0].cors.origins[0]",
            InvalidValue,
            "no path",
        ),
        (
            "[[routes]]\npath = \"/a\"\nmax_body_size = 10\nupstream = \"api\"",
            3,
            "routes[0].max_body_size",
            WrongType,
            "\"10B\"",
        ),
    ]);
}

#[test]
fn conflicts() {
    let pair = |first: &str, second: &str| format!("{BEFORE}[[routes]]\n{first}\n[[routes]]\n{second}\n");
    let conflicting = [
        ("path = \"/a/{x}\"\nupstream = \"api\"", "path = \"/a/{y}\"\nupstream = \"api\""),
        ("prefix = \"/\"\nupstream = \"api\"", "prefix = \"/\"\nmethods = [\"GET\"]\nupstream = \"basic\""),
        (
            "path = \"/a\"\nhost = \"H\"\nupstream = \"api\"",
            "path = \"/a\"\nhost = \"h\"\nupstream = \"api\"",
        ),
        ("path = \"/a\"\nupstream = \"api\"", "path = \"/A\"\nupstream = \"folded\""),
        (
            "path = \"/a\"\nmethods = [\"GET\"]\nupstream = \"api\"",
            "path = \"/A\"\nmethods = [\"POST\"]\nupstream = \"folded\"",
        ),
    ];
    for (first, second) in conflicting {
        let text = pair(first, second);
        let error = only_error(&text);
        assert_eq!((error.kind, error.key.as_str()), (RouteConflict, "routes[1]"), "{error}");
        assert!(error.message.contains("the route in line 12,"), "{error}");
    }
    let apart = [
        ("path = \"/a\"\nupstream = \"api\"", "path = \"/A\"\nupstream = \"api\""),
        ("path = \"/a\"\nupstream = \"api\"", "prefix = \"/a\"\nupstream = \"api\""),
        ("path = \"/a\"\nhost = \"h\"\nupstream = \"api\"", "path = \"/a\"\nupstream = \"api\""),
        ("path = \"/a/{x}\"\nupstream = \"api\"", "path = \"/a/b\"\nupstream = \"api\""),
        (
            "path = \"/a\"\nmethods = [\"GET\"]\nupstream = \"api\"",
            "path = \"/a\"\nmethods = [\"POST\"]\nupstream = \"api\"",
        ),
    ];
    for (first, second) in apart {
        good(&pair(first, second));
    }
}

#[test]
fn more_routes_than_can_be_numbered() {
    let routes = |count: usize| {
        let mut text = "upstreams.a.servers = [\"http://127.0.0.1:1\"]\nroutes = [\n".to_owned();
        for number in 0..count {
            text.push_str(&format!("{{ path = \"/{number}\", upstream = \"a\" }},\n"));
        }
        text + "]\n"
    };
    assert_eq!(good(&routes(Config::MAX_ROUTES)).routes.len(), Config::MAX_ROUTES);
    let error = only_error(&routes(Config::MAX_ROUTES + 1));
    assert_eq!((error.kind, error.key.as_str()), (TooMany, "routes"), "{error}");
}
