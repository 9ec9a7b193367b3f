//! The terms in which keys are described.

use std::time::Duration;

use serde_json::Value as Json;

use crate::config::restart::RESTART_KEYS;
use crate::config::settings::{Bounds, Setting, Size};
use crate::config::units::{Shown, ShownSize};

/// A table whose keys are fixed.
pub(super) struct Table {
    pub(super) title: &'static str,
    pub(super) about: &'static str,
    /// A document that has this table, with `§` in the place of its lines.
    pub(super) document: &'static str,
    /// Lines that the table needs to be complete, for the examples of its other keys.
    pub(super) base: &'static str,
    pub(super) keys: Vec<Key>,
    pub(super) rules: Vec<Rule>,
}

/// One key of a table.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
    pub(super) default: Given,
    /// A value that is accepted, as TOML.
    pub(super) example: Option<String>,
    /// A value that is refused, as TOML.
    pub(super) wrong: Option<String>,
    /// Whether the schema refuses `wrong` too. It cannot check names in other tables and files.
    pub(super) schema_refuses: bool,
    /// The other lines of the table in the examples of this key; `None` is [`Table::base`].
    pub(super) beside: Option<&'static str>,
}

/// The value of a key that the file does not set.
pub(super) enum Given {
    Nothing,
    /// This value, as TOML.
    Value(String),
    /// Described by this text.
    Note(&'static str),
}

/// A rule about several keys of a table.
pub(super) struct Rule {
    pub(super) about: &'static str,
    pub(super) schema: Json,
}

/// The allowed values of a key.
pub(super) enum Kind {
    Flag,
    Number(u32, u32),
    Duration(Duration, Duration),
    Size(u64, u64),
    Rate,
    Text {
        about: &'static str,
        /// A regular expression for the whole text.
        pattern: Option<String>,
        /// A pattern that the text must not match.
        except: Option<String>,
    },
    DateTime,
    Choice(Vec<&'static str>),
    List {
        item: Box<Kind>,
        least: usize,
        most: Option<usize>,
        unique: bool,
        /// Written as `[[name]]`.
        repeating: bool,
    },
    Table(Table),
    Map {
        name: &'static str,
        about: &'static str,
        pattern: String,
        /// A pattern that a key must not match.
        except: Option<String>,
        value: Box<Kind>,
    },
    /// One of several forms.
    Either(Vec<Kind>),
    /// Only `false`.
    Off,
    /// Something that no other kind describes.
    Schema(&'static str, Json),
}

impl Table {
    pub(super) fn new(title: &'static str, about: &'static str, document: &'static str) -> Self {
        Self { title, about, document, base: "", keys: Vec::new(), rules: Vec::new() }
    }

    pub(super) fn base(mut self, lines: &'static str) -> Self {
        self.base = lines;
        self
    }

    pub(super) fn keys(mut self, keys: impl IntoIterator<Item = Key>) -> Self {
        self.keys.extend(keys);
        self
    }

    pub(super) fn rule(mut self, about: &'static str, schema: Json) -> Self {
        self.rules.push(Rule { about, schema });
        self
    }

    /// Returns a complete file in which the table has `key = value` and the keys that it needs.
    pub(super) fn file(&self, key: &Key, value: Option<&str>) -> String {
        let mut lines: Vec<String> = key.beside.unwrap_or(self.base).lines().map(str::to_owned).collect();
        lines.extend(value.map(|value| format!("{} = {value}", key.name)));
        let separator = if self.document.contains("{ §") { ", " } else { "\n" };
        self.document.replace('§', &lines.join(separator)) + "\n"
    }
}

impl Key {
    /// Returns whether a change of the key in this table takes effect only after a restart.
    pub(super) fn needs_restart(&self, table: &Table) -> bool {
        RESTART_KEYS.iter().any(|key| key.table == table.title && key.name == self.name)
    }

    pub(super) fn new(name: &'static str, kind: Kind, about: &'static str) -> Self {
        Self {
            name,
            about,
            kind,
            required: false,
            default: Given::Nothing,
            example: None,
            wrong: None,
            schema_refuses: true,
            beside: None,
        }
    }

    pub(super) fn flag(name: &'static str, default: bool, about: &'static str) -> Self {
        Self::new(name, Kind::Flag, about).default(default).example((!default).to_string()).wrong(r#""yes""#)
    }

    pub(super) fn number(setting: &Setting<u32>, about: &'static str) -> Self {
        Self::optional_number(&setting.bounds, about)
            .default(setting.default)
            .example(setting.default.to_string())
    }

    pub(super) fn optional_number(bounds: &Bounds<u32>, about: &'static str) -> Self {
        let above = u64::from(bounds.most) + 1;
        Self::new(bounds.name, Kind::Number(bounds.least, bounds.most), about).wrong(above.to_string())
    }

    pub(super) fn duration(setting: &Setting<Duration>, about: &'static str) -> Self {
        let default = format!("\"{}\"", Shown(setting.default));
        Self::optional_duration(&setting.bounds, about).default(&default).example(default)
    }

    pub(super) fn optional_duration(bounds: &Bounds<Duration>, about: &'static str) -> Self {
        Self::new(bounds.name, Kind::Duration(bounds.least, bounds.most), about).wrong("5")
    }

    pub(super) fn size(setting: &Setting<Size>, about: &'static str) -> Self {
        let Bounds { name, least, most } = setting.bounds;
        let default = format!("\"{}\"", ShownSize(setting.default.0));
        Self::new(name, Kind::Size(least.0, most.0), about)
            .default(&default)
            .example(default)
            .wrong(r#""10MB""#)
    }

    /// A table in its own right.
    pub(super) fn table(name: &'static str, table: Table) -> Self {
        let about = table.about;
        Self::new(name, Kind::Table(table), about)
    }

    pub(super) fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(super) fn default(mut self, value: impl ToString) -> Self {
        self.default = Given::Value(value.to_string());
        self
    }

    pub(super) fn default_note(mut self, note: &'static str) -> Self {
        self.default = Given::Note(note);
        self
    }

    pub(super) fn example(mut self, value: impl Into<String>) -> Self {
        self.example = Some(value.into());
        self
    }

    pub(super) fn wrong(mut self, value: impl Into<String>) -> Self {
        self.wrong = Some(value.into());
        self
    }

    /// A bad value that only `check` can tell from a good one.
    pub(super) fn wrong_for_check(self, value: impl Into<String>) -> Self {
        Self { schema_refuses: false, ..self.wrong(value) }
    }

    pub(super) fn beside(mut self, lines: &'static str) -> Self {
        self.beside = Some(lines);
        self
    }
}

impl Kind {
    pub(super) fn text(about: &'static str, pattern: impl Into<String>) -> Self {
        Self::Text { about, pattern: Some(pattern.into()), except: None }
    }

    pub(super) fn any_text(about: &'static str) -> Self {
        Self::Text { about, pattern: None, except: None }
    }

    pub(super) fn list(item: Self) -> Self {
        Self::List { item: Box::new(item), least: 0, most: None, unique: false, repeating: false }
    }

    /// A list in which no element is twice.
    pub(super) fn set(item: Self) -> Self {
        Self::List { item: Box::new(item), least: 0, most: None, unique: true, repeating: false }
    }

    pub(super) fn not_empty(mut self) -> Self {
        if let Self::List { least, .. } = &mut self {
            *least = 1;
        }
        self
    }

    pub(super) fn most(mut self, items: usize) -> Self {
        if let Self::List { most, .. } = &mut self {
            *most = Some(items);
        }
        self
    }

    pub(super) fn repeating(mut self) -> Self {
        if let Self::List { repeating, .. } = &mut self {
            *repeating = true;
        }
        self
    }

    pub(super) fn map(
        name: &'static str,
        pattern: impl Into<String>,
        about: &'static str,
        value: Self,
    ) -> Self {
        Self::Map { name, about, pattern: pattern.into(), except: None, value: Box::new(value) }
    }

    /// Excludes some texts, or some keys of a map.
    pub(super) fn but_not(mut self, expression: String) -> Self {
        if let Self::Text { except, .. } | Self::Map { except, .. } = &mut self {
            *except = Some(expression);
        }
        self
    }
}
