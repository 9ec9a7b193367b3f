//! The upstreams, and the state of their servers.

use http::StatusCode;
use serde_json::json;

use super::sign_in::sentence;
use crate::admin::console::view::edits::{ServerRow, UpstreamCard, UpstreamsPage};
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::frame::Section;
use crate::admin::console::view::parts::{Badge, Tone};
use crate::admin::console::visit::{Answer, Form, Visit, go_to};
use crate::admin::console::wording;
use crate::admin::console::workspace::problem;
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;
use crate::change::error::ChangeError;
use crate::config::{Balance, Config, Probe, Protocol, Role, ShownDuration, Upstream};
use crate::upstream::ejection::Phase;

/// The state of one server.
pub(super) struct ServerStateShown {
    /// The server, as the file writes it.
    pub(super) server: String,
    pub(super) is_up: bool,
    pub(super) badge: Badge,
}

/// Shows the page.
pub(in crate::admin::console) async fn show(visit: Visit) -> Answer {
    page(&visit, StatusCode::OK, Errors::default(), "", "").await
}

async fn page(visit: &Visit, status: StatusCode, errors: Errors, name: &str, servers: &str) -> Answer {
    let config = visit.planned().await;
    let cards = config.upstreams.iter().enumerate().map(|(at, upstream)| card(visit, &config, at, upstream));
    let page = UpstreamsPage {
        upstreams: cards.collect(),
        errors,
        name: name.to_owned(),
        servers: servers.to_owned(),
        frame: visit.live_frame(Section::Upstreams, "Upstreams"),
    };
    visit.page_with(status, &page)
}

fn card(visit: &Visit, config: &Config, at: usize, upstream: &Upstream) -> UpstreamCard {
    let states = server_states(&visit.admin, upstream);
    let up = states.iter().filter(|state| state.is_up).count();
    let tone = if up == 0 {
        Tone::Bad
    } else if up < states.len() {
        Tone::Warn
    } else {
        Tone::Good
    };
    let routes = config.routes.iter().filter(|route| route.upstream.0 == at).count();
    UpstreamCard {
        anchor: format!("upstream-{at}"),
        name: upstream.name.clone(),
        state: Badge::new(tone, format!("{up} of {} up", states.len())),
        detail: detail(upstream),
        servers: states
            .into_iter()
            .map(|state| ServerRow { url: state.server, state: state.badge })
            .collect(),
        used_by: if routes == 0 { "no route".to_owned() } else { wording::count(routes as u64, "route") },
        text: upstream.servers.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
        can_remove: routes == 0,
    }
}

/// Describes how an upstream is used.
fn detail(upstream: &Upstream) -> String {
    let balance = match upstream.balance {
        Balance::RoundRobin => "in turn",
        Balance::Random => "at random",
        Balance::LeastRequests => "the one with the fewest requests",
        Balance::Consistent => "the same one for a client",
    };
    let protocol = match upstream.protocol {
        Protocol::Http1 => "HTTP/1.1",
        Protocol::Http2 => "HTTP/2",
    };
    let probed = match &upstream.health_check {
        None => "not probed".to_owned(),
        Some(check) => {
            let what = match &check.probe {
                Probe::Http { path, .. } => path.as_str(),
                Probe::Tcp => "a connection",
            };
            format!("probed ({what}) every {}", ShownDuration(check.interval))
        }
    };
    let secret = if upstream.credentials.is_some() { ", with credentials of the gateway" } else { "" };
    format!("{protocol}, {balance}, {probed}{secret}")
}

/// Returns the states of an upstream's servers, in the order of the file.
pub(super) fn server_states(admin: &AdminState, upstream: &Upstream) -> Vec<ServerStateShown> {
    let rules = admin.proxy().rules();
    let running = rules.upstreams.iter().find(|running| running.name == upstream.name);
    let now = admin.gate().clock().now();
    let states = upstream.servers.iter().enumerate().map(|(at, server)| {
        let state = running.and_then(|running| running.servers().get(at)).map(|server| &server.state);
        let (is_up, badge) = match state {
            None => (false, Badge::new(Tone::Plain, "not in use yet")),
            Some(state) if state.health.is_unhealthy() => (false, Badge::new(Tone::Bad, "fails its probes")),
            Some(state) => match upstream.ejection.as_ref().map(|rule| state.ejection.phase(rule, now)) {
                Some(Phase::Ejected) => (false, Badge::new(Tone::Bad, "ejected: requests to it failed")),
                Some(Phase::SlowStart(_)) => (true, Badge::new(Tone::Warn, "coming back")),
                Some(Phase::Active) | None if upstream.health_check.is_some() => {
                    (true, Badge::new(Tone::Good, "healthy"))
                }
                Some(Phase::Active) | None => (true, Badge::new(Tone::Good, "no failure known")),
            },
        };
        ServerStateShown { server: server.to_string(), is_up, badge }
    });
    states.collect()
}

/// Adds an upstream to the changes.
pub(in crate::admin::console) async fn add(Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    let (name, servers) = (fields.value("name"), lines(fields.raw("servers")));
    let mut errors = Errors::default();
    if name.is_empty() {
        errors.add("name", "Enter a name.");
    }
    if servers.is_empty() {
        errors.add("servers", "Enter at least one server.");
    }
    if errors.is_empty() {
        let operation = json!({ "op": "upstream_add", "name": name, "settings": { "servers": servers } });
        match visit.add_and_notify(&format!("New upstream {name}"), vec![operation]).await {
            Ok(()) => return go_to("/upstreams"),
            Err(ChangeError::Conflict(_, conflict)) => errors.add("name", sentence(&conflict.to_string())),
            Err(error) => return Err(problem(error)),
        }
    }
    page(&visit, StatusCode::UNPROCESSABLE_ENTITY, errors, name, fields.raw("servers")).await
}

/// Changes the servers of an upstream.
pub(in crate::admin::console) async fn set(Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    let (name, servers) = (fields.value("name"), lines(fields.raw("servers")));
    let planned = visit.planned().await;
    let before = planned.upstreams.iter().find(|upstream| upstream.name == name);
    let before = before.ok_or_else(|| Problem::not_found(format!("there is no upstream \"{name}\"")))?;
    let is_same = before.servers.iter().map(ToString::to_string).eq(servers.iter().cloned());
    let operation = json!({ "op": "upstream_set", "name": name, "settings": { "servers": servers } });
    let operations = if is_same { Vec::new() } else { vec![operation] };
    visit.add_and_notify(&format!("Servers of {name}"), operations).await.map_err(problem)?;
    go_to("/upstreams")
}

/// Removes an upstream.
pub(in crate::admin::console) async fn remove(Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    let name = fields.value("name");
    let operation = json!({ "op": "upstream_remove", "name": name });
    visit.add_and_notify(&format!("Remove the upstream {name}"), vec![operation]).await.map_err(problem)?;
    go_to("/upstreams")
}

/// Returns the lines of a field that are not empty.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}
