//! The data of the pages about access to routes.

use askama::Template;

use super::form::Errors;
use super::frame::Frame;
use super::parts::{Badge, Choice, Link, Term, Tone};

/// The matrix of routes and clients.
#[derive(Debug, Template)]
#[template(path = "routes.html")]
pub(crate) struct RoutesPage {
    pub(crate) frame: Frame,
    pub(crate) clients: Vec<Link>,
    pub(crate) rows: Vec<RouteRow>,
    /// The number of rows and columns that do not fit on the page.
    pub(crate) more: String,
    pub(crate) expectations: Vec<ExpectationRow>,
}

/// A route of the matrix.
#[derive(Debug)]
pub(crate) struct RouteRow {
    pub(crate) url: String,
    pub(crate) name: String,
    pub(crate) upstream: String,
    pub(crate) mode: Badge,
    pub(crate) needs: String,
    pub(crate) cells: Vec<Cell>,
}

/// The access of a client to a route.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) tone: Tone,
    pub(crate) text: String,
    pub(crate) url: String,
}

/// An access test.
#[derive(Debug)]
pub(crate) struct ExpectationRow {
    pub(crate) state: Badge,
    pub(crate) text: String,
    pub(crate) detail: String,
}

/// One route.
#[derive(Debug, Template)]
#[template(path = "route.html")]
pub(crate) struct RoutePage {
    pub(crate) frame: Frame,
    pub(crate) name: String,
    pub(crate) mode: Badge,
    pub(crate) terms: Vec<Term>,
    pub(crate) place: String,
    pub(crate) text: String,
    /// The values by which forms identify this route.
    pub(crate) key: String,
    /// The address of its form.
    pub(crate) edit: String,
    pub(crate) switch: Option<ModeSwitch>,
}

/// The other mode that a route can have.
#[derive(Debug)]
pub(crate) struct ModeSwitch {
    pub(crate) mode: &'static str,
    pub(crate) label: &'static str,
    pub(crate) note: String,
}

/// The form of a new route, or of one that exists.
#[derive(Debug, Template)]
#[template(path = "route_form.html")]
pub(crate) struct RouteFormPage {
    pub(crate) frame: Frame,
    pub(crate) errors: Errors,
    /// The name of the route; empty for a new one.
    pub(crate) name: String,
    /// The value by which the form identifies the route; empty for a new one.
    pub(crate) key: String,
    /// The page of the route.
    pub(crate) show: String,
    pub(crate) is_prefix: bool,
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) methods: String,
    pub(crate) upstreams: Vec<Choice>,
    pub(crate) is_public: bool,
    pub(crate) scopes: Vec<Choice>,
    pub(crate) modes: Vec<Choice>,
    pub(crate) rate_limit: String,
    pub(crate) max_body_size: String,
    /// The other keys, as TOML.
    pub(crate) rest: String,
}

/// The explanation of a request.
#[derive(Debug, Template)]
#[template(path = "explain.html")]
pub(crate) struct ExplainPage {
    pub(crate) frame: Frame,
    pub(crate) errors: Errors,
    pub(crate) methods: Vec<Choice>,
    pub(crate) url: String,
    pub(crate) clients: Vec<Choice>,
    pub(crate) answer: Option<Explained>,
}

/// The decision about a request.
#[derive(Debug)]
pub(crate) struct Explained {
    pub(crate) tone: Tone,
    pub(crate) verdict: String,
    pub(crate) why: String,
    pub(crate) remedies: Vec<String>,
    pub(crate) steps: Vec<Term>,
    pub(crate) place: String,
    pub(crate) text: String,
}
