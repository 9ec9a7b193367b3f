//! Reads the parsed file key by key and collects every error. (serde would stop at the first.)
//!
//! A [`Table`] returns each key once. Keys that were not taken are unknown. They are reported when the
//! closure that [`Value::table`] was given returns, so that no reader can forget this step.

mod context;
mod text;

use std::{fmt, ops::Range, path::Path, rc::Rc};

use toml::{Spanned, de::DeTable, de::DeValue};

pub(super) use self::context::Context;
pub(crate) use self::text::join;
use self::text::{shorten, show_text};
use super::{
    error::{ErrorKind, Position},
    suggest,
    variables::Variable,
    warning::Lint,
};

use crate::sorting::sort_by_key;

/// A table without the keys that were taken.
pub(super) struct Table<'a> {
    cx: &'a Context<'a>,
    path: Rc<str>,
    span: Range<usize>,
    secret: bool,
    /// In the order of the file.
    left: Vec<(&'a Spanned<toml::de::DeString<'a>>, &'a Spanned<DeValue<'a>>)>,
    asked_for: Vec<&'static str>,
}

impl<'a> Table<'a> {
    /// Reads the document itself.
    pub(super) fn document<T>(
        cx: &'a Context<'a>,
        root: &'a DeTable<'a>,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        Self::read(cx, "".into(), 0..0, root, false, read)
    }

    fn read<T>(
        cx: &'a Context<'a>,
        path: Rc<str>,
        span: Range<usize>,
        entries: &'a DeTable<'a>,
        secret: bool,
        read: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let mut table = Self::new(cx, path, span, entries, secret);
        let outcome = read(&mut table);
        table.finish();
        outcome
    }

    // Not a part of `read`, which is compiled once for every type of table.
    fn new(
        cx: &'a Context<'a>,
        path: Rc<str>,
        span: Range<usize>,
        entries: &'a DeTable<'a>,
        secret: bool,
    ) -> Self {
        let mut left: Vec<_> = entries.iter().collect();
        sort_by_key(&mut left, |(key, _)| key.span().start);
        Self { cx, path, span, secret, left, asked_for: Vec::new() }
    }

    /// Reports the keys that were not taken.
    fn finish(self) {
        for (key, _) in &self.left {
            let name: &str = key.get_ref();
            let instead = suggest::instead_of(&self.path, name);
            let message = match suggest::nearest(name, self.asked_for.iter().copied()) {
                _ if instead.is_some() => format!("unknown key; {}", instead.unwrap_or_default()),
                Some(near) => format!("unknown key; did you mean `{near}`?"),
                None if self.asked_for.len() <= 32 => {
                    format!("unknown key; the keys here are {}", self.asked_for.join(", "))
                }
                None => "unknown key".to_owned(),
            };
            let position = self.cx.position(key.span().start);
            self.cx.report(ErrorKind::UnknownKey, position, &join(&self.path, name), None, message);
        }
    }

