//! The audit log.

use crate::admin::console::view::frame::Section;
use crate::admin::console::view::parts::{Badge, Tone};
use crate::admin::console::view::records::{AuditPage, AuditRow};
use crate::admin::console::visit::{Answer, Visit};
use crate::admin::console::wording;
use crate::admin::console::workspace::problem;
use crate::change::audit::{AuditLine, Event};
use crate::change::error::ChangeError;

/// The number of events on one page.
const MOST: usize = 100;
/// The maximum number of events before a page.
const FURTHEST: usize = 10_000;
/// The maximum number of events that are searched for a page.
const MOST_SEARCHED: usize = 5_000;

/// Shows the page.
pub(in crate::admin::console) async fn show(visit: Visit) -> Answer {
    let [actor, event] = ["actor", "event"].map(|name| visit.query.value(name).to_owned());
    let skip = visit.query.value("skip").parse::<usize>().unwrap_or(0).min(FURTHEST);
    let is_filtered = !actor.is_empty() || !event.is_empty();
    let wanted = if is_filtered { MOST_SEARCHED } else { MOST };
    let lines =
        visit.change(move |changes, _| changes.audit().newest(skip, wanted).map_err(ChangeError::State));
    let lines = lines.await.map_err(problem)?;
    let matches = |line: &&AuditLine| {
        (actor.is_empty() || line.actor.contains(&actor))
            && (event.is_empty() || name(line).contains(&event.replace('-', "_")))
    };
    let rows: Vec<AuditRow> = lines.iter().filter(matches).take(MOST).map(row).collect();
    let next = (!is_filtered && lines.len() == MOST && skip + MOST <= FURTHEST)
        .then(|| format!("/audit?skip={}", skip + MOST));
    let page = AuditPage { rows, next, actor, event, frame: visit.frame(Section::Audit, "Audit") };
    visit.page(&page)
}

/// Returns the name of the event in the audit file.
fn name(line: &AuditLine) -> String {
    let name = serde_json::to_value(line.event).ok();
    name.as_ref().and_then(|name| name.as_str()).unwrap_or_default().to_owned()
}

fn row(line: &AuditLine) -> AuditRow {
    let tone = match line.outcome.as_str() {
        "refused" | "failed" | "rolled_back" => Tone::Bad,
        "provisional" => Tone::Warn,
        _ => Tone::Good,
    };
    let version = line.version.map(|version| format!(", version {version}")).unwrap_or_default();
    let detail = line.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
    let via = line.via.clone();
    // The object of these events is the random id of a draft.
    let kind = if line.event == Event::Draft { "draft " } else { "" };
    AuditRow {
        when: super::history::moment_text(&line.time),
        actor: if line.actor == via { via } else { format!("{} ({via})", line.actor) },
        address: line.address.clone().unwrap_or_else(|| "–".to_owned()),
        event: name(line),
        object: format!("{kind}{}{version}{detail}", line.object),
        outcome: Badge::new(tone, wording::words(&line.outcome)),
    }
}
