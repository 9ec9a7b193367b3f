//! The list of clients.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::registered_state;
use crate::admin::console::view::clients::{ClientRow, ClientsPage, RegisteredRow};
use crate::admin::console::view::frame::Section;
use crate::admin::console::view::parts::{Badge, Tone};
use crate::admin::console::visit::{Answer, Visit};
use crate::admin::console::wording;
use crate::config::{Client, Position, grouped};
use crate::gate::Registered;

/// The number of clients on one page.
const MOST: usize = 100;

/// Shows the page.
pub(in crate::admin::console) async fn show(visit: Visit) -> Answer {
    let config = visit.planned().await;
    let (query, after) = (visit.query.value("q").to_owned(), visit.query.value("after"));
    let is_wanted = |client: &&Client| {
        query.is_empty()
            || client.id.as_str().contains(&query)
            || client.scopes.iter().any(|scope| scope == query)
    };
    let all: Vec<&Client> = config.clients.iter().filter(is_wanted).collect();
    let from = all.iter().position(|client| client.id.as_str() == after).map_or(0, |at| at + 1);
    let shown: Vec<&Client> = all.iter().skip(from).take(MOST).copied().collect();
    let next = match shown.last() {
        Some(last) if from + shown.len() < all.len() => Some(format!(
            "/clients?q={}&after={}",
            wording::encode(&query),
            wording::encode(last.id.as_str())
        )),
        _ => None,
    };
    let count = wording::count(all.len() as u64, "client");
    let (registered_count, registered) = registered_rows(&visit, &query);
    let page = ClientsPage {
        rows: shown.into_iter().map(|client| row(&visit, client)).collect(),
        count,
        can_register: config.token_service.registration.is_some(),
        registered,
        registered_count,
        query,
        next,
        frame: visit.live_frame(Section::Clients, "Clients"),
    };
    visit.page(&page)
}

/// Returns the address of a client's page.
pub(in crate::admin::console) fn url(id: &str) -> String {
    format!("/clients/show/{}", wording::encode(id))
}

/// Returns whether a client is enabled, and whether the user's changes modify it.
pub(super) fn badges(visit: &Visit, client: &Client) -> Vec<Badge> {
    let mut badges = vec![if client.enabled {
        Badge::new(Tone::Good, "enabled")
    } else {
        Badge::new(Tone::Plain, "disabled")
    }];
    let config = visit.config();
    match config.client(client.id.as_str()) {
        None => badges.push(Badge::new(Tone::Warn, "new in your changes")),
        Some(running) if !is_same(running, client) => {
            badges.push(Badge::new(Tone::Warn, "changed in your changes"))
        }
        Some(_) => {}
    }
    badges
}

/// Returns whether two clients are equal, regardless of their position in the file.
fn is_same(one: &Client, other: &Client) -> bool {
    let without_positions = |client: &Client| {
        let mut client = client.clone();
        client.position = Position::new(1, 1);
        for secret in client.authentication.secret.iter_mut().flat_map(|secrets| &mut secrets.secrets) {
            secret.position = Position::new(1, 1);
        }
        client
    };
    without_positions(one) == without_positions(other)
}

/// Returns the number of registered clients that match a search, and the first page of them.
fn registered_rows(visit: &Visit, query: &str) -> (usize, Vec<RegisteredRow>) {
    let gate = visit.admin.gate();
    let is_wanted = |client: &&Arc<Registered>| {
        query.is_empty()
            || client.id.as_str().contains(query)
            || client.metadata.name().is_some_and(|name| name.contains(query))
            || client.metadata.scopes.iter().any(|scope| scope == query)
    };
    let row = |client: &Arc<Registered>| RegisteredRow {
        url: registered_state::url(client.id.as_str()),
        id: client.id.to_string(),
        name: client.metadata.name().unwrap_or("–").to_owned(),
        badges: vec![registered_state::badge(visit, client)],
        template: client.template.clone(),
        scopes: gate
            .registered_spec(client)
            .iter()
            .flat_map(|spec| spec.policy.scopes.iter())
            .map(str::to_owned)
            .collect(),
        tokens: gate.tokens_live_of(client.id.as_str()).map_or_else(|| "–".to_owned(), grouped),
        last_used: registered_state::last_used(client),
    };
    let all = gate.registered_clients();
    let wanted: Vec<_> = all.iter().filter(is_wanted).collect();
    (wanted.len(), wanted.into_iter().take(MOST).map(row).collect())
}

fn row(visit: &Visit, client: &Client) -> ClientRow {
    let gate = visit.admin.gate();
    let used =
        gate.secret_usage(client.id.as_str()).into_iter().filter_map(|(_, usage)| usage.last_used).max();
    ClientRow {
        url: url(client.id.as_str()),
        id: client.id.to_string(),
        badges: badges(visit, client),
        scopes: client.scopes.iter().map(str::to_owned).collect(),
        tokens: gate.tokens_live_of(client.id.as_str()).map_or_else(|| "–".to_owned(), grouped),
        last_used: match used {
            Some(used) => wording::relative(UNIX_EPOCH + used, SystemTime::now()),
            None => "not yet".to_owned(),
        },
    }
}
