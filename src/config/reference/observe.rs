//! `[security_log]` and `[tracing]`.

use serde_json::json;

use super::key::{Key, Kind, Table};
use super::pattern;
use crate::config::settings::observe::{MAX_PER_SECOND, SERVICE_NAME};

pub(super) fn security_log() -> Table {
    Table::new(
        "[security_log]",
        "Events for a security team, such as failed authentications, one JSON object on each line, in the fields of the \
         Elastic Common Schema. Left out, there is none.",
        "[security_log]\n§",
    )
    .keys([
        Key::new(
            "file",
            Kind::text("path of a file", pattern::LINE),
            "The file that lines are appended to. Its folder must exist. A reload and SIGHUP open it again.",
        )
        .default_note("standard output")
        .example(r#""security.log""#)
        .wrong(r#""""#),
        Key::number(
            &MAX_PER_SECOND,
            "The most lines of each kind of event in a second. What is left out is counted.",
        ),
    ])
}

pub(super) fn tracing() -> Table {
    Table::new(
        "[tracing]",
        "OpenTelemetry traces, sent to a collector over HTTP (OTLP). Left out, there are none, and trace headers of \
         clients are passed on like any other.",
        "[tracing]\n§",
    )
    .base("endpoint = \"http://127.0.0.1:4318\"")
    .keys([
        Key::new(
            "endpoint",
            Kind::text("URL: `https://` or `http://`", r#"[Hh][Tt][Tt][Pp][Ss]?://[^\s"<>\\#]+"#),
            "The collector. A URL without a path means its `/v1/traces`.",
        )
        .required()
        .example(r#""https://otlp.example.com""#)
        .wrong(r#""collector:4318""#)
        .beside(""),
        Key::new(
            "authorization",
            Kind::Schema("secret", pattern::secret_value()),
            "The `Authorization` header of requests to the collector.",
        )
        .default_note("none")
        .example(r#""env:OTLP_AUTHORIZATION""#)
        .wrong(r#""env:OTLP AUTHORIZATION""#),
        Key::new("service_name", Kind::any_text("a name"), "The `service.name` of the spans.")
            .default(format!("{SERVICE_NAME:?}"))
            .example(r#""gateway-eu""#)
            .wrong("7"),
        Key::new(
            "ratio",
            Kind::Schema("number from 0 to 1", json!({ "type": "number", "minimum": 0, "maximum": 1 })),
            "The share of traces that are recorded. It decides where a request comes without an accepted trace context; \
             otherwise the context says whether the trace is recorded.",
        )
        .default("0.01")
        .example("0.1")
        .wrong("1.5"),
        Key::new(
            "accept_context",
            Kind::Choice(vec!["trusted_proxies", "all", "none"]),
            "The clients whose `traceparent` and `tracestate` are accepted. With `all`, every client decides which of \
             its requests are recorded.",
        )
        .default(r#""trusted_proxies""#)
        .example(r#""all""#)
        .wrong(r#""some""#),
    ])
}
