//! Tests of the reader itself, with small crates that are written here.

use crate::imports::imports;
use crate::modules::{Crate, Files};
use crate::tokens::tokens;
use crate::{circular, upward};

fn crate_of(files: &[(&str, &str)]) -> Crate {
    let files: Files = files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned())).collect();
    Crate::read(&files).expect("a readable crate")
}

/// `file:line item file` for each import.
fn found(files: &[(&str, &str)]) -> Vec<String> {
    let mut lines = Vec::new();
    for (file, all) in imports(&crate_of(files)) {
        for (from, items) in all {
            lines.extend(items.iter().map(|(item, line)| format!("{file}:{line} {item} {from}")));
        }
    }
    lines
}

#[test]
fn text_that_only_looks_like_code_is_left_out() {
    let source = r##"
        // crate::a
        /* crate::b /* crate::c */ crate::d */
        let x = "crate::e \" crate::f"; let y = r#"crate::g " crate::h"#; let z = b"crate::i";
        let c = ['"', '\'', '\\', '\u{1F600}', b'x']; let l: &'static str; 'outer: loop {} let n = 1.5e3..2;
        last::word
    "##;
    let words: Vec<&str> =
        tokens(source).iter().filter(|t| t.kind == crate::tokens::Kind::Word).map(|t| t.text).collect();
    assert!(!words.contains(&"crate"), "{words:?}");
    assert_eq!(words.last(), Some(&"word"));
    assert_eq!(tokens(source).last().map(|token| token.line), Some(6));
}

#[test]
fn every_way_to_name_an_item_is_an_import() {
    let files = [
        ("lib.rs", "mod a; mod b; mod c; pub use a::Root;"),
        (
            "a.rs",
            "pub struct One; pub struct Two; pub struct Root; pub fn three() {} pub mod inner { pub struct Four; }",
        ),
        (
            "b.rs",
            "use crate::{a::{One, Two as Second}, Root};\nfn f() { crate::a::three() }\npub(in crate::a) fn g() {}",
        ),
        (
            "c.rs",
            "use super::a::{self, inner};\nfn f(_: a::One) -> inner::Four { use std::fmt; a::made_by_a_macro() }",
        ),
    ];
    assert_eq!(
        found(&files),
        [
            "b.rs:1 One a.rs",
            "b.rs:1 Root a.rs",
            "b.rs:1 Two a.rs",
            "b.rs:2 three a.rs",
            "c.rs:2 Four a.rs",
            "c.rs:2 One a.rs",
            "c.rs:2 made_by_a_macro a.rs",
        ]
    );
}

#[test]
fn a_re_export_leads_to_the_file_that_defines_the_item() {
    let files = [
        ("lib.rs", "mod room; mod user;"),
        (
            "room/mod.rs",
            "mod inner; mod shown; pub use inner::Item; pub(crate) use shown::*; pub fn own() {}",
        ),
        ("room/inner.rs", "use super::own; pub struct Item;"),
        ("room/shown.rs", "pub struct Shown;"),
        ("user.rs", "use crate::room::{Item, Shown, own};"),
    ];
    assert_eq!(
        found(&files),
        [
            "room/inner.rs:1 own room/mod.rs",
            "user.rs:1 Item room/inner.rs",
            "user.rs:1 own room/mod.rs",
            "user.rs:1 Shown room/shown.rs",
        ]
    );
}

#[test]
fn a_module_that_uses_what_it_re_exports_depends_on_it() {
    let files = [
        ("lib.rs", "mod room;"),
        ("room/mod.rs", "mod inner; pub use inner::Item; pub fn own(_: Item) {}"),
        ("room/inner.rs", "use super::own; pub struct Item;"),
    ];
    let [cycle] = circular(&imports(&crate_of(&files))).try_into().expect("one cycle");
    assert!(cycle.starts_with("2 files import each other: room/inner.rs, room/mod.rs\n"), "{cycle}");
    assert!(cycle.contains("src/room/inner.rs:1 imports own from src/room/mod.rs"), "{cycle}");
}

#[test]
fn code_for_tests_may_import_everything() {
    let files = [
        ("lib.rs", "mod a; mod b; #[cfg(test)] mod testing;"),
        (
            "a.rs",
            "pub struct A; #[cfg(test)] mod tests { use crate::b::B; } #[cfg(test)] use crate::b::B as C;",
        ),
        (
            "b.rs",
            "use crate::a::A; pub struct B { #[cfg(test)] a: crate::a::X, c: u8 }\n#[cfg(test)]\nmod tests;",
        ),
        ("b/tests.rs", "use super::B; use crate::testing::all;"),
        ("testing.rs", "#![allow(dead_code)] pub use crate::a::A;"),
    ];
    assert_eq!(found(&files), ["b.rs:1 A a.rs"]);
    assert_eq!(crate_of(&files).reached.len(), files.len());
}

#[test]
fn a_longer_cycle_and_an_import_upward_are_reported() {
    let files = [
        ("lib.rs", "mod clock; mod proxy; mod cli;"),
        ("clock.rs", "use crate::proxy::one::One;"),
        ("proxy/mod.rs", "pub mod one; mod two; mod three;"),
        ("proxy/one.rs", "use super::two::Two; pub struct One;"),
        ("proxy/two.rs", "use super::three::Three; pub struct Two;"),
        ("proxy/three.rs", "use crate::proxy::one; pub struct Three(one::One);"),
        ("cli.rs", "use crate::clock; fn f() { clock::now() }"),
    ];
    let imports = imports(&crate_of(&files));
    let [cycle] = circular(&imports).try_into().expect("one cycle");
    assert!(
        cycle.starts_with("3 files import each other: proxy/one.rs, proxy/three.rs, proxy/two.rs\n"),
        "{cycle}"
    );
    // One import is enough to open it.
    assert_eq!(cycle.matches("    src/").count(), 1, "{cycle}");
    let [upward] = upward(&imports).try_into().expect("one import upward");
    assert!(upward.contains("src/clock.rs:1 imports One from src/proxy/one.rs"), "{upward}");
}
