//! Typed changes of a configuration.
//!
//! The command line, the API and the console translate what they are asked for into operations. Everything
//! random or timed is in the operation, so that making it again on the same file gives the same text.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use toml_edit::Value;

use super::actor::Role;
use super::clients::NewClient;
use super::conflict::Conflict;
use super::document::Document;
use super::edit::{ClientEdit, ListEdit};
use super::registration::{NewToken, RegisteredState};
use super::routes::RouteAddress;
use super::secrets::Rotation;
use super::settings::Settings;
use crate::config::Mode;
use crate::gate::SecretHash;

/// One change of a configuration. Its JSON is an object whose member `op` is the name of the variant in lower
/// case, as in `{"op": "client_enabled", "id": "server", "enabled": false, "at": 1795422600000}`.
///
/// Secrets are argon2id hashes (PHC strings). A moment `at` is in milliseconds since 1970.
///
/// It is read by [`operation_json`](super::operation_json), which must know every variant.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum Operation {
    /// Adds a scope.
    ScopeAdd { name: String, description: String },
    /// Changes the description of a scope.
    ScopeDescribe { name: String, description: String },
    /// Removes a scope. Clients and routes that have it must be changed before.
    ScopeRemove { name: String },
    /// Adds a client with a secret.
    ClientAdd {
        id: String,
        secret: String,
        capabilities: Vec<String>,
        scopes: Vec<String>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        default_scopes: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        token_lifetime: Option<String>,
        at: u64,
    },
    /// Changes the scopes of a client. Default scopes that it no longer has are removed too.
    ClientScopes { id: String, scopes: ListEdit },
    /// Changes the scopes that a client's tokens have if the token request names none.
    ClientDefaultScopes { id: String, scopes: ListEdit },
    /// Changes what a client may do at the OAuth endpoints.
    ClientCapabilities { id: String, capabilities: ListEdit },
    /// Changes the audiences that a client may ask for (RFC 8707).
    ClientAudiences { id: String, audiences: ListEdit },
    /// Changes the lifetime of a client's tokens. `None` is the lifetime of `[token_service]`.
    ClientLifetime { id: String, token_lifetime: Option<String> },
    /// Changes the requests that a client may make. `None` is no limit.
    ClientRate { id: String, rate_limit: Option<String> },
    /// Enables or disables a client. Disabling it ends its tokens.
    ClientEnabled { id: String, enabled: bool, at: u64 },
    /// Gives a client a new secret. Its other secrets end at once, or stay valid for `keep_old` seconds.
    ClientResetSecret {
        id: String,
        secret: String,
        at: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        keep_old: Option<u64>,
        revoke_tokens: bool,
    },
    /// Removes one of a client's secrets.
    ClientDropSecret { id: String, secret_id: String },
    /// Ends all tokens of a client that were issued before.
    ClientEndTokens { id: String, at: u64 },
    /// Changes how a client authenticates: `token_endpoint_auth_methods`, `jwks`, `jwks_uri`, `tls_…`,
    /// `dpop_bound_tokens`, `certificate_bound_tokens`. `null` removes a key.
    ClientAuthentication { id: String, settings: Settings },
    /// Removes a client.
    ClientRemove { id: String },
    /// Adds a route with these keys.
    RouteAdd { route: Settings },
    /// Adds scopes, upstreams and routes: what `tollgate import` has found.
    Import {
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        scopes: BTreeMap<String, String>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        upstreams: BTreeMap<String, Settings>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        routes: Vec<Settings>,
    },
    /// Changes keys of a route. `null` removes a key.
    RouteSet { route: RouteAddress, settings: Settings },
    /// Sets whether a route refuses requests, or only records that it would.
    RouteMode { route: RouteAddress, mode: Mode },
    /// Removes a route.
    RouteRemove { route: RouteAddress },
    /// Adds an upstream with these keys.
    UpstreamAdd { name: String, settings: Settings },
    /// Changes keys of an upstream. `null` removes a key.
    UpstreamSet { name: String, settings: Settings },
    /// Removes an upstream. Routes to it must be changed before.
    UpstreamRemove { name: String },
    /// Adds an initial access token, with which clients register (RFC 7591).
    RegistrationTokenAdd { token: NewToken },
    /// Removes an initial access token.
    RegistrationTokenRemove { name: String },
    /// Disables, enables or removes a client that has registered itself.
    RegisteredClient { id: String, state: RegisteredState },
    /// Adds a user of the console.
    AdminUserAdd { name: String, password: String, role: Role },
    /// Changes what a user of the console may do.
    AdminUserRole { name: String, role: Role },
    /// Gives a user of the console a new password.
    AdminUserPassword { name: String, password: String },
    /// Removes a user of the console.
    AdminUserRemove { name: String },
    /// Replaces the text of a file: of the main one, unless `file` names one that it includes.
    ReplaceText {
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<String>,
        text: String,
    },
    /// Puts the files of a version back, by name and text. With `keep_today`, the secrets of clients and
    /// `[admin]` stay as they are.
    Restore { version: u64, keep_today: bool, files: Vec<(String, String)> },
}

/// The keys that [`Operation::ClientAuthentication`] may change.
const AUTHENTICATION: [&str; 9] = [
    "token_endpoint_auth_methods",
    "jwks",
    "jwks_uri",
    "tls_subject_dn",
    "tls_san_dns",
    "tls_san_uri",
    "tls_thumbprint",
    "dpop_bound_tokens",
    "certificate_bound_tokens",
];

