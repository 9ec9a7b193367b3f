//! `[[expect]]`.

use http::Method;

use crate::config::{
    address::Host,
    error::ErrorKind,
    model::{Expectation, Expected, ExpectedOutcome, HostPattern, RequestPattern},
    reader::{Table, Value},
    settings::expect::{MAX_EXPECTATIONS, STATUS},
    suggest,
};
use crate::route::pattern::Pattern;

const PATTERN: &str =
    "methods and a path: \"POST,PUT /orders/**\", \"* /admin/{id}\" or \"GET api.example.com/**\"";
const RESULT: &str = "\"pass\", or the status of the gateway's answer, such as 401, 403, 404 or 405";

/// Reads all access tests.
pub(super) fn expectations(value: &Value<'_>, clients: &[&str]) -> Option<Vec<Expectation>> {
    let count = value.inner().as_array().map_or(0, |array| array.len());
    if count > MAX_EXPECTATIONS {
        let message = format!("has {count} access tests: at most {MAX_EXPECTATIONS} are possible");
        return value.fail(ErrorKind::TooMany, message);
    }
    value.each("access tests: [[expect]]", |item| {
        item.table("a table: [[expect]]", |table| expectation(table, clients))?
    })
}

fn expectation(table: &mut Table<'_>, clients: &[&str]) -> Option<Expectation> {
    let position = table.position();
    let client = table.take("client").map(|value| client(&value, clients));
    let method = table.take("method");
    let url = table.take("url");
    let result = table.take("result");
    let never = table.take("never");
    let expected = match never {
        Some(never) => {
            let patterns = never.each("patterns", |item| request_pattern(&item));
            for other in [&method, &url, &result].into_iter().flatten() {
                other.problem(
                    ErrorKind::Conflict,
                    "is beside `never`, which has its own methods and paths: write two [[expect]] tables",
                );
            }
            let patterns = patterns?;
            if patterns.is_empty() {
                return never.invalid(format!("is empty, so it expects nothing: write {PATTERN}"));
            }
            Expected::Never(patterns)
        }
        None => {
            let method = method.map_or(Some(Method::GET), |value| one_method(&value));
            if url.is_none() {
                table.missing(
                    "`url` is missing: the URL of the request, or `never` for all requests of a pattern",
                );
            } else if result.is_none() {
                table.missing(format!("`result` is missing: {RESULT}"));
            }
            let (url, outcome) =
                (url.and_then(|value| self::url(&value)), result.and_then(|value| outcome(&value)));
            Expected::Outcome { method: method?, url: url?, outcome: outcome? }
        }
    };
    Some(Expectation { client: client.map_or(Some(None), |client| client.map(Some))?, expected, position })
}

fn client(value: &Value<'_>, clients: &[&str]) -> Option<String> {
    let id = value.string("the id of a client")?;
    if clients.contains(&id) {
        return Some(id.to_owned());
    }
    let hint = suggest::hint(id, clients.iter().copied());
    value.fail(
        ErrorKind::UnknownName,
        format!("is not one of [clients]{hint}; leave `client` out for a request without a token"),
    )
}

fn one_method(value: &Value<'_>) -> Option<Method> {
    let text = value.string("a method, such as \"GET\"")?;
    method(text).map_or_else(|message| value.invalid(message), Some)
}

fn method(text: &str) -> Result<Method, String> {
    let upper = text.to_ascii_uppercase();
    match Method::from_bytes(text.as_bytes()) {
        Ok(_) if upper != text => Err(format!("must be {upper:?}: methods are case-sensitive")),
        Ok(method) => Ok(method),
        Err(_) => Err("must be a method, such as \"GET\" (RFC 9110 §9.1)".to_owned()),
    }
}

fn url(value: &Value<'_>) -> Option<String> {
    let text = value.text("a URL, or a path for any host", 4096)?;
    let lower = text.to_ascii_lowercase();
    if text.starts_with('/') || lower.starts_with("http://") || lower.starts_with("https://") {
        return Some(text.to_owned());
    }
    value.invalid("must begin with https://, http:// or /")
}

fn outcome(value: &Value<'_>) -> Option<ExpectedOutcome> {
    if value.inner().as_integer().is_some() {
        let status = value.number(&STATUS)?;
        return Some(ExpectedOutcome::Status(u16::try_from(status).unwrap_or(u16::MAX)));
    }
    match value.string(RESULT)? {
        "pass" => Some(ExpectedOutcome::Pass),
        _ => value.invalid(format!("must be {RESULT}")),
    }
}

fn request_pattern(value: &Value<'_>) -> Option<RequestPattern> {
    let text = value.text(PATTERN, 8192)?;
    match parse(text) {
        Ok((methods, host, path)) => {
            Some(RequestPattern { text: text.to_owned(), methods, host, path, position: value.position() })
        }
        Err((at, message)) => value.invalid(format!("{message} (at character {at})")),
    }
}

type Parsed = (Option<Vec<Method>>, Option<HostPattern>, Pattern);

