//! The target that the environment variable `TARGET` names, under libFuzzer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use tollgate_fuzz_targets::{TARGETS, target};

static RUN: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("TARGET").unwrap_or_default();
    let Some(target) = target(&name) else {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        eprintln!("TARGET is {name:?}. Set it to one of: {}", names.join(", "));
        std::process::exit(2);
    };
    target.run
});

fuzz_target!(|bytes: &[u8]| RUN(bytes));
