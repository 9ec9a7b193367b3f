//! Regular expressions for numbers within bounds, so that the schema refuses `"2d"` where `"1d"` is the most.

use std::time::Duration;

/// Matches the decimal numbers from `least` to `most`, leading zeros allowed.
pub(super) fn from_to(least: u64, most: u64) -> String {
    let mut alternatives = Vec::new();
    let mut first = least;
    while first <= most {
        let last = end_of_run(first, most);
        alternatives.push(run(first, last));
        match last.checked_add(1) {
            Some(next) => first = next,
            None => break,
        }
    }
    format!("0*({})", alternatives.join("|"))
}

/// Matches durations from `least` to `most`, with their units.
pub(super) fn duration(least: Duration, most: Duration) -> String {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    with_units(
        millis(least),
        millis(most),
        &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)],
    )
}

/// Matches sizes from `least` to `most` bytes, with their units. Only 0 needs none.
pub(super) fn size(least: u64, most: u64) -> String {
    let sizes = with_units(least, most, &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)]);
    if least == 0 { format!("0+|{sizes}") } else { sizes }
}

fn with_units(least: u64, most: u64, units: &[(&str, u64)]) -> String {
    let ranges = units.iter().map(|(unit, scale)| (unit, least.div_ceil(*scale), most / scale));
    let possible = ranges.filter(|(_, least, most)| least <= most);
    possible
        .map(|(unit, least, most)| format!("{}{unit}", from_to(least, most)))
        .collect::<Vec<_>>()
        .join("|")
}

/// The last number up to `most` that one expression matches together with `first`: those that differ from it
/// only in the digits at the end, each of which takes every value, and in the one before them.
fn end_of_run(first: u64, most: u64) -> u64 {
    let mut last = first;
    let mut scale: u64 = 1;
    loop {
        // Up to the 9 in the digit of this scale, as far as `most` allows.
        let digit = first / scale % 10;
        let whole = scale - 1;
        let reachable = (most.saturating_sub(first.saturating_add(whole))) / scale;
        let steps = reachable.min(9 - digit);
        let end = first.saturating_add(steps.saturating_mul(scale)).saturating_add(whole);
        if end <= most && end > last {
            last = end;
        }
        // A greater scale needs every smaller digit to begin at 0, and the run to reach its end.
        let at_start = first.is_multiple_of(scale.saturating_mul(10));
        let Some(next) = scale.checked_mul(10) else { return last };
        let fits = first.checked_add(next - 1).is_some_and(|end| end <= most);
        // No run across a number of digits: 0 to 99 are two.
        if !at_start || !fits || first < next {
            return last;
        }
        scale = next;
    }
}

fn run(first: u64, last: u64) -> String {
    let (first, last) = (first.to_string(), last.to_string());
    let mut expression = String::new();
    let mut any = 0;
    for (low, high) in first.chars().zip(last.chars()) {
        match (low, high) {
            _ if low == high => expression.push(low),
            ('0', '9') => any += 1,
            _ => expression.push_str(&format!("[{low}-{high}]")),
        }
    }
    match any {
        0 => expression,
        1 => expression + "[0-9]",
        _ => format!("{expression}[0-9]{{{any}}}"),
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    #[test]
    fn a_number_matches_if_it_is_within_the_bounds() {
        for (least, most) in
            [(0, 0), (0, 9), (1, 10), (0, 1024), (7, 1_203), (200, 599), (99, 100), (1, 1_000), (1, 60_000)]
        {
            let regex = Regex::new(&format!("^({})$", from_to(least, most))).unwrap();
            for number in 0..=most + 1_500 {
                assert_eq!(
                    regex.is_match(&number.to_string()),
                    (least..=most).contains(&number),
                    "{number}: {regex}"
                );
            }
            assert!(regex.is_match(&format!("00{most}")) && !regex.is_match(""));
        }
    }

    #[test]
    fn large_bounds() {
        for (least, most) in [(1, u64::from(u32::MAX)), (1, 86_400_000), (8 << 10, 1 << 50), (0, u64::MAX)] {
            let regex = Regex::new(&format!("^({})$", from_to(least, most))).unwrap();
            let near = |number: u64| {
                (number.saturating_sub(20)..=number.saturating_add(20)).chain([number / 2, number / 3 * 2])
            };
            for number in near(least).chain(near(most)).chain(near(most / 7)) {
                assert_eq!(
                    regex.is_match(&number.to_string()),
                    (least..=most).contains(&number),
                    "{number}: {regex}"
                );
            }
            assert!(!regex.is_match(&format!("{most}0")) || most == 0);
        }
    }
}
