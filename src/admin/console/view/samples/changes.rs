//! Changes and the history.

use askama::Template;

use super::pieces::*;
use crate::admin::console::view::edits::*;
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::frame::*;
use crate::admin::console::view::history::*;
use crate::admin::console::view::parts::*;

/// Renders the pages.
pub(super) fn pages(word: &str) -> Vec<(&'static str, String)> {
    let mut pages = Vec::new();
    let mut add =
        |name: &'static str, page: Result<String, askama::Error>| pages.push((name, page.expect(name)));
    add(
        "changes",
        ChangesPage {
            frame: frame("Changes", Section::Changes, word),
            errors: Errors::default(),
            draft: String::new(),
            owner: String::new(),
            can_commit: true,
            stale: Some("bob committed version 13 after you began.".into()),
            revision: "3".into(),
            operations: vec![
                OperationLine { index: 0, text: format!("add the scope orders: {word}") },
                OperationLine { index: 1, text: format!("add the client {word}") },
            ],
            problems: vec![],
            grants: grants(word),
            restart: vec!["server.threads".into()],
            diff: diff(word),
            owner_only: vec![],
            blocked: None,
            comment: word.into(),
            windows: vec![Choice::new("", "not needed", true), Choice::new("5m", "5 minutes", false)],
            others: vec![OtherDraft {
                owner: "bob".into(),
                url: "/changes?draft=1".into(),
                title: word.into(),
                detail: "2 operations, 4 minutes ago".into(),
            }],
            damaged: vec!["0123456789abcdef".into()],
        }
        .render(),
    );
    add(
        "changes-empty",
        ChangesPage {
            frame: frame("Changes", Section::Changes, word),
            errors: Errors::default(),
            draft: String::new(),
            owner: String::new(),
            can_commit: true,
            stale: None,
            revision: String::new(),
            operations: vec![],
            problems: vec![],
            grants: vec![],
            restart: vec![],
            diff: vec![],
            owner_only: vec![],
            blocked: None,
            comment: String::new(),
            windows: vec![],
            others: vec![],
            damaged: vec![],
        }
        .render(),
    );
    let version = |number, state, comment: &str| VersionRow {
        number,
        state,
        when: "2026-11-27 11:58 UTC".into(),
        who: "alice".into(),
        comment: comment.into(),
        granted: "2 wider, 1 narrower".into(),
        is_from: number == 11,
        is_to: number == 12,
    };
    add(
        "history",
        HistoryPage {
            frame: frame("History", Section::History, word),
            versions: vec![
                version(13, Some(badge(Tone::Warn, "not confirmed")), word),
                version(12, Some(badge(Tone::Good, "in use")), "Let the report read"),
                version(11, None, "edited by hand"),
            ],
            next: Some("/history?before=11".into()),
        }
        .render(),
    );
    add(
        "version",
        VersionPage {
            frame: frame("Version 12", Section::History, word),
            state: Some(badge(Tone::Good, "in use")),
            terms: vec![
                Term::new("When", "2026-11-27 11:58 UTC"),
                Term::new("Who", word),
                Term::new("Comment", word),
            ],
            grants: grants(word),
            problem: None,
            diff_note: "From version 11 to version 12. Secrets are hidden.".into(),
            diff: diff(word),
            rollback: Some(11),
        }
        .render(),
    );
    pages
}
