//! The matrix of routes and clients, and the page of one route.

use crate::access::describe;
use crate::access::expect;
use crate::access::matrix::{Row, matrix as access_matrix};
use crate::access::reach::Reach;
use crate::admin::console::view::access::{
    Cell, ExpectationRow, ModeSwitch, RoutePage, RouteRow, RoutesPage,
};
use crate::admin::console::view::frame::Section;
use crate::admin::console::view::parts::{Badge, Link, Term, Tone};
use crate::admin::console::visit::{Answer, Form, Visit, go_to};
use crate::admin::console::wording;
use crate::admin::console::workspace::problem;
use crate::admin::problem::Problem;
use crate::change::operation::Operation;
use crate::change::routes::RouteAddress;
use crate::config::{Access, Config, Methods, Mode, Role, Route};

/// The maximum number of clients as columns and of routes as rows. More do not fit on a page.
const MOST_COLUMNS: usize = 60;
const MOST_ROWS: usize = 300;

/// Shows which client has access to which route.
pub(in crate::admin::console) async fn matrix(visit: Visit) -> Answer {
    let config = visit.config();
    let clients = config
        .clients
        .iter()
        .take(MOST_COLUMNS)
        .map(|client| Link { url: super::clients::url(client.id.as_str()), text: client.id.to_string() });
    let rows = access_matrix(&config);
    let more = (rows.len().saturating_sub(MOST_ROWS), config.clients.len().saturating_sub(MOST_COLUMNS));
    let page = RoutesPage {
        clients: clients.collect(),
        rows: rows.iter().take(MOST_ROWS).map(|row| self::row(&config, row)).collect(),
        more: match more {
            (0, 0) => String::new(),
            (routes, clients) => format!(
                "{} and {} more are not shown; `tollgate routes` lists them.",
                wording::count(routes as u64, "route"),
                wording::count(clients as u64, "client")
            ),
        },
        expectations: expectations(&visit, &config),
        frame: visit.frame(Section::Routes, "Routes"),
    };
    visit.page(&page)
}

fn row(config: &Config, row: &Row<'_>) -> RouteRow {
    let route = row.route;
    RouteRow {
        url: url(&route.label()),
        name: name(route),
        upstream: describe::upstream(config, route).to_owned(),
        mode: mode(route),
        needs: describe::needs(route),
        cells: row
            .cells
            .iter()
            .take(MOST_COLUMNS)
            .map(|(client, reach)| cell(route, client.id.as_str(), reach))
            .collect(),
    }
}

fn cell(route: &Route, client: &str, reach: &Reach<'_>) -> Cell {
    let (tone, text) = match reach {
        Reach::Allowed(constraint) => match constraint.description() {
            None => (Tone::Good, "yes".to_owned()),
            Some(shown) => (Tone::Good, format!("yes, with {shown}")),
        },
        Reach::ShutOut(why) => (Tone::Plain, why.as_str().to_owned()),
        Reach::WrongAudience(audience) => (Tone::Bad, format!("not for {audience}")),
        Reach::MissingScopes { scopes, any } => {
            (Tone::Bad, format!("lacks {}", scopes.join(if *any { " or " } else { ", " })))
        }
    };
    let url = sample(route).map(|(method, url)| {
        let [method, url, client] = [&method, &url, client].map(wording::encode);
        format!("/explain?method={method}&url={url}&client={client}")
    });
    Cell { tone, text, url: url.unwrap_or_default() }
}

/// Returns a request that the route matches.
pub(super) fn sample(route: &Route) -> Option<(String, String)> {
    let method = match &route.methods {
        Methods::All => "GET".to_owned(),
        Methods::Only(methods) => methods.first()?.to_string(),
    };
    let segments =
        route.path.as_str().split('/').map(|segment| if segment.starts_with('{') { "x" } else { segment });
    let path = segments.collect::<Vec<_>>().join("/");
    Some((method, route.sample_host().map(|host| format!("https://{host}{path}")).unwrap_or(path)))
}

/// Shows one route.
pub(in crate::admin::console) async fn show(visit: Visit) -> Answer {
    let config = visit.config();
    let route = find(&config, visit.query.value("route"))?;
    let mut terms = vec![
        Term::new("Upstream", describe::upstream(&config, route)),
        Term::new("Needs", describe::needs(route)),
    ];
    terms.extend(describe::terms(&config, route).into_iter().map(|term| Term::new("Term", term)));
    terms.push(Term::new("Body", describe::body_limit(route)));
    let (place, text) = excerpt(&config, route);
    let page = RoutePage {
        name: name(route),
        mode: mode(route),
        terms,
        place,
        text,
        key: route.label(),
        edit: format!("/routes/edit?route={}", wording::encode(&route.label())),
        switch: switch(&config, route),
        frame: visit.frame(Section::Routes, name(route)),
    };
    visit.page(&page)
}

