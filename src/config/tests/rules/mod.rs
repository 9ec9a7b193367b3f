//! Each rule of the file: the smallest text that breaks it, the position of the error, and its remedy.

mod acme;
mod clients;
mod forwarding;
mod listeners;
mod registration;
mod routes;
mod server;
mod store;
mod tls;
mod upstreams;

use super::{Config, good, only_error};
use crate::config::ErrorKind::{self, *};

/// Each text follows a part of a good file that has scopes and upstreams. Lines are counted from the first
/// line of the text.
const BEFORE: &str = "[scopes]\nread = \"r\"\nwrite = \"w\"\n[upstreams.api]\nservers = [\"http://127.0.0.1:1\"]\n\
                      [upstreams.folded]\nservers = [\"http://127.0.0.1:2\"]\ncase_insensitive = true\n\
                      [upstreams.basic]\nservers = [\"http://127.0.0.1:3\"]\ncredentials = { basic = { user = \"u\", password = \"p\" } }\n";

type Rule<'a> = (&'a str, u32, &'a str, ErrorKind, &'a str);

fn check(rules: &[Rule<'_>]) {
    let before = BEFORE.lines().count() as u32;
    for &(text, line, key, kind, help) in rules {
        let error = only_error(&format!("{BEFORE}{text}"));
        assert_eq!(
            (error.position.unwrap().line - before, error.key.as_str(), error.kind),
            (line, key, kind),
            "{error}"
        );
        assert!(error.to_string().contains(help), "{help:?} is not in: {error}");
    }
}
