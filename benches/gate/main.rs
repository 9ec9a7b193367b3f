//! The cost of a check, compared with its alternatives.
//!
//! `cargo run --release -p tollgate-bench` prints criterion's figures, then the ratios that matter: medians
//! of interleaved rounds over the same requests, and the memory per live token, with each store in a separate
//! process. `… -p tollgate-bench -- ratios` skips criterion, `quick` only shows that it works. Exits with 1
//! if a bar is missed.

mod cases;
mod jwt;
mod memory;
mod naive;
mod tokens;

use std::process::ExitCode;
use std::time::Duration;

use cases::Case;
use tokens::{Batch, Tokens};

/// The allocator of the gateway.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LIVE: usize = 1_000_000;
const ROUNDS: usize = 4_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, word, count] = &arguments[..]
        && word == memory::CHILD
    {
        return memory::child(count);
    }
    let quick = arguments.iter().any(|argument| argument == "quick");
    let tokens = Tokens::issue(if quick { 1_000 } else { LIVE });
    let mut cases = cases::all(&tokens);
    if !quick && !arguments.iter().any(|argument| argument == "ratios") {
        criterion(&tokens, &mut cases);
    }
    let met = ratios(&tokens, &mut cases, if quick { 2 } else { ROUNDS });
    drop(cases);
    drop(tokens);
    let met = (quick || memory::report()) && met;
    if quick || met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn criterion(tokens: &Tokens, cases: &mut [Case<'_>]) {
    let mut criterion = criterion::Criterion::default().without_plots();
    let mut random = tokens::Random::new(1);
    for case in cases {
        criterion.bench_function(case.name, |bencher| {
            bencher.iter_custom(|iterations| {
                let (mut left, mut spent) = (iterations, Duration::ZERO);
                while left > 0 {
                    let batch = Batch::draw(tokens, &mut random, usize::try_from(left).unwrap_or(usize::MAX));
                    left -= batch.len() as u64;
                    spent += (case.run)(batch);
                }
                spent
            });
        });
    }
}

/// Prints each case against its reference. Returns whether all bars are met.
fn ratios(tokens: &Tokens, cases: &mut [Case<'_>], rounds: usize) -> bool {
    let mut random = tokens::Random::new(2);
    let mut spent = vec![Vec::with_capacity(rounds); cases.len()];
    for round in 0..rounds {
        // A different first case in each round, and new requests for each case: tokens that the previous case
        // looked up would already be in the cache.
        for step in 0..cases.len() {
            let at = (round + step) % cases.len();
            let batch = Batch::draw(tokens, &mut random, usize::MAX);
            let count = batch.len() as f64;
            spent[at].push((cases[at].run)(batch).as_secs_f64() * 1e9 / count);
        }
    }
    println!("\n{} live tokens, {rounds} interleaved rounds, medians", tokens.len());
    println!("{:<42} {:>8} {:>8} {:>6}", "", "ns", "ratio", "bar");
    let mut met = true;
    for (at, case) in cases.iter().enumerate() {
        let mut ratios: Vec<f64> =
            spent[at].iter().zip(&spent[case.against]).map(|(this, that)| this / that).collect();
        let (time, ratio) = (median(&mut spent[at].clone()), median(&mut ratios));
        let bar = case.bar.map_or_else(|| "-".to_owned(), |bar| format!("{bar:.2}"));
        println!(
            "{:<42} {time:>8.1} {ratio:>8.3} {bar:>6}   against {}",
            case.name, cases[case.against].name
        );
        met &= case.bar.is_none_or(|bar| ratio <= bar);
    }
    met
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
