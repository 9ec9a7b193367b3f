//! `tollgate client edit`.

use std::path::Path;

use clap_complete::engine::ArgValueCompleter;
use serde_json::{Map, Value, json};

use super::add::{Capability, duration};
use super::save;
use crate::change::ListEdit;
use crate::change::operation::Operation;
use crate::cli::completed_names::{clients, scopes};
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::{Client, parse_rate};
use crate::sorting::collect_sorted;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The client's id.
    #[arg(add = ArgValueCompleter::new(clients))]
    name: String,
    /// A scope of the new list of scopes; may be given several times.
    #[arg(long = "scope", value_name = "SCOPE", add = ArgValueCompleter::new(scopes))]
    scopes: Option<Vec<String>>,
    /// A scope to add; may be given several times.
    #[arg(long = "add-scope", value_name = "SCOPE", add = ArgValueCompleter::new(scopes))]
    add_scopes: Vec<String>,
    /// A scope to remove, from the default scopes too; may be given several times.
    #[arg(long = "remove-scope", value_name = "SCOPE", add = ArgValueCompleter::new(scopes))]
    remove_scopes: Vec<String>,
    /// A scope of the new list of default scopes; may be given several times.
    #[arg(long = "default-scope", value_name = "SCOPE", add = ArgValueCompleter::new(scopes))]
    default_scopes: Option<Vec<String>>,
    /// A default scope to add; may be given several times.
    #[arg(long = "add-default-scope", value_name = "SCOPE", add = ArgValueCompleter::new(scopes))]
    add_default_scopes: Vec<String>,
    /// A default scope to remove; may be given several times.
    #[arg(long = "remove-default-scope", value_name = "SCOPE", add = ArgValueCompleter::new(scopes))]
    remove_default_scopes: Vec<String>,
    /// A capability of the new list of capabilities; may be given several times.
    #[arg(long = "capability", value_name = "CAPABILITY", value_enum)]
    capabilities: Option<Vec<Capability>>,
    /// A capability to add; may be given several times.
    #[arg(long = "add-capability", value_name = "CAPABILITY", value_enum)]
    add_capabilities: Vec<Capability>,
    /// A capability to remove; may be given several times.
    #[arg(long = "remove-capability", value_name = "CAPABILITY", value_enum)]
    remove_capabilities: Vec<Capability>,
    /// An audience of the new list of audiences (RFC 8707); may be given several times.
    #[arg(long = "audience", value_name = "URI")]
    audiences: Option<Vec<String>>,
    /// An audience to add; may be given several times.
    #[arg(long = "add-audience", value_name = "URI")]
    add_audiences: Vec<String>,
    /// An audience to remove; may be given several times.
    #[arg(long = "remove-audience", value_name = "URI")]
    remove_audiences: Vec<String>,
    /// The lifetime of the client's tokens, such as 5m.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    token_lifetime: Option<String>,
    /// Give the client's tokens the lifetime of [token_service].
    #[arg(long, conflicts_with = "token_lifetime")]
    no_token_lifetime: bool,
    /// The requests that the client may make, such as 100/s.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    rate_limit: Option<String>,
    /// Remove the client's rate limit.
    #[arg(long, conflicts_with = "rate_limit")]
    no_rate_limit: bool,
    /// Whether the client's tokens are bound to a key by DPoP (RFC 9449).
    #[arg(long, value_name = "true|false")]
    dpop_bound_tokens: Option<bool>,
    /// Whether the client's tokens are bound to its certificate (RFC 8705).
    #[arg(long, value_name = "true|false")]
    certificate_bound_tokens: Option<bool>,
    /// Print JSON, for scripts.
    #[arg(long)]
    json: bool,
}

fn rate(text: &str) -> Result<String, String> {
    parse_rate(text).map(|_| text.to_owned()).map_err(|error| format!("{error}: write it as 100/s or 10/m"))
}

