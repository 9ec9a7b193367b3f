//! A target as an ordinary test: its seeds, then inputs made from them. The inputs are the same in every run.

use crate::mutation::{Random, input, words};
use crate::target;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

/// How many inputs a target is tried with, besides its seeds. `FUZZ_RUNS` sets another number.
const RUNS: u64 = 50_000;

/// Runs the target of this name.
pub fn run(name: &str) {
    let target = target(name).expect("a target");
    // The folder of the seeds and the dictionaries.
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let words = match target.dictionary {
        "" => Vec::new(),
        dictionary => words(
            &String::from_utf8(bytes(&here.join("dictionaries").join(dictionary).with_extension("dict")))
                .expect("a dictionary in UTF-8"),
        ),
    };
    let seeds: Vec<Vec<u8>> = files(&here.join("seeds").join(name)).iter().map(|path| bytes(path)).collect();
    for seed in &seeds {
        try_one(target.run, seed);
    }
    let mut random = Random(number("FUZZ_SEED").unwrap_or(0));
    for _ in 0..number("FUZZ_RUNS").unwrap_or(RUNS) {
        try_one(target.run, &input(&mut random, &seeds, &words));
    }
}

/// Shows the input before the panic goes on.
fn try_one(run: fn(&[u8]), input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| run(input))) {
        eprintln!("the input was b\"{}\"", input.escape_ascii());
        resume_unwind(panic);
    }
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// The files of a folder by name. None if there is no folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.expect("an entry of the folder").path()).collect();
    files.sort();
    files
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
