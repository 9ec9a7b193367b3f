//! `env:NAME` instead of a text: the value of an environment variable.

use std::collections::HashMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value that begins with `env:`.
pub(super) struct Variable {
    /// The name of the variable; `None` is a text that cannot be one.
    pub(super) name: Option<String>,
    /// The value, or `None` if the variable is not set or not UTF-8.
    pub(super) value: Option<String>,
}

/// The variables of a configuration, by the first byte of the text that names them.
pub(super) struct Variables(HashMap<usize, Variable>);

/// The length from which a value is removed from messages. Shorter ones are no secrets, and would be found in
/// any sentence.
const SHORTEST_HIDDEN: usize = 4;

impl Variables {
    /// Finds all of them.
    pub(super) fn find(root: &DeTable<'_>, env: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut found = Self(HashMap::new());
        root.values().for_each(|value| found.add(value, env));
        found
    }

    fn add(&mut self, value: &Spanned<DeValue<'_>>, env: &dyn Fn(&str) -> Option<String>) {
        match value.get_ref() {
            DeValue::String(text) => {
                if let Some(name) = text.strip_prefix("env:") {
                    let name = is_variable_name(name).then(|| name.to_owned());
                    let value_of = name.as_deref().and_then(env);
                    self.0.insert(value.span().start, Variable { name, value: value_of });
                }
            }
            DeValue::Array(array) => array.iter().for_each(|item| self.add(item, env)),
            DeValue::Table(table) => table.values().for_each(|item| self.add(item, env)),
            _ => {}
        }
    }

    /// Returns the variable that the text at this byte names.
    pub(super) fn at(&self, start: usize) -> Option<&Variable> {
        self.0.get(&start)
    }

    /// Puts the names of variables in the place of their values, which may be secrets.
    pub(super) fn hide(&self, mut message: String) -> String {
        for variable in self.0.values() {
            if let (Some(name), Some(value)) = (&variable.name, &variable.value)
                && value.len() >= SHORTEST_HIDDEN
                && message.contains(&**value)
            {
                message = message.replace(&**value, &format!("(the value of {name})"));
            }
        }
        message
    }
}

fn is_variable_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
