//! Holds the schema against the configuration's reader, both ways.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::SCHEMA;
use crate::config::{Config, ErrorKind, parse_duration, parse_size};

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("the schema is JSON")
}

fn resolve<'s>(root: &'s Value, node: &'s Value) -> &'s Value {
    match node.get("$ref").and_then(Value::as_str) {
        Some(reference) => {
            root.pointer(reference.trim_start_matches('#')).unwrap_or_else(|| panic!("{reference}"))
        }
        None => node,
    }
}

/// What a JSON Schema validator would say, for the keywords that are used; another keyword is a failure.
fn check(root: &Value, node: &Value, value: &Value, at: &str, errors: &mut Vec<String>) {
    let keywords = node.as_object().expect("a schema is an object");
    for (keyword, wanted) in keywords {
        let good = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" | "default" | "format" => true,
            "$ref" => {
                check(root, resolve(root, node), value, at, errors);
                true
            }
            "type" => match wanted.as_str() {
                Some("object") => value.is_object(),
                Some("array") => value.is_array(),
                Some("string") => value.is_string(),
                Some("boolean") => value.is_boolean(),
                Some("integer") => value.is_u64(),
                other => panic!("type {other:?}"),
            },
            "enum" => wanted.as_array().expect("enum").contains(value),
            "minimum" => value.as_u64().is_none_or(|number| number >= wanted.as_u64().expect("minimum")),
            "maximum" => value.as_u64().is_none_or(|number| number <= wanted.as_u64().expect("maximum")),
            "minItems" => {
                value.as_array().is_none_or(|v| v.len() as u64 >= wanted.as_u64().expect("minItems"))
            }
            "maxItems" => {
                value.as_array().is_none_or(|v| v.len() as u64 <= wanted.as_u64().expect("maxItems"))
            }
            "pattern" => value.as_str().is_none_or(|text| match wanted.as_str() {
                Some("^[0-9]+(ms|s|m|h|d)$") => parse_duration(text).is_ok(),
                Some("^(0|[0-9]+(B|KiB|MiB|GiB))$") => parse_size(text).is_ok(),
                other => panic!("pattern {other:?}"),
            }),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, wanted, item, &format!("{at}[{index}]"), errors);
                }
                true
            }
            "required" => {
                let names = wanted.as_array().expect("required").iter().filter_map(Value::as_str);
                value.as_object().is_none_or(|object| names.into_iter().all(|name| object.contains_key(name)))
            }
            "dependentRequired" => value.as_object().is_none_or(|object| {
                wanted.as_object().expect("dependentRequired").iter().all(|(key, others)| {
                    let mut others = others.as_array().into_iter().flatten().filter_map(Value::as_str);
                    !object.contains_key(key) || others.all(|other| object.contains_key(other))
                })
            }),
            "properties" => true,
            "additionalProperties" => {
                let known = keywords.get("properties").and_then(Value::as_object);
                for (key, inner) in value.as_object().into_iter().flatten() {
                    let at = format!("{at}.{key}");
                    match (known.and_then(|known| known.get(key)), wanted) {
                        (Some(node), _) => check(root, node, inner, &at, errors),
                        (None, Value::Bool(false)) => errors.push(format!("{at}: unknown")),
                        (None, node) => check(root, node, inner, &at, errors),
                    }
                }
                true
            }
            "anyOf" | "oneOf" => {
                let fits = wanted.as_array().expect("a list of schemas").iter().filter(|node| {
                    let mut errors = Vec::new();
                    check(root, node, value, at, &mut errors);
                    errors.is_empty()
                });
                if keyword == "oneOf" { fits.count() == 1 } else { fits.count() > 0 }
            }
            other => panic!("the checker does not know {other:?}"),
        };
        if !good {
            errors.push(format!("{at}: {keyword}"));
        }
    }
}

fn errors_of(text: &str) -> Vec<String> {
    fn json(value: toml::Value) -> Value {
        match value {
            toml::Value::Table(table) => {
                Value::Object(table.into_iter().map(|(key, value)| (key, json(value))).collect::<Map<_, _>>())
            }
            toml::Value::Array(array) => array.into_iter().map(json).collect(),
            toml::Value::Datetime(datetime) => Value::String(datetime.to_string()),
            toml::Value::String(text) => text.into(),
            toml::Value::Integer(number) => number.into(),
            toml::Value::Float(number) => number.into(),
            toml::Value::Boolean(boolean) => boolean.into(),
        }
    }
    let document = json(toml::Value::Table(text.parse().expect("TOML")));
    let (root, mut errors) = (schema(), Vec::new());
    check(&root, &root, &document, "", &mut errors);
    errors
}

