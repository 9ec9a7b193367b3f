//! The form of an upstream: a new one, or one whose keys are changed.

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::settings_form::{REST, add_rest, choices, place, set_text, take_choice, take_text};
use crate::admin::console::view::edits::UpstreamFormPage;
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::frame::Section;
use crate::admin::console::visit::{Answer, Form, Visit, go_to, show as render};
use crate::admin::console::wording::sentence;
use crate::admin::console::workspace::problem;
use crate::admin::problem::Problem;
use crate::admin::user::Fields;
use crate::change::entry;
use crate::change::error::ChangeError;
use crate::change::operation::Operation;
use crate::change::settings::Settings;
use crate::config::{Config, Role, key_path};
use crate::sorting::collect_sorted;

/// The keys with fields of their own, and the fields.
const FIELDS: [(&str, &str); 6] = [
    ("servers", "servers"),
    ("balance", "balance"),
    ("protocol", "protocol"),
    ("host", "host"),
    ("connect_timeout", "connect_timeout"),
    ("read_timeout", "read_timeout"),
];
const BALANCES: [(&str, &str); 4] = [
    ("round_robin", "round_robin: in turn"),
    ("random", "random"),
    ("least_requests", "least_requests: the one with the fewest requests in flight"),
    ("consistent", "consistent: the same one for a client"),
];
const PROTOCOLS: [(&str, &str); 2] = [("http1", "http1"), ("http2", "http2: gRPC needs it")];

/// The content of the form.
#[derive(Debug, Default)]
struct Filled {
    name: String,
    servers: String,
    balance: String,
    protocol: String,
    host: String,
    connect_timeout: String,
    read_timeout: String,
    rest: String,
}

/// Shows the form of a new upstream.
pub(in crate::admin::console) async fn new(visit: Visit) -> Answer {
    visit.user.require(Role::Editor)?;
    visit.page(&page(&visit, None, &Filled::default(), Errors::default()))
}

/// Shows the form of an upstream that exists.
pub(in crate::admin::console) async fn edit(visit: Visit) -> Answer {
    visit.user.require(Role::Editor)?;
    let name = visit.query.value("name");
    let filled = Filled::of_settings(name, existing(&visit, name).await?);
    let can_remove = can_remove(&*visit.planned().await, name);
    visit.page(&page(&visit, Some(can_remove), &filled, Errors::default()))
}

/// Adds a new upstream to the user's changes.
pub(in crate::admin::console) async fn add(Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    submit(&visit, &fields, None).await
}

/// Adds the changes of an upstream to the user's changes.
pub(in crate::admin::console) async fn set(Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    let existing = existing(&visit, fields.value("name")).await?;
    submit(&visit, &fields, Some(existing)).await
}

/// Removes an upstream.
pub(in crate::admin::console) async fn remove(Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    let name = fields.value("name").to_owned();
    let title = format!("Remove the upstream {name}");
    visit.add_operations(&title, vec![Operation::UpstreamRemove { name }]).await.map_err(problem)?;
    go_to("/upstreams")
}

async fn existing(visit: &Visit, name: &str) -> Result<Settings, Problem> {
    let texts = visit.planned_texts().await.map_err(problem)?;
    entry::upstream(&texts, name)
        .ok_or_else(|| Problem::not_found(format!("there is no upstream \"{name}\"")))
}

fn can_remove(config: &Config, name: &str) -> bool {
    !config.routes.iter().any(|route| config.upstream_of(route).is_some_and(|upstream| upstream.name == name))
}

async fn submit(visit: &Visit, fields: &Fields, existing: Option<Settings>) -> Answer {
    let filled = Filled::of_fields(fields);
    let mut errors = Errors::default();
    if filled.name.is_empty() {
        errors.add("name", "Enter a name.");
    }
    let settings = filled.settings(&mut errors);
    let name = filled.name.clone();
    let (title, operations) = match &existing {
        None => (format!("New upstream {name}"), vec![Operation::UpstreamAdd { name, settings }]),
        Some(existing) => {
            let settings = entry::changes(existing, &settings);
            let title = format!("Upstream {name}");
            let set = (!settings.is_empty()).then_some(Operation::UpstreamSet { name, settings });
            (title, set.into_iter().collect())
        }
    };
    if errors.is_empty() {
        let table = key_path("upstreams", &filled.name);
        let end = |key: &str| key.starts_with(&table).then_some(table.len());
        match visit.errors_of(operations.clone()).await {
            Ok(found) => place(&found, end, &FIELDS, &mut errors),
            Err(ChangeError::Conflict(_, conflict)) => errors.add("name", sentence(&conflict.to_string())),
            Err(error) => return Err(problem(error)),
        }
    }
    if errors.is_empty() {
        visit.add_operations(&title, operations).await.map_err(problem)?;
        return go_to("/upstreams");
    }
    let can_remove = match &existing {
        None => None,
        Some(_) => Some(can_remove(&*visit.planned().await, &filled.name)),
    };
    render(StatusCode::UNPROCESSABLE_ENTITY, &page(visit, can_remove, &filled, errors))
}