/// Parses a pattern of requests. An error has the number of the character that it is about.
fn parse(text: &str) -> Result<Parsed, (usize, String)> {
    let (methods, target) = text
        .split_once(' ')
        .ok_or_else(|| (1, format!("has no space after the methods: write {PATTERN}")))?;
    let methods = if methods == "*" { None } else { Some(method_list(methods)?) };
    let start = text.len() - target.len();
    let place = |offset: usize| {
        let before = text.get(..start + offset).unwrap_or(text);
        before.chars().count() + 1
    };
    let Some(slash) = target.find('/') else {
        return Err((place(0), format!("has no path that begins with /: write {PATTERN}")));
    };
    let (host, path) = target.split_at(slash);
    let host = if host.is_empty() {
        None
    } else {
        Some(self::host(host).ok_or_else(|| {
            let message = format!(
                "has {host:?} before the path, which is not a host such as api.example.com or *.example.com, without \
                 scheme and port"
            );
            (place(0), message)
        })?)
    };
    let path = self::path(path).map_err(|message| (place(slash), message))?;
    Ok((methods, host, path))
}

fn method_list(text: &str) -> Result<Vec<Method>, (usize, String)> {
    let (mut methods, mut at) = (Vec::new(), 1);
    for name in text.split(',') {
        let method = method(name).map_err(|message| (at, format!("the method {name:?} {message}")))?;
        if methods.contains(&method) {
            return Err((at, format!("has the method {name:?} twice: remove one")));
        }
        methods.push(method);
        at += name.chars().count() + 1;
    }
    Ok(methods)
}

fn host(text: &str) -> Option<HostPattern> {
    match text.strip_prefix("*.") {
        Some(name) => match Host::parse(name)? {
            Host::Name(name) => Some(HostPattern::Below(name)),
            Host::Address(_) => None,
        },
        None => Host::parse(text).map(HostPattern::Exact),
    }
}

/// Parses a path in which `*` is one segment and a final `/**` is any rest.
fn path(text: &str) -> Result<Pattern, String> {
    let (front, is_prefix) = match text.strip_suffix("/**") {
        Some(front) => (front, true),
        None => (text, false),
    };
    // Every `*` becomes a name that no other segment has.
    let mut segments: Vec<String> = front.split('/').map(str::to_owned).collect();
    for at in 0..segments.len() {
        if segments.get(at).is_some_and(|segment| segment == "*") {
            let mut name = format!("{{any-{at}}}");
            while segments.contains(&name) {
                name.insert(1, '_');
            }
            if let Some(segment) = segments.get_mut(at) {
                *segment = name;
            }
        }
    }
    let front = segments.join("/");
    if front.contains("**") {
        return Err("has ** in another place than the end: /** stands for any rest of a path".to_owned());
    }
    let parsed = match (is_prefix, front.as_str()) {
        (true, "") => Pattern::prefix("/"),
        (true, front) => Pattern::prefix(front),
        (false, front) => Pattern::path(front),
    };
    parsed.map_err(|error| format!("the path {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_requests() {
        for (text, methods, host, path) in [
            ("* /**", None, None, "/"),
            ("GET /a", Some(&["GET"][..]), None, "/a"),
            ("POST,PUT /a/**", Some(&["POST", "PUT"]), None, "/a"),
            ("GET Api.Example.com/a/{id}/*", Some(&["GET"]), Some("api.example.com"), "/a/{id}/{any-3}"),
            ("* *.example.com/*/**", None, Some("*.example.com"), "/{any-1}"),
            ("* [::1]/a/", None, Some("[::1]"), "/a/"),
        ] {
            let (got_methods, got_host, got_path) =
                parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
            let got_methods = got_methods
                .map(|methods| methods.iter().map(|method| method.as_str().to_owned()).collect::<Vec<_>>());
            let methods = methods.map(|methods| methods.iter().map(|name| (*name).to_owned()).collect());
            assert_eq!(got_methods, methods, "{text}");
            assert_eq!(got_host.map(|host| host.to_string()).as_deref(), host, "{text}");
            assert_eq!((got_path.as_str(), got_path.is_prefix()), (path, text.ends_with("/**")), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused_at_their_position() {
        for (text, at, part) in [
            ("/orders", 1, "no space"),
            ("get /orders", 1, "\"GET\""),
            ("GET,post /orders", 5, "\"POST\""),
            ("GET,GET /orders", 5, "twice"),
            ("GET, /orders", 5, "method"),
            ("GET orders", 5, "no path"),
            ("GET https://a/b", 5, "scheme"),
            ("GET a:80/b", 5, "port"),
            ("GET  /b", 5, "not a host"),
            ("GET a.example/b/**/c", 14, "**"),
            ("GET /a/x*", 5, "path"),
            ("GET /a/../b", 5, ".. segment"),
            ("GET /a?b", 5, "query"),
            ("GET /{a}/{a}", 5, "twice"),
        ] {
            let (position, message) = parse(text).expect_err(text);
            assert!(position == at && message.contains(part), "{text}: {message} at {position}");
        }
    }
}
