//! JSON objects without repeated names.
//!
//! RFC 7515 §4 and RFC 7519 §4 allow both to refuse a repeated name and to use its last value. A signed
//! document would then mean different things to different readers, so it is refused here, at every depth.

use serde::de::{self, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// A JSON object.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::oauth) struct Object(Map<String, Value>);

/// The result of looking a member up.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::oauth) enum Member<T> {
    Absent,
    /// The member has another type.
    Mistyped,
    Is(T),
}

impl<T> Member<T> {
    /// Returns the value of an optional member. A member of another type is an error.
    pub(in crate::oauth) fn optional<E>(self, mistyped: E) -> Result<Option<T>, E> {
        match self {
            Self::Absent => Ok(None),
            Self::Mistyped => Err(mistyped),
            Self::Is(value) => Ok(Some(value)),
        }
    }

    /// Returns the value of a required member.
    pub(in crate::oauth) fn required<E>(self, otherwise: E) -> Result<T, E> {
        match self {
            Self::Absent | Self::Mistyped => Err(otherwise),
            Self::Is(value) => Ok(value),
        }
    }
}

impl Object {
    /// Parses exactly one object in UTF-8, with nothing after it. The depth is bounded by `serde_json` (128).
    pub(in crate::oauth) fn parse(json: &[u8]) -> Option<Self> {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let value = Strict.deserialize(&mut deserializer).ok()?;
        deserializer.end().ok()?;
        Self::from_value(value)
    }

    pub(in crate::oauth) fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Object(members) => Some(Self(members)),
            _ => None,
        }
    }

    pub(in crate::oauth) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(in crate::oauth) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub(in crate::oauth) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    pub(in crate::oauth) fn string(&self, name: &str) -> Member<&str> {
        match self.0.get(name) {
            None => Member::Absent,
            Some(Value::String(text)) => Member::Is(text),
            Some(_) => Member::Mistyped,
        }
    }

    /// Returns a `NumericDate` (RFC 7519 §2) in whole seconds. Fractions are rounded down. A date before 1970
    /// is an error.
    pub(in crate::oauth) fn date(&self, name: &str) -> Member<u64> {
        match self.0.get(name) {
            None => Member::Absent,
            Some(Value::Number(number)) => seconds(number).map_or(Member::Mistyped, Member::Is),
            Some(_) => Member::Mistyped,
        }
    }
}

/// The last second of the year 9999. Later dates are refused, so that sums of dates cannot overflow.
const LATEST: u64 = 253_402_300_799;

fn seconds(number: &Number) -> Option<u64> {
    let whole = match number.as_u64() {
        Some(whole) => whole,
        None => {
            let fractional = number.as_f64().filter(|date| (0.0..=LATEST as f64).contains(date))?;
            fractional as u64
        }
    };
    (whole <= LATEST).then_some(whole)
}

/// Reads a `Value` and refuses repeated names.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without repeated names")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Strict)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(Strict)?;
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a name occurs twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_object_with_each_name_once() {
        let good = [r"{}", r#" {"a":1,"b":{"a":2},"c":[{"a":null},{"a":true}]} "#, r#"{"é":"\u0061"}"#];
        for json in good {
            assert!(Object::parse(json.as_bytes()).is_some(), "{json}");
        }
        let bad = [
            "",
            "null",
            "[]",
            r#""a""#,
            "{",
            "{} {}",
            "{}x",
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"a":1}}"#,
            r#"{"x":[{"a":1,"a":1}]}"#,
            r#"{"a":1,}"#,
            r#"{"a":NaN}"#,
            "{'a':1}",
        ];
        for json in bad {
            assert_eq!(Object::parse(json.as_bytes()), None, "{json}");
        }
        assert_eq!(Object::parse(b"{\"a\":\"\xff\"}"), None, "not UTF-8");
        assert_eq!(Object::parse("{\"a\":".repeat(4000).as_bytes()), None, "too deep");
    }

    #[test]
    fn dates() {
        let table = [
            ("0", Member::Is(0)),
            ("1562262616", Member::Is(1_562_262_616)),
            ("1562262616.9", Member::Is(1_562_262_616)),
            ("1.5e9", Member::Is(1_500_000_000)),
            ("-1", Member::Mistyped),
            ("-0.5", Member::Mistyped),
            ("1e300", Member::Mistyped),
            ("18446744073709551615", Member::Mistyped),
            ("253402300800", Member::Mistyped),
            ("99999999999999999999999", Member::Mistyped),
            ("\"1562262616\"", Member::Mistyped),
            ("null", Member::Mistyped),
            ("true", Member::Mistyped),
        ];
        for (json, expected) in table {
            let object = Object::parse(format!("{{\"exp\":{json}}}").as_bytes()).unwrap();
            assert_eq!(object.date("exp"), expected, "{json}");
            assert_eq!(object.date("nbf"), Member::Absent);
        }
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_where_names_are_unique(json in "[\\[\\]{}:,0-9a\"eE.tfn -]{0,24}") {
            let strict = Object::parse(json.as_bytes());
            let lax: Option<Map<String, Value>> = serde_json::from_str(&json).ok();
            // Accepted text means the same to both parsers. Text that only serde_json accepts has a
            // repetition.
            if let Some(Object(members)) = strict { prop_assert_eq!(Some(members), lax); }
        }
    }
}
