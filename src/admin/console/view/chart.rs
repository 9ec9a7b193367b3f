//! Draws series as paths of an SVG image: stacked columns, one for each point in time.

use std::fmt::Write as _;

/// A chart of one or several series.
#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) width: usize,
    pub(crate) height: u32,
    /// The text alternative of the chart.
    pub(crate) label: String,
    pub(crate) rules: Vec<String>,
    pub(crate) bands: Vec<Band>,
    /// The labels below its left end, its middle and its right end.
    pub(crate) from: String,
    pub(crate) top: String,
    pub(crate) to: String,
}

/// One series of a stacked chart.
#[derive(Debug)]
pub(crate) struct Band {
    pub(crate) class: &'static str,
    pub(crate) path: String,
}

impl Chart {
    /// Returns whether the chart has nothing to show.
    pub(crate) fn is_empty(&self) -> bool {
        self.bands.iter().all(|band| band.path.is_empty())
    }
}

/// One series: its class in the style sheet, and its values, oldest first.
pub(crate) type Series<'a> = (&'static str, &'a [f64]);

/// Draws series on top of each other, the first at the bottom. All of them have the same number of values.
pub(crate) fn stacked(label: String, series: &[Series<'_>], height: u32) -> Chart {
    let points = series.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
    let value = |values: &[f64], at: usize| values.get(at).copied().filter(|v| v.is_finite()).unwrap_or(0.0);
    let most = (0..points)
        .map(|at| series.iter().map(|(_, values)| value(values, at)).sum::<f64>())
        .fold(0.0, f64::max);
    let top = round_up(most);
    let mut below = vec![0.0; points];
    let mut bands = Vec::with_capacity(series.len());
    for (class, values) in series {
        let mut path = String::new();
        for (at, base) in below.iter_mut().enumerate() {
            let here = value(values, at);
            if here > 0.0 {
                let scale = f64::from(height) / top;
                let (bottom, tall) = (f64::from(height) - *base * scale, here * scale);
                let _ = write!(path, "M{at} {bottom:.1}v-{tall:.1}h1v{tall:.1}z");
            }
            *base += here;
        }
        bands.push(Band { class, path });
    }
    let rules = [0.25, 0.5, 0.75].map(|share| format!("M0 {:.1}H{points}", f64::from(height) * share));
    let top = match most {
        most if most <= 0.0 => String::new(),
        _ if top == 1.0 => "top: 1 request/s".to_owned(),
        _ => format!("top: {top} requests/s"),
    };
    let (from, to) = (String::new(), String::new());
    Chart { width: points.max(1), height, label, rules: rules.into(), bands, from, top, to }
}

/// Returns the smallest of 1, 2, 2.5, 5 times a power of ten that is at least `most`.
fn round_up(most: f64) -> f64 {
    if most <= 0.0 || !most.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(most.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|step| step * power).find(|step| *step >= most).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_stacked_from_the_bottom() {
        let chart = stacked("r".into(), &[("passed", &[1.0, 0.0, 2.0]), ("refused", &[1.0, 0.0, 2.0])], 100);
        assert_eq!(chart.width, 3);
        assert_eq!(chart.bands[0].path, "M0 100.0v-20.0h1v20.0zM2 100.0v-40.0h1v40.0z");
        assert_eq!(chart.bands[1].path, "M0 80.0v-20.0h1v20.0zM2 60.0v-40.0h1v40.0z");
        assert_eq!((chart.top.as_str(), chart.is_empty()), ("top: 5 requests/s", false));
        assert_eq!(stacked("r".into(), &[("passed", &[0.7])], 10).top, "top: 1 request/s");
    }

    #[test]
    fn odd_values_draw_nothing() {
        let chart = stacked("r".into(), &[("passed", &[f64::NAN, -1.0, f64::INFINITY])], 100);
        assert_eq!((chart.bands[0].path.as_str(), chart.is_empty(), chart.top.as_str()), ("", true, ""));
        assert_eq!(stacked("r".into(), &[], 10).width, 1);
    }
}
