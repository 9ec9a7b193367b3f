//! Clients and their secrets.

use askama::Template;

use super::pieces::*;
use crate::admin::console::view::clients::*;
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::frame::*;
use crate::admin::console::view::parts::*;

/// Renders the pages.
pub(super) fn pages(word: &str) -> Vec<(&'static str, String)> {
    let mut pages = Vec::new();
    let mut add =
        |name: &'static str, page: Result<String, askama::Error>| pages.push((name, page.expect(name)));
    let mut errors = Errors::default();
    errors.add("id", format!("there is already a client {word}"));
    errors.add("secret", "the secret has 3 characters; at least 8 are needed");
    let row = |id: &str, badges, scopes: &[&str]| ClientRow {
        url: "/clients/x".into(),
        id: id.into(),
        badges,
        scopes: scopes.iter().map(ToString::to_string).collect(),
        tokens: "41".into(),
        last_used: "4 minutes ago".into(),
    };
    add(
        "clients",
        ClientsPage {
            frame: frame("Clients", Section::Clients, word),
            query: String::new(),
            count: "3 clients".into(),
            rows: vec![
                row("server", vec![badge(Tone::Good, "enabled")], &["read", "orders:write"]),
                row(word, vec![badge(Tone::Good, "enabled"), badge(Tone::Warn, "in your changes")], &[word]),
                row("old", vec![badge(Tone::Plain, "disabled")], &[]),
            ],
            next: Some("/clients?after=old".into()),
            can_register: true,
            registered_count: 2,
            registered: vec![RegisteredRow {
                url: "/clients/registered/x".into(),
                id: "reg_AAAAAAAAAAAAAAAAAAAAAA".into(),
                name: word.into(),
                badges: vec![badge(Tone::Good, "enabled")],
                template: word.into(),
                scopes: vec![word.into()],
                tokens: "3".into(),
                last_used: "2 hours ago".into(),
            }],
        }
        .render(),
    );
    add(
        "clients-empty",
        ClientsPage {
            frame: frame("Clients", Section::Clients, word),
            query: String::new(),
            count: String::new(),
            rows: vec![],
            next: None,
            can_register: false,
            registered_count: 0,
            registered: vec![],
        }
        .render(),
    );
    let new = |errors: Errors| NewClientPage {
        frame: frame("New client", Section::Clients, word),
        errors,
        id: word.into(),
        client_credentials: true,
        introspection: false,
        own_secret: false,
        scopes: choices(word),
        open_scope: true,
        new_scope: word.into(),
        new_scope_description: word.into(),
    };
    add("new-client", new(Errors::default()).render());
    add("new-client-errors", new(errors).render());
    add(
        "secret",
        SecretPage {
            frame: frame("Client added to your changes", Section::Clients, word),
            warnings: vec!["This secret has 9 characters. A generated one cannot be guessed.".into()],
            client: word.into(),
            client_url: "/clients/x".into(),
            secret: "N3qvYqLkqGZk0vJc2m1hO8mE0fWq2a8rHk5nZ0t9WcE".into(),
            curl_token: format!("curl -k -X POST https://localhost:8443/oauth/v2/oauth-token \\\n  -H 'content-type: application/x-www-form-urlencoded' \\\n  -d 'grant_type=client_credentials&client_id={word}&client_secret=…&scope=read'"),
            curl_call: Some("curl -k https://localhost:8443/hello_world -H \"authorization: Bearer $TOKEN\"".into()),
        }
        .render(),
    );
    add(
        "client",
        ClientPage {
            frame: frame(word, Section::Clients, word),
            errors: Errors::default(),
            id: word.into(),
            url: "/clients/x".into(),
            badges: vec![badge(Tone::Good, "enabled"), badge(Tone::Warn, "in your changes")],
            methods: vec!["private_key_jwt with 2 keys".into()],
            secrets: vec![
                SecretRow {
                    id: "2026-10".into(),
                    ends: "in 3 days".into(),
                    last_used: "2 days ago".into(),
                    from: "10.1.2.3".into(),
                    refused: "0".into(),
                    can_drop: true,
                },
                SecretRow {
                    id: word.into(),
                    ends: "never".into(),
                    last_used: "4 minutes ago".into(),
                    from: "2001:db8::7".into(),
                    refused: "17".into(),
                    can_drop: true,
                },
            ],
            capabilities: vec![
                Choice::new("client_credentials", "may get tokens", true),
                Choice::new("introspection", "may ask about tokens", false),
            ],
            scopes: choices(word),
            default_scopes: vec![Choice::new("read", "", true)],
            held_capabilities: vec![],
            held_scopes: vec![],
            token_lifetime: "299s".into(),
            token_lifetime_hint: "If it is empty, tokens live as long as [token_service] says: 299s.".into(),
            rate_limit: "100/s".into(),
            enabled: true,
            routes: ["GET, HEAD /hello_world", word]
                .map(|text| Link { url: "/routes/show?route=%2Fhello_world".into(), text: text.into() })
                .into(),
            tokens: "41".into(),
            can_revoke: true,
        }
        .render(),
    );
    pages
}
