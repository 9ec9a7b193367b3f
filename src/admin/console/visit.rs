//! The context of a page handler: the user, the gateway, and the frame around the page.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Extension, FromRequest, FromRequestParts, Query, Request};
use axum::response::{Html, IntoResponse, Redirect, Response};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode, Uri};

use super::assets;
use super::state::{Console, Message};
use super::view::frame::{FileState, Frame, Notice, Section, SignedIn};
use super::view::parts::Tone;
use super::wording;
use super::workspace::Workspace;
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;
use crate::admin::user::{Fields, NotSignedIn, Submitted, User};
use crate::config::{Config, Role};

/// The parameter that makes browsers reload a page, without JavaScript.
const REFRESH: HeaderName = HeaderName::from_static("refresh");
/// The reload interval, in seconds.
const REFRESH_EVERY: u32 = 10;

/// The result of a handler.
pub(super) type Answer = Result<Response, Problem>;

/// A request for a page from a signed-in user.
pub(super) struct Visit {
    pub(super) admin: AdminState,
    pub(super) console: Arc<Console>,
    pub(super) user: User,
    pub(super) query: Parameters,
    pub(super) workspace: Workspace,
    /// The path and query, without the parameter that enables the reload.
    here: String,
}

/// A form from a signed-in user.
pub(super) struct Form {
    pub(super) visit: Visit,
    pub(super) fields: Fields,
}

/// The parameters of a query.
#[derive(Debug, Default)]
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Parses the query of an address. A query that is invalid has no parameters.
    pub(super) fn of(uri: &Uri) -> Self {
        Self(Query::try_from_uri(uri).map(|Query(parameters)| parameters).unwrap_or_default())
    }

    /// Returns all values of a parameter.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(parameter, _)| parameter == name).map(|(_, value)| value.trim())
    }

    /// Returns the first value of a parameter, or an empty text.
    pub(super) fn value(&self, name: &str) -> &str {
        self.0.iter().find(|(parameter, _)| parameter == name).map_or("", |(_, value)| value.trim())
    }
}

impl FromRequestParts<AdminState> for Visit {
    type Rejection = NotSignedIn;

    async fn from_request_parts(parts: &mut Parts, state: &AdminState) -> Result<Self, NotSignedIn> {
        let user = User::from_request_parts(parts, state).await?;
        let console = Extension::<Arc<Console>>::from_request_parts(parts, state).await;
        let Ok(Extension(console)) = console else { return Err(Problem::internal().into()) };
        let query = Parameters::of(&parts.uri);
        let kept = query.0.iter().filter(|(name, _)| name != "refresh");
        let kept: Vec<String> = kept
            .map(|(name, value)| format!("{}={}", wording::encode(name), wording::encode(value)))
            .collect();
        let here = match kept.as_slice() {
            [] => parts.uri.path().to_owned(),
            kept => format!("{}?{}", parts.uri.path(), kept.join("&")),
        };
        let workspace = Workspace::read(state).await;
        Ok(Self { admin: state.clone(), console, user, query, workspace, here })
    }
}

impl FromRequest<AdminState> for Form {
    type Rejection = NotSignedIn;

    async fn from_request(request: Request, state: &AdminState) -> Result<Self, NotSignedIn> {
        let (mut parts, body) = request.into_parts();
        let visit = Visit::from_request_parts(&mut parts, state).await?;
        let Submitted { fields } = Submitted::from_request(Request::from_parts(parts, body), state).await?;
        Ok(Self { visit, fields })
    }
}

impl Visit {
    /// Returns the configuration in force.
    pub(super) fn config(&self) -> Arc<Config> {
        self.admin.config()
    }

    /// Returns the frame of a page.
    pub(super) fn frame(&self, section: Section, title: impl Into<String>) -> Frame {
        let config = self.config();
        Frame {
            title: title.into(),
            section,
            here: self.here.clone(),
            gateway: gateway_name(&config),
            file: file_state(&self.admin, self.workspace.version),
            changes: self.workspace.own(&self.user.name).map_or(0, |draft| draft.operations.len()),
            user: Some(SignedIn {
                name: self.user.name.clone(),
                role: self.user.role.as_str(),
                can_edit: self.user.role >= Role::Editor,
                is_owner: self.user.role >= Role::Owner,
            }),
            token: self.user.form_token.clone(),
            assets: assets::addresses(),
            notices: self.console.notices(&self.user.form_token),
            pending: self.workspace.pending(),
            is_live: false,
            refresh: None,
        }
    }

    /// Returns the frame of a page whose parts update automatically.
    pub(super) fn live_frame(&self, section: Section, title: impl Into<String>) -> Frame {
        let refresh = (!self.query.value("refresh").is_empty()).then_some(REFRESH_EVERY);
        Frame { is_live: true, refresh, ..self.frame(section, title) }
    }

    /// Returns a page that can reload itself.
    pub(super) fn page(&self, page: &impl Template) -> Answer {
        self.page_with(StatusCode::OK, page)
    }

    /// Returns a page with a status.
    pub(super) fn page_with(&self, status: StatusCode, page: &impl Template) -> Answer {
        self.refreshed(show(status, page))
    }

    fn refreshed(&self, page: Answer) -> Answer {
        let mut response = page?;
        if !self.query.value("refresh").is_empty() {
            response.headers_mut().insert(REFRESH, HeaderValue::from(REFRESH_EVERY));
        }
        Ok(response)
    }

    /// Stores a notice for the next page.
    pub(super) fn notify(&self, notice: Notice) {
        self.console.leave(&self.user.form_token, Message::Notice(notice));
    }
}

/// Returns a page with a status.
pub(super) fn show(status: StatusCode, page: &impl Template) -> Answer {
    // Only this call exists once for each page.
    respond(status, page.render())
}

fn respond(status: StatusCode, page: askama::Result<String>) -> Answer {
    match page {
        Ok(html) => Ok((status, Html(html)).into_response()),
        Err(error) => {
            log::error!("a page of the console cannot be made: {error}");
            Err(Problem::internal())
        }
    }
}

/// Redirects the browser to another page after a form.
pub(super) fn go_to(path: &str) -> Answer {
    Ok(Redirect::to(path).into_response())
}

/// Returns the frame of a page without a signed-in user.
pub(super) fn frame_alone(title: impl Into<String>) -> Frame {
    Frame {
        title: title.into(),
        section: Section::None,
        here: String::new(),
        gateway: String::new(),
        file: FileState { text: String::new(), tone: Tone::Plain },
        changes: 0,
        user: None,
        token: String::new(),
        assets: assets::addresses(),
        notices: Vec::new(),
        pending: None,
        is_live: false,
        refresh: None,
    }
}

/// Returns the host name under which clients reach the gateway.
fn gateway_name(config: &Config) -> String {
    let issuer = config.token_service.issuer.as_str();
    issuer.split_once("://").map_or(issuer, |(_, host)| host).trim_end_matches('/').to_owned()
}

fn file_state(admin: &AdminState, version: Option<u64>) -> FileState {
    match admin.control().last_reload() {
        Some(reload) if reload.error.is_some() => FileState {
            text: format!(
                "gateway.toml has errors since {}; what was before is in use",
                wording::moment(reload.at)
            ),
            tone: Tone::Bad,
        },
        _ => {
            let version = version.map(|version| format!(", version {version}")).unwrap_or_default();
            FileState { text: format!("gateway.toml is in use{version}"), tone: Tone::Good }
        }
    }
}
