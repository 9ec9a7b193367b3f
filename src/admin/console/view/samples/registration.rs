//! Clients that register themselves, and the tokens with which they do.

use askama::Template;

use super::pieces::*;
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::frame::*;
use crate::admin::console::view::parts::*;
use crate::admin::console::view::registration::*;

/// Renders the pages.
pub(super) fn pages(word: &str) -> Vec<(&'static str, String)> {
    let mut pages = Vec::new();
    let mut add =
        |name: &'static str, page: Result<String, askama::Error>| pages.push((name, page.expect(name)));
    let mut errors = Errors::default();
    errors.add("name", format!("there is already an initial access token {word}"));
    errors.add("valid_for", "It must be from 1s to ten years.");
    let registration = |errors: Errors| RegistrationPage {
        frame: frame("Registration", Section::Clients, word),
        errors,
        endpoint: "https://localhost:8443/oauth/v2/register".into(),
        templates: vec![TemplateRow {
            name: word.into(),
            scopes: vec!["read".into(), word.into()],
            methods: vec!["client_secret_basic".into(), "private_key_jwt".into()],
            token_lifetime: "5m".into(),
            rate_limit: "100/s".into(),
            clients: "3 of 50".into(),
            unused_expiry: "after 90 days".into(),
        }],
        tokens: vec![TokenRow {
            name: word.into(),
            badges: vec![badge(Tone::Good, "valid"), badge(Tone::Warn, "new in your changes")],
            template: word.into(),
            expires: "in 6 days".into(),
            uses: "2 of 10".into(),
        }],
        name: word.into(),
        choices: vec![Choice::new(word, "", true), Choice::new("batch", "", false)],
        valid_for: "7d".into(),
        max_uses: "10".into(),
        is_owner: true,
    };
    add("registration", registration(Errors::default()).render());
    add("registration-errors", registration(errors).render());
    add(
        "initial-token",
        InitialTokenPage {
            frame: frame("Initial access token added to your changes", Section::Clients, word),
            name: word.into(),
            token: "tgi_N3qvYqLkqGZk0vJc2m1hO8mE0fWq2a8rHk5nZ0t9WcE".into(),
            curl: "curl -k -X POST https://localhost:8443/oauth/v2/register \\\n  -H 'Authorization: Bearer tgi_…'".into(),
        }
        .render(),
    );
    add(
        "registered",
        RegisteredPage {
            frame: frame(word, Section::Clients, word),
            id: "reg_AAAAAAAAAAAAAAAAAAAAAA".into(),
            url: "/clients/registered/x".into(),
            badges: vec![badge(Tone::Good, "enabled"), badge(Tone::Warn, "disabled in your changes")],
            terms: vec![Term::new("Template", word), Term::new("Name", word)],
            scopes: vec!["read".into(), word.into()],
            routes: vec!["GET, HEAD /hello_world".into(), word.into()],
            tokens: "41".into(),
            can_revoke: true,
            is_disabled: false,
            is_removed: false,
            is_owner: true,
        }
        .render(),
    );
    pages
}
