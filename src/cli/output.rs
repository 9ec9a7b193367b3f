//! The output of commands.

use std::io::{self, Write as _};

use serde_json::Value;

use crate::cli::failure::Failure;

/// Prints a text that ends with a line. A reader that has closed its end (`… | head`) is not a failure.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    match write(text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(|error| Failure::other(format!("cannot write the output: {error}"))),
    }
}

/// Prints a text that cannot be printed again. A reader that has closed its end is a failure.
pub(super) fn print_once(text: &str, remedy: &str) -> Result<(), Failure> {
    write(text).map_err(|error| {
        Failure::other(format!("the change is made, but cannot be shown ({error}): {remedy}"))
    })
}

/// Formats a JSON value, indented.
pub(super) fn json(value: &Value) -> String {
    format!("{value:#}\n")
}

/// Prints a remark to standard error.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Aligns rows in columns, two spaces apart.
pub(super) fn columns(rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    let widths = widths(rows);
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width - cell.chars().count() + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Returns the width of [`columns`], in characters.
pub(super) fn width(rows: &[Vec<String>]) -> usize {
    let widths = widths(rows);
    widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1)
}

fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let mut widths = Vec::new();
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            let length = cell.chars().count();
            match widths.get_mut(at) {
                Some(width) => *width = length.max(*width),
                None => widths.push(length),
            }
        }
    }
    widths
}
