//! The form of a route: a new one, or one whose keys are changed.

use http::StatusCode;

use super::routes::{find, name, url};
use super::settings_form::{
    REST, add_rest, choices, place, set_list, set_text, take_choice, take_list, take_text,
};
use crate::admin::console::view::access::RouteFormPage;
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::frame::Section;
use crate::admin::console::view::parts::Choice;
use crate::admin::console::visit::{Answer, Form, Visit, go_to, show as render};
use crate::admin::console::wording::sentence;
use crate::admin::console::workspace::problem;
use crate::admin::problem::Problem;
use crate::admin::user::Fields;
use crate::change::entry;
use crate::change::error::ChangeError;
use crate::change::operation::Operation;
use crate::change::routes::RouteAddress;
use crate::change::settings::Settings;
use crate::config::{Config, Role};

/// The keys with fields of their own, and the fields.
const FIELDS: [(&str, &str); 10] = [
    ("path", "path"),
    ("prefix", "path"),
    ("host", "host"),
    ("methods", "methods"),
    ("upstream", "upstream"),
    ("access", "access"),
    ("scopes", "scope"),
    ("mode", "mode"),
    ("rate_limit", "rate_limit"),
    ("max_body_size", "max_body_size"),
];
const MODES: [(&str, &str); 2] = [
    ("enforce", "enforce: refuse requests without a good token"),
    ("shadow", "shadow: refuse nothing, and record what would be refused"),
];

/// The content of the form.
#[derive(Debug, Default)]
struct Filled {
    is_prefix: bool,
    path: String,
    hosts: Vec<String>,
    methods: Vec<String>,
    upstream: String,
    is_public: bool,
    scopes: Vec<String>,
    mode: String,
    rate_limit: String,
    max_body_size: String,
    rest: String,
}

/// A route that exists.
struct Existing {
    /// The name by which forms identify it.
    label: String,
    /// The name for people.
    name: String,
    address: RouteAddress,
    settings: Settings,
}

/// Shows the form of a new route.
pub(in crate::admin::console) async fn new(visit: Visit) -> Answer {
    visit.user.require(Role::Editor)?;
    let config = visit.planned().await;
    let page = page(&visit, &config, None, &Filled::default(), Errors::default());
    visit.page(&page)
}

/// Shows the form of a route that exists.
pub(in crate::admin::console) async fn edit(visit: Visit) -> Answer {
    visit.user.require(Role::Editor)?;
    let config = visit.planned().await;
    let existing = existing(&visit, &config, visit.query.value("route")).await?;
    let filled = Filled::of_settings(existing.settings.clone());
    let page = page(&visit, &config, Some(&existing), &filled, Errors::default());
    visit.page(&page)
}

/// Adds a new route to the user's changes.
pub(in crate::admin::console) async fn add(Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    submit(&visit, &fields, None).await
}

/// Adds the changes of a route to the user's changes.
pub(in crate::admin::console) async fn set(Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    let config = visit.planned().await;
    let existing = existing(&visit, &config, fields.value("route")).await?;
    submit(&visit, &fields, Some(existing)).await
}

async fn existing(visit: &Visit, config: &Config, label: &str) -> Result<Existing, Problem> {
    let route = find(config, label)?;
    let address = RouteAddress::of_route(route);
    let texts = visit.planned_texts().await.map_err(problem)?;
    let settings = entry::route(&texts, &address);
    let settings = settings.ok_or_else(|| Problem::not_found("the file no longer has this route"))?;
    Ok(Existing { label: label.to_owned(), name: name(route), address, settings })
}

