//! Every page with sample data. `word` represents all texts that a stranger or a user of the console can
//! choose.

mod changes;
mod clients;
mod overview;
mod pieces;
mod records;
mod registration;
mod routes;
mod sign_in;

/// Renders every page.
pub(crate) fn pages(word: &str) -> Vec<(&'static str, String)> {
    let groups = [
        sign_in::pages(word),
        overview::pages(word),
        clients::pages(word),
        registration::pages(word),
        routes::pages(word),
        changes::pages(word),
        records::pages(word),
    ];
    groups.into_iter().flatten().collect()
}
