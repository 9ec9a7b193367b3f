//! `tollgate import`: an OpenAPI description, or the configuration of another gateway, as a part of
//! gateway.toml.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::change::actor::Actor;
use crate::change::environment::read_config;
use crate::cli::change::draft::open;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::Origin;
use crate::import::openapi::{self, Options, ScopeSource};
use crate::import::{Draft, Gateway, Need, compare, gateway, render, stage};

/// The largest file that is read, in bytes.
const MAX_SIZE: u64 = 64 << 20;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// An OpenAPI description (2.0 or 3.x, YAML or JSON); or the kind of gateway: nginx, kong, tyk or
    /// traefik.
    #[arg(value_name = "OPENAPI_FILE|GATEWAY")]
    source: String,
    /// The configuration of that gateway.
    file: Option<PathBuf>,
    /// The origin of the API, instead of the server that the description names.
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// The name of the upstream. Default: made of the description's title.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where the scope of an operation comes from. Default: security requirements if they name scopes,
    /// otherwise tags if every operation has one, otherwise the path.
    #[arg(long, value_name = "SOURCE", value_enum)]
    scope_from: Option<ScopeSource>,
    /// Show what differs from the routes that the configuration (--config) has, instead of the whole text.
    #[arg(long)]
    diff: bool,
    /// Prepare the differences as a staged change of the configuration (--config), and print its id.
    #[arg(long, conflicts_with_all = ["diff", "json"])]
    draft: bool,
    /// Let the staged change also remove routes to the same upstreams that the source no longer has.
    #[arg(long, requires = "draft")]
    prune: bool,
    /// Print JSON, for scripts.
    #[arg(long)]
    json: bool,
}

/// Prints the text for gateway.toml. What could not be translated goes to standard error, each with its
/// position.
pub(super) fn import(config: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let (path, draft) = read(arguments)?;
    if draft.found == 0 {
        return Err(Failure::config(format!("{}: there is nothing to import", path.display())));
    }
    let mut report = String::new();
    for finding in &draft.findings {
        let position = finding.position;
        let _ =
            writeln!(report, "{}:{}:{}: {}", path.display(), position.line, position.column, finding.text);
    }
    let imported = draft.routes.iter().map(|route| route.methods.len().max(1)).sum::<usize>();
    let summary = format!(
        "{}: {} found, {} routes for {imported} of them, {} notes",
        path.display(),
        draft.found,
        draft.routes.len(),
        draft.findings.len()
    );
    if arguments.json {
        return output::print(&output::json(&as_json(&draft)));
    }
    output::note(&format!("{report}{summary}"));
    if arguments.draft {
        return stage(config, &path, &draft, arguments.prune);
    }
    if arguments.diff {
        let comparison = compare::compare(&draft, &read_config(config)?);
        output::print(&comparison.text())?;
        return if comparison.is_empty() { Ok(()) } else { Err(Failure::other("the configuration differs")) };
    }
    output::print(&render(&draft))
}

/// Begins a staged change with the differences between an import and the configuration.
fn stage(config: &Path, source: &Path, draft: &Draft, prune: bool) -> Result<(), Failure> {
    let current = read_config(config)?;
    let comparison = compare::compare(draft, &current);
    let operations = stage::operations(draft, &current, &comparison, prune);
    let counts = format!(
        "{} new, {} changed, {} gone, {} the same",
        comparison.new.len(),
        comparison.changed.len(),
        comparison.gone.len(),
        comparison.same
    );
    output::note(&counts);
    if !prune {
        for gone in &comparison.gone {
            output::note(&format!("{} stays: --prune removes it", gone.label));
        }
    }
    if operations.is_empty() {
        output::note("there is nothing to change");
        return Ok(());
    }
    let name = source.file_name().unwrap_or_default().to_string_lossy();
    let title = format!("Import of {name}: {counts}");
    let begun = open(config)?.begin(&Actor::command_line(), &title, operations)?;
    output::note(&format!(
        "`tollgate change show {0}` shows what it grants, and `tollgate change commit {0}` applies it",
        begun.id
    ));
    output::print(&format!("{}\n", begun.id))
}

fn read(arguments: &Arguments) -> Result<(PathBuf, Draft), Failure> {
    if let Some(url) = &arguments.upstream
        && !matches!(Origin::parse_with_rest(url), Ok((_, "" | "/")))
    {
        return Err(Failure::config(format!(
            "--upstream {url} is not an origin such as http://127.0.0.1:9000"
        )));
    }
    let kind = match &*arguments.source {
        "nginx" => Some(Gateway::Nginx),
        "kong" => Some(Gateway::Kong),
        "tyk" => Some(Gateway::Tyk),
        "traefik" => Some(Gateway::Traefik),
        _ => None,
    };
    let path = match (kind, &arguments.file) {
        (Some(_), Some(file)) => file.clone(),
        (Some(_), None) => {
            return Err(Failure::config(format!("name the file: tollgate import {} FILE", arguments.source)));
        }
        (None, None) => PathBuf::from(&arguments.source),
        (None, Some(_)) => {
            let known =
                format!("{:?} is not a kind of gateway; nginx, kong, tyk and traefik are", arguments.source);
            return Err(Failure::config(known));
        }
    };
    let failed = |error: &dyn std::fmt::Display| Failure::config(format!("{}: {error}", path.display()));
    let size = fs::metadata(&path).map_err(|error| failed(&error))?.len();
    if size > MAX_SIZE {
        return Err(failed(&"it is larger than 64 MiB"));
    }
    let text = fs::read_to_string(&path).map_err(|error| failed(&error))?;
    let draft = match kind {
        Some(kind)
            if arguments.upstream.is_none() && arguments.name.is_none() && arguments.scope_from.is_none() =>
        {
            gateway(kind, &text)
        }
        Some(_) => {
            return Err(Failure::config("--upstream, --name and --scope-from are for OpenAPI descriptions"));
        }
        None => {
            let (upstream, name) = (arguments.upstream.as_deref(), arguments.name.as_deref());
            openapi::import(&text, &Options { upstream, scopes: arguments.scope_from, name })
        }
    };
    let draft = draft.map_err(|error| Failure::config(format!("{}:{error}", path.display())))?;
    Ok((path, draft))
}

fn as_json(draft: &Draft) -> serde_json::Value {
    let routes: Vec<_> = draft
        .routes
        .iter()
        .map(|route| {
            let (kind, scopes) = match &route.need {
                Need::Token => ("token", Vec::new()),
                Need::All(scopes) => ("scopes", scopes.iter().collect()),
                Need::Any(scopes) => ("any_scope", scopes.iter().collect()),
            };
            json!({
                "path": route.path.text(),
                "host": route.host,
                "methods": route.methods,
                "needs": kind,
                "scopes": scopes,
                "upstream": route.upstream,
                "line": route.position.line,
            })
        })
        .collect();
    let findings: Vec<_> = draft
        .findings
        .iter()
        .map(|finding| {
            json!({ "line": finding.position.line, "column": finding.position.column, "text": finding.text })
        })
        .collect();
    json!({ "found": draft.found, "routes": routes, "findings": findings, "toml": render(draft) })
}
