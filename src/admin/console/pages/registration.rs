//! The templates that bound what clients may register, and the initial access tokens.

use std::time::SystemTime;

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::secret::{insecure, quote};
use crate::admin::console::state::{Message, NewInitialToken};
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::frame::Section;
use crate::admin::console::view::parts::{Badge, Choice, Tone};
use crate::admin::console::view::registration::{InitialTokenPage, RegistrationPage, TemplateRow, TokenRow};
use crate::admin::console::visit::{Answer, Form, Visit, go_to, show as render};
use crate::admin::console::wording;
use crate::admin::console::workspace::problem;
use crate::admin::problem::Problem;
use crate::admin::user::Fields;
use crate::change::error::ChangeError;
use crate::change::validity::validity;
use crate::config::{
    Config, InitialAccessToken, Registration, RegistrationTemplate, Role, ShownDuration, grouped,
};
use crate::oauth::registration::RegistrationToken;

/// How long a token is valid if the form is not changed. A token that is forgotten then ends by itself.
const USUAL_VALIDITY: &str = "7d";

/// Shows the page.
pub(in crate::admin::console) async fn show(visit: Visit) -> Answer {
    let filled = Filled { valid_for: USUAL_VALIDITY.to_owned(), ..Filled::default() };
    let page = page(&visit, &filled, Errors::default()).await?;
    visit.page(&page)
}

/// Creates an initial access token and adds it to the user's changes. The next page shows it once.
pub(in crate::admin::console) async fn add(Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Owner)?;
    let filled = Filled::of(&fields);
    let mut errors = Errors::default();
    let operation = filled.operation(SystemTime::now(), &mut errors);
    if errors.is_empty() {
        match visit.add(&format!("New initial access token {}", filled.name), vec![operation]).await {
            Ok(made) => {
                if let Some(token) = made.secret {
                    let made = NewInitialToken { name: filled.name, token };
                    visit.console.leave(&visit.user.form_token, Message::InitialToken(made));
                }
                return go_to("/clients/registration/token");
            }
            Err(ChangeError::Conflict(_, conflict)) => {
                errors.add("name", wording::sentence(&conflict.to_string()))
            }
            Err(error) => return Err(problem(error)),
        }
    }
    render(StatusCode::UNPROCESSABLE_ENTITY, &page(&visit, &filled, errors).await?)
}

/// Adds the removal of an initial access token to the user's changes.
pub(in crate::admin::console) async fn remove(Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Owner)?;
    let name = fields.value("name");
    let operation = json!({ "op": "registration_token_remove", "name": name });
    let title = format!("Remove the initial access token {name}");
    visit.add_and_notify(&title, vec![operation]).await.map_err(problem)?;
    go_to("/clients/registration")
}

/// Shows the token that the last form created. The token cannot be shown again.
pub(in crate::admin::console) async fn token(visit: Visit) -> Answer {
    let Some(made) = visit.console.initial_token(&visit.user.form_token) else {
        let detail = "the token was shown already, and is kept nowhere: remove it and create another";
        return Err(Problem::new(StatusCode::GONE, "gone", detail));
    };
    let config = visit.planned().await;
    let bearer = format!("Authorization: Bearer {}", made.token.expose());
    let page = InitialTokenPage {
        curl: format!(
            "curl {}-X POST {} \\\n  -H {} \\\n  -H 'content-type: application/json' \\\n  -d '{{\"client_name\": \"NAME\"}}'",
            insecure(&config),
            quote(&endpoint(&config, registration(&config)?)),
            quote(&bearer),
        ),
        name: made.name,
        token: made.token.expose().to_owned(),
        frame: visit.frame(Section::Clients, "Initial access token added to your changes"),
    };
    visit.page(&page)
}

/// The values of the form.
#[derive(Debug, Default)]
struct Filled {
    name: String,
    template: String,
    valid_for: String,
    max_uses: String,
}

impl Filled {
    fn of(fields: &Fields) -> Self {
        let value = |name| fields.value(name).to_owned();
        Self {
            name: value("name"),
            template: value("template"),
            valid_for: value("valid_for"),
            max_uses: value("max_uses"),
        }
    }

