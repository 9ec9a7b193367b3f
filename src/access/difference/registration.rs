//! Compares what clients may register, and who may register them.

use std::collections::BTreeSet;
use std::fmt;
use std::time::SystemTime;

use super::looser;
use crate::config::{
    Config, InitialAccessToken, Registration, RegistrationMethod, RegistrationTemplate, ShownDuration,
};
use crate::oauth::scope::Scopes;
use crate::sorting::collect_sorted;
use crate::utc;

/// A difference between the registration of two configurations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RegistrationChange {
    pub(crate) subject: Subject,
    /// The conditions before, or `None` if the subject did not exist.
    pub(crate) before: Option<Vec<String>>,
    /// The conditions after, or `None` if the subject does not exist any more.
    pub(crate) after: Option<Vec<String>>,
    pub(crate) widens: bool,
}

/// The subject of a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// The registration as a whole.
    Table,
    Template(String),
    InitialToken(String),
    /// A client that has registered itself.
    Client(String),
}

impl Subject {
    /// Returns the kind of the subject, and its name if it has one.
    pub(super) fn parts(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::Table => ("registration", None),
            Self::Template(name) => ("template", Some(name)),
            Self::InitialToken(name) => ("initial_access_token", Some(name)),
            Self::Client(id) => ("registered_client", Some(id)),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table => f.write_str("the registration of clients"),
            Self::Template(name) => write!(f, "the registration template \"{name}\""),
            Self::InitialToken(name) => write!(f, "the initial access token \"{name}\""),
            Self::Client(id) => write!(f, "the registered client \"{id}\""),
        }
    }
}

impl fmt::Display for RegistrationChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (subject, terms) = (&self.subject, |terms: &[String]| terms.join("; "));
        match (&self.before, &self.after) {
            (None, Some(after)) => write!(f, "{subject} is new: {}", terms(after)),
            (_, None) => write!(f, "{subject} is removed"),
            (Some(before), Some(after)) => {
                let missing = |from: &[String], of: &[String]| {
                    let terms: Vec<_> = of.iter().filter(|term| !from.contains(term)).cloned().collect();
                    if terms.is_empty() { "none".to_owned() } else { terms.join("; ") }
                };
                let (added, removed) = (missing(before, after), missing(after, before));
                write!(f, "{subject} has other terms: {added} instead of {removed}")
            }
        }
    }
}

/// Lists the differences. An initial access token counts if it is valid at `now`.
pub(super) fn differences(before: &Config, after: &Config, now: SystemTime) -> Vec<RegistrationChange> {
    let (old, new) = (&before.token_service.registration, &after.token_service.registration);
    let (old, new) = (old.as_ref(), new.as_ref());
    let mut changes = Vec::new();
    let looser = |old: &Registration, new: &Registration| {
        new.max_clients > old.max_clients || new.max_per_minute > old.max_per_minute
    };
    // The templates and the tokens say what a new table permits.
    compare(&mut changes, |_: &Registration| Subject::Table, old, new, (table_terms, looser, false));

    let named = |table: Option<&Registration>| -> Vec<RegistrationTemplate> {
        table.map(|table| table.templates.clone()).unwrap_or_default()
    };
    let (old_templates, new_templates) = (named(old), named(new));
    for (old, new) in pairs(&old_templates, &new_templates, |template| &template.name) {
        let subject = |template: &RegistrationTemplate| Subject::Template(template.name.clone());
        // Registered clients of a template that comes back are accepted again.
        compare(&mut changes, subject, old, new, (template_terms, template_is_looser, true));
    }
    let valid = |table: Option<&Registration>| -> Vec<InitialAccessToken> {
        let tokens = table.iter().flat_map(|table| &table.tokens);
        tokens.filter(|token| token.expires.is_none_or(|expires| now < expires)).cloned().collect()
    };
    let (old_tokens, new_tokens) = (valid(old), valid(new));
    for (old, new) in pairs(&old_tokens, &new_tokens, |token| &token.name) {
        let subject = |token: &InitialAccessToken| Subject::InitialToken(token.name.clone());
        let first = changes.len();
        compare(&mut changes, subject, old, new, (token_terms, token_is_looser, true));
        let is_replaced = old.zip(new).is_some_and(|(old, new)| old.digest != new.digest);
        if is_replaced && let Some(terms) = new.map(token_terms) {
            changes.truncate(first);
            let subject = Subject::InitialToken(new.map(|token| token.name.clone()).unwrap_or_default());
            changes.push(RegistrationChange { subject, before: None, after: Some(terms), widens: true });
        }
    }
    clients(old, new, &mut changes);
    changes
}

/// How to describe a subject, whether new terms are looser, and whether a new subject widens access.
type Judged<T> = (fn(&T) -> Vec<String>, fn(&T, &T) -> bool, bool);

