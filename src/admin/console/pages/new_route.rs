//! The form of a new route.

use http::StatusCode;
use serde_json::{Map, json};

use super::sign_in::sentence;
use crate::admin::console::view::access::NewRoutePage;
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::frame::Section;
use crate::admin::console::view::parts::Choice;
use crate::admin::console::visit::{Answer, Form, Visit, go_to, show as render};
use crate::admin::console::workspace::problem;
use crate::admin::user::Fields;
use crate::change::error::ChangeError;
use crate::config::Role;

/// Shows the form.
pub(in crate::admin::console) async fn show(visit: Visit) -> Answer {
    visit.user.require(Role::Editor)?;
    let page = page(&visit, &Fields::default(), Errors::default()).await;
    visit.page(&page)
}

/// Adds the route to the user's changes.
pub(in crate::admin::console) async fn submit(Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    let mut errors = Errors::default();
    let path = fields.value("path");
    if !path.starts_with('/') {
        errors.add("path", "Enter a path that begins with a slash.");
    }
    if errors.is_empty() {
        let kind = if fields.value("kind") == "prefix" { "prefix" } else { "path" };
        let mut route = Map::from_iter([
            (kind.to_owned(), json!(path)),
            ("upstream".to_owned(), json!(fields.value("upstream"))),
        ]);
        let scopes: Vec<&str> = fields.all("scope").collect();
        if !scopes.is_empty() {
            route.insert("scopes".to_owned(), json!(scopes));
        }
        if !fields.value("host").is_empty() {
            route.insert("host".to_owned(), json!(fields.value("host")));
        }
        let methods: Vec<String> = fields
            .value("methods")
            .split([' ', ','])
            .filter(|method| !method.is_empty())
            .map(str::to_ascii_uppercase)
            .collect();
        if !methods.is_empty() {
            route.insert("methods".to_owned(), json!(methods));
        }
        if fields.value("mode") == "shadow" {
            route.insert("mode".to_owned(), json!("shadow"));
        }
        let operation = json!({ "op": "route_add", "route": route });
        match visit.add_and_notify(&format!("New route {path}"), vec![operation]).await {
            Ok(()) => return go_to("/changes"),
            Err(ChangeError::Conflict(_, conflict)) => errors.add("path", sentence(&conflict.to_string())),
            Err(error) => return Err(problem(error)),
        }
    }
    render(StatusCode::UNPROCESSABLE_ENTITY, &page(&visit, &fields, errors).await)
}

async fn page(visit: &Visit, fields: &Fields, errors: Errors) -> NewRoutePage {
    let config = visit.planned().await;
    let chosen = |scope: &str| fields.all("scope").any(|wanted| wanted == scope);
    let scopes =
        config.scopes.iter().map(|scope| Choice::new(&*scope.name, &*scope.description, chosen(&scope.name)));
    let upstreams = config
        .upstreams
        .iter()
        .map(|upstream| Choice::new(&*upstream.name, "", upstream.name == fields.value("upstream")));
    NewRoutePage {
        errors,
        is_prefix: fields.value("kind") == "prefix",
        path: fields.value("path").to_owned(),
        host: fields.value("host").to_owned(),
        methods: fields.value("methods").to_owned(),
        upstreams: upstreams.collect(),
        scopes: scopes.collect(),
        is_shadow: fields.value("mode") == "shadow",
        frame: visit.frame(Section::Routes, "New route"),
    }
}
