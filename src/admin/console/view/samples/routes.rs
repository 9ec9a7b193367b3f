//! Routes, and who reaches them.

use askama::Template;

use super::pieces::*;
use crate::admin::console::view::access::*;
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::frame::*;
use crate::admin::console::view::parts::*;

/// Renders the pages.
pub(super) fn pages(word: &str) -> Vec<(&'static str, String)> {
    let mut pages = Vec::new();
    let mut add =
        |name: &'static str, page: Result<String, askama::Error>| pages.push((name, page.expect(name)));
    let cells = || {
        vec![
            Cell { tone: Tone::Good, text: "yes".into(), url: "/explain?x".into() },
            Cell { tone: Tone::Bad, text: "lacks orders:write".into(), url: "/explain?x".into() },
            Cell { tone: Tone::Plain, text: "disabled".into(), url: "/explain?x".into() },
            Cell { tone: Tone::Good, text: "yes".into(), url: "/explain?x".into() },
            Cell { tone: Tone::Bad, text: "lacks read".into(), url: "/explain?x".into() },
        ]
    };
    let route = |name: &str, mode| RouteRow {
        url: "/routes/show?route=x".into(),
        name: name.into(),
        upstream: "hello".into(),
        mode,
        needs: "read".into(),
        cells: cells(),
    };
    let client = |text: &str| Link { url: "/clients/x".into(), text: text.into() };
    add(
        "routes",
        RoutesPage {
            frame: frame("Routes", Section::Routes, word),
            clients: vec![
                client("server"),
                client(word),
                client("old"),
                client("report"),
                client("batch-import"),
            ],
            rows: vec![
                route("GET, HEAD /hello_world", badge(Tone::Good, "enforced")),
                route(word, badge(Tone::Warn, "shadow")),
                route("/status", badge(Tone::Plain, "public")),
            ],
            more: String::new(),
            expectations: vec![
                ExpectationRow {
                    state: badge(Tone::Good, "holds"),
                    text: "GET /hello_world with client server: pass".into(),
                    detail: String::new(),
                },
                ExpectationRow {
                    state: badge(Tone::Bad, "violated"),
                    text: word.into(),
                    detail: "DELETE /orders/1 gets through".into(),
                },
            ],
        }
        .render(),
    );
    add(
        "route",
        RoutePage {
            frame: frame(word, Section::Routes, word),
            name: word.into(),
            mode: badge(Tone::Warn, "shadow"),
            terms: vec![Term::new("upstream", "hello"), Term::new("needs", word)],
            place: "gateway.toml, line 25".into(),
            text: format!("[[routes]]\npath = \"{word}\""),
            key: word.into(),
            edit: "/routes/edit?route=x".into(),
            switch: Some(ModeSwitch {
                mode: "enforce",
                label: "Add enforcement to changes",
                note: "99.2 % of its requests would pass.".into(),
            }),
        }
        .render(),
    );
    add(
        "route-form",
        RouteFormPage {
            frame: frame("New route", Section::Routes, word),
            errors: Errors::default(),
            name: word.into(),
            key: word.into(),
            show: "/routes/show?route=x".into(),
            is_prefix: true,
            path: word.into(),
            host: String::new(),
            methods: String::new(),
            upstreams: vec![Choice::new("hello", "", true), Choice::new(word, "", false)],
            is_public: false,
            scopes: choices(word),
            modes: vec![Choice::new("", "as [server] says", true), Choice::new("shadow", word, false)],
            rate_limit: String::new(),
            max_body_size: String::new(),
            rest: format!("token_header = {word:?}"),
        }
        .render(),
    );
    add(
        "explain",
        ExplainPage {
            frame: frame("Explain", Section::Explain, word),
            errors: Errors::default(),
            methods: vec![Choice::new("GET", "", true), Choice::new("POST", "", false)],
            url: word.into(),
            clients: vec![Choice::new("server", "", true), Choice::new(word, "", false)],
            answer: Some(Explained {
                tone: Tone::Bad,
                verdict: "403 insufficient_scope".into(),
                why: format!("the token of {word} lacks the scope orders:write"),
                remedies: vec![format!("give {word} the scope orders:write")],
                steps: vec![
                    Term::new("canonical path", word),
                    Term::new("route", "POST /orders"),
                    Term::new("token", "good, scopes read"),
                ],
                place: "gateway.toml, line 25".into(),
                text: "[[routes]]\npath = \"/orders\"\nscopes = [\"orders:write\"]".into(),
            }),
        }
        .render(),
    );
    pages
}
