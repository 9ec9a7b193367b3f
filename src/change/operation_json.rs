//! Reads operations from JSON.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::{Error, Map};

use super::operation::Operation;
use crate::json::members::Members;

/// The names of the operations, for the error about an unknown one.
const NAMES: &[&str] = &[
    "scope_add",
    "scope_describe",
    "scope_remove",
    "client_add",
    "client_scopes",
    "client_default_scopes",
    "client_capabilities",
    "client_audiences",
    "client_lifetime",
    "client_rate",
    "client_enabled",
    "client_reset_secret",
    "client_drop_secret",
    "client_end_tokens",
    "client_authentication",
    "client_remove",
    "route_add",
    "import",
    "route_set",
    "route_mode",
    "route_remove",
    "upstream_add",
    "upstream_set",
    "upstream_remove",
    "registration_token_add",
    "registration_token_remove",
    "registered_client",
    "admin_user_add",
    "admin_user_role",
    "admin_user_password",
    "admin_user_remove",
    "replace_text",
    "restore",
];

impl Operation {
    /// Reads an operation. An unknown member is refused.
    ///
    /// # Errors
    /// The members are not those of an operation.
    pub(super) fn read(mut members: Members) -> Result<Self, Error> {
        let name: String = members.required("op")?;
        let operation = Self::read_as(&name, &mut members)?;
        members.finish()?;
        Ok(operation)
    }

    fn read_as(name: &str, members: &mut Members) -> Result<Self, Error> {
        Ok(match name {
            "scope_add" => Self::ScopeAdd {
                name: members.required("name")?,
                description: members.required("description")?,
            },
            "scope_describe" => Self::ScopeDescribe {
                name: members.required("name")?,
                description: members.required("description")?,
            },
            "scope_remove" => Self::ScopeRemove { name: members.required("name")? },
            "client_add" => Self::ClientAdd {
                id: members.required("id")?,
                secret: members.required("secret")?,
                capabilities: members.required("capabilities")?,
                scopes: members.required("scopes")?,
                default_scopes: members.optional("default_scopes")?,
                token_lifetime: members.optional("token_lifetime")?,
                at: members.required("at")?,
            },
            "client_scopes" => {
                Self::ClientScopes { id: members.required("id")?, scopes: members.required("scopes")? }
            }
            "client_default_scopes" => {
                Self::ClientDefaultScopes { id: members.required("id")?, scopes: members.required("scopes")? }
            }
            "client_capabilities" => Self::ClientCapabilities {
                id: members.required("id")?,
                capabilities: members.required("capabilities")?,
            },
            "client_audiences" => Self::ClientAudiences {
                id: members.required("id")?,
                audiences: members.required("audiences")?,
            },
            "client_lifetime" => Self::ClientLifetime {
                id: members.required("id")?,
                token_lifetime: members.optional("token_lifetime")?,
            },
            "client_rate" => {
                Self::ClientRate { id: members.required("id")?, rate_limit: members.optional("rate_limit")? }
            }
            "client_enabled" => Self::ClientEnabled {
                id: members.required("id")?,
                enabled: members.required("enabled")?,
                at: members.required("at")?,
            },
            "client_reset_secret" => Self::ClientResetSecret {
                id: members.required("id")?,
                secret: members.required("secret")?,
                at: members.required("at")?,
                keep_old: members.optional("keep_old")?,
                revoke_tokens: members.optional("revoke_tokens")?,
            },
            "client_drop_secret" => Self::ClientDropSecret {
                id: members.required("id")?,
                secret_id: members.required("secret_id")?,
            },
            "client_end_tokens" => {
                Self::ClientEndTokens { id: members.required("id")?, at: members.required("at")? }
            }
            "client_authentication" => Self::ClientAuthentication {
                id: members.required("id")?,
                settings: members.required("settings")?,
            },
            "client_remove" => Self::ClientRemove { id: members.required("id")? },
            "route_add" => Self::RouteAdd { route: members.required("route")? },
            "import" => Self::Import {
                scopes: members.optional("scopes")?,
                upstreams: members.optional("upstreams")?,
                routes: members.optional("routes")?,
            },
            "route_set" => {
                Self::RouteSet { route: members.required("route")?, settings: members.required("settings")? }
            }
            "route_mode" => {
                Self::RouteMode { route: members.required("route")?, mode: members.required("mode")? }
            }
            "route_remove" => Self::RouteRemove { route: members.required("route")? },
            "upstream_add" => {
                Self::UpstreamAdd { name: members.required("name")?, settings: members.required("settings")? }
            }
            "upstream_set" => {
                Self::UpstreamSet { name: members.required("name")?, settings: members.required("settings")? }
            }
            "upstream_remove" => Self::UpstreamRemove { name: members.required("name")? },
            "registration_token_add" => Self::RegistrationTokenAdd { token: members.required("token")? },
            "registration_token_remove" => Self::RegistrationTokenRemove { name: members.required("name")? },
            "registered_client" => {
                Self::RegisteredClient { id: members.required("id")?, state: members.required("state")? }
            }
            "admin_user_add" => Self::AdminUserAdd {
                name: members.required("name")?,
                password: members.required("password")?,
                role: members.required("role")?,
            },
            "admin_user_role" => {
                Self::AdminUserRole { name: members.required("name")?, role: members.required("role")? }
            }
            "admin_user_password" => Self::AdminUserPassword {
                name: members.required("name")?,
                password: members.required("password")?,
            },
            "admin_user_remove" => Self::AdminUserRemove { name: members.required("name")? },
            "replace_text" => {
                Self::ReplaceText { file: members.optional("file")?, text: members.required("text")? }
            }
            "restore" => Self::Restore {
                version: members.required("version")?,
                keep_today: members.required("keep_today")?,
                files: members.required("files")?,
            },
            _ => return Err(Error::unknown_variant(name, NAMES)),
        })
    }
}

impl<'de> Deserialize<'de> for Operation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = Members::new(Map::deserialize(deserializer)?);
        Self::read(members).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_listed_name_is_that_of_an_operation() {
        for name in NAMES {
            if let Err(error) = serde_json::from_value::<Operation>(json!({ "op": name })) {
                assert!(error.to_string().starts_with("missing field"), "{error}");
            }
        }
    }
}