#[test]
fn good_files_fit() {
    for text in [
        include_str!("../../gateway.toml"),
        include_str!("../config/tests/maximal.toml"),
        "",
        "[server.limits]\nmax_body_size = \"0\"",
    ] {
        assert_eq!(errors_of(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn bad_files_do_not() {
    let route = |lines: &str| format!("[[routes]]\nupstream = \"x\"\n{lines}");
    let table = [
        ("[server]\nlisten = []".to_owned(), ".server.listen: minItems"),
        ("[server]\nthreads = \"many\"".to_owned(), ".server.threads: type"),
        ("[server]\nlitsen = []".to_owned(), ".server.litsen: unknown"),
        ("[server.tls]\nkey = \"x\"".to_owned(), ".server.tls: dependentRequired"),
        ("[token_service]\ntoken_lifetime = \"299\"".to_owned(), ".token_service.token_lifetime: pattern"),
        ("[clients.x]\ncapabilities = [\"all\"]".to_owned(), ".clients.x.capabilities[0]: enum"),
        ("[clients.x]\nsecrets = [{ id = \"1\" }]".to_owned(), ".clients.x.secrets[0]: required"),
        ("[upstreams.x]\nservers = [{ weight = 1 }]".to_owned(), ".upstreams.x.servers[0]: anyOf"),
        (route(""), ".routes[0]: oneOf"),
        (route("path = \"/\"\nprefix = \"/\""), ".routes[0]: oneOf"),
    ];
    for (text, error) in table {
        assert_eq!(errors_of(&text), [error], "{text}");
    }
}

/// A step into a document.
#[derive(Clone)]
enum Step {
    Key(String),
    Item,
}

/// Every table of the schema whose keys are fixed: how to get there, and its keys.
fn tables(root: &Value, node: &Value, way: &[Step], found: &mut Vec<(Vec<Step>, Vec<String>)>) {
    let node = resolve(root, node);
    let step = |step: Step| [way, &[step]].concat();
    if let Some(properties) = node.get("properties").and_then(Value::as_object) {
        found.push((way.to_vec(), properties.keys().cloned().collect()));
        for (key, node) in properties {
            tables(root, node, &step(Step::Key(key.clone())), found);
        }
    }
    if let Some(node) = node.get("additionalProperties").filter(|node| node.is_object()) {
        tables(root, node, &step(Step::Key("x".to_owned())), found);
    }
    if let Some(node) = node.get("items") {
        tables(root, node, &step(Step::Item), found);
    }
    for node in node.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
        tables(root, node, way, found);
    }
}

/// A document that has this key and nothing else.
fn document(way: &[Step], key: &str) -> String {
    let value = way.iter().skip(1).rev().fold(format!("{{ {key} = [] }}"), |inner, step| match step {
        Step::Key(key) => format!("{{ {key} = {inner} }}"),
        Step::Item => format!("[{inner}]"),
    });
    match way.first() {
        Some(Step::Key(first)) => format!("{first} = {value}\n"),
        _ => format!("{key} = []\n"),
    }
}

fn is_unknown(text: &str) -> bool {
    match Config::parse(text, Path::new("gateway.toml"), Path::new("."), &|_| None) {
        Ok(_) => false,
        Err(errors) => errors.iter().any(|error| error.kind == ErrorKind::UnknownKey),
    }
}

#[test]
fn the_reader_knows_every_key_of_the_schema_and_no_other() {
    let root = schema();
    let mut found = Vec::new();
    tables(&root, &root, &[], &mut found);
    assert!(found.len() > 15, "{} tables", found.len());
    for (way, keys) in found {
        for key in keys {
            let text = document(&way, &key);
            assert!(!is_unknown(&text), "the reader does not know the key of {text}");
        }
        let text = document(&way, "no_such_key");
        assert!(is_unknown(&text), "the reader does not mind {text}");
    }
}

#[test]
fn it_says_what_it_is() {
    assert_eq!(schema()["$schema"], json!("https://json-schema.org/draft/2020-12/schema"));
}
