//! What only an owner may commit: a table.

use std::sync::{Arc, Mutex};

use serde_json::json;

use super::desk::{TEXT, actor, add_scope, operation};
use super::*;
use crate::change::actor::Role;
use crate::change::control::ChangeControl;
use crate::change::environment::read_edited;
use crate::change::error::ChangeError;
use crate::change::live::Live;
use crate::change::permission::{OwnerOnly, owner_only};
use crate::change::texts::Texts;
use crate::config::{Config, ConfigErrors};

fn texts(text: &str) -> Texts {
    Texts::new(vec![("gateway.toml".into(), expand(text))])
}

fn found(before: &str, after: &str) -> Vec<OwnerOnly> {
    assert_ne!(before, after);
    owner_only(&texts(before), &texts(after)).unwrap()
}

const SHOP: &str = "servers = [\"http://127.0.0.1:9000\"]\n";

#[test]
fn differences_that_editors_commit() {
    let more = |old: &str, new: &str| TEXT.replacen(old, new, 1);
    for after in [
        more("read = \"R\"", "read = \"Read\"\nwrite = \"W\""),
        more("scopes = [\"read\"]\n[up", "scopes = []\n[up"),
        more("[upstreams", "[clients.b]\nsecret = \"NEW\"\n[upstreams"),
        more("secret = \"OLD\"", "secret = \"NEW\"\nenabled = false\ntoken_lifetime = \"1m\""),
        more(SHOP, "servers = [\"http://10.0.0.1:80\", { url = \"https://shop.example\" }]\n"),
        more(SHOP, &format!("{SHOP}credentials = {{ header = \"X\", value = \"v\" }}\n")),
        more("path = \"/orders\"\nscopes = [\"read\"]", "prefix = \"/\"\naccess = \"public\""),
        more("path = \"/orders\"", "path = \"/orders\"\nmode = \"shadow\"\nforward_token = true"),
        format!("{TEXT}[token_service]\ntoken_lifetime = \"1m\"\n"),
        more("# top", "# another comment"),
    ] {
        assert_eq!(found(TEXT, &after), [], "{after}");
    }
}