impl Operation {
    /// Makes the change in memory.
    ///
    /// # Errors
    /// The document does not have what the operation expects. It may then have a part of the change: use a
    /// copy.
    pub(crate) fn apply(&self, document: &mut Document) -> Result<(), Conflict> {
        if !matches!(self, Self::ReplaceText { .. } | Self::Restore { .. }) {
            document.check_main()?;
        }
        let text = |text: &Option<String>| text.as_deref().map(Value::from);
        match self {
            Self::ScopeAdd { name, description } => document.add_scope(name, description),
            Self::ScopeDescribe { name, description } => document.describe_scope(name, description),
            Self::ScopeRemove { name } => document.remove_scope(name),
            Self::ClientAdd { id, secret, capabilities, scopes, default_scopes, token_lifetime, at } => {
                document.add_client(&NewClient {
                    id,
                    hash: &hash(id, secret)?,
                    capabilities,
                    scopes,
                    default_scopes,
                    token_lifetime: token_lifetime.as_deref(),
                    now: moment(*at),
                })
            }
            Self::ClientScopes { id, scopes } => document.edit_client(id, ClientEdit::List("scopes", scopes)),
            Self::ClientDefaultScopes { id, scopes } => {
                document.edit_client(id, ClientEdit::List("default_scopes", scopes))
            }
            Self::ClientCapabilities { id, capabilities } => {
                document.edit_client(id, ClientEdit::List("capabilities", capabilities))
            }
            Self::ClientAudiences { id, audiences } => {
                document.edit_client(id, ClientEdit::List("audiences", audiences))
            }
            Self::ClientLifetime { id, token_lifetime } => {
                document.edit_client(id, ClientEdit::Setting("token_lifetime", text(token_lifetime)))
            }
            Self::ClientRate { id, rate_limit } => {
                document.edit_client(id, ClientEdit::Setting("rate_limit", text(rate_limit)))
            }
            Self::ClientEnabled { id, enabled, at } => document.set_enabled(id, *enabled, moment(*at)),
            Self::ClientResetSecret { id, secret, at, keep_old, revoke_tokens } => {
                let rotation = Rotation {
                    hash: &hash(id, secret)?,
                    keep_old: keep_old.map(Duration::from_secs),
                    now: moment(*at),
                    revoke_tokens: *revoke_tokens,
                };
                document.rotate(id, &rotation).map(drop)
            }
            Self::ClientDropSecret { id, secret_id } => document.drop_secret(id, secret_id),
            Self::ClientEndTokens { id, at } => document.end_tokens(id, moment(*at)),
            Self::ClientAuthentication { id, settings } => {
                match settings.keys().find(|key| !AUTHENTICATION.contains(&key.as_str())) {
                    Some(key) => Err(Conflict::Value(format!("clients.{id}.{key}"))),
                    None => document.set_client(id, settings),
                }
            }
            Self::ClientRemove { id } => document.remove_client(id),
            Self::RouteAdd { route } => document.add_routes(std::slice::from_ref(route)),
            Self::Import { scopes, upstreams, routes } => {
                for (name, description) in scopes {
                    document.add_scope(name, description)?;
                }
                for (name, settings) in upstreams {
                    document.add_upstream(name, settings)?;
                }
                document.add_routes(routes)
            }
            Self::RouteSet { route, settings } => document.set_route(route, settings),
            Self::RouteMode { route, mode } => document.set_route_mode(route, *mode),
            Self::RouteRemove { route } => document.remove_route(route),
            Self::UpstreamAdd { name, settings } => document.add_upstream(name, settings),
            Self::UpstreamSet { name, settings } => document.set_upstream(name, settings),
            Self::UpstreamRemove { name } => document.remove_upstream(name),
            Self::RegistrationTokenAdd { token } => document.add_initial_token(token),
            Self::RegistrationTokenRemove { name } => document.remove_initial_token(name),
            Self::RegisteredClient { id, state } => document.set_registered(id, *state),
            Self::AdminUserAdd { name, password, role } => document.add_user(name, password, role.as_str()),
            Self::AdminUserRole { name, role } => document.set_user(name, "role", role.as_str()),
            Self::AdminUserPassword { name, password } => document.set_user(name, "password", password),
            Self::AdminUserRemove { name } => document.remove_user(name),
            Self::ReplaceText { file, text } => document.replace_text(file.as_deref(), text),
            Self::Restore { keep_today, files, .. } => document.restore(files, *keep_today),
        }
    }

    /// Returns the role that may make such an operation at all. Whether what it grants is permitted is
    /// decided by [`owner_only`](super::permission::owner_only).
    pub(crate) fn role(&self) -> Role {
        match self {
            Self::RegistrationTokenAdd { .. }
            | Self::RegistrationTokenRemove { .. }
            | Self::RegisteredClient { .. }
            | Self::AdminUserAdd { .. }
            | Self::AdminUserRole { .. }
            | Self::AdminUserPassword { .. }
            | Self::AdminUserRemove { .. }
            | Self::ReplaceText { .. } => Role::Owner,
            _ => Role::Editor,
        }
    }
}

/// Returns the milliseconds of a moment since 1970, as operations have them.
pub(crate) fn millis(moment: SystemTime) -> u64 {
    let millis = moment.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    u64::try_from(millis).unwrap_or(u64::MAX)
}

fn moment(millis: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH)
}

fn hash(client: &str, text: &str) -> Result<SecretHash, Conflict> {
    SecretHash::parse(text).map_err(|_| Conflict::Value(format!("clients.{client}.secret")))
}
