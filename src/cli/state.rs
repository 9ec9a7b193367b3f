//! `tollgate state`.

mod certificates;

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::cli::failure::Failure;
use crate::cli::output::{json as pretty, print};
use crate::config::{Config, StoreKind};
use crate::gateway::client_set::client_set;
use crate::gateway::load::load;
use crate::store::RedisOptions;
use crate::store::journal::{Report, report};
use crate::store::redis::{Survey, survey};
use crate::utc;

/// Shows what is kept over a restart, also while a gateway runs.
pub(super) fn state(path: &Path, as_json: bool) -> Result<(), Failure> {
    let (config, _) = load(path, None)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    if as_json {
        let mut shown = tokens_json(&config)?;
        if config.server.tls.certificate.acme().is_some() {
            shown["certificates"] = certificates::document(&config);
        }
        return print(&pretty(&shown));
    }
    print(&(tokens_text(&config, now)? + &certificates::text(&config, now)))
}

fn tokens_text(config: &Config, now: Duration) -> Result<String, Failure> {
    let folder = &config.server.state_dir;
    let nothing = "tokens are kept in memory alone ([store] kind = \"memory\"): a restart ends all of them\n";
    match &config.store {
        StoreKind::Memory => Ok(nothing.to_owned()),
        StoreKind::Redis(options) => {
            shared_text(options, client_set(config), report(folder).map_err(Failure::other)?, now)
        }
        StoreKind::Journal | StoreKind::JournalIfPossible => {
            let found = report(folder).map_err(Failure::other)?;
            let none = || format!("{}: no gateway has kept anything here yet\n", folder.display());
            Ok(found.map_or_else(none, |found| text(&found, now)))
        }
    }
}

fn tokens_json(config: &Config) -> Result<Value, Failure> {
    let folder = &config.server.state_dir;
    match &config.store {
        StoreKind::Memory => Ok(json!({ "kind": "memory" })),
        StoreKind::Redis(options) => {
            shared_json(options, client_set(config), report(folder).map_err(Failure::other)?)
        }
        StoreKind::Journal | StoreKind::JournalIfPossible => {
            let found = report(folder).map_err(Failure::other)?;
            Ok(found.map_or_else(|| json!({ "kind": "journal", "journal": null }), |found| document(&found)))
        }
    }
}

/// Shows what the shared store has, and the journal of this gateway.
fn shared_json(options: &RedisOptions, own: u64, journal: Option<Report>) -> Result<Value, Failure> {
    let found = survey(options).map_err(Failure::other)?;
    let own = format!("{own:016x}");
    let gateways: Vec<_> = found
        .gateways
        .iter()
        .map(|gateway| {
            json!({
                "name": gateway.name,
                "last_read_ms": u64::try_from(gateway.age.as_millis()).unwrap_or(u64::MAX),
                "clients": gateway.clients,
                "same_clients": gateway.clients == own,
                "version": gateway.version,
            })
        })
        .collect();
    let engine = json!({
        "address": found.address,
        "version": found.version,
        "replicas": found.replicas,
        "log_entries": found.entries,
        "clients_ended": found.epochs,
        "registered_clients": found.registered,
        "gateways": gateways,
    });
    let journal = journal.as_ref().map(document).map(|mut journal| journal["journal"].take());
    Ok(json!({ "kind": "redis", "clients": own, "engine": engine, "journal": journal }))
}

fn shared_text(
    options: &RedisOptions,
    own: u64,
    journal: Option<Report>,
    now: Duration,
) -> Result<String, Failure> {
    let Survey { address, version, replicas, entries, epochs, registered, gateways } =
        survey(options).map_err(Failure::other)?;
    let own = format!("{own:016x}");
    let differing = gateways.iter().filter(|gateway| gateway.clients != own).count();
    let mut shown = format!(
        "{address}\n  engine             {version}, {replicas} replicas\n  log                {entries} entries\n  \
         clients ended      {epochs}\n  registered clients {registered}\n  gateways           {}\n",
        gateways.len()
    );
    for gateway in &gateways {
        let same =
            if gateway.clients == own { "the clients of this file" } else { "OTHER CLIENTS than this file" };
        let (name, age) = (&gateway.name, gateway.age.as_millis());
        shown.push_str(&format!("    {name}: read {age} ms ago, {same}, version {}\n", gateway.version));
    }
    if differing > 0 {
        shown.push_str(&format!(
            "{differing} gateways run with other clients than this file has: a token can be good at one and refused at another\n"
        ));
    }
    if let Some(journal) = journal {
        shown.push_str(&text(&journal, now));
    }
    Ok(shown)
}

fn text(found: &Report, now: Duration) -> String {
    let Report { path, bytes, tokens, revoked, grants, epochs, used, registered, secrets, created, written } =
        found;
    let age = |then: Duration| now.saturating_sub(then).as_secs();
    format!(
        "{}\n  size               {bytes} bytes\n  begun              {} s ago\n  last written       {} s ago\n  \
         tokens             {tokens} issued, {revoked} of them revoked one by one\n  grants             {grants}\n  \
         ended epochs       {epochs}\n  used assertions    {used}\n  registered clients {registered}\n  \
         use of secrets     of {secrets} client secrets\n",
        path.display(),
        age(*created),
        age(*written),
    )
}

fn document(found: &Report) -> serde_json::Value {
    let Report { path, bytes, tokens, revoked, grants, epochs, used, registered, secrets, created, written } =
        found;
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
            "registered_clients": registered,
            "secrets": secrets,
        },
    })
}
