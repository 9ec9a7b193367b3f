//! Operations on scopes, routes, upstreams and users of the console.

use serde_json::json;

use super::*;
use crate::change::operation::Operation;
use crate::change::texts::Texts;

const FILE: &str = "# top
[scopes]
read = \"R\"   # reading

[clients.a]
secret = \"OLD\"
scopes = [\"read\"]

# the shop
[upstreams.shop]
servers = [\"http://127.0.0.1:9000\"] # one
# until 2027
read_timeout = \"5s\"

# orders
[[routes]]
path = \"/orders\"
scopes = [\"read\"]
upstream = \"shop\" # yes

# the rest
[[routes]]
prefix = \"/\"
methods = [\"GET\", \"HEAD\"]
host = \"api.example.com\"
access = \"public\"
upstream = \"shop\"

# ---- server
[server]
listen = [\"http://127.0.0.1:8080\"]

[admin]
listen = \"http://127.0.0.1:0\"
";

/// Makes operations, given as JSON, on a text.
fn made(text: &str, operations: &[serde_json::Value]) -> Result<String, Conflict> {
    let texts = Texts::new(vec![("gateway.toml".into(), expand(text))]);
    let mut document = Document::new(&texts);
    for operation in operations {
        let operation: Operation =
            serde_json::from_value(operation.clone()).unwrap_or_else(|error| panic!("{operation}: {error}"));
        let again: Operation = serde_json::from_value(serde_json::to_value(&operation).unwrap()).unwrap();
        assert_eq!(again, operation, "it survives the draft");
        assert!(!operation.to_string().contains("argon2"), "{operation}");
        assert!(!operation.shown().to_string().contains("argon2"), "{operation}");
        operation.apply(&mut document)?;
    }
    Ok(document.texts().main().replace(OLD, "OLD").replace(NEW, "NEW"))
}

#[track_caller]
fn changes(operations: &[serde_json::Value], old: &str, new: &str) {
    let wanted = FILE.replacen(old, new, 1);
    assert_ne!(wanted, FILE);
    let text = made(FILE, operations).unwrap();
    assert!(text == wanted, "--- wanted\n{wanted}\n--- is\n{text}");
    // What was made is a valid configuration.
    let path = Path::new("gateway.toml");
    Config::parse(&expand(&text), path, Path::new("."), &|_| None)
        .unwrap_or_else(|errors| panic!("{errors}\n{text}"));
}

#[test]
fn scopes() {
    changes(
        &[json!({ "op": "scope_add", "name": "write", "description": "W" })],
        "# reading\n",
        "# reading\nwrite = \"W\"\n",
    );
    changes(
        &[json!({ "op": "scope_describe", "name": "read", "description": "Read" })],
        "read = \"R\"   # reading",
        "read = \"Read\"   # reading",
    );
    changes(
        &[
            json!({ "op": "scope_add", "name": "w.x", "description": "W" }),
            json!({ "op": "client_scopes", "id": "a", "scopes": { "add": ["w.x"] } }),
            json!({ "op": "client_scopes", "id": "a", "scopes": { "remove": ["w.x"] } }),
            json!({ "op": "scope_remove", "name": "w.x" }),
            json!({ "op": "client_enabled", "id": "a", "enabled": false, "at": 1 }),
        ],
        "scopes = [\"read\"]\n\n# the shop",
        "scopes = [\"read\"]\nenabled = false\ntoken_generation = 1\n\n# the shop",
    );
    let none = "[clients.a]\nsecret = \"OLD\"\n\n# the server\n[server]\nthreads = 1\n";
    let added = made(none, &[json!({ "op": "scope_add", "name": "r", "description": "R" })]).unwrap();
    assert_eq!(added, format!("{none}\n[scopes]\nr = \"R\"\n"));
}

#[test]
fn routes() {
    let orders = json!({ "path": "/orders" });
    changes(
        &[
            json!({ "op": "route_set", "route": orders, "settings": { "rate_limit": "5/s", "upstream": "shop" } }),
        ],
        "upstream = \"shop\" # yes\n",
        "upstream = \"shop\" # yes\nrate_limit = \"5/s\"\n",
    );
    changes(
        &[json!({ "op": "route_mode", "route": orders, "mode": "shadow" })],
        "upstream = \"shop\" # yes\n",
        "upstream = \"shop\" # yes\nmode = \"shadow\"\n",
    );
    let rest = json!({ "prefix": "/", "hosts": ["API.example.com"], "methods": ["HEAD", "GET"] });
    changes(
        &[json!({ "op": "route_remove", "route": rest })],
        "# the rest\n[[routes]]\nprefix = \"/\"\nmethods = [\"GET\", \"HEAD\"]\nhost = \"api.example.com\"\naccess = \"public\"\nupstream = \"shop\"\n\n",
        "",
    );
    changes(
        &[json!({ "op": "route_add", "route": {
            "path": "/new", "scopes": ["read"], "upstream": "shop", "cors": { "origins": ["https://a.example"] } } })],
        "upstream = \"shop\"\n\n# ---- server",
        "upstream = \"shop\"\n\n[[routes]]\npath = \"/new\"\nscopes = [\"read\"]\nupstream = \"shop\"\ncors = { origins = [\"https://a.example\"] }\n\n# ---- server",
    );
    changes(
        &[json!({ "op": "route_set", "route": rest, "settings": { "access": null, "scopes": ["read"] } })],
        "access = \"public\"\nupstream = \"shop\"\n",
        "upstream = \"shop\"\nscopes = [\"read\"]\n",
    );
    changes(
        &[json!({ "op": "import", "scopes": {}, "routes": [
            { "path": "/a", "scopes": ["read"], "upstream": "shop" },
            { "path": "/b", "scopes": ["read"], "upstream": "shop" } ] })],
        "upstream = \"shop\"\n\n# ---- server",
        "upstream = \"shop\"\n\n[[routes]]\npath = \"/a\"\nscopes = [\"read\"]\nupstream = \"shop\"\n\n[[routes]]\npath = \"/b\"\nscopes = [\"read\"]\nupstream = \"shop\"\n\n# ---- server",
    );
    let double = json!({ "path": "/a", "upstream": "shop" });
    let double = made(FILE, &[json!({ "op": "import", "routes": [double, double] })]);
    assert!(matches!(double, Err(Conflict::Exists(Kind::Route, _))), "{double:?}");
    let missing = made(FILE, &[json!({ "op": "route_remove", "route": { "path": "/order" } })]);
    assert!(matches!(missing, Err(Conflict::Missing(Kind::Route, ..))), "{missing:?}");
    let again =
        made(FILE, &[json!({ "op": "route_add", "route": { "path": "/orders", "upstream": "shop" } })]);
    assert!(matches!(again, Err(Conflict::Exists(Kind::Route, _))), "{again:?}");
    let twice = format!("{FILE}\n[[routes]]\npath = \"/orders\"\nupstream = \"shop\"\n");
    let ambiguous = made(&twice, &[json!({ "op": "route_remove", "route": orders })]);
    assert!(matches!(ambiguous, Err(Conflict::Ambiguous(_))), "{ambiguous:?}");
}

#[test]
fn upstreams() {
    changes(
        &[json!({ "op": "upstream_set", "name": "shop", "settings": {
            "servers": ["http://127.0.0.1:9000", "http://127.0.0.1:9001"],
            "health_check": { "path": "/up", "interval": "5s" }, "read_timeout": null } })],
        "servers = [\"http://127.0.0.1:9000\"] # one\n# until 2027\nread_timeout = \"5s\"\n",
        "servers = [\"http://127.0.0.1:9000\", \"http://127.0.0.1:9001\"] # one\nhealth_check = { path = \"/up\", interval = \"5s\" }\n",
    );
    changes(
        &[json!({ "op": "upstream_add", "name": "b", "settings": { "servers": ["http://127.0.0.1:9002"] } })],
        "read_timeout = \"5s\"\n",
        "read_timeout = \"5s\"\n\n[upstreams.b]\nservers = [\"http://127.0.0.1:9002\"]\n",
    );
    changes(
        &[
            json!({ "op": "upstream_add", "name": "b", "settings": { "servers": ["http://127.0.0.1:9002"] } }),
            json!({ "op": "upstream_remove", "name": "b" }),
            json!({ "op": "scope_describe", "name": "read", "description": "Read" }),
        ],
        "\"R\"",
        "\"Read\"",
    );
    // A table of its own keeps its lines.
    let table = "[upstreams.a]\nservers = [\"http://a\"]\n\n# every so often\n[upstreams.a.health_check]\npath = \"/up\" # up\ninterval = \"5s\"\n";
    let set = json!({ "op": "upstream_set", "name": "a", "settings": {
        "health_check": { "path": "/up", "interval": "9s" } } });
    assert_eq!(made(table, &[set]).unwrap(), table.replace("5s", "9s"));
    let missing = made(FILE, &[json!({ "op": "upstream_remove", "name": "shpo" })]);
    assert!(missing.unwrap_err().to_string().contains("did you mean \"shop\"?"));
    let settings = json!({ "servers": [null] });
    let wrong = made(FILE, &[json!({ "op": "upstream_set", "name": "shop", "settings": settings })]);
    assert_eq!(wrong, Err(Conflict::Value("upstreams.shop.servers".to_owned())));
}

#[test]
fn users_and_texts() {
    changes(
        &[json!({ "op": "admin_user_add", "name": "ann", "password": NEW, "role": "owner" })],
        "listen = \"http://127.0.0.1:0\"\n",
        "listen = \"http://127.0.0.1:0\"\n\n[admin.users.ann]\npassword = \"NEW\"\nrole = \"owner\"\n",
    );
    let add = json!({ "op": "admin_user_add", "name": "ann", "password": OLD, "role": "owner" });
    let text = made(
        FILE,
        &[
            add.clone(),
            json!({ "op": "admin_user_role", "name": "ann", "role": "viewer" }),
            json!({ "op": "admin_user_password", "name": "ann", "password": NEW }),
        ],
    )
    .unwrap();
    assert!(text.ends_with("[admin.users.ann]\npassword = \"NEW\"\nrole = \"viewer\"\n"), "{text}");
    assert_eq!(made(FILE, &[add, json!({ "op": "admin_user_remove", "name": "ann" })]).unwrap(), FILE);
    assert_eq!(made(FILE, &[json!({ "op": "replace_text", "text": "a = 1\n" })]).unwrap(), "a = 1\n");
    let wrong = made(FILE, &[json!({ "op": "replace_text", "text": "a = 1\nb : \"Password1\"\n" })]);
    assert_eq!(wrong, Err(Conflict::Syntax(2)));
    let elsewhere = made(FILE, &[json!({ "op": "replace_text", "file": "/etc/passwd", "text": "" })]);
    assert_eq!(elsewhere, Err(Conflict::NoSuchFile("/etc/passwd".to_owned())));
}

#[test]
fn unknown_members_are_refused() {
    for wrong in [
        json!({ "op": "fly" }),
        json!({ "op": "client_remove", "id": "a", "and": "b" }),
        json!({ "op": "client_scopes", "id": "a", "scopes": { "ad": ["read"] } }),
    ] {
        assert!(serde_json::from_value::<Operation>(wrong.clone()).is_err(), "{wrong}");
    }
    let error = serde_json::from_value::<Operation>(json!({ "op": "fly" })).unwrap_err().to_string();
    assert!(error.starts_with("unknown variant `fly`, expected one of `scope_add`, "), "{error}");
    let error = serde_json::from_value::<Operation>(json!({ "op": "client_remove", "id": "a", "and": "b" }));
    assert_eq!(error.unwrap_err().to_string(), "unknown field `and`, expected one of `op`, `id`");
    let other = json!({ "op": "client_authentication", "id": "a", "settings": { "scopes": ["read"] } });
    assert_eq!(made(FILE, &[other]), Err(Conflict::Value("clients.a.scopes".to_owned())));
}