#[test]
fn differences_that_only_owners_commit() {
    let more = |old: &str, new: &str| {
        let after = TEXT.replacen(old, new, 1);
        (TEXT.to_owned(), after)
    };
    let with = |settings: &str, other: &str| {
        let text = |settings: &str| TEXT.replacen(SHOP, &format!("{SHOP}{settings}\n"), 1);
        (text(settings), text(settings).replacen(SHOP, other, 1))
    };
    let elsewhere = "servers = [\"http://10.6.6.6\"]\n";
    let literal = "credentials = { header = \"X\", value = \"v\" }";
    let admin = TEXT.replace("scopes = [\"read\"]\n[up", "scopes = [\"tollgate:admin.write\"]\n[up");
    let header =
        more("path = \"/orders\"", "path = \"/orders\"\nrequest_headers = { set = { X-Key = \"sesame\" } }")
            .1;
    let other = header.clone()
        + "\n[upstreams.evil]\nservers = [\"http://10.6.6.6\"]\n[[routes]]\npath = \"/x\"\nupstream = \"evil\"\n\
           request_headers = { set = { X-Key = \"sesame\" } }\n";
    let table = [
        ((header.clone(), header.replacen(SHOP, elsewhere, 1)), "routes to shop.request_headers.set.X-Key"),
        ((header.clone(), other), "routes to evil.request_headers.set.X-Key"),
        (more("[scopes]", "threads = 2\n[scopes]"), "server"),
        (more("# top", "include = [\"/etc/*.toml\"]"), "include"),
        (more("# top", "[metrics]\nlisten = \"127.0.0.1:9464\""), "metrics"),
        (more("# top", "[demo]\nlisten = \"127.0.0.1:9000\""), "demo"),
        (more("# top", "[store]\nkind = \"memory\""), "store"),
        (more("# top", "[[expect]]\nnever = [\"GET /**\"]"), "expect"),
        (more("# top", "[admin.users.eve]\npassword = \"OLD\"\nrole = \"owner\""), "admin"),
        (more("# top", "[token_service]\nissuer = \"https://evil.example\""), "token_service.issuer"),
        (more("# top", "token_service.token_endpoint = \"/t\""), "token_service.token_endpoint"),
        (more("secret = \"OLD\"", "secret = \"env:PATH\""), "clients.a.secret"),
        (more("secret = \"OLD\"", "secret = \"file:/etc/shadow\""), "clients.a.secret"),
        (
            more(SHOP, &format!("{SHOP}credentials = {{ header = \"X\", value = \"file:/etc/shadow\" }}\n")),
            "upstreams.shop.credentials.value",
        ),
        (
            more(
                "path = \"/orders\"",
                "path = \"/orders\"\nresponse_headers = { set = { X = \"env:HOME\" } }",
            ),
            "routes to shop.response_headers.set.X",
        ),
        (more(SHOP, &format!("{SHOP}tls = {{ ca = \"/root/x\" }}\n")), "upstreams.shop.tls.ca"),
        (more(SHOP, &format!("{SHOP}tls.client_key = \"/root/x\"\n")), "upstreams.shop.tls.client_key"),
        (more(SHOP, "servers = [\"unix:/run/docker.sock\"]\n"), "upstreams.shop.servers"),
        (more(SHOP, "servers = [{ url = \"http://169.254.169.254\" }]\n"), "upstreams.shop.servers"),
        (more(SHOP, "servers = [\"http://localhost:8080\"]\n"), "upstreams.shop.servers"),
        (more("secret = \"OLD\"", "jwks_uri = \"http://127.0.0.1:8080/k\""), "clients.a.jwks_uri"),
        (with(literal, elsewhere), "upstreams.shop.credentials.value"),
        (
            with("credentials = { header = \"X\", value = \"env:V\" }", elsewhere),
            "upstreams.shop.credentials.value",
        ),
        (
            with(literal, &format!("{SHOP}tls.insecure_skip_verify = true\n")),
            "upstreams.shop.credentials.value",
        ),
        ((TEXT.to_owned(), admin.clone()), "a"),
        ((admin.clone(), admin.replace("secret = \"OLD\"", "secret = \"NEW\"")), "a"),
        ((admin.clone(), TEXT.to_owned()), "a"),
        (more("read = \"R\"", "read = \"R\"\n\"tollgate:admin.read\" = \"A\""), "tollgate:admin.read"),
    ];
    for ((before, after), named) in table {
        let found = found(&before, &after);
        assert_eq!(found.len(), 1, "{after}\n{found:?}");
        let text = serde_json::to_value(&found[0]).unwrap();
        let members = ["key", "client", "scope"];
        let name = members.iter().find_map(|member| text.get(member)?.as_str());
        assert_eq!(name, Some(named), "{after}");
        assert!(!found[0].to_string().contains("argon2"));
    }
}

#[test]
fn a_reference_may_be_used_again_only_where_it_was_used() {
    let two = format!(
        "{}[upstreams.mine]\nservers = [\"http://10.6.6.6\"]\n",
        TEXT.replacen(SHOP, &format!("{SHOP}credentials = {{ header = \"X\", value = \"env:V\" }}\n"), 1)
    );
    let stolen = format!("{two}credentials = {{ header = \"X\", value = \"env:V\" }}\n");
    assert!(matches!(&found(&two, &stolen)[..], [OwnerOnly::Reference { .. }]));
    // What is removed, or stays with fewer servers, is no new use.
    let removed = TEXT.replacen("# top", "# less", 1);
    assert_eq!(found(&two, &removed), []);
}

#[test]
fn an_included_file_is_no_way_around() {
    let main = texts("include = [\"conf.d/*.toml\"]\n").main().to_owned();
    let with = |other: &str| {
        Texts::new(vec![("gateway.toml".into(), main.clone()), ("conf.d/1.toml".into(), other.to_owned())])
    };
    let found = owner_only(&with(""), &with("[server]\nthreads = 1\n")).unwrap();
    assert_eq!(found, [OwnerOnly::Key { key: "server".to_owned() }]);
    // What moves from one file to the other is no difference.
    let before = Texts::new(vec![
        ("gateway.toml".into(), format!("{main}[server]\nthreads = 1\n")),
        ("conf.d/1.toml".into(), String::new()),
    ]);
    assert_eq!(owner_only(&before, &with("[server]\nthreads = 1\n")).unwrap(), []);
    assert!(owner_only(&with(""), &with("[server\n")).is_err());
}

