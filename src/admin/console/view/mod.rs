//! The data that the pages show, and the templates that render it. This module does not depend on the source
//! of the data. askama escapes every value.

pub(crate) mod access;
pub(crate) mod chart;
pub(crate) mod clients;
pub(crate) mod edits;
pub(crate) mod form;
pub(crate) mod frame;
pub(crate) mod history;
pub(crate) mod overview;
pub(crate) mod parts;
pub(crate) mod records;
pub(crate) mod registration;
pub(crate) mod shadow;
pub(crate) mod sign_in;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
