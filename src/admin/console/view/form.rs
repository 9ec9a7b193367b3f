//! The errors of a form, which are shown beside its fields and summarized above it.

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
}
