//! `tollgate routes`: the access matrix.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::access::describe;
use crate::access::matrix::{Row, matrix};
use crate::access::reach::Reach;
use crate::cli::failure::Failure;
use crate::cli::{output, route_json, with_registered};
use crate::config::Config;
use crate::sorting::collect_sorted;

/// The width of a page, and of a window of the usual size.
const NARROWEST: usize = 80;

pub(super) fn routes(path: &Path, json: bool) -> Result<(), Failure> {
    let config = with_registered::read(path)?;
    let rows = matrix(&config);
    if json {
        let routes: Vec<Value> = rows.iter().map(|row| as_json(&config, row)).collect();
        return output::print(&output::json(&Value::Array(routes)));
    }
    if rows.is_empty() {
        return output::print("There are no routes: every path is 404.\n");
    }
    let table = table(&config, &rows);
    let text = if output::width(&table) <= width() { output::columns(&table) } else { list(&config, &rows) };
    output::print(&text)
}

fn width() -> usize {
    let stdout = io::stdout();
    let window = if stdout.is_terminal() { rustix::termios::tcgetwinsize(stdout).ok() } else { None };
    window.map_or(NARROWEST, |window| usize::from(window.ws_col).max(NARROWEST))
}

fn table(config: &Config, rows: &[Row<'_>]) -> Vec<Vec<String>> {
    let terms: Vec<String> = rows.iter().map(|row| describe::terms(config, row.route).join("; ")).collect();
    let on_terms = terms.iter().any(|terms| !terms.is_empty());
    let mut head = ["METHODS", "PATH", "NEEDS"].map(str::to_owned).to_vec();
    head.extend(on_terms.then(|| "TERMS".to_owned()));
    head.extend(config.clients.iter().map(|client| client.id.to_string()));
    let mut lines = vec![head];
    for (row, terms) in rows.iter().zip(terms) {
        let (methods, path) = describe::requests(row.route);
        let mut line = vec![methods, path, describe::needs(row.route)];
        line.extend(on_terms.then_some(terms));
        line.extend(row.cells.iter().map(|(_, reach)| match cell(reach) {
            (true, None) => "yes".to_owned(),
            (true, Some(how)) => format!("yes ({how})"),
            (false, why) => format!("no ({})", why.unwrap_or_default()),
        }));
        lines.push(line);
    }
    lines
}

/// Returns whether a client gets through, and a remark: what it must show, or why it does not get through.
fn cell(reach: &Reach<'_>) -> (bool, Option<String>) {
    match reach {
        Reach::Allowed(constraint) => (true, constraint.description().map(|shown| format!("with {shown}"))),
        Reach::ShutOut(reason) => (false, Some(reason.as_str().to_owned())),
        Reach::WrongAudience(audience) => (false, Some(format!("not for {audience}"))),
        Reach::MissingScopes { scopes, any } => {
            (false, Some(format!("lacks {}", scopes.join(if *any { " or " } else { ", " }))))
        }
    }
}

/// Returns the matrix line by line, for a table that is too wide to read.
fn list(config: &Config, rows: &[Row<'_>]) -> String {
    let mut text = String::new();
    for Row { route, cells } in rows {
        let (methods, path) = describe::requests(route);
        let (needs, upstream) = (describe::needs(route), describe::upstream(config, route));
        let _ = writeln!(text, "{methods} {path}  ->  {upstream}\n  needs {needs}");
        for term in describe::terms(config, route) {
            let _ = writeln!(text, "  terms {term}");
        }
        let mut yes = Vec::new();
        for (client, reach) in cells {
            let (through, remark) = cell(reach);
            let remark = remark.map(|remark| format!(" ({remark})")).unwrap_or_default();
            if through {
                yes.push(format!("{}{remark}", client.id));
            } else {
                let _ = writeln!(text, "  no   {}{remark}", client.id);
            }
        }
        for client in yes {
            let _ = writeln!(text, "  yes  {client}");
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn as_json(config: &Config, row: &Row<'_>) -> Value {
    let mut object = route_json::route(config, row.route);
    let clients = row.cells.iter().map(|(client, reach)| {
        let (reason, missing, constraint) = match reach {
            Reach::Allowed(constraint) => (None, &[][..], constraint.names()),
            Reach::ShutOut(reason) => (Some(reason.as_str()), &[][..], Vec::new()),
            Reach::WrongAudience(_) => (Some("audience"), &[][..], Vec::new()),
            Reach::MissingScopes { scopes, .. } => (Some("scope missing"), &scopes[..], Vec::new()),
        };
        let mut value = json!({ "allowed": reach.is_allowed(), "reason": reason, "missing": missing });
        if !constraint.is_empty() {
            value["sender_constraint"] = json!(constraint);
        }
        if let Some(rate) = client.rate_limit {
            value["rate_limit"] = json!(rate.to_string());
        }
        (client.id.to_string(), value)
    });
    let clients: Map<String, Value> = collect_sorted(clients);
    object.insert("clients".to_owned(), Value::Object(clients));
    Value::Object(object)
}