/// Returns the address of the page of a route.
pub(super) fn url(label: &str) -> String {
    format!("/routes/show?route={}", wording::encode(label))
}

/// Returns the methods and the pattern of a route.
pub(super) fn name(route: &Route) -> String {
    let (methods, path) = describe::requests(route);
    if methods == "any" { path } else { format!("{} {path}", methods.replace(',', ", ")) }
}

/// Returns whether a route enforces its requirement.
pub(super) fn mode(route: &Route) -> Badge {
    match route.access {
        Access::Public => Badge::new(Tone::Plain, "public"),
        Access::Token { .. } if route.mode == Mode::Shadow => Badge::new(Tone::Warn, "in shadow"),
        Access::Token { .. } => Badge::new(Tone::Good, "enforced"),
    }
}

/// Returns the other mode that a route can have.
fn switch(config: &Config, route: &Route) -> Option<ModeSwitch> {
    match (&route.access, route.mode) {
        (Access::Public, _) => None,
        (Access::Token { .. }, Mode::Shadow) => Some(ModeSwitch {
            mode: "enforce",
            label: "Add enforcement to changes",
            note: "After the commit, requests without a good token are refused. The page Shadow lists their callers."
                .to_owned(),
        }),
        (Access::Token { .. }, Mode::Enforce) => {
            let credentials = config.upstream_of(route).is_some_and(|upstream| upstream.credentials.is_some());
            let note = if credentials {
                "In shadow mode, every caller reaches the upstream. Its credentials are sent only with good tokens."
            } else {
                "In shadow mode, every caller reaches the upstream, and callers that would be refused are recorded."
            };
            Some(ModeSwitch { mode: "shadow", label: "Add shadow mode to changes", note: note.to_owned() })
        }
    }
}

/// Returns the position of a route in the file, and its lines.
pub(super) fn excerpt(config: &Config, route: &Route) -> (String, String) {
    let file = config.file_of(route.position);
    let name = file.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let place = format!("{name}, line {}", route.position.line);
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let first = usize::try_from(route.position.line).unwrap_or(1).saturating_sub(1);
    let lines = text.lines().enumerate().skip(first);
    let lines = lines.take_while(|(at, line)| *at == first || !line.trim_start().starts_with('['));
    let lines: Vec<&str> = lines.map(|(_, line)| line).take(40).collect();
    (place, hide_values(&lines).trim_end().to_owned())
}

/// Hides the values of request headers, which can be credentials.
fn hide_values(lines: &[&str]) -> String {
    let mut shown = String::new();
    for line in lines {
        let is_secret = ["request_headers", "response_headers", "credentials"]
            .iter()
            .any(|key| line.trim_start().starts_with(key));
        match line.split_once('=') {
            Some((key, _)) if is_secret => shown.push_str(&format!("{key}= …")),
            _ => shown.push_str(line),
        }
        shown.push('\n');
    }
    shown
}

fn expectations(visit: &Visit, config: &Config) -> Vec<ExpectationRow> {
    let violations = expect::violations(config, &|config| visit.admin.control().rules(config));
    let rows = config.expectations.iter().enumerate().map(|(index, expectation)| {
        let violation = violations.iter().find(|violation| violation.index == index);
        ExpectationRow {
            state: match violation {
                None => Badge::new(Tone::Good, "holds"),
                Some(_) => Badge::new(Tone::Bad, "violated"),
            },
            text: expect::describe(expectation),
            detail: violation.map_or_else(String::new, |violation| violation.message.clone()),
        }
    });
    rows.collect()
}

/// Sets whether a route refuses requests, or only records refusals.
pub(in crate::admin::console) async fn set_mode(Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    let planned = visit.planned().await;
    let route = find(&planned, fields.value("route"))?;
    let mode = Mode::ALL.into_iter().find(|(name, _)| *name == fields.value("mode"));
    let (_, mode) = mode.ok_or_else(|| Problem::bad_request("`mode` is `enforce` or `shadow`"))?;
    let operation = Operation::RouteMode { route: RouteAddress::of_route(route), mode };
    visit.add_operations(&format!("Mode of {}", name(route)), vec![operation]).await.map_err(problem)?;
    go_to("/changes")
}

/// Removes a route.
pub(in crate::admin::console) async fn remove(Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    let planned = visit.planned().await;
    let route = find(&planned, fields.value("route"))?;
    let operation = Operation::RouteRemove { route: RouteAddress::of_route(route) };
    visit.add_operations(&format!("Remove {}", name(route)), vec![operation]).await.map_err(problem)?;
    go_to("/changes")
}

/// Returns the route that a form names.
pub(super) fn find<'c>(config: &'c Config, wanted: &str) -> Result<&'c Route, Problem> {
    let route = config.routes.iter().find(|route| route.label() == wanted);
    route.ok_or_else(|| Problem::not_found("the route does not exist"))
}
