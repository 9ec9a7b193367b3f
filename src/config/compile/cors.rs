//! `cors` of a route.

use super::{headers, methods::methods};
use crate::config::{
    address::Origin,
    error::ErrorKind,
    model::{Cors, CorsOrigins, Methods},
    reader::Value,
    settings::cors::MAX_AGE,
};

/// Reads `{ origins = [..], methods = [..], headers = [..], max_age = "10m", credentials = true }`.
pub(super) fn cors(value: &Value<'_>, route_methods: &Methods) -> Option<Cors> {
    value.table("{ origins = [\"https://app.example.com\"], … }", |table| {
        let origins_value =
            table.need("origins", "the origins of the pages: [\"https://app.example.com\"], or [\"*\"]");
        let origins = origins_value.as_ref().and_then(origins);
        let credentials = table.flag("credentials");
        if let (true, Some(CorsOrigins::Any), Some(value)) = (credentials, &origins, &origins_value) {
            value.problem(
                ErrorKind::Conflict,
                "allows any origin, which is not possible with credentials = true: name the origins",
            );
        }
        let methods = table.or("methods", route_methods.clone(), |value| self::methods(&value));
        let headers = table.or("headers", Vec::new(), |value| value.set_of("header names", headers::name));
        let max_age = table.optional_duration(&MAX_AGE);
        Some(Cors { origins: origins?, methods, headers, max_age, credentials })
    })?
}

/// Reads `{ origins = [..], headers = [..], max_age = "10m" }` of the OAuth endpoints, whose methods are
/// known and which take no credentials of the browser.
pub(super) fn of_endpoints(value: &Value<'_>) -> Option<Cors> {
    value.table("{ origins = [\"https://docs.example.com\"], … }", |table| {
        let origins_value =
            table.need("origins", "the origins of the pages: [\"https://docs.example.com\"], or [\"*\"]");
        let origins = origins_value.as_ref().and_then(origins);
        let headers = table.or("headers", Vec::new(), |value| value.set_of("header names", headers::name));
        let max_age = table.optional_duration(&MAX_AGE);
        Some(Cors { origins: origins?, methods: Methods::All, headers, max_age, credentials: false })
    })?
}

fn origins(value: &Value<'_>) -> Option<CorsOrigins> {
    let listed = value.set_of("origins, such as \"https://app.example.com\"", |item| {
        let text = item.string("an origin, such as \"https://app.example.com\"")?;
        if text == "*" {
            return Some(None);
        }
        match Origin::parse(text) {
            Ok(origin) => Some(Some(origin)),
            Err(error) => item.invalid(format!(
                "{error}: it must be an origin, such as \"https://app.example.com\", or \"*\""
            )),
        }
    })?;
    if listed.is_empty() {
        return value.invalid("is empty; name the origins, or leave `cors` out");
    }
    let any = listed.iter().any(Option::is_none);
    let named: Vec<Origin> = listed.into_iter().flatten().collect();
    match (any, named.is_empty()) {
        (true, true) => Some(CorsOrigins::Any),
        (true, false) => value.fail(
            ErrorKind::Conflict,
            "has origins beside \"*\", which is any origin: remove them, or the \"*\"",
        ),
        (false, _) => Some(CorsOrigins::Only(named)),
    }
}
