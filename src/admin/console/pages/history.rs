//! The page with the versions of the file.

use crate::admin::console::view::frame::Section;
use crate::admin::console::view::history::{HistoryPage, VersionRow};
use crate::admin::console::view::parts::{Badge, Tone};
use crate::admin::console::visit::{Answer, Visit};
use crate::admin::console::workspace::problem;
use crate::change::actor::Via;
use crate::change::versions::{Version, VersionState};

/// The number of versions on one page.
const MOST: usize = 50;

/// Shows the page.
pub(in crate::admin::console) async fn show(visit: Visit) -> Answer {
    let before = visit.query.value("before").parse().ok();
    let versions = visit.change(move |changes, _| changes.history(before, MOST)).await.map_err(problem)?;
    let next = match versions.last() {
        Some(last) if versions.len() == MOST && last.number > 1 => {
            Some(format!("/history?before={}", last.number))
        }
        _ => None,
    };
    let current = visit.workspace.version;
    let rows = versions.iter().enumerate().map(|(at, version)| VersionRow {
        number: version.number,
        state: badge(version, current),
        when: when(version),
        who: who(version),
        comment: version.comment.clone(),
        granted: granted(version),
        is_from: at == 1,
        is_to: at == 0,
    });
    let page =
        HistoryPage { versions: rows.collect(), next, frame: visit.frame(Section::History, "History") };
    visit.page(&page)
}

/// Returns the status of a version, unless it is the usual one.
pub(super) fn badge(version: &Version, current: Option<u64>) -> Option<Badge> {
    match version.state {
        VersionState::Provisional => Some(Badge::new(Tone::Warn, "not confirmed")),
        VersionState::RolledBack => Some(Badge::new(Tone::Bad, "rolled back")),
        VersionState::Overtaken => Some(Badge::new(Tone::Plain, "overtaken by an edit")),
        VersionState::Abandoned => Some(Badge::new(Tone::Plain, "never in use")),
        VersionState::Prepared => Some(Badge::new(Tone::Warn, "interrupted")),
        VersionState::Applied if current == Some(version.number) => Some(Badge::new(Tone::Good, "in use")),
        VersionState::Applied => None,
    }
}

/// Returns the author of a version, and the interface through which it was made.
pub(super) fn who(version: &Version) -> String {
    match version.via {
        Via::Console => version.actor.clone(),
        Via::File => "a file edit".to_owned(),
        via => format!("{} ({})", version.actor, via.as_str()),
    }
}

/// Returns when a version was made.
pub(super) fn when(version: &Version) -> String {
    version.time.chars().take(16).collect::<String>().replace('T', " ") + " UTC"
}

fn granted(version: &Version) -> String {
    let wider = version.granted.iter().filter(|granted| granted.widens).count();
    match (wider, version.granted.len() - wider) {
        (0, 0) => "nothing".to_owned(),
        (wider, 0) => format!("{wider} wider"),
        (0, narrower) => format!("{narrower} narrower"),
        (wider, narrower) => format!("{wider} wider, {narrower} narrower"),
    }
}

/// Returns the time of a draft or an event, in the format of the log.
pub(super) fn moment_text(text: &str) -> String {
    text.chars().take(19).collect::<String>().replace('T', " ")
}
