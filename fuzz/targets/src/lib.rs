//! Fuzz targets for whatever reads bytes of an outsider. Each compares with a reader that is as plain as can
//! be, or asserts what must hold of everything that is accepted.
//!
//! libFuzzer runs them for as long as you like (`../any.rs`); the tests of this crate run each over its
//! seeds, over mutations of them and over random bytes, in a few seconds. README.md in the folder above says
//! how.

use arbitrary::{Arbitrary, Unstructured};

mod hyper_server;
#[cfg(test)]
mod mutation;
#[cfg(test)]
mod quick;
mod readers;
mod targets;

/// A target by its name, and the dictionary of words that its input is made of.
pub struct Target {
    /// What the module, the folder of its seeds and its test are called.
    pub name: &'static str,
    /// A file of `dictionaries/`, without its ending. Empty if there is none.
    pub dictionary: &'static str,
    /// Tries one input. Panics if something is wrong.
    pub run: fn(&[u8]),
}

macro_rules! targets {
    ($($name:ident: $dictionary:literal,)*) => {
        /// Every target.
        pub const TARGETS: &[Target] = &[$(Target {
            name: stringify!($name),
            dictionary: $dictionary,
            run: |bytes| feed(targets::$name::run, bytes),
        }),*];

        #[cfg(test)]
        mod each {
            $(#[test]
            fn $name() {
                crate::quick::run(stringify!($name));
            })*
        }
    };
}

// A new target is a file in `targets/`, a line here, and a line in `targets/mod.rs`.
targets! {
    assertion: "",
    basic: "authorization",
    bearer: "authorization",
    certificate: "",
    chunked: "http",
    connection: "http",
    dpop: "",
    form: "form",
    jwks: "",
    path: "path",
    request_head: "http",
    response_head: "http",
    routes: "",
    scope: "",
}

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Makes of the bytes what a target takes, as libFuzzer would. Bytes that are too few are no input.
fn feed<'a, T: Arbitrary<'a>>(run: fn(T), bytes: &'a [u8]) {
    if let Ok(input) = T::arbitrary_take_rest(Unstructured::new(bytes)) {
        run(input);
    }
}
