//! The form of a new client.

use serde_json::json;

use crate::admin::console::state::{Message, NewSecret};
use crate::admin::console::view::clients::NewClientPage;
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::frame::Section;
use crate::admin::console::view::parts::Choice;
use crate::admin::console::visit::{Answer, Form, Visit, go_to, show as render};
use crate::admin::console::workspace::problem;
use crate::admin::user::Fields;
use crate::change::error::ChangeError;
use crate::config::Role;
use crate::oauth::client::ClientId;
use crate::oauth::scope::Scopes;
use http::StatusCode;

/// Shows the form. The shadow page and other pages can fill it in.
pub(in crate::admin::console) async fn show(visit: Visit) -> Answer {
    visit.user.require(Role::Editor)?;
    let scopes = visit.query.all("scope").map(str::to_owned).collect();
    let filled = Filled { id: visit.query.value("id").to_owned(), scopes, ..Filled::default() };
    let page = page(&visit, &filled, Errors::default()).await;
    visit.page(&page)
}

/// Adds the client, and its new scope if there is one, to the user's changes.
pub(in crate::admin::console) async fn submit(Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    let filled = Filled::of(&fields);
    let mut errors = filled.errors(&fields);
    if !errors.is_empty() {
        return render(StatusCode::UNPROCESSABLE_ENTITY, &page(&visit, &filled, errors).await);
    }
    let mut operations = Vec::new();
    let mut scopes: Vec<&str> = filled.scopes.iter().map(String::as_str).collect();
    if !filled.new_scope.is_empty() {
        operations.push(json!({
            "op": "scope_add", "name": filled.new_scope, "description": filled.new_scope_description,
        }));
        scopes.push(&filled.new_scope);
    }
    let secret =
        if filled.own_secret { json!({ "text": fields.raw("secret") }) } else { json!({ "generate": true }) };
    operations.push(json!({
        "op": "client_add",
        "id": filled.id,
        "secret": secret,
        "capabilities": filled.capabilities(),
        "scopes": scopes,
    }));
    match visit.add(&format!("New client {}", filled.id), operations).await {
        Ok(made) => {
            if let Some(secret) = made.secret {
                let secret =
                    NewSecret { client: filled.id, is_new_client: true, secret, warnings: made.warnings };
                visit.console.leave(&visit.user.form_token, Message::Secret(secret));
            }
            go_to("/clients/secret")
        }
        Err(ChangeError::Conflict(_, conflict)) => {
            errors.add(
                if conflict.to_string().contains("client") { "id" } else { "new_scope" },
                conflict.to_string(),
            );
            render(StatusCode::UNPROCESSABLE_ENTITY, &page(&visit, &filled, errors).await)
        }
        Err(error) => Err(problem(error)),
    }
}

/// The values of the form.
#[derive(Debug, Default)]
struct Filled {
    id: String,
    no_credentials: bool,
    introspection: bool,
    own_secret: bool,
    scopes: Vec<String>,
    new_scope: String,
    new_scope_description: String,
}

impl Filled {
    fn of(fields: &Fields) -> Self {
        let has = |capability| fields.all("capability").any(|chosen| chosen == capability);
        Self {
            id: fields.value("id").to_owned(),
            no_credentials: !has("client_credentials"),
            introspection: has("introspection"),
            own_secret: fields.value("secret_kind") == "own",
            scopes: fields.all("scope").map(str::to_owned).collect(),
            new_scope: fields.value("new_scope").to_owned(),
            new_scope_description: fields.value("new_scope_description").to_owned(),
        }
    }

    fn capabilities(&self) -> Vec<&'static str> {
        let all = [(!self.no_credentials, "client_credentials"), (self.introspection, "introspection")];
        all.into_iter().filter_map(|(chosen, name)| chosen.then_some(name)).collect()
    }

    fn errors(&self, fields: &Fields) -> Errors {
        let mut errors = Errors::default();
        if self.id.is_empty() {
            errors.add("id", "Enter the client id.");
        } else if ClientId::new(&self.id).is_none() {
            errors.add("id", "A client id has visible ASCII characters only.");
        }
        if self.capabilities().is_empty() {
            errors.add("capability", "Choose at least one capability.");
        }
        if self.own_secret && fields.raw("secret").chars().count() < 8 {
            errors.add("secret", "Enter a secret of at least 8 characters, or let one be generated.");
        }
        if !self.new_scope.is_empty() {
            check_scope(&mut errors, "new_scope", &self.new_scope);
        } else if !self.new_scope_description.is_empty() {
            errors.add("new_scope", "Enter the scope that this describes.");
        }
        errors
    }
}

/// Checks the name of a new scope.
pub(super) fn check_scope(errors: &mut Errors, field: &'static str, scope: &str) {
    if scope.contains(' ') || Scopes::parse(scope).is_err() {
        errors.add(field, "A scope has visible ASCII characters without spaces, quotes and backslashes.");
    }
}

async fn page(visit: &Visit, filled: &Filled, errors: Errors) -> NewClientPage {
    let config = visit.planned().await;
    let scopes = config
        .scopes
        .iter()
        .map(|scope| Choice::new(&*scope.name, &*scope.description, filled.scopes.contains(&scope.name)));
    NewClientPage {
        id: filled.id.clone(),
        client_credentials: !filled.no_credentials,
        introspection: filled.introspection,
        own_secret: filled.own_secret,
        open_scope: config.scopes.is_empty()
            || !filled.new_scope.is_empty()
            || errors.of("new_scope").is_some(),
        scopes: scopes.collect(),
        new_scope: filled.new_scope.clone(),
        new_scope_description: filled.new_scope_description.clone(),
        errors,
        frame: visit.frame(Section::Clients, "New client"),
    }
}
