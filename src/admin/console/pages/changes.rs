//! The page with the user's changes: their effect on access, and the form that commits them.

use std::time::{Duration, SystemTime};

use http::StatusCode;

use crate::access::difference::Change;
use crate::admin::console::view::edits::{ChangesPage, OperationLine, OtherDraft};
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::frame::{Notice, Section};
use crate::admin::console::view::parts::{Choice, DiffKind, DiffLine, Effect, Grant, Link, Tone};
use crate::admin::console::visit::{Answer, Form, Visit, go_to, show as render};
use crate::admin::console::wording::{self, sentence};
use crate::admin::console::workspace::{moment, problem};
use crate::admin::problem::Problem;
use crate::admin::user::Fields;
use crate::change::actor::Via;
use crate::change::draft::{Draft, DraftId};
use crate::change::error::ChangeError;
use crate::change::preview::Preview;
use crate::config::{Role, parse_duration};

/// The confirmation times that the form offers.
const WINDOWS: [(&str, &str); 6] = [
    ("", "not needed"),
    ("1m", "1 minute"),
    ("5m", "5 minutes"),
    ("30m", "30 minutes"),
    ("2h", "2 hours"),
    ("24h", "24 hours"),
];

/// Shows the user's draft, or the one that the address names.
pub(in crate::admin::console) async fn show(visit: Visit) -> Answer {
    let page = page(&visit, visit.query.value("draft"), Errors::default(), "", "").await?;
    visit.page(&page)
}

/// Removes an operation from the draft.
pub(in crate::admin::console) async fn undo(Form { visit, fields }: Form) -> Answer {
    let (id, revision) = named(&visit, &fields)?;
    let index = fields.value("operation").parse::<usize>().unwrap_or(usize::MAX);
    let is_last = visit.draft(id.as_str()).is_some_and(|draft| draft.operations.len() == 1);
    let undone = visit.change(move |changes, actor| {
        if is_last && index == 0 {
            changes.discard(actor, &id, revision)
        } else {
            changes.remove_operation(actor, &id, revision, index).map(drop)
        }
    });
    match undone.await {
        Ok(()) => visit.notify(Notice::new(Tone::Good, "Undone.")),
        Err(ChangeError::Conflict(later, conflict)) => {
            let text = format!("It stays, because a later change needs it ({}): {conflict}.", later + 2);
            visit.notify(Notice::new(Tone::Bad, text));
        }
        Err(error) => return Err(problem(error)),
    }
    go_to(&path(fields.value("draft")))
}

/// Discards the draft.
pub(in crate::admin::console) async fn discard(Form { visit, fields }: Form) -> Answer {
    let (id, revision) = named(&visit, &fields)?;
    visit.change(move |changes, actor| changes.discard(actor, &id, revision)).await.map_err(problem)?;
    visit.notify(Notice::new(Tone::Good, "The changes are discarded."));
    go_to("/changes")
}

/// Discards a draft that cannot be read.
pub(in crate::admin::console) async fn discard_damaged(Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    let id = DraftId::parse(fields.value("draft"));
    let id = id.ok_or_else(|| Problem::not_found("the draft does not exist"))?;
    // If the draft can be read after all, this is not its revision, so that it stays.
    visit.change(move |changes, actor| changes.discard(actor, &id, 0)).await.map_err(problem)?;
    visit.notify(Notice::new(Tone::Good, "The changes are discarded."));
    go_to("/changes")
}

/// Rebases the draft on the current file.
pub(in crate::admin::console) async fn rebase(Form { visit, fields }: Form) -> Answer {
    let (id, revision) = named(&visit, &fields)?;
    let rebased = visit.change(move |changes, actor| changes.rebase(actor, &id, revision)).await;
    match rebased {
        Ok(_) => visit.notify(Notice::new(
            Tone::Good,
            "Your changes now apply to the current file. Look at what they grant again.",
        )),
        Err(ChangeError::Conflict(index, conflict)) => {
            let text = format!(
                "Operation {} cannot be applied to the current file: {conflict}. Undo it, or discard all changes.",
                index + 1
            );
            visit.notify(Notice::new(Tone::Bad, text));
        }
        Err(error) => return Err(problem(error)),
    }
    go_to(&path(fields.value("draft")))
}