impl Arguments {
    /// Translates the arguments into operations.
    fn operations(&self) -> Vec<Operation> {
        let id = || self.name.clone();
        let list = |set: &Option<Vec<String>>, add: &[String], remove: &[String]| {
            let edit = ListEdit { set: set.clone(), add: add.to_vec(), remove: remove.to_vec() };
            (edit != ListEdit::default()).then_some(edit)
        };
        let capabilities =
            |all: &[Capability]| all.iter().map(|it| it.name().to_owned()).collect::<Vec<String>>();
        let setting = |set: &Option<String>, remove: bool| match set {
            Some(text) => Some(Some(text.clone())),
            None => remove.then_some(None),
        };
        let mut operations = Vec::new();
        // Before the scopes: a scope that is removed is removed from the default scopes too.
        operations.extend(
            list(&self.default_scopes, &self.add_default_scopes, &self.remove_default_scopes)
                .map(|scopes| Operation::ClientDefaultScopes { id: id(), scopes }),
        );
        operations.extend(
            list(&self.scopes, &self.add_scopes, &self.remove_scopes)
                .map(|scopes| Operation::ClientScopes { id: id(), scopes }),
        );
        let (set, add, remove) = (
            self.capabilities.as_deref().map(capabilities),
            capabilities(&self.add_capabilities),
            capabilities(&self.remove_capabilities),
        );
        operations.extend(
            list(&set, &add, &remove)
                .map(|capabilities| Operation::ClientCapabilities { id: id(), capabilities }),
        );
        operations.extend(
            list(&self.audiences, &self.add_audiences, &self.remove_audiences)
                .map(|audiences| Operation::ClientAudiences { id: id(), audiences }),
        );
        operations.extend(
            setting(&self.token_lifetime, self.no_token_lifetime)
                .map(|token_lifetime| Operation::ClientLifetime { id: id(), token_lifetime }),
        );
        operations.extend(
            setting(&self.rate_limit, self.no_rate_limit)
                .map(|rate_limit| Operation::ClientRate { id: id(), rate_limit }),
        );
        let bindings = [
            ("dpop_bound_tokens", self.dpop_bound_tokens),
            ("certificate_bound_tokens", self.certificate_bound_tokens),
        ];
        let settings: Map<String, Value> =
            collect_sorted(bindings.into_iter().filter_map(|(key, on)| Some((key.to_owned(), on?.into()))));
        if !settings.is_empty() {
            operations.push(Operation::ClientAuthentication { id: id(), settings });
        }
        operations
    }
}

/// Returns the keys that differ.
fn changed_keys(before: &Client, after: &Client) -> Vec<&'static str> {
    let keys = [
        ("scopes", before.scopes != after.scopes),
        ("default_scopes", before.default_scopes != after.default_scopes),
        ("capabilities", before.capabilities != after.capabilities),
        ("audiences", before.audiences != after.audiences),
        ("token_lifetime", before.token_lifetime != after.token_lifetime),
        ("rate_limit", before.rate_limit != after.rate_limit),
        ("dpop_bound_tokens", before.dpop_bound_tokens != after.dpop_bound_tokens),
        ("certificate_bound_tokens", before.certificate_bound_tokens != after.certificate_bound_tokens),
    ];
    keys.into_iter().filter_map(|(key, is_changed)| is_changed.then_some(key)).collect()
}

pub(super) fn edit(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let name = &arguments.name;
    let operations = arguments.operations();
    if operations.is_empty() {
        return Err(Failure::config(
            "no change is given: use an option such as --add-scope SCOPE; `tollgate client edit --help` lists them",
        ));
    }
    let (before, config) = save::edit(path, |file| {
        for operation in &operations {
            file.apply(operation)?;
        }
        Ok(file.config_before().and_then(|config| config.client(name)).cloned())
    })?;
    let changed = match (&before, config.client(name)) {
        (Some(before), Some(after)) => changed_keys(before, after),
        _ => Vec::new(),
    };
    if arguments.json {
        return output::print(&output::json(&json!({ "client_id": name, "changed": changed })));
    }
    if changed.is_empty() {
        return output::print(&format!("The client {name:?} already had these settings.\n"));
    }
    let mut text = format!(
        "The client {name:?} is changed: {}. A running gateway applies it within 2 seconds.\n",
        changed.join(", ")
    );
    if config.client(name).is_some_and(|client| client.scopes.is_empty()) {
        text.push_str("It has no scopes now, so its tokens open only routes that need none.\n");
    }
    output::print(&text)
}
