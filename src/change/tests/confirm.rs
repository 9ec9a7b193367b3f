//! Changes that must be confirmed, and the rollback of those that are not.

use serde_json::json;

use super::desk::{Desk, Gateway, TEXT, actor, add_scope, operation};
use super::*;
use crate::change::actor::{Role, Via};
use crate::change::control::ChangeControl;
use crate::change::error::ChangeError;
use crate::change::versions::VersionState;

#[test]
fn a_commit_that_nobody_confirms_is_rolled_back() {
    let desk = Desk::new(TEXT);
    let (ann, bob) = (actor("ann", Role::Editor), actor("bob", Role::Editor));
    let within = Some(Duration::from_secs(60));
    let commit = || desk.control.change(&ann, &[add_scope("w")], "c", within).unwrap().version;
    let later = SystemTime::now() + Duration::from_secs(61);
    let waits = desk.fixture.dir.path().join("state/admin/unconfirmed.json");

    let version = commit();
    assert_eq!(version.state, VersionState::Provisional);
    let other = desk.control.change(&bob, &[add_scope("x")], "c", None).unwrap_err();
    assert_eq!((other.name(), other.status()), ("unconfirmed", 409));
    assert!(matches!(desk.control.confirm(&bob, version.number), Err(ChangeError::NotYours(_))));
    desk.control.enforce_deadline(SystemTime::now()).unwrap();
    assert!(desk.fixture.text().contains("w = \"D\""));
    desk.control.enforce_deadline(later).unwrap();
    desk.fixture.is(TEXT);
    assert!(!waits.exists());
    assert_eq!(desk.control.version(version.number).unwrap().state, VersionState::RolledBack);
    let last = &desk.control.history(None, 1).unwrap()[0];
    assert_eq!((last.via, last.number), (Via::Gateway, version.number + 1));

    let version = commit();
    assert_eq!(desk.control.confirm(&ann, version.number).unwrap().state, VersionState::Applied);
    desk.control.enforce_deadline(later).unwrap();
    assert!(desk.fixture.text().contains("w = \"D\"") && !waits.exists());
    assert!(matches!(desk.control.confirm(&ann, version.number), Err(ChangeError::NotUnconfirmed)));

    // Rolled back at once.
    let remove = operation(json!({ "op": "scope_remove", "name": "w" }));
    let version = desk.control.change(&ann, std::slice::from_ref(&remove), "c", within).unwrap().version;
    desk.control.undo(&ann, version.number).unwrap();
    assert!(desk.fixture.text().contains("w = \"D\""));

    // Edited by hand: there is nothing to return to.
    let version = desk.control.change(&ann, &[remove], "c", within).unwrap().version;
    let edited = desk.fixture.text().replace("# top", "# by hand");
    fs::write(&desk.fixture.path, &edited).unwrap();
    desk.control.enforce_deadline(later).unwrap();
    assert_eq!(desk.fixture.text(), edited);
    assert_eq!(desk.control.version(version.number).unwrap().state, VersionState::Overtaken);
    assert!(!waits.exists());
}

#[test]
fn a_restart_arms_the_deadline_again_or_carries_it_out() {
    for (late, state) in [(false, VersionState::Provisional), (true, VersionState::RolledBack)] {
        let desk = Desk::new(TEXT);
        let ann = actor("ann", Role::Owner);
        let within = Some(Duration::from_secs(60));
        let number = desk.control.change(&ann, &[add_scope("w")], "c", within).unwrap().version.number;
        let Desk { fixture, control } = desk;
        drop(control);
        let control = ChangeControl::open(
            &fixture.path,
            &fixture.dir.path().join("state"),
            Box::new(Gateway::default()),
        );
        let control = control.unwrap();
        let at = SystemTime::now() + Duration::from_secs(if late { 61 } else { 0 });
        control.settle(at).unwrap();
        assert_eq!(control.version(number).unwrap().state, state);
        assert_eq!(fixture.text().contains("w = \"D\""), !late);
        assert_eq!(control.unconfirmed().unwrap().is_some(), !late);
    }
}