fn compare<T>(
    changes: &mut Vec<RegistrationChange>,
    subject: impl Fn(&T) -> Subject,
    old: Option<&T>,
    new: Option<&T>,
    (terms, looser, new_widens): Judged<T>,
) {
    let Some(subject) = new.or(old).map(subject) else { return };
    let (before, after) = (old.map(terms), new.map(terms));
    if before != after {
        let widens = match (old, new) {
            (None, Some(_)) => new_widens,
            (Some(old), Some(new)) => looser(old, new),
            (_, None) => false,
        };
        changes.push(RegistrationChange { subject, before, after, widens });
    }
}

/// Returns the items of two lists by name.
fn pairs<'c, T>(
    old: &'c [T],
    new: &'c [T],
    name: fn(&T) -> &String,
) -> impl Iterator<Item = (Option<&'c T>, Option<&'c T>)> {
    let names: BTreeSet<&String> = collect_sorted(old.iter().chain(new).map(name));
    let find = move |list: &'c [T], wanted: &String| list.iter().find(|item| name(item) == wanted);
    names.into_iter().map(move |name| (find(old, name), find(new, name)))
}

fn table_terms(table: &Registration) -> Vec<String> {
    vec![
        format!("at {}", table.endpoint),
        format!("{} clients", table.max_clients),
        format!("{} requests a minute", table.max_per_minute),
    ]
}

fn template_terms(template: &RegistrationTemplate) -> Vec<String> {
    let scopes = |scopes: &Scopes, what: &str| match scopes.is_empty() {
        true => format!("no {what}"),
        false => format!("{what} {}", scopes.as_str()),
    };
    let methods: Vec<&str> = template.methods.iter().map(|method| method.as_str()).collect();
    let mut terms = vec![
        scopes(&template.scopes, "scopes"),
        scopes(&template.default_scopes, "default scopes"),
        format!("tokens live for {}", ShownDuration(template.token_lifetime)),
        methods.join(", "),
        format!("{} clients at the same time", template.max_clients),
        format!("unused clients end after {}", ShownDuration(template.unused_expiry)),
    ];
    if !template.audiences.is_empty() {
        terms.push(format!("audiences {}", template.audiences.join(", ")));
    }
    if template.dpop_bound_tokens {
        terms.push("DPoP-bound tokens".to_owned());
    }
    terms.extend(template.rate_limit.map(|rate| rate.to_string()));
    terms
}

fn template_is_looser(old: &RegistrationTemplate, new: &RegistrationTemplate) -> bool {
    let more_methods = |methods: &[RegistrationMethod]| methods.iter().any(|one| !old.methods.contains(one));
    !old.scopes.contains_all(&new.scopes)
        || !old.default_scopes.contains_all(&new.default_scopes)
        || new.token_lifetime > old.token_lifetime
        || more_methods(&new.methods)
        || new.audiences.iter().any(|audience| !old.audiences.contains(audience))
        || old.dpop_bound_tokens && !new.dpop_bound_tokens
        || new.max_clients > old.max_clients
        || new.unused_expiry > old.unused_expiry
        || looser::rate(old.rate_limit, new.rate_limit)
}

fn token_terms(token: &InitialAccessToken) -> Vec<String> {
    vec![
        format!("template \"{}\"", token.template),
        token.expires.map_or_else(|| "without end".to_owned(), |ends| format!("until {}", utc::at(ends))),
        token.max_uses.map_or_else(|| "any number of clients".to_owned(), |uses| format!("{uses} clients")),
    ]
}

fn token_is_looser(old: &InitialAccessToken, new: &InitialAccessToken) -> bool {
    let more = |old: Option<u64>, new: Option<u64>| old.is_some_and(|old| new.is_none_or(|new| new > old));
    let uses = |token: &InitialAccessToken| token.max_uses.map(|uses| u64::from(uses.get()));
    new.template != old.template
        || old.expires.is_some_and(|old| new.expires.is_none_or(|new| new > old))
        || more(uses(old), uses(new))
}

/// Compares the registered clients that operators have disabled or removed.
fn clients(old: Option<&Registration>, new: Option<&Registration>, changes: &mut Vec<RegistrationChange>) {
    let (Some(old), Some(new)) = (old, new) else { return };
    let state = |table: &Registration, id: &String| {
        if table.removed_clients.contains(id) {
            "removed"
        } else if table.disabled_clients.contains(id) {
            "disabled"
        } else {
            "enabled"
        }
    };
    let listed =
        [old, new].into_iter().flat_map(|table| table.disabled_clients.iter().chain(&table.removed_clients));
    let listed: BTreeSet<&String> = collect_sorted(listed);
    for id in listed {
        let (before, after) = (state(old, id), state(new, id));
        if before != after {
            changes.push(RegistrationChange {
                subject: Subject::Client(id.clone()),
                before: Some(vec![before.to_owned()]),
                after: Some(vec![after.to_owned()]),
                widens: after == "enabled" || before == "removed",
            });
        }
    }
}
