//! A JSON Schema validator for the keywords that are used. Any other keyword is a failure.

use regex::Regex;
use serde_json::{Map, Value};

pub(super) struct Validator(Value);

impl Validator {
    pub(super) fn new(schema: Value) -> Self {
        Self(schema)
    }

    /// Where the document breaks the schema, and by which keyword.
    pub(super) fn errors(&self, document: &Value) -> Vec<String> {
        let mut errors = Vec::new();
        check(&self.0, document, "", &mut errors);
        errors
    }
}

fn fits(schema: &Value, value: &Value) -> bool {
    let mut errors = Vec::new();
    check(schema, value, "", &mut errors);
    errors.is_empty()
}

fn check(schema: &Value, value: &Value, at: &str, errors: &mut Vec<String>) {
    let keywords = match schema {
        Value::Bool(true) => return,
        Value::Bool(false) => return errors.push(format!("{at}: not allowed")),
        Value::Object(keywords) => keywords,
        other => panic!("{other} is no schema"),
    };
    for (keyword, wanted) in keywords {
        if !holds(keywords, keyword, wanted, value, at, errors) {
            errors.push(format!("{at}: {keyword}"));
        }
    }
}

fn holds(
    keywords: &Map<String, Value>,
    keyword: &str,
    wanted: &Value,
    value: &Value,
    at: &str,
    errors: &mut Vec<String>,
) -> bool {
    let schemas = || wanted.as_array().expect("a list of schemas").iter();
    let names = |list: &Value| -> Vec<String> {
        list.as_array().expect("names").iter().map(|name| name.as_str().expect("a name").to_owned()).collect()
    };
    let number = || wanted.as_u64().expect("a number");
    let float = || wanted.as_f64().expect("a number");
    match keyword {
        "$schema" | "title" | "description" | "default" | "format" | "then" | "else" => true,
        "type" => match wanted.as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("boolean") => value.is_boolean(),
            Some("number") => value.is_number(),
            Some("integer") => value.is_i64() || value.is_u64(),
            other => panic!("type {other:?}"),
        },
        "const" => value == wanted,
        "enum" => wanted.as_array().expect("enum").contains(value),
        "minimum" => value.as_f64().is_none_or(|value| value >= float()),
        "maximum" => value.as_f64().is_none_or(|value| value <= float()),
        "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= number()),
        "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= number()),
        "uniqueItems" => value
            .as_array()
            .is_none_or(|items| items.iter().enumerate().all(|(at, item)| !items[..at].contains(item))),
        "pattern" => value.as_str().is_none_or(|text| {
            let pattern = wanted.as_str().expect("a pattern");
            Regex::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}")).is_match(text)
        }),
        "items" => {
            for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                check(wanted, item, &format!("{at}[{index}]"), errors);
            }
            true
        }
        "contains" => value.as_array().is_none_or(|items| items.iter().any(|item| fits(wanted, item))),
        "required" => {
            value.as_object().is_none_or(|object| names(wanted).iter().all(|name| object.contains_key(name)))
        }
        "dependentRequired" => value.as_object().is_none_or(|object| {
            let mut pairs = wanted.as_object().expect("names by name").iter();
            pairs.all(|(key, others)| {
                !object.contains_key(key) || names(others).iter().all(|other| object.contains_key(other))
            })
        }),
        "properties" => {
            for (name, schema) in wanted.as_object().expect("properties") {
                if let Some(inner) = value.get(name) {
                    check(schema, inner, &format!("{at}.{name}"), errors);
                }
            }
            true
        }
        "additionalProperties" => {
            let known = keywords.get("properties").and_then(Value::as_object);
            for (name, inner) in value.as_object().into_iter().flatten() {
                if known.is_none_or(|known| !known.contains_key(name)) {
                    check(wanted, inner, &format!("{at}.{name}"), errors);
                }
            }
            true
        }
        "propertyNames" => value
            .as_object()
            .is_none_or(|object| object.keys().all(|name| fits(wanted, &Value::String(name.clone())))),
        "allOf" => schemas().all(|schema| fits(schema, value)),
        "anyOf" => schemas().any(|schema| fits(schema, value)),
        "oneOf" => schemas().filter(|schema| fits(schema, value)).count() == 1,
        "not" => !fits(wanted, value),
        "if" => {
            let branch = if fits(wanted, value) { "then" } else { "else" };
            keywords.get(branch).is_none_or(|schema| fits(schema, value))
        }
        other => panic!("the validator does not know {other:?}"),
    }
}
