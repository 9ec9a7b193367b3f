//! Routes of which neither is more specific than the other.

use std::collections::HashMap;

use crate::config::{
    address::Host,
    error::Place,
    model::{Methods, PathPattern, Route},
};

/// The routes so far, by what decides which of two is more specific.
pub(super) struct Ties(HashMap<Key, Vec<Entry>>);

/// The shape is in lower case here: two routes can meet as soon as one of them matches in any case.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    host: Option<Host>,
    is_prefix: bool,
    lower_shape: String,
}

struct Entry {
    shape: String,
    folds_case: bool,
    methods: Methods,
    place: Place,
}

impl Ties {
    pub(super) fn new() -> Self {
        Self(HashMap::new())
    }

    /// Adds a route, or tells where the one stands that it ties with.
    pub(super) fn add(&mut self, route: &Route, shape: &str, folds_case: bool) -> Option<Place> {
        let key = Key {
            host: route.host.clone(),
            is_prefix: matches!(route.path, PathPattern::Prefix(_)),
            lower_shape: shape.to_ascii_lowercase(),
        };
        let entries = self.0.entry(key).or_default();
        let tied = entries.iter().find(|other| {
            (folds_case || other.folds_case || other.shape == shape) && other.methods.overlaps(&route.methods)
        });
        let place = tied.map(|other| other.place);
        if place.is_none() {
            entries.push(Entry {
                shape: shape.to_owned(),
                folds_case,
                methods: route.methods.clone(),
                place: route.place,
            });
        }
        place
    }
}
