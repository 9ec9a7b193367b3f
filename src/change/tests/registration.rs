//! Operations on initial access tokens and on registered clients.

use serde_json::{Value, json};

use super::*;
use crate::change::actor::Role;
use crate::change::operation::Operation;
use crate::change::submission::Submitted;
use crate::change::texts::Texts;

const FILE: &str = "[scopes]
read = \"R\"

# partners
[token_service.registration.templates.partner] # few
scopes = [\"read\"]
";
const DIGEST: &str = "sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const ID: &str = "reg_AAAAAAAAAAAAAAAAAAAAAA";

fn apply(text: &str, operation: Value) -> Result<String, String> {
    let operation: Operation = serde_json::from_value(operation).unwrap();
    let mut document = Document::new(&Texts::new(vec![("gateway.toml".into(), text.to_owned())]));
    operation.apply(&mut document).map_err(|error| error.to_string())?;
    Ok(document.texts().main().to_owned())
}

#[test]
fn an_initial_access_token_is_added_by_its_digest_and_removed_again() {
    let token = json!({ "name": "ci", "digest": DIGEST, "template": "partner", "expires": 1_798_761_600, "max_uses": 2 });
    let add = json!({ "op": "registration_token_add", "token": token });
    let added = apply(FILE, add.clone()).unwrap();
    assert!(added.starts_with(FILE), "{added}");
    for line in [
        "[token_service.registration.tokens.ci]",
        &format!("digest = \"{DIGEST}\""),
        "template = \"partner\"",
        "expires = 2027-01-01T00:00:00Z",
        "max_uses = 2",
    ] {
        assert!(added.contains(line), "{line} is not in\n{added}");
    }
    assert!(apply(&added, add).is_err(), "it exists already");
    let remove = json!({ "op": "registration_token_remove", "name": "ci" });
    assert_eq!(apply(&added, remove.clone()).unwrap().trim_end(), FILE.trim_end());
    assert!(apply(FILE, remove).is_err());
    let bad = json!({ "op": "registration_token_add", "token": { "name": "ci", "digest": "tgi_x", "template": "p" } });
    assert!(apply(FILE, bad).is_err());
    let elsewhere = json!({ "op": "registration_token_add", "token": { "name": "ci", "digest": DIGEST, "template": "p" } });
    assert!(apply("[scopes]\nread = \"R\"\n", elsewhere).unwrap_err().contains("token_service.registration"));
}

#[test]
fn a_registered_client_is_disabled_enabled_and_removed() {
    let set = |text: &str, state: &str| {
        apply(text, json!({ "op": "registered_client", "id": ID, "state": state })).unwrap()
    };
    let listed = |key: &str| format!("{key} = [\"{ID}\"]");
    let disabled = set(FILE, "disabled");
    assert!(disabled.contains(&listed("disabled_clients")), "{disabled}");
    assert_eq!(set(&disabled, "disabled"), disabled);
    assert!(!set(&disabled, "enabled").contains(ID));
    let removed = set(&disabled, "removed");
    assert!(removed.contains(&listed("removed_clients")) && !removed.contains(&listed("disabled_clients")));
}

#[test]
fn an_initial_access_token_is_generated_unless_its_digest_is_given_and_only_for_owners() {
    let read = |token: Value, role| {
        let operation = json!({ "op": "registration_token_add", "token": token });
        Submitted::read(operation, role, std::time::SystemTime::UNIX_EPOCH)
    };
    let named = json!({ "name": "ci", "template": "partner" });
    let made = read(named.clone(), Role::Owner).unwrap();
    let secret = made.secret.unwrap();
    assert!(secret.expose().starts_with("tgi_"));
    let kept = serde_json::to_string(&made.operation).unwrap();
    assert!(kept.contains("sha256:") && !kept.contains(secret.expose()), "{kept}");
    assert_ne!(read(named.clone(), Role::Owner).unwrap().secret.unwrap().expose(), secret.expose());
    let given = json!({ "name": "ci", "template": "partner", "digest": DIGEST });
    assert!(read(given, Role::Owner).unwrap().secret.is_none());
    assert!(read(named, Role::Editor).is_err());
}
