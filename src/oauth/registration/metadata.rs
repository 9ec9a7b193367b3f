//! The metadata of a client (RFC 7591 §2), checked against its template.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Uri;
use serde_json::{Map, Value, json};

use super::template::{AuthMethod, Template};
use crate::oauth::jose::json::{Member, Object};
use crate::oauth::jose::{Jwks, JwksError};
use crate::oauth::scope::Scopes;
use crate::oauth::secret::Secret;
use crate::oauth::token_error::TokenError;
use crate::sorting::collect_sorted;

/// The longest value of `scope`, in bytes.
const LONGEST_SCOPE: usize = 4096;
/// The longest text for people, in bytes.
const LONGEST_TEXT: usize = 256;
const LONGEST_URI: usize = 1024;
const MOST_CONTACTS: usize = 10;
/// The most keys of one client. A signature without a key id is verified with each of them.
const MOST_KEYS: usize = 10;
/// The longest `jwks`, in bytes. Each gateway reads those of all clients.
const LONGEST_KEYS: usize = 4096;

/// The members that the gateway keeps for people and does not use.
const TEXTS: [&str; 3] = ["client_name", "software_id", "software_version"];
const URIS: [&str; 4] = ["client_uri", "logo_uri", "tos_uri", "policy_uri"];

/// The metadata of a registered client, with every default filled in.
#[derive(Debug, Clone)]
pub(crate) struct ClientMetadata {
    pub(crate) method: AuthMethod,
    pub(crate) scopes: Scopes,
    pub(crate) token_lifetime: Duration,
    pub(crate) audiences: Vec<String>,
    pub(crate) dpop_bound_tokens: bool,
    /// The keys as the client sent them, and in parsed form.
    pub(crate) keys: Option<(Value, Jwks)>,
    /// The members for people, by name.
    texts: BTreeMap<String, Value>,
}

/// A request to replace the metadata of a client (RFC 7592 §2.2).
#[derive(Debug)]
pub(crate) struct Update {
    pub(crate) metadata: ClientMetadata,
    pub(crate) client_id: String,
    /// The secret that the client claims to have.
    pub(crate) client_secret: Option<Secret>,
}

fn invalid<T>(why: &'static str) -> Result<T, TokenError> {
    Err(TokenError::InvalidClientMetadata(why))
}

impl ClientMetadata {
    /// Reads a request to register (RFC 7591 §3.1). Members that the gateway does not know are ignored, as §2
    /// demands.
    ///
    /// # Errors
    /// The errors of §3.2.2. A value that the template does not allow is an error and is never replaced, so
    /// that a client never has fewer rights than it assumes.
    pub(crate) fn read(json: &[u8], template: &Template) -> Result<Self, TokenError> {
        Self::of(&mut parse(json)?, template)
    }

    fn of(object: &mut Object, template: &Template) -> Result<Self, TokenError> {
        check_statement(object)?;
        check_grant(object)?;
        let keys = keys(object)?;
        let method = method(object, template)?;
        match (method, &keys) {
            (AuthMethod::PrivateKeyJwt, None) => {
                return invalid("private_key_jwt needs the client's public keys in jwks");
            }
            (AuthMethod::PrivateKeyJwt, Some((_, keys))) if keys.keys().is_empty() => {
                return invalid("jwks has no key that is supported");
            }
            _ => {}
        }
        Ok(Self {
            method,
            scopes: scopes(object, template)?,
            token_lifetime: token_lifetime(object, template)?,
            audiences: audiences(object, template)?,
            dpop_bound_tokens: dpop_bound_tokens(object, template)?,
            keys,
            texts: texts(object)?,
        })
    }

    /// Returns the members that describe the client, with the names of RFC 7591 §2. The gateway stores the
    /// same members.
    pub(crate) fn members(&self) -> Map<String, Value> {
        let mut members: Map<String, Value> = collect_sorted(self.texts.clone());
        let mut put = |name: &str, value: Value| drop(members.insert(name.to_owned(), value));
        put("token_endpoint_auth_method", json!(self.method.as_str()));
        put("grant_types", json!(["client_credentials"]));
        put("response_types", json!([]));
        put("scope", json!(self.scopes.as_str()));
        put("token_lifetime", json!(self.token_lifetime.as_secs()));
        put("audience", json!(self.audiences));
        put("dpop_bound_access_tokens", json!(self.dpop_bound_tokens));
        if let Some((keys, _)) = &self.keys {
            put("jwks", keys.clone());
        }
        members
    }