/// Commits the draft.
pub(in crate::admin::console) async fn commit(Form { visit, fields }: Form) -> Answer {
    let (id, revision) = named(&visit, &fields)?;
    let (comment, window) = (fields.value("comment").to_owned(), fields.value("confirm_within").to_owned());
    let mut errors = Errors::default();
    if comment.is_empty() {
        errors.add("comment", "Enter a comment: why this changes.");
        return again(&visit, &fields, errors).await;
    }
    let confirm_within = match window.as_str() {
        "" => None,
        text => Some(parse_duration(text).unwrap_or(Duration::from_secs(300))),
    };
    let committed = visit
        .change(move |changes, actor| changes.commit(actor, &id, revision, &comment, confirm_within))
        .await;
    match committed {
        Ok(committed) => {
            let number = committed.version.number;
            let text = match confirm_within {
                None => format!("Version {number} is committed and in use."),
                Some(_) => format!(
                    "Version {number} is committed and in use. Confirm it in time, or it is rolled back."
                ),
            };
            let link = Some(Link { url: format!("/history/{number}"), text: "See the version".to_owned() });
            visit.notify(Notice { link, ..Notice::new(Tone::Good, text) });
            go_to("/changes")
        }
        Err(error @ (ChangeError::Comment | ChangeError::ConfirmWithin)) => {
            errors.add("comment", sentence(&error.to_string()));
            again(&visit, &fields, errors).await
        }
        // The page shows these errors beside their cause.
        Err(error @ (ChangeError::StaleBase | ChangeError::Invalid(_) | ChangeError::OwnerOnly(_))) => {
            errors.add("", sentence(error.to_string().lines().next().unwrap_or_default()));
            again(&visit, &fields, errors).await
        }
        Err(error) => Err(problem(error)),
    }
}

