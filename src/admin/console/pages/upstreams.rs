//! The upstreams, and the state of their servers.

use std::time::Duration;

use crate::admin::console::view::edits::{ServerRow, UpstreamCard, UpstreamsPage};
use crate::admin::console::view::frame::Section;
use crate::admin::console::view::parts::{Badge, Tone};
use crate::admin::console::visit::{Answer, Visit};
use crate::admin::console::wording;
use crate::admin::state::AdminState;
use crate::config::{Balance, Config, Probe, Protocol, ShownDuration, Upstream};
use crate::upstream::ejection::Phase;

/// The state of one server.
pub(super) struct ServerStateShown {
    /// The server, as the file writes it.
    pub(super) server: String,
    pub(super) is_up: bool,
    pub(super) badge: Badge,
    /// The last fault, and how long ago it was.
    pub(super) fault: Option<(Box<str>, Duration)>,
}

impl ServerStateShown {
    /// Describes the last fault; empty if there was none.
    pub(super) fn fault(&self) -> String {
        let describe = |(text, ago): &(Box<str>, Duration)| format!("{text}, {} ago", wording::rough(*ago));
        self.fault.as_ref().map(describe).unwrap_or_default()
    }
}

/// Shows the page.
pub(in crate::admin::console) async fn show(visit: Visit) -> Answer {
    let config = visit.planned().await;
    let cards = config.upstreams.iter().enumerate().map(|(at, upstream)| card(&visit, &config, at, upstream));
    let page = UpstreamsPage {
        upstreams: cards.collect(),
        frame: visit.live_frame(Section::Upstreams, "Upstreams"),
    };
    visit.page(&page)
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
            .map(|state| ServerRow { fault: state.fault(), url: state.server, state: state.badge })
            .collect(),
        used_by: if routes == 0 { "no route".to_owned() } else { wording::count(routes as u64, "route") },
        edit: format!("/upstreams/edit?name={}", wording::encode(&upstream.name)),
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
        let found = running.and_then(|running| Some((running, running.servers().get(at)?)));
        let fault = found.and_then(|(running, server)| running.last_fault(server));
        let state = found.map(|(_, server)| &server.state);
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
        ServerStateShown { server: server.to_string(), is_up, badge, fault }
    });
    states.collect()
}