    /// Takes a key. Returns `None` if it is missing.
    pub(super) fn take(&mut self, name: &'static str) -> Option<Value<'a>> {
        if !self.asked_for.contains(&name) {
            self.asked_for.push(name);
        }
        let at = self.left.iter().position(|(key, _)| key.get_ref() == name)?;
        let (key, value) = self.left.remove(at);
        Some(self.value(key, value))
    }

    /// Takes a required key, and reports an error with `what` it is for if it is missing.
    pub(super) fn need(&mut self, name: &'static str, what: &str) -> Option<Value<'a>> {
        let value = self.take(name);
        if value.is_none() {
            self.missing(format!("`{name}` is missing: {what}"));
        }
        value
    }

    /// Takes a key and reads it. Returns the default if the key is missing or reading it failed.
    pub(super) fn or<T>(
        &mut self,
        name: &'static str,
        default: T,
        read: impl FnOnce(Value<'a>) -> Option<T>,
    ) -> T {
        self.take(name).and_then(read).unwrap_or(default)
    }

    /// Takes a boolean whose default is `false`.
    pub(super) fn flag(&mut self, name: &'static str) -> bool {
        self.or(name, false, |value| value.boolean())
    }

    /// Takes all remaining keys, in the order of the file: for tables whose keys are names.
    pub(super) fn take_all(&mut self) -> Vec<(&'a str, Value<'a>)> {
        let left = std::mem::take(&mut self.left);
        left.into_iter().map(|(key, value)| (key.get_ref().as_ref(), self.value(key, value))).collect()
    }

    fn value(&self, key: &'a Spanned<toml::de::DeString<'a>>, value: &'a Spanned<DeValue<'a>>) -> Value<'a> {
        Value {
            cx: self.cx,
            path: join(&self.path, key.get_ref()).into(),
            key_span: key.span(),
            span: value.span(),
            secret: self.secret,
            inner: value.get_ref(),
        }
    }

    /// Returns the folder that relative paths start at.
    pub(super) fn base_dir(&self) -> &'a Path {
        self.cx.base_dir
    }

    /// Returns the position of the table.
    pub(super) fn position(&self) -> Position {
        self.cx.position(self.span.start)
    }

    /// Reports an error of the table as a whole.
    pub(super) fn problem(&self, kind: ErrorKind, message: impl Into<String>) {
        self.cx.report(kind, self.position(), &self.path, None, message);
    }

    /// Reports an error of a key elsewhere, for checks that need several tables.
    pub(super) fn problem_at(
        &self,
        position: Position,
        key: &str,
        kind: ErrorKind,
        message: impl Into<String>,
    ) {
        self.cx.report(kind, position, key, None, message);
    }

    /// Warns about the table as a whole.
    pub(super) fn warn(&self, lint: Lint, message: impl Into<String>) {
        self.cx.warn(lint, self.position(), &self.path, None, message);
    }

    /// Reports that the table lacks something.
    pub(super) fn missing(&self, message: impl Into<String>) {
        self.problem(ErrorKind::MissingKey, message);
    }
}

/// A value, its position, and whether errors may show it.
#[derive(Clone)]
pub(super) struct Value<'a> {
    pub(super) cx: &'a Context<'a>,
    path: Rc<str>,
    key_span: Range<usize>,
    span: Range<usize>,
    secret: bool,
    inner: &'a DeValue<'a>,
}

impl<'a> Value<'a> {
    /// Returns the value marked as a secret: errors show neither it nor anything in it.
    pub(super) fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// Returns the value marked as no secret, although it is in a table of secrets.
    pub(super) fn public(mut self) -> Self {
        self.secret = false;
        self
    }

    pub(super) fn inner(&self) -> &'a DeValue<'a> {
        self.inner
    }

    pub(super) fn position(&self) -> Position {
        self.cx.position(self.span.start)
    }