    /// Reads members that [`ClientMetadata::members`] has written. Returns `None` for anything else.
    pub(crate) fn from_members(members: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| members.get(name)?.as_str();
        let keys = match members.get("jwks") {
            None => None,
            Some(sent) => Some((sent.clone(), Jwks::parse(sent.to_string().as_bytes()).ok()?)),
        };
        let audiences = members.get("audience")?.as_array()?.iter();
        let kept = members.iter().filter(|(name, _)| is_for_people(name));
        Some(Self {
            method: AuthMethod::named(text("token_endpoint_auth_method")?)?,
            scopes: Scopes::parse(text("scope")?).ok()?,
            token_lifetime: Duration::from_secs(members.get("token_lifetime")?.as_u64()?),
            audiences: audiences.map(|one| one.as_str().map(str::to_owned)).collect::<Option<_>>()?,
            dpop_bound_tokens: members.get("dpop_bound_access_tokens")?.as_bool()?,
            keys,
            texts: collect_sorted(kept.map(|(name, value)| (name.clone(), value.clone()))),
        })
    }

    /// Returns the name that the client has given itself.
    pub(crate) fn name(&self) -> Option<&str> {
        self.texts.get("client_name").and_then(Value::as_str)
    }
}

impl Update {
    /// Reads a request to replace all metadata.
    ///
    /// # Errors
    /// Fails like [`ClientMetadata::read`], and if the request has a member that only the server sets (RFC
    /// 7592 §2.2).
    pub(crate) fn read(json: &[u8], template: &Template) -> Result<Self, TokenError> {
        let mut object = parse(json)?;
        for name in [
            "registration_access_token",
            "registration_client_uri",
            "client_secret_expires_at",
            "client_id_issued_at",
        ] {
            if object.has(name) {
                return invalid(
                    "a member that only the server sets must not be sent (RFC 7592, section 2.2)",
                );
            }
        }
        let mistyped = TokenError::InvalidClientMetadata("client_id and client_secret are strings");
        let client_id = object
            .string("client_id")
            .required(TokenError::InvalidClientMetadata("client_id is missing (RFC 7592, section 2.2)"))?
            .to_owned();
        let client_secret = object.string("client_secret").optional(mistyped)?.map(Secret::new);
        Ok(Self { metadata: ClientMetadata::of(&mut object, template)?, client_id, client_secret })
    }
}

fn parse(json: &[u8]) -> Result<Object, TokenError> {
    let why = "the body must be one JSON object in UTF-8 that has each member once";
    Object::parse(json).ok_or(TokenError::InvalidClientMetadata(why))
}

/// Refuses software statements: the gateway trusts nobody who could make one (RFC 7591 §3.1.1).
fn check_statement(object: &Object) -> Result<(), TokenError> {
    match object.string("software_statement") {
        Member::Absent => Ok(()),
        Member::Is(jwt) if jwt.split('.').count() == 3 && jwt.split('.').all(|part| !part.is_empty()) => {
            Err(TokenError::UnapprovedSoftwareStatement)
        }
        Member::Is(_) | Member::Mistyped => Err(TokenError::InvalidSoftwareStatement),
    }
}

/// Checks the grant types: a registered client gets tokens for itself, without a browser.
fn check_grant(object: &Object) -> Result<(), TokenError> {
    let list = |name| strings(object, name, 16, "grant_types and response_types are lists of strings");
    if let Some(grants) = list("grant_types")?
        && grants != ["client_credentials"]
    {
        return invalid("the only grant type here is client_credentials");
    }
    if list("response_types")?.is_some_and(|types| types.iter().any(|one| *one != "none")) {
        return invalid("there is no authorization endpoint, so response_types must be empty");
    }
    match object.value("tls_client_certificate_bound_access_tokens") {
        None | Some(Value::Bool(false)) => Ok(()),
        Some(_) => invalid("tokens of registered clients cannot be bound to certificates"),
    }
}

fn method(object: &Object, template: &Template) -> Result<AuthMethod, TokenError> {
    let mistyped = TokenError::InvalidClientMetadata("token_endpoint_auth_method is a string");
    let Some(name) = object.string("token_endpoint_auth_method").optional(mistyped)? else {
        // RFC 7591 §2: "If unspecified or omitted, the default is 'client_secret_basic'". A template may not
        // allow it.
        let basic = template.methods.iter().find(|method| **method == AuthMethod::Basic);
        let default = basic.or(template.methods.first()).copied();
        return default.ok_or(TokenError::InvalidClientMetadata("no authentication method is allowed"));
    };
    match AuthMethod::named(name).filter(|method| template.methods.contains(method)) {
        Some(method) => Ok(method),
        None => invalid("token_endpoint_auth_method is not one that the initial access token allows"),
    }
}

fn scopes(object: &Object, template: &Template) -> Result<Scopes, TokenError> {
    let mistyped = TokenError::InvalidClientMetadata("scope is a string");
    let Some(text) = object.string("scope").optional(mistyped)? else { return Ok(template.scopes.clone()) };
    if text.is_empty() {
        return Ok(Scopes::none());
    }
    if text.len() > LONGEST_SCOPE {
        return invalid("scope is too long");
    }
    match Scopes::parse(text) {
        Ok(scopes) if template.scopes.contains_all(&scopes) => Ok(scopes),
        Ok(_) => invalid("scope names a scope that the initial access token does not allow"),
        Err(_) => invalid("scope is malformed (scopes are separated by one space)"),
    }
}

