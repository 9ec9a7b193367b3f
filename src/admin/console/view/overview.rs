//! The first page.

use askama::Template;

use super::chart::Chart;
use super::frame::Frame;
use super::parts::Badge;

/// Traffic, servers, secrets and changes at a glance.
#[derive(Debug, Template)]
#[template(path = "overview.html")]
pub(crate) struct OverviewPage {
    pub(crate) frame: Frame,
    pub(crate) cards: Vec<Card>,
    /// An explanation of missing figures; empty if there are none.
    pub(crate) note: &'static str,
    pub(crate) spans: Vec<Span>,
    pub(crate) legend: Vec<Legend>,
    pub(crate) chart: Chart,
    /// The time that the pictures of the busiest routes show.
    pub(crate) busiest_title: &'static str,
    pub(crate) busiest: Vec<BusyRoute>,
    pub(crate) upstreams: Vec<UpstreamLine>,
    pub(crate) ending: Vec<EndingSecret>,
    pub(crate) shadow: Vec<ShadowedRoute>,
    pub(crate) last: Vec<LastVersion>,
}

/// A number, with a label.
#[derive(Debug)]
pub(crate) struct Card {
    pub(crate) figure: String,
    pub(crate) what: String,
}

/// A time span that the chart can show.
#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) url: String,
    pub(crate) text: &'static str,
    pub(crate) chosen: bool,
}

/// The colour of a verdict, and how often it was reached.
#[derive(Debug)]
pub(crate) struct Legend {
    pub(crate) class: &'static str,
    pub(crate) name: &'static str,
    pub(crate) count: String,
}

/// A route with much traffic.
#[derive(Debug)]
pub(crate) struct BusyRoute {
    pub(crate) name: String,
    pub(crate) rate: String,
    pub(crate) refused: String,
    pub(crate) chart: Chart,
}

/// An upstream in one line.
#[derive(Debug)]
pub(crate) struct UpstreamLine {
    pub(crate) anchor: String,
    pub(crate) name: String,
    pub(crate) state: Badge,
    pub(crate) detail: String,
}

/// A secret that ends soon.
#[derive(Debug)]
pub(crate) struct EndingSecret {
    pub(crate) url: String,
    pub(crate) client: String,
    pub(crate) state: Badge,
    pub(crate) detail: String,
}

/// A route in shadow mode.
#[derive(Debug)]
pub(crate) struct ShadowedRoute {
    pub(crate) name: String,
    pub(crate) state: Badge,
}

/// A version of the file in one line.
#[derive(Debug)]
pub(crate) struct LastVersion {
    pub(crate) number: u64,
    pub(crate) comment: String,
    pub(crate) who: String,
    pub(crate) when: String,
}