    /// Returns the operation that adds the token, in the format of the API.
    fn operation(&self, now: SystemTime, errors: &mut Errors) -> Json {
        if !Registration::is_name(&self.name) {
            errors.add("name", "A name has 1 to 64 letters, digits, dots, hyphens and underscores.");
        }
        let mut token = json!({ "name": self.name, "template": self.template });
        if !self.valid_for.is_empty() {
            match validity(&self.valid_for) {
                Ok(duration) => token["expires"] = json!(wording::unix(now + duration)),
                Err(message) => errors.add("valid_for", format!("It {message}.")),
            }
        }
        if !self.max_uses.is_empty() {
            match self.max_uses.parse::<u32>() {
                Ok(uses @ 1..=1_000_000) => token["max_uses"] = json!(uses),
                _ => errors.add("max_uses", "Enter a number from 1 to 1000000, or nothing."),
            }
        }
        json!({ "op": "registration_token_add", "token": token })
    }
}

async fn page(visit: &Visit, filled: &Filled, errors: Errors) -> Result<RegistrationPage, Problem> {
    let config = visit.planned().await;
    let registration = registration(&config)?;
    let choice =
        |template: &RegistrationTemplate| Choice::new(&*template.name, "", template.name == filled.template);
    Ok(RegistrationPage {
        errors,
        endpoint: endpoint(&config, registration),
        templates: registration.templates.iter().map(|template| template_row(visit, template)).collect(),
        tokens: registration.tokens.iter().map(|token| token_row(visit, token)).collect(),
        name: filled.name.clone(),
        choices: registration.templates.iter().map(choice).collect(),
        valid_for: filled.valid_for.clone(),
        max_uses: filled.max_uses.clone(),
        is_owner: visit.user.role >= Role::Owner,
        frame: visit.frame(Section::Clients, "Registration"),
    })
}

fn registration(config: &Config) -> Result<&Registration, Problem> {
    let none = "clients cannot register: the configuration has no [token_service.registration]";
    config.token_service.registration.as_ref().ok_or_else(|| Problem::not_found(none))
}

/// Returns the URL where clients register.
fn endpoint(config: &Config, registration: &Registration) -> String {
    format!("{}{}", config.token_service.issuer.as_str().trim_end_matches('/'), registration.endpoint)
}

fn template_row(visit: &Visit, template: &RegistrationTemplate) -> TemplateRow {
    let registered = visit.admin.gate().registered_clients();
    let count = registered.iter().filter(|client| client.template == template.name).count();
    TemplateRow {
        name: template.name.clone(),
        scopes: template.scopes.iter().map(str::to_owned).collect(),
        methods: template.methods.iter().map(|method| method.as_str().to_owned()).collect(),
        token_lifetime: ShownDuration(template.token_lifetime).to_string(),
        rate_limit: template.rate_limit.map_or_else(|| "none".to_owned(), |rate| rate.to_string()),
        clients: format!("{} of {}", grouped(count as u64), grouped(template.max_clients.get().into())),
        unused_expiry: format!("after {}", wording::rough(template.unused_expiry)),
    }
}

fn token_row(visit: &Visit, token: &InitialAccessToken) -> TokenRow {
    let now = SystemTime::now();
    let digest = RegistrationToken::from_digest(token.digest);
    let used = visit.admin.gate().uses(digest);
    let most = token.max_uses.map(|most| u64::from(most.get()));
    let is_over = token.expires.is_some_and(|ends| ends <= now);
    let mut badges = vec![match most {
        _ if is_over => Badge::new(Tone::Plain, "ended"),
        Some(most) if used >= most => Badge::new(Tone::Plain, "used up"),
        _ => Badge::new(Tone::Good, "valid"),
    }];
    let config = visit.config();
    let mut running = config.token_service.registration.iter().flat_map(|registration| &registration.tokens);
    if !running.any(|known| known.digest == token.digest) {
        badges.push(Badge::new(Tone::Warn, "new in your changes"));
    }
    TokenRow {
        name: token.name.clone(),
        badges,
        template: token.template.clone(),
        expires: token.expires.map_or_else(|| "never".to_owned(), |ends| wording::relative(ends, now)),
        uses: match most {
            Some(most) => format!("{} of {}", grouped(used), grouped(most)),
            None => grouped(used),
        },
    }
}
