//! Figures over several rounds, and the ratio of two of them.
//!
//! A figure of a scenario is the median of its rounds, and a ratio is that of two such figures: what the
//! summary says is what a reader gets from dividing two cells of the table. The spread of a ratio is that of
//! the rounds in pairs: both scenarios run in each round, shortly after each other, so other load on the
//! machine affects both. A ratio of medians always lies within that spread.

use super::scenario::Kind;

use crate::sorting::sort_by;

/// The median of the rounds, and the extremes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) greatest: f64,
}

impl Spread {
    /// Sorts the values. Returns `None` if there are none, or if one of them is not a number.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        if values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        sort_by(&mut values, f64::total_cmp);
        let (least, greatest) = (*values.first()?, *values.last()?);
        let upper = *values.get(values.len() / 2)?;
        let lower = *values.get((values.len() - 1) / 2)?;
        Some(Self { median: f64::midpoint(lower, upper), least, greatest })
    }
}

/// A figure of one scenario, divided by that of another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ratio {
    /// The ratio of the two medians.
    pub(crate) value: f64,
    /// The smallest ratio within a round.
    pub(crate) least: f64,
    /// The greatest ratio within a round.
    pub(crate) greatest: f64,
    pub(crate) rounds: usize,
}

/// What the rounds together show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// All rounds agree which figure is greater, or all show the same.
    Clear,
    /// The figures overlap: some rounds show more, others less or the same.
    TooNoisy,
    /// A single round has no spread.
    SingleRound,
}

impl Ratio {
    /// Divides the figures of each round. Returns `None` unless both scenarios have a figure for each round.
    pub(crate) fn of(of: &[f64], to: &[f64]) -> Option<Self> {
        if of.len() != to.len() {
            return None;
        }
        let spread = Spread::of(of.iter().zip(to).map(|(of, to)| of / to))?;
        let value = Spread::of(of.iter().copied())?.median / Spread::of(to.iter().copied())?.median;
        Some(Self { value, least: spread.least, greatest: spread.greatest, rounds: of.len() })
    }

    /// Judges the ratio by what a reader sees of it, which is two decimals.
    pub(crate) fn verdict(&self) -> Verdict {
        let hundredths = |ratio: f64| (ratio * 100.0).round();
        let (least, greatest) = (hundredths(self.least), hundredths(self.greatest));
        match self.rounds {
            1 => Verdict::SingleRound,
            _ if least >= greatest || least > 100.0 || greatest < 100.0 => Verdict::Clear,
            _ => Verdict::TooNoisy,
        }
    }
}

/// One scenario compared with another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) of: Kind,
    pub(crate) to: Kind,
    /// The gateway's processor time per request.
    pub(crate) cpu: Option<Ratio>,
    /// Requests per second.
    pub(crate) rate: Option<Ratio>,
}

impl Comparison {
    /// Returns the ratios that are known.
    pub(crate) fn ratios(&self) -> impl Iterator<Item = Ratio> {
        [self.cpu, self.rate].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_the_median_and_the_extremes() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([1.0, f64::NAN]), None);
        assert_eq!(Spread::of([1.0, f64::INFINITY]), None);
        let spread = |values: &[f64]| Spread::of(values.iter().copied()).unwrap();
        assert_eq!(spread(&[3.0]), Spread { median: 3.0, least: 3.0, greatest: 3.0 });
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Spread { median: 2.0, least: 1.0, greatest: 3.0 });
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]), Spread { median: 2.5, least: 1.0, greatest: 4.0 });
    }

    #[test]
    fn a_ratio_is_that_of_the_medians_and_lies_within_its_spread() {
        // The median of the ratios by round would be 0.5, although the medians are the same.
        let ratio = Ratio::of(&[1.0, 2.0, 3.0], &[2.0, 4.0, 1.0]).unwrap();
        assert_eq!(ratio, Ratio { value: 1.0, least: 0.5, greatest: 3.0, rounds: 3 });
        let mut state = 7_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            1.0 + (state >> 40) as f64
        };
        for rounds in 1..50 {
            let mut figures = || (0..rounds % 7 + 1).map(|_| random()).collect::<Vec<f64>>();
            let (of, to) = (figures(), figures());
            let ratio = Ratio::of(&of, &to).unwrap();
            let within = ratio.least * (1.0 - 1e-12)..=ratio.greatest * (1.0 + 1e-12);
            assert!(within.contains(&ratio.value), "{of:?} {to:?}: {ratio:?}");
        }
    }

    #[test]
    fn rounds_that_do_not_match_have_no_ratio() {
        assert_eq!(Ratio::of(&[], &[]), None);
        assert_eq!(Ratio::of(&[1.0, 2.0], &[1.0]), None);
        assert_eq!(Ratio::of(&[1.0, 2.0], &[1.0, 0.0]), None);
    }

    #[test]
    fn rounds_that_disagree_are_too_noisy() {
        let verdict = |ratios: &[f64]| Ratio::of(ratios, &vec![1.0; ratios.len()]).unwrap().verdict();
        for (ratios, expected) in [
            (&[1.5][..], Verdict::SingleRound),
            (&[1.02, 1.01, 1.5], Verdict::Clear),
            (&[0.5, 0.99], Verdict::Clear),
            (&[1.0, 1.001, 0.999], Verdict::Clear),
            (&[0.99, 1.01], Verdict::TooNoisy),
            (&[1.0, 1.2, 1.1], Verdict::TooNoisy),
            (&[0.8, 0.9, 1.004], Verdict::TooNoisy),
        ] {
            assert_eq!(verdict(ratios), expected, "{ratios:?}");
        }
    }
}