async fn submit(visit: &Visit, fields: &Fields, existing: Option<Existing>) -> Answer {
    let filled = Filled::of_fields(fields);
    let mut errors = Errors::default();
    let old = existing.as_ref().map(|existing| existing.settings.clone()).unwrap_or_default();
    let settings = filled.settings(&old, &mut errors);
    let (title, operations) = match &existing {
        None => (format!("New route {}", filled.path), vec![Operation::RouteAdd { route: settings }]),
        Some(existing) => {
            let settings = entry::changes(&existing.settings, &settings);
            let route = existing.address.clone();
            let set = (!settings.is_empty()).then_some(Operation::RouteSet { route, settings });
            (format!("Route {}", existing.name), set.into_iter().collect())
        }
    };
    if errors.is_empty() {
        match visit.errors_of(operations.clone()).await {
            Ok(found) => place(&found, end_of_table, &FIELDS, &mut errors),
            Err(ChangeError::Conflict(_, conflict)) => errors.add("path", sentence(&conflict.to_string())),
            Err(error) => return Err(problem(error)),
        }
    }
    if errors.is_empty() {
        visit.add_operations(&title, operations).await.map_err(problem)?;
        return go_to("/changes");
    }
    let config = visit.planned().await;
    let page = page(visit, &config, existing.as_ref(), &filled, errors);
    render(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// Returns the length of `routes[N]` at the beginning of a key.
fn end_of_table(key: &str) -> Option<usize> {
    key.starts_with("routes[").then(|| key.find(']').map(|end| end + 1)).flatten()
}

impl Filled {
    fn of_settings(mut settings: Settings) -> Self {
        let prefix = take_text(&mut settings, "prefix");
        let path = take_text(&mut settings, "path");
        Self {
            is_prefix: !prefix.is_empty(),
            path: if prefix.is_empty() { path } else { prefix },
            hosts: take_list(&mut settings, "host"),
            methods: take_list(&mut settings, "methods"),
            upstream: take_text(&mut settings, "upstream"),
            is_public: take_choice(&mut settings, "access", &["token", "public"]) == "public",
            scopes: take_list(&mut settings, "scopes"),
            mode: take_choice(&mut settings, "mode", &MODES.map(|(mode, _)| mode)),
            rate_limit: take_text(&mut settings, "rate_limit"),
            max_body_size: take_text(&mut settings, "max_body_size"),
            rest: entry::to_text(&settings),
        }
    }

    fn of_fields(fields: &Fields) -> Self {
        let list = |name| {
            let names = fields.value(name).split([' ', ',']).filter(|item| !item.is_empty());
            names.map(str::to_owned).collect::<Vec<String>>()
        };
        Self {
            is_prefix: fields.value("kind") == "prefix",
            path: fields.value("path").to_owned(),
            hosts: list("host"),
            methods: list("methods").iter().map(|method| method.to_ascii_uppercase()).collect(),
            upstream: fields.value("upstream").to_owned(),
            is_public: fields.value("access") == "public",
            scopes: fields.all("scope").map(str::to_owned).collect(),
            mode: fields.value("mode").to_owned(),
            rate_limit: fields.value("rate_limit").to_owned(),
            max_body_size: fields.value("max_body_size").to_owned(),
            rest: fields.raw(REST).to_owned(),
        }
    }

    /// Returns the keys of the route. What is the same as before keeps the form that it has in the file.
    fn settings(&self, old: &Settings, errors: &mut Errors) -> Settings {
        if !self.path.starts_with('/') {
            errors.add("path", "Enter a path that begins with a slash.");
        }
        let mut settings = Settings::new();
        set_text(&mut settings, if self.is_prefix { "prefix" } else { "path" }, &self.path);
        let texts = |list: &[String]| -> Vec<String> { list.to_vec() };
        // The boxes are in the order of [scopes], the key in an order of its own.
        let had = old.get("scopes").and_then(|scopes| scopes.as_array()).into_iter().flatten();
        let had =
            had.filter_map(|scope| scope.as_str()).filter(|scope| self.scopes.iter().any(|s| s == scope));
        let mut scopes: Vec<String> = had.map(str::to_owned).collect();
        scopes
            .extend(self.scopes.iter().filter(|scope| !scopes.contains(scope)).cloned().collect::<Vec<_>>());
        for (key, list) in
            [("host", texts(&self.hosts)), ("methods", texts(&self.methods)), ("scopes", scopes)]
        {
            let list: Vec<&str> = list.iter().map(String::as_str).collect();
            set_list(&mut settings, old, key, &list);
        }
        set_text(&mut settings, "upstream", &self.upstream);
        let is_written = old.get("access").is_some_and(|access| access == "token");
        let access = if self.is_public { "public" } else { "token" };
        set_text(&mut settings, "access", if self.is_public || is_written { access } else { "" });
        set_text(&mut settings, "mode", &self.mode);
        set_text(&mut settings, "rate_limit", &self.rate_limit);
        set_text(&mut settings, "max_body_size", &self.max_body_size);
        add_rest(&mut settings, &self.rest, &FIELDS.map(|(key, _)| key), errors);
        settings
    }
}

fn page(
    visit: &Visit,
    config: &Config,
    existing: Option<&Existing>,
    filled: &Filled,
    errors: Errors,
) -> RouteFormPage {
    let has = |scope: &str| filled.scopes.iter().any(|wanted| wanted == scope);
    let scopes =
        config.scopes.iter().map(|scope| Choice::new(&*scope.name, &*scope.description, has(&scope.name)));
    let upstreams = config
        .upstreams
        .iter()
        .map(|upstream| Choice::new(&*upstream.name, "", upstream.name == filled.upstream));
    let title = existing.map_or_else(|| "New route".to_owned(), |existing| format!("Edit {}", existing.name));
    RouteFormPage {
        errors,
        name: existing.map_or_else(String::new, |existing| existing.name.clone()),
        key: existing.map_or_else(String::new, |existing| existing.label.clone()),
        show: existing.map_or_else(String::new, |existing| url(&existing.label)),
        is_prefix: filled.is_prefix,
        path: filled.path.clone(),
        host: filled.hosts.join(" "),
        methods: filled.methods.join(" "),
        upstreams: upstreams.collect(),
        is_public: filled.is_public,
        scopes: scopes.collect(),
        modes: choices(
            &format!("as [server] says, which is {}", config.server.mode.as_str()),
            &MODES,
            &filled.mode,
        ),
        rate_limit: filled.rate_limit.clone(),
        max_body_size: filled.max_body_size.clone(),
        rest: filled.rest.clone(),
        frame: visit.frame(Section::Routes, title),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_that_was_not_changed_changes_nothing() {
        for text in [
            "path = \"/a\"\nupstream = \"u\"",
            "prefix = \"/a\"\nupstream = \"u\"\nhost = \"a.example\"\naccess = \"token\"\nmode = \"shadow\"",
            "path = \"/a\"\nupstream = \"u\"\nhost = [\"b\", \"a\"]\nscopes = [\"z\", \"a\"]\nmethods = [\"GET\"]",
            "path = \"/a\"\nupstream = \"u\"\naccess = \"public\"\nmax_body_size = false\nmode = \"env:MODE\"\nscopes = []",
            "path = \"/a\"\nupstream = \"u\"\nany_scope = [\"a\", \"b\"]\ncors = { origins = [\"*\"], max_age = \"1h\" }\n\
             request_headers = { set = { X-Key = \"hidden:12\" } }\nrate_limit = \"1/s\"",
        ] {
            let old = entry::parse(text).unwrap();
            let mut errors = Errors::default();
            let filled = Filled::of_settings(old.clone());
            let new = filled.settings(&old, &mut errors);
            assert_eq!(entry::changes(&old, &new), Settings::new(), "{text}");
            assert!(errors.is_empty(), "{errors:?}");
        }
    }

    #[test]
    fn errors_are_beside_their_fields() {
        assert_eq!(end_of_table("routes[12].scopes[0]"), Some("routes[12]".len()));
        assert_eq!(end_of_table("upstreams.a"), None);
    }
}
