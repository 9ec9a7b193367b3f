//! The description as a JSON Schema (2020-12).

use serde_json::{Map, Value as Json, json};

use super::key::{Given, Key, Kind, Table};
use super::number;
use super::pattern::VARIABLE;
use crate::config::settings::rates::BURST;
use crate::sorting::collect_sorted;

pub(super) fn of(document: &Table) -> String {
    let mut schema = table(document);
    let head = [
        ("$schema", json!("https://json-schema.org/draft/2020-12/schema")),
        ("title", json!("Tollgate: gateway.toml")),
    ];
    schema.extend(head.map(|(key, value)| (key.to_owned(), value)));
    // Cannot fail: maps with text keys.
    serde_json::to_string_pretty(&Json::Object(schema)).unwrap_or_default() + "\n"
}

fn table(table: &Table) -> Map<String, Json> {
    let properties: Map<String, Json> =
        collect_sorted(table.keys.iter().map(|key| (key.name.to_owned(), property(key))));
    let mut schema = object(json!({
        "description": table.about,
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    }));
    let required: Vec<&str> = table.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    let rules: Vec<Json> = table.rules.iter().map(|rule| rule.schema.clone()).collect();
    if !rules.is_empty() {
        schema.insert("allOf".to_owned(), Json::Array(rules));
    }
    schema
}

fn property(key: &Key) -> Json {
    let mut schema = kind(&key.kind);
    schema.insert("description".to_owned(), json!(key.about));
    if let Given::Value(default) = &key.default {
        schema.insert("default".to_owned(), from_toml(default));
    }
    Json::Object(schema)
}

fn kind(kind: &Kind) -> Map<String, Json> {
    object(match kind {
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Duration(least, most) => value(&number::duration(*least, *most), None),
        Kind::Size(least, most) => value(&number::size(*least, *most), None),
        Kind::Rate => rate(),
        Kind::Text { pattern: None, .. } => json!({ "type": "string" }),
        Kind::Text { pattern: Some(pattern), except, .. } => value(pattern, except.as_deref()),
        Kind::DateTime => {
            json!({ "type": "string", "format": "date-time", "pattern": whole(super::pattern::DATE_TIME) })
        }
        Kind::Choice(words) => json!({ "anyOf": [{ "enum": words }, text(VARIABLE, None)] }),
        Kind::List { item, least, most, unique, .. } => {
            let mut schema = object(json!({ "type": "array", "items": self::kind(item) }));
            if *least > 0 {
                schema.insert("minItems".to_owned(), json!(least));
            }
            if let Some(most) = most {
                schema.insert("maxItems".to_owned(), json!(most));
            }
            if *unique {
                schema.insert("uniqueItems".to_owned(), json!(true));
            }
            Json::Object(schema)
        }
        Kind::Table(inner) => Json::Object(table(inner)),
        Kind::Map { pattern, except, value, .. } => json!({
            "type": "object",
            "propertyNames": text(pattern, except.as_deref()),
            "additionalProperties": self::kind(value),
        }),
        Kind::Either(kinds) => json!({ "anyOf": kinds.iter().map(self::kind).collect::<Vec<_>>() }),
        Kind::Off => json!({ "const": false }),
        Kind::Schema(_, schema) => schema.clone(),
    })
}

fn rate() -> Json {
    let rate = value(&format!("{}/[smh]", number::from_to(1, u64::from(u32::MAX))), None);
    json!({ "anyOf": [rate, {
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "rate": rate,
            BURST.name: { "type": "integer", "minimum": BURST.least, "maximum": BURST.most },
        },
        "required": ["rate"],
    }] })
}

/// A text, or the environment variable that it comes from.
fn value(pattern: &str, except: Option<&str>) -> Json {
    text(&format!("{pattern}|{VARIABLE}"), except)
}

fn text(pattern: &str, except: Option<&str>) -> Json {
    let mut schema = object(json!({ "type": "string", "pattern": whole(pattern) }));
    if let Some(except) = except {
        schema.insert("not".to_owned(), json!({ "pattern": whole(except) }));
    }
    Json::Object(schema)
}

fn whole(pattern: &str) -> String {
    format!("^({pattern})$")
}

/// The value of a TOML text; it is one of ours, so it can be read.
fn from_toml(text: &str) -> Json {
    let parsed = format!("value = {text}").parse::<toml::Table>().ok();
    parsed.and_then(|mut table| table.remove("value")).map_or(Json::Null, to_json)
}

/// A TOML value as a schema sees it: dates are texts.
pub(super) fn to_json(value: toml::Value) -> Json {
    match value {
        toml::Value::Table(table) => {
            Json::Object(collect_sorted(table.into_iter().map(|(key, value)| (key, to_json(value)))))
        }
        toml::Value::Array(array) => array.into_iter().map(to_json).collect(),
        toml::Value::Datetime(datetime) => datetime.to_string().into(),
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(boolean) => boolean.into(),
    }
}

fn object(json: Json) -> Map<String, Json> {
    match json {
        Json::Object(map) => map,
        _ => Map::new(),
    }
}