#[test]
fn only_owners_send_jwts_for_an_audience_in_use_to_another_server() {
    let jwt = TEXT.replacen("path = \"/orders\"", "path = \"/orders\"\nforward_token = \"jwt\"", 1);
    let named = jwt.replacen(SHOP, &format!("{SHOP}jwt_audience = \"https://shop.internal\"\n"), 1);
    let evil = |audience: &str| {
        format!(
            "[upstreams.evil]\nservers = [\"http://10.6.6.6\"]\njwt_audience = \"{audience}\"\n[[routes]]\npath = \
             \"/x\"\nscopes = [\"read\"]\nupstream = \"evil\"\nforward_token = \"jwt\"\n"
        )
    };
    let refused = |before: &str, after: &str, key: &str, audience: &str| {
        let expected = OwnerOnly::Audience { key: key.to_owned(), audience: audience.to_owned() };
        assert_eq!(found(before, after), [expected], "{after}");
    };
    let elsewhere = "servers = [\"http://10.6.6.6\"]\n";
    refused(&jwt, &jwt.replacen(SHOP, elsewhere, 1), "upstreams.shop", "shop");
    refused(&jwt, &format!("{jwt}{}", evil("shop")), "upstreams.evil", "shop");
    refused(
        &named,
        &format!("{named}{}", evil("https://shop.internal")),
        "upstreams.evil",
        "https://shop.internal",
    );
    // An audience that is configured is in use, also before the first route sends JWTs for it.
    let idle = named.replacen("forward_token = \"jwt\"\n", "", 1);
    refused(
        &idle,
        &format!("{idle}{}", evil("https://shop.internal")),
        "upstreams.evil",
        "https://shop.internal",
    );
    // JWTs for an audience of its own tell the new server nothing that opens another one.
    for (before, after) in [
        (TEXT, jwt.clone()),
        (&idle, named.clone()),
        (&named, format!("{named}{}", evil("https://evil.internal"))),
        (&named, TEXT.to_owned()),
    ] {
        assert_eq!(found(before, &after), [], "{after}");
    }
}

/// A gateway that notes what it compiles.
struct Noting(Arc<Mutex<Vec<String>>>);

impl Live for Noting {
    fn check(&self, texts: &Texts) -> Result<Config, ConfigErrors> {
        self.0.lock().unwrap().push(texts.main().to_owned());
        read_edited(texts.main_path(), texts.files())
    }

    fn apply(
        &self,
        _: &Texts,
        replace: &mut dyn FnMut() -> Result<(), ChangeError>,
    ) -> Result<Option<u64>, ChangeError> {
        replace().map(|()| None)
    }
}

#[test]
fn nothing_that_an_editor_does_compiles_a_draft_that_only_owners_may_commit() {
    let (fixture, compiled) = (Fixture::new(TEXT), Arc::new(Mutex::new(Vec::new())));
    let live = Box::new(Noting(Arc::clone(&compiled)));
    let control = ChangeControl::open(&fixture.path, &fixture.dir.path().join("state"), live).unwrap();
    control.settle(SystemTime::now()).unwrap();
    let set = |credentials: serde_json::Value| {
        operation(json!({ "op": "upstream_set", "name": "shop", "settings": { "credentials": credentials } }))
    };
    let (file, none) = (json!({ "header": "X", "value": "file:/etc/shadow" }), json!(null));
    let editor = actor("eve", Role::Editor);
    let draft = control.begin(&editor, "", vec![set(file)]).unwrap();
    // The second form takes back what only owners may commit, so its own result may be compiled.
    for more in [vec![add_scope("more")], vec![set(none)]] {
        control.errors_of(&editor, Some(&draft), more).unwrap();
    }
    assert!(control.preview(&editor, &draft).unwrap().config.is_none());
    let read = |compiled: &Mutex<Vec<String>>| {
        compiled.lock().unwrap().iter().any(|text| text.contains("/etc/shadow"))
    };
    assert!(!compiled.lock().unwrap().is_empty() && !read(&compiled));
    let owner = actor("olga", Role::Owner);
    control.preview(&owner, &draft).unwrap();
    assert!(read(&compiled), "an owner sees the effect");
}
