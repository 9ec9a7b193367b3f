//! Compares the description with the reader, and the committed reference with the description.

mod validator;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value as Json;

use self::validator::Validator;
use super::key::{Given, Key, Kind, Table};
use super::{document, json_schema, markdown, schema};
use crate::config::restart::RESTART_KEYS;
use crate::config::{Config, ConfigError, ConfigErrors, ErrorKind};

const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$IW16qEzU0Xj/igRn9X9uQg$9su1qKzgjcEYuUz6VgfY7Se75rZ5TwHsCNTfA5egip8";

/// A folder with every file that an example names.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("tls")).unwrap();
        fs::create_dir(folder.path().join("conf.d")).unwrap();
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
        let names = [
            "certificate",
            "key",
            "clients",
            "client_ca",
            "ca",
            "internal-ca",
            "client_certificate",
            "client_key",
        ];
        for name in names {
            let text = if name.ends_with("key") { &key } else { &certificate };
            fs::write(folder.path().join(format!("tls/{name}.pem")), text).unwrap();
        }
        fs::write(folder.path().join("password.txt"), "Password1\n").unwrap();
        Self(folder)
    }

    fn parse(&self, text: &str) -> Result<Config, ConfigErrors> {
        let env = |name: &str| match name {
            "LEGACY_KEY" | "OTLP_AUTHORIZATION" => Some("key".to_owned()),
            "SERVER_SECRET_HASH" => Some(HASH.to_owned()),
            _ => None,
        };
        Config::parse(text, Path::new("gateway.toml"), self.0.path(), &env)
    }

    fn errors(&self, text: &str) -> Vec<ConfigError> {
        self.parse(text)
            .err()
            .into_iter()
            .flat_map(|errors| errors.iter().cloned().collect::<Vec<_>>())
            .collect()
    }
}

fn validator() -> Validator {
    Validator::new(serde_json::from_str(&json_schema()).expect("the schema is JSON"))
}