async fn again(visit: &Visit, fields: &Fields, errors: Errors) -> Answer {
    let (comment, window) = (fields.value("comment"), fields.value("confirm_within"));
    let page = page(visit, fields.value("draft"), errors, comment, window).await?;
    render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// Returns the draft that a form concerns, and the revision that its page showed.
fn named(visit: &Visit, fields: &Fields) -> Result<(DraftId, u64), Problem> {
    visit.user.require(Role::Editor)?;
    let draft = visit.draft(fields.value("draft"));
    let draft = draft.ok_or_else(|| {
        Problem::not_found("these changes no longer exist: they were committed or discarded")
    })?;
    // Without it, a form could be about changes that its page did not show.
    let revision = fields.value("revision").parse();
    let revision = revision.map_err(|_| Problem::bad_request("the form has no revision of the changes"))?;
    Ok((draft.id.clone(), revision))
}

fn path(draft: &str) -> String {
    if draft.is_empty() {
        "/changes".to_owned()
    } else {
        format!("/changes?draft={}", wording::encode(draft))
    }
}

async fn page(
    visit: &Visit,
    named: &str,
    errors: Errors,
    comment: &str,
    window: &str,
) -> Result<ChangesPage, Problem> {
    let draft = visit.draft(named).cloned();
    let now = SystemTime::now();
    let others =
        visit.workspace.drafts.iter().filter(|other| draft.as_ref().is_none_or(|shown| shown.id != other.id));
    let others = others.map(|other| OtherDraft {
        owner: other.owner.clone(),
        url: format!("/changes?draft={}", other.id),
        title: if other.title.is_empty() { "Changes".to_owned() } else { other.title.clone() },
        detail: format!(
            "{}, {}",
            wording::count(other.operations.len() as u64, "operation"),
            wording::relative(moment(other.changed), now)
        ),
    });
    let damaged = visit.change(|changes, _| changes.damaged_drafts()).await.unwrap_or_default();
    let mut page = ChangesPage {
        errors,
        draft: named.to_owned(),
        owner: String::new(),
        can_commit: visit.user.role >= Role::Editor,
        stale: None,
        revision: String::new(),
        operations: Vec::new(),
        problems: Vec::new(),
        grants: Vec::new(),
        restart: Vec::new(),
        diff: Vec::new(),
        owner_only: Vec::new(),
        blocked: None,
        comment: comment.to_owned(),
        windows: WINDOWS.into_iter().map(|(value, text)| Choice::new(value, text, value == window)).collect(),
        others: others.collect(),
        damaged: damaged.iter().map(ToString::to_string).collect(),
        frame: visit.frame(Section::Changes, "Changes"),
    };
    if let Some(draft) = draft {
        show_draft(visit, &mut page, draft).await?;
    }
    Ok(page)
}

async fn show_draft(visit: &Visit, page: &mut ChangesPage, draft: Draft) -> Result<(), Problem> {
    page.revision = draft.revision.to_string();
    if !draft.is_of(&visit.user.name, Via::Console) {
        page.owner.clone_from(&draft.owner);
        page.can_commit = visit.user.role >= Role::Owner;
    }
    page.operations = draft
        .operations
        .iter()
        .enumerate()
        .map(|(index, operation)| OperationLine { index, text: sentence_start(&operation.to_string()) })
        .collect();
    let waiting = page.frame.pending.as_ref().map(|pending| pending.version);
    page.blocked = if visit.config().admin.as_ref().is_some_and(|admin| admin.read_only) {
        Some(
            "The configuration is only read here (admin.read_only): make this change where it is kept."
                .to_owned(),
        )
    } else {
        waiting.map(|version| {
            format!("Version {version} waits for its confirmation: confirm it or undo it first.")
        })
    };
    let preview = visit.change(move |changes, actor| {
        let preview = changes.preview(actor, &draft)?;
        let diff = preview.diff(changes.key());
        Ok((preview, diff))
    });
    match preview.await {
        Ok((preview, diff)) => show_preview(visit, page, preview, &diff),
        Err(ChangeError::Conflict(index, conflict)) => {
            page.problems = vec![format!("Operation {}: {conflict}", index + 1)];
            page.blocked = Some("Undo the operation that can no longer be applied.".to_owned());
        }
        Err(error) => return Err(problem(error)),
    }
    Ok(())
}

fn show_preview(visit: &Visit, page: &mut ChangesPage, preview: Preview, diff: &str) {
    if preview.stale {
        page.stale = Some(
            "The file was changed after you began. This page shows the effect of your changes on the current file."
                .to_owned(),
        );
        page.blocked.get_or_insert_with(|| "Apply your changes to the current file first.".to_owned());
    }
    if !preview.owner_only.is_empty() && visit.user.role < Role::Owner {
        page.owner_only = preview.owner_only.iter().map(ToString::to_string).collect();
        page.blocked.get_or_insert_with(|| "An owner has to commit this.".to_owned());
    }
    if let Some(errors) = &preview.errors {
        page.problems = errors.iter().map(ToString::to_string).collect();
        page.blocked.get_or_insert_with(|| "Undo or correct the change that causes this.".to_owned());
    }
    page.grants = preview.grants.iter().flatten().map(grant).collect();
    page.restart = preview.needs_restart;
    page.diff = diff_lines(diff);
}

/// Returns a difference in access in the form that pages show.
pub(super) fn grant(change: &Change) -> Grant {
    let effect = if change.widens() { Effect::Widens } else { Effect::Narrows };
    Grant { effect, text: change.to_string() }
}

/// Returns the lines of a unified difference.
pub(super) fn diff_lines(unified: &str) -> Vec<DiffLine> {
    let mut lines = Vec::new();
    let is_one_file = unified.lines().filter(|line| line.starts_with("+++ ")).count() == 1;
    for line in unified.lines() {
        let (kind, text) = match line.as_bytes().first() {
            _ if line.starts_with("--- ") => continue,
            _ if line.starts_with("+++ ") && is_one_file => continue,
            _ if line.starts_with("+++ ") => (DiffKind::Skipped, line.trim_start_matches("+++ b/")),
            Some(b'@') => {
                let place = line.split('+').nth(1).and_then(|place| place.split([',', ' ']).next());
                let place = place.map_or_else(|| line.to_owned(), |number| format!("line {number}"));
                lines.push(DiffLine { kind: DiffKind::Skipped, text: place });
                continue;
            }
            Some(b'+') => (DiffKind::Added, &line[1..]),
            Some(b'-') => (DiffKind::Removed, &line[1..]),
            Some(b' ') => (DiffKind::Same, &line[1..]),
            _ => (DiffKind::Skipped, line),
        };
        lines.push(DiffLine { kind, text: text.to_owned() });
    }
    lines
}

/// Capitalizes the first letter.
fn sentence_start(text: &str) -> String {
    let sentence = sentence(text);
    sentence.trim_end_matches('.').to_owned()
}
