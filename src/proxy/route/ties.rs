//! Routes that are equally specific.

use std::collections::HashMap;

use http::Method;

use super::{Entry, Tie, host_key};

/// Collects entries and tells which of them tie.
#[derive(Debug, Default)]
pub(super) struct Finder {
    /// By host and pattern, both in lower case and names left out: only entries that agree in these can tie.
    seen: HashMap<(Option<String>, bool, String), Vec<Seen>>,
    ties: Vec<Tie>,
    count: usize,
}

#[derive(Debug)]
struct Seen {
    place: usize,
    spelled: String,
    case_insensitive: bool,
    methods: Option<Vec<Method>>,
}

impl Finder {
    pub(super) fn add<T>(&mut self, entry: &Entry<T>) {
        let spelled = entry.pattern.to_string();
        let host = entry.host.as_deref().map(|host| host_key(host).to_ascii_lowercase());
        let key = (host, entry.pattern.is_prefix(), spelled.to_ascii_lowercase());
        let new = Seen {
            place: self.count,
            spelled,
            case_insensitive: entry.case_insensitive,
            methods: entry.methods.clone(),
        };
        self.count += 1;
        let seen = self.seen.entry(key).or_default();
        let tied = seen.iter().filter(|earlier| earlier.ties_with(&new));
        self.ties.extend(tied.map(|earlier| Tie { first: earlier.place, second: new.place }));
        seen.push(new);
    }

    pub(super) fn finish(self) -> Vec<Tie> {
        self.ties
    }
}

impl Seen {
    /// Both are of the same pattern but for case.
    fn ties_with(&self, other: &Self) -> bool {
        if self.case_insensitive != other.case_insensitive {
            // Methods cannot tell them apart: which of them is asked would hang on the case of the path.
            return true;
        }
        let same = self.case_insensitive || self.spelled == other.spelled;
        same && match (&self.methods, &other.methods) {
            (Some(ours), Some(theirs)) => ours.iter().any(|method| theirs.contains(method)),
            _ => true,
        }
    }
}