fn json(text: &str) -> Json {
    schema::to_json(toml::Value::Table(text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"))))
}

/// Every table of the description.
fn tables(table: &Table) -> Vec<&Table> {
    fn of<'t>(kind: &'t Kind, found: &mut Vec<&'t Table>) {
        match kind {
            Kind::Table(table) => found.extend(tables(table)),
            Kind::List { item, .. } => of(item, found),
            Kind::Map { value, .. } => of(value, found),
            Kind::Either(kinds) => kinds.iter().for_each(|kind| of(kind, found)),
            _ => {}
        }
    }
    let mut found = vec![table];
    table.keys.iter().for_each(|key| of(&key.kind, &mut found));
    found
}

fn keys(document: &Table) -> Vec<(&Table, &Key)> {
    tables(document).into_iter().flat_map(|table| table.keys.iter().map(move |key| (table, key))).collect()
}

#[test]
fn every_example_is_accepted_by_the_reader_and_by_the_schema() {
    let (folder, validator, document) = (Folder::new(), validator(), document());
    for (table, key) in keys(&document) {
        let Some(example) = &key.example else {
            assert!(
                matches!(key.kind, Kind::Table(_) | Kind::Map { .. } | Kind::List { .. }),
                "{} has no example",
                key.name
            );
            continue;
        };
        let text = table.file(key, Some(example));
        assert_eq!(folder.errors(&text), [], "check refuses\n{text}");
        assert_eq!(validator.errors(&json(&text)), [""; 0], "the schema refuses\n{text}");
    }
}

#[test]
fn every_bad_value_is_refused_by_the_reader_and_by_the_schema() {
    let (folder, validator, document) = (Folder::new(), validator(), document());
    for (table, key) in keys(&document) {
        let Some(wrong) = &key.wrong else {
            assert!(key.example.is_none(), "{} has no bad value", key.name);
            continue;
        };
        let text = table.file(key, Some(wrong));
        let errors = folder.errors(&text);
        assert!(!errors.is_empty(), "check accepts\n{text}");
        for error in &errors {
            assert!(
                error.position.is_some() && !error.key.is_empty() && !error.message.is_empty(),
                "{error}"
            );
        }
        let refused = !validator.errors(&json(&text)).is_empty();
        assert_eq!(refused, key.schema_refuses, "the schema and\n{text}");
    }
}

#[test]
fn the_reader_knows_the_keys_of_the_description_and_no_other() {
    let (folder, document) = (Folder::new(), document());
    let tables = tables(&document);
    assert!(tables.len() > 20, "{} tables", tables.len());
    for table in tables {
        let unknown = Key::new("no_such_key_at_all", Kind::Flag, "");
        let text = table.file(&unknown, Some("1"));
        let errors = folder.errors(&text);
        let error = errors.iter().find(|error| error.kind == ErrorKind::UnknownKey);
        let message = &error.unwrap_or_else(|| panic!("the reader does not mind\n{text}")).message;
        let (_, listed) = message.split_once("the keys here are ").unwrap_or_else(|| panic!("{message}"));
        let known: BTreeSet<&str> = listed.split(", ").collect();
        let described: BTreeSet<&str> = table.keys.iter().map(|key| key.name).collect();
        assert_eq!(described, known, "described, and known to the reader, in {}", table.title);
        assert!(!validator().errors(&json(&text)).is_empty(), "the schema does not mind\n{text}");
    }
}

#[test]
fn a_default_that_is_written_in_the_file_changes_nothing() {
    let (folder, document) = (Folder::new(), document());
    let places = Regex::new(r"(position: )?Position \{ file: \d+, line: \d+, column: \d+ \}").unwrap();
    let debug = |text: &str| {
        let config = folder.parse(text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
        places.replace_all(&format!("{config:?}"), "").into_owned()
    };
    for (table, key) in keys(&document) {
        let Given::Value(default) = &key.default else { continue };
        let (without, with) = (table.file(key, None), table.file(key, Some(default)));
        assert_eq!(debug(&with), debug(&without), "{with}");
    }
}

/// The rules between keys, and whole files.
#[test]
fn the_reader_and_the_schema_agree_on_whole_files() {
    let (folder, validator) = (Folder::new(), validator());
    let client =
        |lines: &str| format!("[scopes]\nread = \"Read\"\n[clients.a]\n{}\n", lines.replace("HASH", HASH));
    let upstream = |lines: &str| format!("[upstreams.a]\n{lines}\n");
    let route = |lines: &str| {
        format!(
            "[scopes]\nread = \"Read\"\n[upstreams.a]\nservers = [\"http://127.0.0.1:1\"]\n[[routes]]\nupstream = \"a\"\n{lines}\n"
        )
    };
    let listen = |lines: &str| format!("[server]\nlisten = [{lines}]\n");
    let good = [
        String::new(),
        listen(r#""HTTPS://LocalHost:1", "http://[::1]:0", "http://127.1.2.3""#),
        listen(r#"{ url = "http://0.0.0.0:80", behind_tls = true, h2c = true }"#),
        "[metrics]\nlisten = \"http://[::]:1\"\nopen_to_network = true".to_owned(),
        client("secret = \"HASH\"\ntoken_lifetime = \"30d\"\nrate_limit = \"4294967295/h\""),
        client(
            "secrets = [{ id = \"1\", hash = \"HASH\" }]\ntoken_endpoint_auth_methods = [\"client_secret_post\"]",
        ),
        client(
            "tls_thumbprint = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"\ntoken_endpoint_auth_methods = [\"self_signed_tls_client_auth\"]",
        ),
        upstream("servers = [\"https://[2001:db8::1]:65535\", { url = \"http://a-b.c_d\" }]\ntls = {}"),
        upstream("servers = [\"http://a\"]\nhealth_check = { path = \"/x?y\", status = 204 }"),
        upstream(
            "servers = [\"http://a\"]\nread_timeout = \"86400000ms\"\nejection = false\nretry_budget = false",
        ),
        route("path = \"/a;b/{c}/%20/d%2Fe\"\nallow_semicolon = true\nallow_encoded_slash = true"),
        route("path = \"/\"\nmethods = [\"PURGE\"]\naccess = \"public\"\nallow = [\"::/0\", \"10.0.0.1\"]"),
        route("prefix = \"/\"\nmax_body_size = \"0\"\ncors = { origins = [\"*\"] }"),
        route("prefix = \"/a/..b\"\nscopes = []\nmax_body_size = \"1125899906842624B\""),
    ];
    for text in &good {
        assert_eq!(folder.errors(text), [], "check refuses\n{text}");
        assert_eq!(validator.errors(&json(text)), [""; 0], "the schema refuses\n{text}");
    }
    let bad = [
        "[server]\nlitsen = []".to_owned(),
        listen(r#""http://192.0.2.1""#),
        listen(r#""https://gateway.example.com""#),
        listen(r#""https://127.0.0.1:65536""#),
        listen(r#"{ url = "http://0.0.0.0:80" }"#),
        listen(r#"{ url = "https://0.0.0.0:443", h2c = true }"#),
        listen("{ behind_tls = true }"),
        "[server.tls]\nkey = \"tls/key.pem\"".to_owned(),
        "[server]\nshutdown_grace = \"1441m\"".to_owned(),
        "[server.limits]\nmax_header_size = \"1KiB\"".to_owned(),
        "[server.limits]\nidle_timeout = \"0s\"".to_owned(),
        "[server.limits]\nidle_timeout = \"5 s\"".to_owned(),
        "[metrics]\nlisten = \"https://127.0.0.1:1\"".to_owned(),
        "[demo]".to_owned(),
        "[clients.\" a\"]\nsecret = \"env:SERVER_SECRET_HASH\"".to_owned(),
        client(""),
        client("secret = \"Password1\""),
        client("secret = \"$2b$12$abcdefghijklmnopqrstuv\""),
        client("secret = \"HASH\"\nsecrets = [{ id = \"1\", hash = \"HASH\" }]"),
        client("secrets = [{ id = \"1\" }]"),
        client("secret = \"HASH\"\ntoken_endpoint_auth_methods = [\"private_key_jwt\"]"),
        client("secret = \"HASH\"\njwks_uri = \"https://a/keys\""),
        client("token_endpoint_auth_methods = []"),
        client(
            "jwks = [{ kty = \"oct\", k = \"c2VjcmV0\" }]\ntoken_endpoint_auth_methods = [\"private_key_jwt\"]",
        ),
        client("secret = \"HASH\"\nrate_limit = \"0/s\""),
        client("secret = \"HASH\"\nrate_limit = { burst = 1 }"),
        client("secret = \"HASH\"\nscopes = [\"read\", \"read\"]"),
        upstream(""),
        upstream("servers = [\"http://127.0.0.1:0\"]"),
        upstream("servers = [\"http://256.0.0.1\"]"),
        upstream("servers = [{ weight = 1 }]"),
        upstream("servers = [\"http://a\"]\ntls = {}"),
        upstream("servers = [\"http://a\"]\nmax_queue = 1"),
        upstream("servers = [\"http://a\"]\nhealth_check = { status = 200 }"),
        upstream("servers = [\"http://a\"]\ncredentials = {}"),
        upstream("servers = [\"http://a\"]\ncredentials = { header = \"X_Client_Id\", value = \"x\" }"),
        upstream(
            "servers = [\"http://a\"]\ncredentials = { header = \"X\", value = \"x\", basic = { user = \"u\", password = \"p\" } }",
        ),
        upstream("servers = [\"http://a\"]\nejection = true"),
        route(""),
        route("path = \"/\"\nprefix = \"/\""),
        route("path = \"/a;b\""),
        route("path = \"/a%2Fb\""),
        route("path = \"/a%41\""),
        route("path = \"/a%3Ab\""),
        route("path = \"/a//b\""),
        route("path = \"/a/%2e\""),
        route("path = \"/a/..%20\""),
        route("path = \"/{a\""),
        route("path = \"/a b\""),
        route("path = \"/a?b\""),
        route("path = \"/\"\nmethods = [\"Get\"]"),
        route("path = \"/\"\nmethods = [\"TRACE\"]"),
        route("path = \"/\"\nmethods = [\"GET\", \"GET\"]"),
        route("path = \"/\"\naccess = \"public\"\nscopes = [\"read\"]"),
        route("path = \"/\"\naccess = \"public\"\naudience = \"x\""),
        route("path = \"/\"\nscopes = [\"read\"]\nany_scope = [\"read\"]"),
        route("path = \"/\"\nmax_body_size = \"2000000GiB\""),
        route("path = \"/\"\nrate_limit = \"4294967296/s\""),
        route("path = \"/\"\ncors = { origins = [\"*\"], credentials = true }"),
        route("path = \"/\"\ncors = { origins = [\"*\", \"https://a\"] }"),
        route("path = \"/\"\nresponse_headers = { set = { Connection = \"close\" } }"),
        route("path = \"/\"\nresponse_headers = { set = { X = \" a\" } }"),
    ];
    for text in &bad {
        assert!(!folder.errors(text).is_empty(), "check accepts\n{text}");
        assert!(!validator.errors(&json(text)).is_empty(), "the schema accepts\n{text}");
    }
}

#[test]
fn the_shipped_file_and_the_largest_one_fit_the_schema() {
    for text in [include_str!("../../../../gateway.toml"), include_str!("../../tests/maximal.toml")] {
        assert_eq!(validator().errors(&json(&text.replace("HASH", HASH))), [""; 0]);
    }
}

/// `TOLLGATE_BLESS=1` writes the file, as `tollgate schema --markdown` prints it.
#[test]
fn the_committed_reference_is_the_generated_one() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let generated = markdown();
    if std::env::var_os("TOLLGATE_BLESS").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let differs = committed.lines().zip(generated.lines()).position(|(old, new)| old != new);
    assert!(
        committed == generated,
        "docs/configuration.md is not what the code says, from line {}: run TOLLGATE_BLESS=1 cargo test --lib reference",
        differs.map_or(0, |at| at + 1)
    );
}

#[test]
fn keys_that_need_a_restart_are_described() {
    let document = document();
    let marked = keys(&document).into_iter().filter(|(table, key)| key.needs_restart(table));
    let marked: Vec<_> = marked.map(|(table, key)| (table.title, key.name)).collect();
    let known: Vec<_> = RESTART_KEYS.iter().map(|key| (key.table, key.name)).collect();
    assert_eq!(marked, known);
}