fn token_lifetime(object: &Object, template: &Template) -> Result<Duration, TokenError> {
    match object.value("token_lifetime") {
        None => Ok(template.token_lifetime),
        Some(value) => match value.as_u64().map(Duration::from_secs) {
            Some(lifetime) if !lifetime.is_zero() && lifetime <= template.token_lifetime => Ok(lifetime),
            _ => invalid(
                "token_lifetime is a whole number of seconds, at most what the initial access token allows",
            ),
        },
    }
}

fn audiences(object: &Object, template: &Template) -> Result<Vec<String>, TokenError> {
    let one = match object.string("audience") {
        Member::Absent => return Ok(template.audiences.clone()),
        Member::Is(one) => Some(vec![one]),
        Member::Mistyped => strings(object, "audience", 64, "audience is a string or a list of strings")?,
    };
    let mut audiences: Vec<String> = Vec::new();
    for audience in one.unwrap_or_default() {
        if !template.audiences.iter().any(|known| known == audience) {
            return invalid("audience names a resource that the initial access token does not allow");
        }
        if !audiences.iter().any(|known| known == audience) {
            audiences.push(audience.to_owned());
        }
    }
    Ok(audiences)
}

fn dpop_bound_tokens(object: &Object, template: &Template) -> Result<bool, TokenError> {
    match object.value("dpop_bound_access_tokens") {
        None => Ok(template.dpop_bound_tokens),
        Some(Value::Bool(false)) if template.dpop_bound_tokens => {
            invalid("the initial access token allows only tokens that are bound to a key (DPoP)")
        }
        Some(Value::Bool(bound)) => Ok(*bound),
        Some(_) => invalid("dpop_bound_access_tokens is true or false (RFC 9449)"),
    }
}

fn keys(object: &mut Object) -> Result<Option<(Value, Jwks)>, TokenError> {
    if object.has("jwks_uri") {
        return invalid("the gateway fetches no keys of registered clients: send them in jwks");
    }
    let Some(sent) = object.take("jwks") else { return Ok(None) };
    let text = sent.to_string();
    if text.len() > LONGEST_KEYS {
        return invalid("jwks is longer than 4096 bytes");
    }
    match Jwks::parse(text.as_bytes()) {
        Ok(keys) if keys.keys().len() + keys.ignored().len() <= MOST_KEYS => Ok(Some((sent, keys))),
        Ok(_) | Err(JwksError::TooMany(_) | JwksError::TooLong) => invalid("jwks has too many keys"),
        Err(JwksError::Private { .. }) => {
            invalid("jwks has a private or symmetric key: send public keys only, and replace this one")
        }
        Err(_) => invalid("jwks is not a JSON Web Key Set (RFC 7517)"),
    }
}

fn texts(object: &Object) -> Result<BTreeMap<String, Value>, TokenError> {
    let mut texts = BTreeMap::new();
    let mut keep = |name: &str, value: Value| drop(texts.insert(name.to_owned(), value));
    let mistyped =
        || TokenError::InvalidClientMetadata("a member for people has another type than RFC 7591 says");
    for name in TEXTS {
        let Some(text) = object.string(name).optional(mistyped())? else { continue };
        if !is_text(text) {
            return invalid(
                "client_name, software_id and software_version have at most 256 bytes and no control \
                 characters",
            );
        }
        keep(name, json!(text));
    }
    for name in URIS {
        let Some(uri) = object.string(name).optional(mistyped())? else { continue };
        if !is_web_page(uri) {
            return invalid("client_uri, logo_uri, tos_uri and policy_uri are https:// or http:// URLs");
        }
        keep(name, json!(uri));
    }
    if let Some(contacts) =
        strings(object, "contacts", MOST_CONTACTS, "contacts is a list of at most 10 strings")?
    {
        if !contacts.iter().all(|contact| is_text(contact)) {
            return invalid("contacts have at most 256 bytes and no control characters");
        }
        keep("contacts", json!(contacts));
    }
    Ok(texts)
}

fn is_for_people(name: &str) -> bool {
    TEXTS.contains(&name) || URIS.contains(&name) || name == "contacts"
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST_TEXT && !text.chars().any(char::is_control)
}

fn is_web_page(text: &str) -> bool {
    text.len() <= LONGEST_URI
        && text.parse::<Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("https" | "http"))
                && uri.host().is_some_and(|host| !host.is_empty())
        })
}

fn strings<'a>(
    object: &'a Object,
    name: &str,
    most: usize,
    why: &'static str,
) -> Result<Option<Vec<&'a str>>, TokenError> {
    match object.value(name) {
        None => Ok(None),
        Some(Value::Array(items)) if items.len() <= most => {
            let strings: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            strings.map(Some).ok_or(TokenError::InvalidClientMetadata(why))
        }
        Some(_) => invalid(why),
    }
}
