//! The Rust in the documents, compiled and run as documentation tests.

#[doc = include_str!("../README.md")]
struct Readme;

#[doc = include_str!("../docs/plugin.md")]
struct Plugin;
