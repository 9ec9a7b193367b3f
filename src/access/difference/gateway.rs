//! Compares the conditions of the gateway as a whole: its limits, the throttle, the pages that may use its
//! endpoints, and the proxies that it trusts.

use std::time::Duration;

use crate::config::{AddressRange, Config, CorsOrigins, ShownDuration, ShownSize};

/// A condition, in words.
struct Term {
    text: String,
    /// How much it permits, compared with the same condition of the other configuration.
    permits: u128,
}

/// The conditions that changed.
pub(super) struct ChangedTerms {
    pub(super) added: Vec<String>,
    pub(super) removed: Vec<String>,
    /// Whether the gateway may accept something that it refused before.
    pub(super) looser: bool,
}

/// Returns the conditions that changed, or `None` if all are the same.
pub(super) fn changed_terms(before: &Config, after: &Config) -> Option<ChangedTerms> {
    let (mut added, mut removed, mut looser) = (Vec::new(), Vec::new(), false);
    for (old, new) in terms(before).into_iter().zip(terms(after)) {
        looser |= new.permits > old.permits;
        if old.text != new.text {
            removed.push(old.text);
            added.push(new.text);
        }
    }
    let (old, new) = (&before.token_service.cors, &after.token_service.cors);
    if old != new {
        looser |= new.is_some();
        removed.push(pages(before));
        added.push(pages(after));
    }
    let (old, new) = (&before.server.trusted_proxies, &after.server.trusted_proxies);
    if old != new {
        looser |= !new.iter().all(|range| old.iter().any(|known| range.is_within(known)));
        removed.push(proxies(old));
        added.push(proxies(new));
    }
    (!added.is_empty()).then_some(ChangedTerms { added, removed, looser })
}

/// Returns the conditions with a number, always the same ones in the same order.
fn terms(config: &Config) -> Vec<Term> {
    let limits = &config.server.limits;
    let service = &config.token_service;
    let count =
        |number: usize, what: &str| Term { text: format!("{number} {what}"), permits: number as u128 };
    let time = |time: Duration, what: &str| Term {
        text: format!("{} {what}", ShownDuration(time)),
        permits: time.as_nanos(),
    };
    let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let of_address = limits.max_connections_per_address.of(limits.max_connections);
    let throttle = &service.throttle;
    let failures = u128::from(throttle.failures.get());
    vec![
        count(limits.max_connections, "connections"),
        match of_address {
            usize::MAX => {
                Term { text: "any number of connections of an address".to_owned(), permits: u128::MAX }
            }
            most => count(most, "connections of an address"),
        },
        Term {
            text: format!("a head of at most {}", ShownSize(limits.max_header_size as u64)),
            permits: limits.max_header_size as u128,
        },
        count(limits.max_headers, "header fields"),
        time(limits.header_timeout, "for the head of a request"),
        time(limits.body_timeout, "between two parts of a body"),
        time(limits.write_timeout, "for a client that does not read"),
        time(limits.handshake_timeout, "for a TLS handshake"),
        time(limits.idle_timeout, "for an idle connection"),
        time(limits.half_closed_timeout, "for a client that has closed its side"),
        Term {
            text: format!(
                "{failures} failed authentications of a client and an address in {}",
                ShownDuration(throttle.per)
            ),
            // Failures in a day, so that periods of any length can be compared.
            permits: failures * 86_400_000_000_000 / throttle.per.as_nanos().max(1),
        },
        count(number(service.max_tokens.get()), "tokens in all"),
        count(number(service.max_tokens_per_client.get()), "tokens of a client"),
    ]
}

fn pages(config: &Config) -> String {
    match &config.token_service.cors {
        None => "no pages at the OAuth endpoints".to_owned(),
        Some(cors) => {
            let origins = match &cors.origins {
                CorsOrigins::Any => "any origin".to_owned(),
                CorsOrigins::Only(origins) => {
                    origins.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
                }
            };
            let cookies = if cors.credentials { ", with cookies" } else { "" };
            format!("pages of {origins} at the OAuth endpoints{cookies}")
        }
    }
}

fn proxies(ranges: &[AddressRange]) -> String {
    let ranges: Vec<String> = ranges.iter().map(ToString::to_string).collect();
    if ranges.is_empty() {
        "no trusted proxies".to_owned()
    } else {
        format!("{} as trusted proxies", ranges.join(", "))
    }
}
