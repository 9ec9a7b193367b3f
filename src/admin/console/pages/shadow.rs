//! The page with the routes in shadow mode: callers that would be refused, and proposals that let them pass.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::routes::{name as route_name, url as route_url};
use crate::admin::console::view::frame::Section;
use crate::admin::console::view::parts::{Badge, Link, Tone};
use crate::admin::console::view::shadow::{Caller, OtherProposal, ShadowPage, ShadowRoute};
use crate::admin::console::visit::{Answer, Form, Visit, go_to};
use crate::admin::console::wording::{self, sentence};
use crate::admin::console::workspace::problem;
use crate::admin::problem::Problem;
use crate::change::proposals::operations;
use crate::config::{Config, Role, grouped};
use crate::shadow::{CallerSummary, Proposal, RouteSummary, Summary, Who, proposals};

/// The maximum number of callers of a route that are shown.
const MOST: usize = 100;

/// Shows the page.
pub(in crate::admin::console) async fn show(visit: Visit) -> Answer {
    let config = visit.config();
    let (summary, proposals, now) = learned(&visit, &config);
    let routes = summary.routes.iter().map(|learned| route(&config, learned, &proposals, now));
    let others = proposals.iter().filter(|proposal| matches!(proposal, Proposal::RemoveScopes { .. }));
    let page = ShadowPage {
        routes: routes.collect(),
        others: others
            .map(|other| OtherProposal { text: sentence(&other.to_string()), key: other.to_string() })
            .collect(),
        frame: visit.live_frame(Section::Shadow, "Shadow mode"),
    };
    visit.page(&page)
}

/// Adds a proposal to the user's changes.
pub(in crate::admin::console) async fn propose(Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    let config = visit.config();
    let (_, proposals, _) = learned(&visit, &config);
    let wanted = fields.value("proposal");
    let proposal = proposals.iter().find(|proposal| proposal.to_string() == wanted);
    let operations = proposal.map(|proposal| operations(proposal, &config)).unwrap_or_default();
    if operations.is_empty() {
        return Err(Problem::not_found("this proposal no longer applies: reload the page"));
    }
    visit.add_operations("Proposals of shadow mode", operations).await.map_err(problem)?;
    go_to("/shadow")
}

fn learned(visit: &Visit, config: &Config) -> (Summary, Vec<Proposal>, Duration) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let summary = Summary::of(&visit.admin.proxy().rules().learned, config, now);
    let proposals = proposals(&summary, config, now.as_secs());
    (summary, proposals, now)
}

fn route(config: &Config, learned: &RouteSummary, proposals: &[Proposal], now: Duration) -> ShadowRoute {
    let route = config.routes.get(learned.index);
    let all = learned.passed.saturating_add(learned.refused);
    let waiting: Vec<&CallerSummary> = learned.waiting().collect();
    let is_ready = waiting.is_empty() && all > 0;
    let has_credentials =
        route.and_then(|route| config.upstream_of(route)).is_some_and(|up| up.credentials.is_some());
    ShadowRoute {
        anchor: format!("route-{}", learned.index),
        url: route_url(&learned.route),
        name: route.map_or_else(|| learned.route.clone(), route_name),
        key: learned.route.clone(),
        state: if is_ready { Badge::new(Tone::Good, "ready") } else { Badge::new(Tone::Warn, "in shadow") },
        share: share(learned),
        summary: match (all, waiting.len()) {
            (0, _) => "No request was seen in the last 7 days.".to_owned(),
            (_, 0) => format!("of the {} of the last 7 days would pass, and no caller waits", requests(all)),
            (_, callers) => format!(
                "of the {} of the last 7 days would pass; {} would not",
                requests(all),
                wording::count(callers as u64, "caller")
            ),
        },
        warning: if has_credentials {
            "The upstream's credentials are sent with good tokens only: other callers reach it without them."
                .to_owned()
        } else {
            String::new()
        },
        empty: if all == 0 {
            "Send traffic through it, and callers that would be refused are listed here.".to_owned()
        } else {
            "Nobody would be refused.".to_owned()
        },
        callers: waiting
            .into_iter()
            .take(MOST)
            .map(|one| caller(config, learned, one, proposals, now))
            .collect(),
        is_ready,
    }
}

