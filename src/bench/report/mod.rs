//! Shows the outcome as a table, as JSON and as an HTML page.

mod html;
mod json;
mod numbers;
mod plot;
mod table;

pub(crate) use html::page;
pub(crate) use json::json;
pub(crate) use numbers::rate;
pub(crate) use table::table;
