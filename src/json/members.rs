//! Reads the members of a JSON object by name.
//!
//! The code that serde derives for a structure reads it from a list as well as from an object, and exists once
//! for each variant of an enum. For the forty operations and the files of the state folder, that is much more
//! code than a reader of members.

use serde::de::{DeserializeOwned, Error as _};
use serde_json::{Error, Map, Value as Json};

/// The members of an object that are not read yet.
pub(crate) struct Members {
    left: Map<String, Json>,
    /// The names that were read, for the error about a member with another name.
    known: Vec<&'static str>,
}

impl Members {
    /// Reads the members of `object`.
    pub(crate) fn new(object: Map<String, Json>) -> Self {
        Self { left: object, known: Vec::new() }
    }

    /// Parses a text that is an object.
    ///
    /// # Errors
    /// Fails if the text is not a JSON object.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(text).map(Self::new)
    }

    /// Reads a member that must be present.
    ///
    /// # Errors
    /// Fails if the member is missing, or if its value has another type.
    pub(crate) fn required<T: DeserializeOwned>(&mut self, name: &'static str) -> Result<T, Error> {
        match self.take(name) {
            Some(value) => read(name, value),
            None => Err(Error::missing_field(name)),
        }
    }

    /// Reads a member that may be left out, such as an `Option` or a list.
    ///
    /// # Errors
    /// Fails if its value has another type.
    pub(crate) fn optional<T: DeserializeOwned + Default>(&mut self, name: &'static str) -> Result<T, Error> {
        match self.take(name) {
            Some(value) => read(name, value),
            None => Ok(T::default()),
        }
    }

    /// Refuses the members that were not read.
    ///
    /// # Errors
    /// Fails if there is one, and names it.
    pub(crate) fn finish(self) -> Result<(), Error> {
        let Some(name) = self.left.keys().next() else { return Ok(()) };
        let known: Vec<String> = self.known.iter().map(|known| format!("`{known}`")).collect();
        Err(Error::custom(format!("unknown field `{name}`, expected one of {}", known.join(", "))))
    }

    fn take(&mut self, name: &'static str) -> Option<Json> {
        self.known.push(name);
        self.left.remove(name)
    }
}

fn read<T: DeserializeOwned>(name: &str, value: Json) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| in_member(name, &error))
}

fn in_member(name: &str, error: &Error) -> Error {
    Error::custom(format!("`{name}`: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(object: Json) -> Members {
        Members::new(object.as_object().unwrap().clone())
    }

    #[test]
    fn errors_name_the_member() {
        let mut wrong = members(json!({ "at": "now", "other": 1 }));
        let error = wrong.required::<u64>("at").unwrap_err().to_string();
        assert_eq!(error, "`at`: invalid type: string \"now\", expected u64");
        let error = wrong.required::<String>("id").unwrap_err().to_string();
        assert_eq!(error, "missing field `id`");
        assert_eq!(wrong.optional::<Option<u64>>("keep_old").unwrap(), None);
        let error = wrong.finish().unwrap_err().to_string();
        assert_eq!(error, "unknown field `other`, expected one of `at`, `id`, `keep_old`");
    }

    #[test]
    fn members_that_were_read_are_no_longer_left() {
        let mut right = members(json!({ "id": "a", "scopes": ["b"] }));
        assert_eq!(right.required::<String>("id").unwrap(), "a");
        assert_eq!(right.optional::<Vec<String>>("scopes").unwrap(), ["b"]);
        right.finish().unwrap();
        assert!(Members::parse(b"[1]").is_err());
    }
}
