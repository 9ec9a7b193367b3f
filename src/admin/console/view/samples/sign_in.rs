//! The pages before the sign-in, and the page of an error.

use askama::Template;

use super::pieces::*;
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::frame::*;
use crate::admin::console::view::parts::*;
use crate::admin::console::view::sign_in::*;

/// Renders the pages.
pub(super) fn pages(word: &str) -> Vec<(&'static str, String)> {
    let mut pages = Vec::new();
    let mut add =
        |name: &'static str, page: Result<String, askama::Error>| pages.push((name, page.expect(name)));
    let alone = |title: &str| Frame { user: None, ..frame(title, Section::None, word) };

    add(
        "sign-in",
        SignInPage {
            frame: alone("Sign in"),
            next: "/clients".into(),
            name: word.into(),
            errors: Errors::default(),
        }
        .render(),
    );
    let mut wrong = Errors::default();
    wrong.add("", "Name or password is wrong.");
    add(
        "sign-in-wrong",
        SignInPage { frame: alone("Sign in"), next: "/clients".into(), name: word.into(), errors: wrong }
            .render(),
    );
    let setup = |is_valid| SetupPage {
        frame: alone("Create the first user"),
        is_valid,
        code: "c0de".into(),
        lead: "This user becomes an owner: it may change everything, other users included.",
        button: "Create the user",
        hint: "At least 12 characters. Only its hash is written to gateway.toml.".into(),
        name: word.into(),
        errors: Errors::default(),
    };
    add("setup", setup(true).render());
    add("setup-used", setup(false).render());
    add(
        "problem",
        ProblemPage {
            frame: frame("Not found", Section::Clients, word),
            detail: format!("There is no client {word}."),
            lines: vec![],
            back: Link { url: "/clients".into(), text: "All clients".into() },
        }
        .render(),
    );
    pages
}
