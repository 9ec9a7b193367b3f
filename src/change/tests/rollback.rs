//! Rollbacks, and credentials that the history hides.

use serde_json::json;

use super::desk::{Desk, TEXT, actor, operation};
use super::*;
use crate::change::actor::Role;
use crate::change::error::ChangeError;

const CREDENTIALS: &str = "credentials = { header = \"X-Key\", value = 'open \"sesame\"' } # key\n";

fn with_credentials() -> String {
    TEXT.replace("[[routes]]", &format!("{CREDENTIALS}[[routes]]"))
}

#[test]
fn a_version_returns_with_the_secrets_of_today() {
    let desk = Desk::new(&format!("{}[admin]\nlisten = \"http://127.0.0.1:0\"\n", with_credentials()));
    let owner = actor("ann", Role::Owner);
    let before = desk.fixture.text();
    let route = json!({ "path": "/more", "scopes": ["read"], "upstream": "shop" });
    let operations = [
        operation(
            json!({ "op": "client_reset_secret", "id": "a", "secret": { "text": "Password1" }, "keep_old": 60 }),
        ),
        operation(
            json!({ "op": "admin_user_add", "name": "ann", "password": { "text": "Password1" }, "role": "owner" }),
        ),
        operation(json!({ "op": "route_add", "route": route })),
    ];
    desk.control.change(&owner, &operations, "three changes", None).unwrap();
    let changed = desk.fixture.text();
    let hidden = desk.control.version_texts(1).unwrap();
    assert!(!hidden.main().contains("sesame") && hidden.main().contains("hidden:"), "{}", hidden.main());

    let draft = desk.control.rollback(&owner, 1, true).unwrap();
    desk.control.commit(&owner, &draft.id, 1, "back", None).unwrap();
    let text = desk.fixture.text();
    assert!(!text.contains("/more") && text.contains(CREDENTIALS), "{text}");
    let (kept, now) = (Config::load(&desk.fixture.path).unwrap(), desk.fixture.dir.path().join("then.toml"));
    fs::write(&now, &changed).unwrap();
    let then = Config::load(&now).unwrap();
    let secrets = |config: &Config| {
        config.client("a").unwrap().authentication.secret.clone().map(|it| {
            it.secrets
                .iter()
                .map(|secret| (secret.id.clone(), secret.hash.to_phc(), secret.expires))
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(secrets(&kept), secrets(&then));
    assert_eq!(kept.admin.as_ref().unwrap().users.len(), 1);

    // Everything returns if that is asked for.
    let draft = desk.control.rollback(&owner, 1, false).unwrap();
    desk.control.commit(&owner, &draft.id, 1, "back", None).unwrap();
    assert_eq!(desk.fixture.text(), before);
}

#[test]
fn a_credential_that_is_gone_is_named() {
    let desk = Desk::new(&with_credentials());
    let owner = actor("ann", Role::Owner);
    let set = |credentials: serde_json::Value| {
        let settings = json!({ "credentials": credentials });
        let set = operation(json!({ "op": "upstream_set", "name": "shop", "settings": settings }));
        desk.control.change(&owner, &[set], "c", None).unwrap();
    };
    set(json!({ "header": "X-Key", "value": "another key" }));
    // Today's, because that is what stays.
    let draft = desk.control.rollback(&owner, 1, true).unwrap();
    desk.control.commit(&owner, &draft.id, 1, "back", None).unwrap_err();
    desk.control.discard(&owner, &draft.id, 1).unwrap();
    let refused = desk.control.rollback(&owner, 1, false).unwrap_err();
    let ChangeError::Conflict(0, Conflict::CredentialGone(key)) = refused else { panic!("{refused}") };
    assert_eq!(key, "upstreams.shop.credentials.value");
    set(json!(null));
    assert!(desk.control.rollback(&owner, 1, true).is_err());
}

#[test]
fn a_text_that_was_shown_can_be_sent_back() {
    let desk = Desk::new(&with_credentials());
    let owner = actor("ann", Role::Owner);
    let hidden = desk.control.key().hide(&desk.control.texts().unwrap());
    let text = hidden.main().replace("# top", "# new");
    let replace = operation(json!({ "op": "replace_text", "text": text }));
    let draft = desk.control.begin(&owner, "", vec![replace]).unwrap();
    desk.control.commit(&owner, &draft.id, 1, "c", None).unwrap();
    desk.fixture.is(&with_credentials().replace("# top", "# new"));
}