    /// Returns the file that the value is in.
    pub(super) fn file(&self) -> &'a Path {
        self.cx.sources.path(self.position())
    }

    /// Reports an error at the position of this value.
    pub(super) fn problem(&self, kind: ErrorKind, message: impl Into<String>) {
        self.cx.report(kind, self.position(), &self.path, Some(self.shown()), message);
    }

    /// Reports an error of the key, for tables whose keys are names.
    pub(super) fn key_problem(&self, kind: ErrorKind, message: impl Into<String>) {
        self.cx.report(kind, self.cx.position(self.key_span.start), &self.path, None, message);
    }

    /// Adds a warning about a valid value that is probably a mistake.
    pub(super) fn warn(&self, lint: Lint, message: impl Into<String>) {
        self.cx.warn(lint, self.position(), &self.path, Some(self.shown()), message);
    }

    /// Reports an error and returns `None`: the end of a reading function.
    pub(super) fn fail<T>(&self, kind: ErrorKind, message: impl Into<String>) -> Option<T> {
        self.problem(kind, message);
        None
    }

    /// Reports a value that is not accepted, and returns `None`.
    pub(super) fn invalid<T>(&self, message: impl Into<String>) -> Option<T> {
        self.fail(ErrorKind::InvalidValue, message)
    }

    /// Reports a value of the wrong TOML type, and returns `None`.
    pub(super) fn wrong_type<T>(&self, wanted: impl fmt::Display) -> Option<T> {
        self.fail(ErrorKind::WrongType, format!("is {}; it must be {wanted}", self.type_name()))
    }

    /// Returns a text. For `env:NAME`, that is the value of the variable.
    pub(super) fn string(&self, wanted: impl fmt::Display) -> Option<&'a str> {
        let Some(text) = self.inner.as_str() else { return self.wrong_type(wanted) };
        let Some(Variable { name, value }) = self.variable() else { return Some(text) };
        match (name, value) {
            (Some(_), Some(value)) => Some(value),
            (Some(name), None) => self.fail(
                ErrorKind::VariableUnset,
                format!("the environment variable {name} is not set, or not UTF-8: set it, or write the value here"),
            ),
            (None, _) => {
                self.invalid("what follows \"env:\" must be the name of an environment variable")
            }
        }
    }

    /// Returns the environment variable that the value names.
    pub(super) fn variable(&self) -> Option<&'a Variable> {
        self.inner.as_str().and_then(|_| self.cx.variables.at(self.span.start))
    }

    /// Returns the text as far as it is known, without reporting an error.
    pub(super) fn peek(&self) -> Option<&'a str> {
        match self.variable() {
            Some(variable) => variable.value.as_deref(),
            None => self.inner.as_str(),
        }
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        self.inner.as_bool().or_else(|| self.wrong_type("true or false"))
    }

    /// Returns the elements of a list of `what`.
    pub(super) fn list(&self, what: impl fmt::Display) -> Option<Vec<Value<'a>>> {
        let Some(array) = self.inner.as_array() else {
            return self.wrong_type(format_args!("a list of {what}, in [ ]"));
        };
        let element = |(index, item): (usize, &'a Spanned<DeValue<'a>>)| Value {
            cx: self.cx,
            path: format!("{}[{index}]", self.path).into(),
            key_span: item.span(),
            span: item.span(),
            secret: self.secret,
            inner: item.get_ref(),
        };
        Some(array.iter().enumerate().map(element).collect())
    }

    /// Reads each element of a list. Returns `None` if the value is not a list or an element is bad.
    pub(super) fn each<T>(
        &self,
        what: impl fmt::Display,
        read: impl FnMut(Value<'a>) -> Option<T>,
    ) -> Option<Vec<T>> {
        // All elements are read before a bad one ends it, so that all errors are reported.
        let read: Vec<Option<T>> = self.list(what)?.into_iter().map(read).collect();
        read.into_iter().collect()
    }

    /// Reads a table. Its unknown keys are reported when `read` returns.
    pub(super) fn table<T>(
        &self,
        wanted: impl fmt::Display,
        read: impl FnOnce(&mut Table<'a>) -> T,
    ) -> Option<T> {
        let Some(entries) = self.inner.as_table() else {
            return self.wrong_type(wanted);
        };
        Some(Table::read(self.cx, Rc::clone(&self.path), self.span.clone(), entries, self.secret, read))
    }

    fn type_name(&self) -> &'static str {
        match self.inner {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        }
    }

    /// Returns the value as errors may show it.
    fn shown(&self) -> String {
        match self.inner {
            DeValue::Array(_) => "[…]".to_owned(),
            DeValue::Table(_) => "{…}".to_owned(),
            _ if self.secret => "(a secret, not shown)".to_owned(),
            DeValue::String(text) => show_text(text),
            DeValue::Integer(number) => shorten(&number.to_string()),
            DeValue::Float(number) => shorten(&number.to_string()),
            DeValue::Boolean(boolean) => boolean.to_string(),
            DeValue::Datetime(datetime) => datetime.to_string(),
        }
    }
}

/// Reads every entry of a table whose keys are names, so that all errors are reported. Returns `None` if one
/// is bad.
pub(super) fn read_all<'a, T>(
    entries: Vec<(&'a str, Value<'a>)>,
    mut read: impl FnMut(&'a str, Value<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    let all: Vec<Option<T>> = entries.into_iter().map(|(name, value)| read(name, value)).collect();
    all.into_iter().collect()
}
