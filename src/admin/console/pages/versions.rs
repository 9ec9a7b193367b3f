//! The pages that show one version of the file, compare two versions, and confirm or restore a version.

use axum::extract::Path;

use super::changes::{diff_lines, grant};
use super::history::{badge, when, who};
use crate::admin::console::view::frame::{Notice, Section};
use crate::admin::console::view::history::VersionPage;
use crate::admin::console::view::parts::{Effect, Grant, Term, Tone};
use crate::admin::console::visit::{Answer, Form, Visit, go_to};
use crate::admin::console::workspace::problem;
use crate::admin::problem::Problem;
use crate::change::error::ChangeError;
use crate::config::Role;

/// Shows a version, and how it differs from the one before.
pub(in crate::admin::console) async fn show(visit: Visit, Path(number): Path<u64>) -> Answer {
    let found = visit.change(move |changes, actor| {
        let version = changes.version(number)?;
        let diff = match version.parent {
            None => None,
            Some(parent) => match (changes.version_texts(parent), changes.version_texts(number)) {
                (Ok(before), Ok(after)) => {
                    Some(changes.preview_texts(actor, before, after, false)?.diff(changes.key()))
                }
                _ => None,
            },
        };
        Ok((version, diff))
    });
    let (version, diff) = found.await.map_err(problem)?;
    let mut terms = vec![
        Term::new("When", when(&version)),
        Term::new("Who", who(&version)),
        Term::new("Comment", &*version.comment),
    ];
    if !version.operations.is_empty() {
        terms.push(Term::new("Operations", version.operations.join("\n")));
    }
    if let Some(deadline) = &version.confirm_by {
        terms.push(Term::new("To be confirmed by", super::history::moment_text(deadline)));
    }
    let grants = version.granted.iter().map(|granted| Grant {
        effect: if granted.widens { Effect::Widens } else { Effect::Narrows },
        text: granted.text.clone(),
    });
    let is_current = visit.workspace.version == Some(number);
    let page = VersionPage {
        state: badge(&version, visit.workspace.version),
        terms,
        grants: grants.collect(),
        problem: None,
        diff_note: match version.parent {
            None => "This is the first version that is kept.".to_owned(),
            Some(parent) => format!("From version {parent} to version {number}. Secrets are hidden."),
        },
        diff: diff_lines(&diff.unwrap_or_default()),
        rollback: (!is_current && visit.user.role >= Role::Editor).then_some(number),
        frame: visit.frame(Section::History, format!("Version {number}")),
    };
    visit.page(&page)
}

/// Compares two versions.
pub(in crate::admin::console) async fn compare(visit: Visit) -> Answer {
    let number = |name: &str| {
        let text = visit.query.value(name);
        text.parse::<u64>().map_err(|_| Problem::bad_request("choose a version on each side"))
    };
    let (from, to) = (number("from")?, number("to")?);
    let compared = visit.change(move |changes, actor| {
        let (before, after) = (changes.version_texts(from)?, changes.version_texts(to)?);
        let preview = changes.preview_texts(actor, before, after, false)?;
        let diff = preview.diff(changes.key());
        Ok((preview.grants, diff))
    });
    let (grants, diff) = compared.await.map_err(problem)?;
    let page = VersionPage {
        state: None,
        terms: vec![Term::new("From", format!("version {from}")), Term::new("To", format!("version {to}"))],
        problem: grants
            .is_none()
            .then(|| "What they grant cannot be compared: one of the two would be refused today.".to_owned()),
        grants: grants.iter().flatten().map(grant).collect(),
        diff_note: format!("From version {from} to version {to}. Secrets are hidden."),
        diff: diff_lines(&diff),
        rollback: None,
        frame: visit.frame(Section::History, format!("Version {from} and version {to}")),
    };
    visit.page(&page)
}

/// Confirms a commit.
pub(in crate::admin::console) async fn confirm(Path(number): Path<u64>, Form { visit, .. }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    let confirmed = visit.change(move |changes, actor| changes.confirm(actor, number)).await;
    finish(&visit, confirmed.map(drop), format!("Version {number} is confirmed and stays in use."))
}

/// Rolls back a commit that awaits confirmation.
pub(in crate::admin::console) async fn undo(Path(number): Path<u64>, Form { visit, .. }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    let undone = visit.change(move |changes, actor| changes.undo(actor, number)).await;
    finish(
        &visit,
        undone.map(drop),
        format!("Version {number} is rolled back: the file before it is in use."),
    )
}

fn finish(visit: &Visit, done: Result<(), ChangeError>, text: String) -> Answer {
    match done {
        Ok(()) => visit.notify(Notice::new(Tone::Good, text)),
        Err(ChangeError::NotUnconfirmed) => {
            visit.notify(Notice::new(
                Tone::Warn,
                "It waits for no confirmation any more: see its state below.",
            ));
        }
        Err(error) => return Err(problem(error)),
    }
    go_to("/history")
}

/// Creates a draft that restores a version.
pub(in crate::admin::console) async fn roll_back(
    Path(number): Path<u64>,
    Form { visit, fields }: Form,
) -> Answer {
    visit.user.require(Role::Editor)?;
    let keep = fields.has("keep");
    let draft =
        visit.change(move |changes, actor| changes.rollback(actor, number, keep)).await.map_err(problem)?;
    visit.notify(Notice::new(
        Tone::Good,
        format!("Version {number} is in your changes: look at what it grants, and commit."),
    ));
    go_to(&format!("/changes?draft={}", draft.id))
}
