//! The fields of forms, and their errors, which are shown beside the fields and summarized above them.
//!
//! Each kind of field is a template of its own. As macros, their code would be in each page once more for each
//! field.

use askama::Template;
use askama::filters::HtmlSafe;

use super::parts::Choice;

/// The errors of a form, in the order of its fields.
#[derive(Debug, Clone, Default)]
pub(crate) struct Errors(Vec<FieldError>);

/// The error of a field.
#[derive(Debug, Clone)]
pub(crate) struct FieldError {
    /// The id of the field; empty if the error concerns the whole form.
    pub(crate) field: &'static str,
    pub(crate) message: String,
}

impl Errors {
    /// Adds an error.
    pub(crate) fn add(&mut self, field: &'static str, message: impl Into<String>) {
        self.0.push(FieldError { field, message: message.into() });
    }

    /// Returns the first error of a field.
    pub(crate) fn of(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|error| error.field == field).map(|error| error.message.as_str())
    }

    /// Returns all errors.
    pub(crate) fn list(&self) -> &[FieldError] {
        &self.0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns a field with one line. `extra` is the purpose for which browsers complete it.
    pub(crate) fn input<'a>(
        &'a self,
        field: &'a str,
        label: &'a str,
        value: &'a str,
        hint: &'a str,
        kind: &'a str,
        extra: &'a str,
    ) -> Input<'a> {
        Input { errors: self, field, label, value, hint, kind, extra }
    }

    /// Returns a field with several lines.
    pub(crate) fn area<'a>(
        &'a self,
        field: &'a str,
        label: &'a str,
        value: &'a str,
        hint: &'a str,
        rows: &'a str,
    ) -> Area<'a> {
        Area { errors: self, field, label, value, hint, rows }
    }

    /// Returns a list from which one value is chosen.
    pub(crate) fn select<'a>(
        &'a self,
        field: &'a str,
        label: &'a str,
        choices: &'a [Choice],
        hint: &'a str,
    ) -> Select<'a> {
        Select { errors: self, field, label, choices, hint }
    }
}

/// A field with one line.
#[derive(Template)]
#[template(path = "field_input.html")]
pub(crate) struct Input<'a> {
    errors: &'a Errors,
    field: &'a str,
    label: &'a str,
    value: &'a str,
    hint: &'a str,
    kind: &'a str,
    extra: &'a str,
}

/// A field with several lines.
#[derive(Template)]
#[template(path = "field_area.html")]
pub(crate) struct Area<'a> {
    errors: &'a Errors,
    field: &'a str,
    label: &'a str,
    value: &'a str,
    hint: &'a str,
    rows: &'a str,
}

/// A list from which one value is chosen.
#[derive(Template)]
#[template(path = "field_select.html")]
pub(crate) struct Select<'a> {
    errors: &'a Errors,
    field: &'a str,
    label: &'a str,
    choices: &'a [Choice],
    hint: &'a str,
}

// These are HTML whose values are escaped already.
impl HtmlSafe for Input<'_> {}
impl HtmlSafe for Area<'_> {}
impl HtmlSafe for Select<'_> {}