impl Filled {
    fn of_settings(name: &str, mut settings: Settings) -> Self {
        let servers = match settings.get("servers").map(lines) {
            Some(Some(lines)) => {
                settings.remove("servers");
                lines
            }
            _ => String::new(),
        };
        Self {
            name: name.to_owned(),
            servers,
            balance: take_choice(&mut settings, "balance", &BALANCES.map(|(name, _)| name)),
            protocol: take_choice(&mut settings, "protocol", &PROTOCOLS.map(|(name, _)| name)),
            host: take_text(&mut settings, "host"),
            connect_timeout: take_text(&mut settings, "connect_timeout"),
            read_timeout: take_text(&mut settings, "read_timeout"),
            rest: entry::to_text(&settings),
        }
    }

    fn of_fields(fields: &Fields) -> Self {
        let [name, balance, protocol, host, connect_timeout, read_timeout] =
            ["name", "balance", "protocol", "host", "connect_timeout", "read_timeout"]
                .map(|name| fields.value(name).to_owned());
        let [servers, rest] = ["servers", REST].map(|name| fields.raw(name).to_owned());
        Self { name, servers, balance, protocol, host, connect_timeout, read_timeout, rest }
    }

    fn settings(&self, errors: &mut Errors) -> Settings {
        let mut settings = Settings::new();
        let servers = self.servers.lines().map(str::trim).filter(|line| !line.is_empty());
        let servers: Result<Vec<Json>, &str> = servers.map(server).collect();
        match servers {
            Ok(servers) if servers.is_empty() => {}
            Ok(servers) => drop(settings.insert("servers".to_owned(), json!(servers))),
            Err(line) => errors.add("servers", format!("`{line}` is not a table in TOML.")),
        }
        set_text(&mut settings, "balance", &self.balance);
        set_text(&mut settings, "protocol", &self.protocol);
        set_text(&mut settings, "host", &self.host);
        set_text(&mut settings, "connect_timeout", &self.connect_timeout);
        set_text(&mut settings, "read_timeout", &self.read_timeout);
        add_rest(&mut settings, &self.rest, &FIELDS.map(|(key, _)| key), errors);
        if errors.is_empty() && !settings.contains_key("servers") {
            errors.add("servers", "Enter at least one server.");
        }
        settings
    }
}

/// Writes servers one a line: a URL, or a table with a URL and a weight. Returns `None` for another value.
fn lines(servers: &Json) -> Option<String> {
    let line = |server: &Json| match server {
        Json::String(url) => Some(url.clone()),
        Json::Object(_) => {
            let settings: Settings = collect_sorted([("server".to_owned(), server.clone())]);
            let text = entry::to_text(&settings);
            text.strip_prefix("server = ").map(|table| table.trim_end().to_owned())
        }
        _ => None,
    };
    let lines: Option<Vec<String>> = servers.as_array()?.iter().map(line).collect();
    Some(lines?.join("\n"))
}

/// Reads a line with a server.
fn server(line: &str) -> Result<Json, &str> {
    if !line.starts_with('{') {
        return Ok(json!(line));
    }
    let parsed = entry::parse(&format!("server = {line}")).map_err(|_| line)?;
    parsed.get("server").cloned().ok_or(line)
}

fn page(visit: &Visit, can_remove: Option<bool>, filled: &Filled, errors: Errors) -> UpstreamFormPage {
    let is_new = can_remove.is_none();
    let title = if is_new { "New upstream".to_owned() } else { format!("Edit {}", filled.name) };
    UpstreamFormPage {
        errors,
        is_new,
        name: filled.name.clone(),
        servers: filled.servers.clone(),
        balances: choices("the default: in turn", &BALANCES, &filled.balance),
        protocols: choices("the default: http1", &PROTOCOLS, &filled.protocol),
        host: filled.host.clone(),
        connect_timeout: filled.connect_timeout.clone(),
        read_timeout: filled.read_timeout.clone(),
        rest: filled.rest.clone(),
        can_remove: can_remove.unwrap_or(false),
        frame: visit.frame(Section::Upstreams, title),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_that_was_not_changed_changes_nothing() {
        for text in [
            "servers = [\"http://10.0.0.1\"]",
            "servers = [\"http://10.0.0.1\", { url = \"http://10.0.0.2\", weight = 2 }]\nbalance = \"random\"\nretries = 2",
            "servers = [\"https://a\"]\nprotocol = \"http2\"\nhost = \"upstream\"\nread_timeout = \"5s\"\nejection = false\n\
             credentials = { header = \"X-Key\", value = \"hidden:12\" }",
        ] {
            let old = entry::parse(text).unwrap();
            let mut errors = Errors::default();
            let new = Filled::of_settings("u", old.clone()).settings(&mut errors);
            assert_eq!(entry::changes(&old, &new), Settings::new(), "{text}");
            assert!(errors.is_empty(), "{errors:?}");
        }
    }

    #[test]
    fn servers_are_one_a_line() {
        assert_eq!(server("http://a"), Ok(json!("http://a")));
        assert_eq!(
            server("{ url = \"http://a\", weight = 3 }"),
            Ok(json!({ "url": "http://a", "weight": 3 }))
        );
        assert_eq!(server("{ url"), Err("{ url"));
    }
}
