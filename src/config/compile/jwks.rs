//! `jwks`: the public keys of a client.

use serde_json::{Map, Value as Json, json};
use toml::de::DeValue;

use crate::config::{
    error::ErrorKind,
    reader::Value,
    settings::clients::{MAX_KEYS, PRIVATE_KEY_PARTS},
};
use crate::json::parse_text;
use crate::oauth::jose::{Jwk, Jwks};

/// Reads a list of tables, or a JSON string: a key set, or a list of keys.
pub(super) fn jwks(value: &Value<'_>) -> Option<Jwks> {
    const WANTED: &str = "a list of keys, [{ kty = \"EC\", … }], or a JSON key set in a string";
    // A key may be a private one by mistake, so errors show nothing of it.
    let value = value.clone().secret();
    let keys = match value.inner() {
        DeValue::String(_) => match parse_text(value.string(WANTED)?) {
            Ok(Json::Object(mut set)) => match set.remove("keys") {
                Some(Json::Array(keys)) => keys,
                _ => return value.invalid("is JSON, but no key set: { \"keys\": [ … ] } (RFC 7517 §5)"),
            },
            Ok(Json::Array(keys)) => keys,
            Ok(_) => return value.invalid(format!("must be {WANTED}")),
            Err(error) => {
                return value.invalid(format!(
                    "is not JSON (its line {}, column {})",
                    error.line(),
                    error.column()
                ));
            }
        },
        DeValue::Array(keys) => {
            keys.iter().map(|key| to_json(key.get_ref())).collect::<Option<Vec<_>>>().or_else(|| {
                value.invalid(
                    "contains a date or a fraction, which no key has: use strings, whole numbers, lists and \
                     tables",
                )
            })?
        }
        _ => return value.wrong_type(WANTED),
    };
    if keys.is_empty() || keys.len() > MAX_KEYS {
        return value.invalid(format!("must have 1 to {MAX_KEYS} keys"));
    }
    let mut good = true;
    for (at, problem) in keys.iter().enumerate().filter_map(|(at, key)| Some((at, check(key).err()?))) {
        value.problem(ErrorKind::InvalidValue, format!("key number {}: {problem}", at + 1));
        good = false;
    }
    if !good {
        return None;
    }
    let set = json!({ "keys": keys }).to_string();
    Jwks::parse(set.as_bytes()).map_or_else(|error| value.invalid(format!("cannot be used: {error}")), Some)
}

fn check(key: &Json) -> Result<(), String> {
    let Json::Object(fields) = key else {
        return Err("is not an object".to_owned());
    };
    let text = |name: &str| fields.get(name).and_then(Json::as_str);
    if let Some(name) = PRIVATE_KEY_PARTS.iter().find(|name| fields.contains_key(**name)) {
        return Err(format!("contains `{name}`, a private part: only public keys are accepted"));
    }
    let needed: &[&str] = match text("kty") {
        Some("EC") => &["crv", "x", "y"],
        Some("OKP") => &["crv", "x"],
        Some("RSA") => &["n", "e"],
        _ => return Err("must have a `kty` of \"EC\", \"OKP\" or \"RSA\"".to_owned()),
    };
    match needed.iter().find(|name| text(name).is_none_or(str::is_empty)) {
        Some(name) => Err(format!("lacks `{name}`")),
        // A key of the right shape can still be useless for signatures, such as one on another curve.
        None => Jwk::parse(key.to_string().as_bytes())
            .map(|_| ())
            .map_err(|error| format!("cannot be used: {error}")),
    }
}

fn to_json(value: &DeValue<'_>) -> Option<Json> {
    Some(match value {
        DeValue::String(text) => Json::String(text.to_string()),
        DeValue::Boolean(boolean) => Json::Bool(*boolean),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok()?.into(),
        DeValue::Array(items) => {
            Json::Array(items.iter().map(|item| to_json(item.get_ref())).collect::<Option<_>>()?)
        }
        DeValue::Table(entries) => {
            let mut object = Map::new();
            for (key, value) in entries {
                object.insert(key.get_ref().to_string(), to_json(value.get_ref())?);
            }
            Json::Object(object)
        }
        DeValue::Float(_) | DeValue::Datetime(_) => return None,
    })
}
