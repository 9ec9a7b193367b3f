//! `tollgate state`.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::cli::failure::Failure;
use crate::cli::output::{json as pretty, print};
use crate::config::StoreKind;
use crate::gateway::load::load;
use crate::store::journal::{Report, report};
use crate::utc;

/// Shows what is kept over a restart, also while a gateway runs.
pub(super) fn state(path: &Path, as_json: bool) -> Result<(), Failure> {
    let (config, _) = load(path, None)?;
    let folder = &config.server.state_dir;
    if config.store == StoreKind::Memory {
        let nothing =
            "tokens are kept in memory alone ([store] kind = \"memory\"): a restart ends all of them\n";
        return print(if as_json { "{\n  \"kind\": \"memory\"\n}\n" } else { nothing });
    }
    let found = report(folder).map_err(Failure::other)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    match (found, as_json) {
        (None, false) => print(&format!("{}: no gateway has kept anything here yet\n", folder.display())),
        (None, true) => print(&pretty(&json!({ "kind": "journal", "journal": null }))),
        (Some(found), false) => print(&text(&found, now)),
        (Some(found), true) => print(&pretty(&document(&found))),
    }
}

fn text(found: &Report, now: Duration) -> String {
    let Report { path, bytes, tokens, revoked, grants, epochs, used, secrets, created, written } = found;
    let age = |then: Duration| now.saturating_sub(then).as_secs();
    format!(
        "{}\n  size               {bytes} bytes\n  begun              {} s ago\n  last written       {} s ago\n  \
         tokens             {tokens} issued, {revoked} of them revoked one by one\n  grants             {grants}\n  \
         ended epochs       {epochs}\n  used assertions    {used}\n  use of secrets     of {secrets} client secrets\n",
        path.display(),
        age(*created),
        age(*written),
    )
}

fn document(found: &Report) -> serde_json::Value {
    let Report { path, bytes, tokens, revoked, grants, epochs, used, secrets, created, written } = found;
    let date = |moment: &Duration| utc::from_unix(moment.as_secs()).to_string();
    json!({
        "kind": "journal",
        "journal": {
            "file": path.display().to_string(),
            "bytes": bytes,
            "created": date(created),
            "written": date(written),
            "tokens": tokens,
            "revoked": revoked,
            "grants": grants,
            "ended_epochs": epochs,
            "used_assertions": used,
            "secrets": secrets,
        },
    })
}
