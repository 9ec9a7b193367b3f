//! `[security_log]` and `[tracing]`.

use super::server;
use crate::config::{
    address::{Host, Origin, Scheme},
    model::{AcceptContext, AccessLog, SecurityLog, Tracing},
    reader::{Table, Value},
    settings::observe::{MAX_PER_SECOND, RATIO, SERVICE_NAME},
    warning::Lint,
};

pub(super) fn security_log(value: &Value<'_>) -> Option<SecurityLog> {
    value.table("a table: [security_log]", |table| SecurityLog {
        output: table.or("file", AccessLog::Stdout, |value| server::log_file(&value).map(AccessLog::File)),
        max_per_second: table.number(&MAX_PER_SECOND),
    })
}

pub(super) fn tracing(value: &Value<'_>) -> Option<Tracing> {
    value.table("a table: [tracing]", read_tracing)?
}

fn read_tracing(table: &mut Table<'_>) -> Option<Tracing> {
    const WANTED: &str = "the URL of a collector, such as \"http://127.0.0.1:4318\"";
    let endpoint = table.need("endpoint", WANTED).and_then(|value| endpoint(&value, WANTED));
    let authorization = match table.take("authorization") {
        None => Some(None),
        Some(value) => authorization(value).map(Some),
    };
    let contexts = [
        ("trusted_proxies", AcceptContext::TrustedProxies),
        ("all", AcceptContext::All),
        ("none", AcceptContext::None),
    ];
    let tracing = Tracing {
        endpoint: endpoint?,
        authorization: authorization?,
        service_name: table.or("service_name", SERVICE_NAME, |value| value.text("a name", 255)).to_owned(),
        ratio: table.or("ratio", RATIO, |value| ratio(&value)),
        accept_context: table.or("accept_context", AcceptContext::default(), |value| value.choice(&contexts)),
    };
    Some(tracing)
}

/// Reads the URL of a collector. One without a path gets the usual one.
fn endpoint(value: &Value<'_>, wanted: &str) -> Option<String> {
    let (origin, rest) = match Origin::parse_with_rest(value.string(wanted)?) {
        Ok(parsed) => parsed,
        Err(error) => return value.invalid(error.to_string()),
    };
    if rest.contains(['#', ' ']) {
        return value.invalid("must not have spaces or a fragment");
    }
    let is_local = match &origin.host {
        Host::Address(ip) => ip.to_canonical().is_loopback(),
        Host::Name(name) => &**name == "localhost",
    };
    if origin.scheme == Scheme::Http && !is_local {
        value.warn(
            Lint::PlainHttp,
            "spans go over the network in the clear, with the paths of requests: use https://, or a collector on this \
             machine",
        );
    }
    let path = if matches!(rest, "" | "/") { "/v1/traces" } else { rest };
    Some(format!("{origin}{path}"))
}

fn authorization(value: Value<'_>) -> Option<crate::oauth::secret::Secret> {
    let secret = value.clone().secret_text("the value of a header")?;
    if super::headers::fits_a_value(secret.expose()) {
        Some(secret)
    } else {
        value
            .secret()
            .invalid("cannot be the value of a header: it has control characters, or spaces at its ends")
    }
}

/// Reads a number from 0 to 1, in millionths.
fn ratio(value: &Value<'_>) -> Option<u32> {
    let text = match (value.inner().as_float(), value.inner().as_integer()) {
        (Some(float), _) => float.as_str().to_owned(),
        (None, Some(integer)) => integer.as_str().to_owned(),
        (None, None) => return value.wrong_type("a number from 0 to 1, such as 0.01"),
    };
    match text.parse::<f64>() {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the number is from 0 to 1,000,000"
        )]
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Some((ratio * 1e6).round() as u32),
        _ => value.invalid("must be a number from 0 to 1, such as 0.01"),
    }
}