/// Returns the share of requests that would pass. It is rounded down, so 100 % means all requests.
pub(super) fn share(learned: &RouteSummary) -> String {
    learned.ready().map_or_else(String::new, |ready| format!("{:.1} %", (ready * 1_000.0).floor() / 10.0))
}

fn requests(count: u64) -> String {
    wording::count(count, "request")
}

fn caller(
    config: &Config,
    learned: &RouteSummary,
    caller: &CallerSummary,
    proposals: &[Proposal],
    now: Duration,
) -> Caller {
    let proposal = proposals.iter().find(|proposal| is_about(proposal, &learned.route, &caller.who));
    let reasons: Vec<String> = caller.refused.iter().map(|(reason, _)| wording::words(reason)).collect();
    let at = UNIX_EPOCH + now;
    Caller {
        who: match &caller.who {
            Who::Client(id) => format!("client {id}"),
            Who::Address(address) => address.clone(),
            Who::Others(()) => "others".to_owned(),
        },
        agent: caller.user_agent.clone().unwrap_or_default(),
        verdict: reasons.join(", "),
        requests: grouped(caller.refused_in_all()),
        last: caller
            .last_refused
            .map_or_else(String::new, |last| wording::relative(UNIX_EPOCH + Duration::from_secs(last), at)),
        proposal: match (proposal, &caller.who) {
            (Some(proposal), _) => short(proposal),
            (None, Who::Client(_)) => "Its next token will pass.".to_owned(),
            (None, _) => "Too many callers to tell apart: look at the access log.".to_owned(),
        },
        propose: proposal
            .filter(|proposal| !operations(proposal, config).is_empty())
            .map(ToString::to_string),
        link: proposal.and_then(link),
    }
}

fn is_about(proposal: &Proposal, name: &str, who: &Who) -> bool {
    match (proposal, who) {
        (
            Proposal::AddScopes { client, route, .. }
            | Proposal::ChooseScope { client, route, .. }
            | Proposal::AddDefaultScopes { client, route, .. }
            | Proposal::AddAudience { client, route, .. }
            | Proposal::RequestAudience { client, route, .. },
            Who::Client(id),
        ) => route == name && client == id,
        (Proposal::NewClient { route, address, .. }, Who::Address(caller)) => {
            route == name && address == caller
        }
        _ => false,
    }
}

/// Describes a proposal beside the caller that it concerns.
fn short(proposal: &Proposal) -> String {
    match proposal {
        Proposal::AddScopes { scopes, .. } => format!("Give it {}.", scopes.join(", ")),
        Proposal::ChooseScope { scopes, .. } => format!("Give it one of {}.", scopes.join(", ")),
        Proposal::AddDefaultScopes { scopes, .. } => {
            format!(
                "It has {} and does not ask for it: make it a default, or change the caller.",
                scopes.join(", ")
            )
        }
        Proposal::AddAudience { audience, .. } => format!("Let it ask for tokens for {audience}."),
        Proposal::RequestAudience { audience, .. } => {
            format!("It may ask for tokens for {audience}, and does not: change the caller.")
        }
        Proposal::NewClient { .. } => "It has no valid token: make it a client.".to_owned(),
        Proposal::RemoveScopes { .. } | Proposal::Enforce { .. } => sentence(&proposal.to_string()),
    }
}

fn link(proposal: &Proposal) -> Option<Link> {
    match proposal {
        Proposal::NewClient { id, scopes, choose, .. } => {
            let scopes: &[String] = if *choose { &[] } else { scopes };
            let scopes: String =
                scopes.iter().map(|scope| format!("&scope={}", wording::encode(scope))).collect();
            Some(Link {
                url: format!("/clients/new?id={}{scopes}", wording::encode(id)),
                text: format!("New client {id}"),
            })
        }
        Proposal::ChooseScope { client, .. } => {
            Some(Link { url: super::clients::url(client), text: "Choose".to_owned() })
        }
        _ => None,
    }
}
