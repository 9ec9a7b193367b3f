//! Traces: one span for each request with the upstream's as its child, sent to a collector that reads OTLP
//! over HTTP.

use crate::support::metrics::Scrape;
use crate::support::upstream::Recorded;
use crate::support::{Config, Fixture, Gateway, Upstream, get, raw};
use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

/// One field of a protobuf message.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Reads the fields of a protobuf message.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (first, rest) = bytes.split_first().expect("a varint");
            *bytes = rest;
            value |= u64::from(first & 0x7f) << shift;
            shift += 7;
            if first & 0x80 == 0 {
                return value;
            }
        }
    }
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let field = match key & 7 {
            0 => Field::Number(varint(&mut bytes)),
            1 => {
                let (value, rest) = bytes.split_at(8);
                bytes = rest;
                Field::Number(u64::from_le_bytes(value.try_into().expect("eight bytes")))
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)).expect("a length");
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(value)
            }
            5 => {
                let (value, rest) = bytes.split_at(4);
                bytes = rest;
                Field::Number(u32::from_le_bytes(value.try_into().expect("four bytes")).into())
            }
            other => panic!("wire type {other}"),
        };
        all.push((key >> 3, field));
    }
    all
}

fn messages(bytes: &[u8], number: u64) -> Vec<&[u8]> {
    let all = fields(bytes).into_iter().filter(|(field, _)| *field == number);
    all.filter_map(|(_, field)| if let Field::Bytes(bytes) = field { Some(bytes) } else { None }).collect()
}

/// A span, by the numbers of opentelemetry/proto/trace/v1/trace.proto.
#[derive(Debug)]
struct Span {
    trace_id: String,
    id: String,
    parent: String,
    state: String,
    name: String,
    kind: u64,
    start: u64,
    end: u64,
    attributes: BTreeMap<String, String>,
    service: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attributes(message: &[u8], number: u64) -> BTreeMap<String, String> {
    let one = |pair: &[u8]| {
        let key = String::from_utf8(messages(pair, 1)[0].to_vec()).expect("UTF-8");
        let value = match fields(messages(pair, 2)[0]).remove(0) {
            (1, Field::Bytes(text)) => String::from_utf8(text.to_vec()).expect("UTF-8"),
            (_, Field::Number(number)) => number.to_string(),
            (_, Field::Bytes(bytes)) => hex(bytes),
        };
        (key, value)
    };
    messages(message, number).into_iter().map(one).collect()
}

fn spans(request: &Recorded) -> Vec<Span> {
    let mut all = Vec::new();
    for resource_spans in messages(&request.body, 1) {
        let service = attributes(messages(resource_spans, 1)[0], 1)["service.name"].clone();
        for scope_spans in messages(resource_spans, 2) {
            for span in messages(scope_spans, 2) {
                let text = |number| {
                    messages(span, number).first().map(|text| String::from_utf8_lossy(text).into_owned())
                };
                let id = |number| messages(span, number).first().map(|id| hex(id)).unwrap_or_default();
                let number = |wanted| {
                    fields(span)
                        .into_iter()
                        .find_map(|(number, field)| match field {
                            Field::Number(value) if number == wanted => Some(value),
                            _ => None,
                        })
                        .unwrap_or_default()
                };
                all.push(Span {
                    trace_id: id(1),
                    id: id(2),
                    state: text(3).unwrap_or_default(),
                    parent: id(4),
                    name: text(5).unwrap_or_default(),
                    kind: number(6),
                    start: number(7),
                    end: number(8),
                    attributes: attributes(span, 9),
                    service: service.clone(),
                });
            }
        }
    }
    all
}

/// Returns the spans that the collector has, once there are as many.
#[track_caller]
fn collected(collector: &Upstream, gateway: &Gateway, count: usize) -> Vec<Span> {
    let started = Instant::now();
    loop {
        let all: Vec<Span> = collector.requests("POST /v1/traces ").iter().flat_map(spans).collect();
        if all.len() >= count {
            assert_eq!(all.len(), count, "{all:#?}");
            return all;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{all:#?}\n{}", gateway.written());
        thread::sleep(Duration::from_millis(20));
    }
}

fn traced(collector: &Upstream, lines: &str) -> impl FnOnce(Config) -> Config {
    let table = format!("[tracing]\nendpoint = \"http://{}\"\n{lines}", collector.address());
    move |config| config.table(&table).table("[metrics]\nlisten = \"http://127.0.0.1:0\"")
}

const CONTEXT: &str = "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn a_request_has_a_span_whose_child_is_the_upstreams_and_the_context_goes_on() {
    let collector = Upstream::start();
    let lines = "ratio = 1\naccept_context = \"all\"\nservice_name = \"gateway-7\"\nauthorization = \"Bearer collector\"";
    let fixture = Fixture::start(traced(&collector, lines));
    let bearer = fixture.bearer("server", "read");
    let token_request = collected(&collector, &fixture.gateway, 1);
    assert_eq!((token_request[0].name.as_str(), token_request[0].kind), ("POST (token)", 2));
    fixture.raw(get("/hello?secret=7", &[&bearer, CONTEXT, "tracestate: a=1,b=2"])).status(200);
    let all = collected(&collector, &fixture.gateway, 3);
    let [_, upstream, request] = &all[..] else { panic!("{all:#?}") };
    assert_eq!(request.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(
        (request.parent.as_str(), request.kind, request.name.as_str()),
        ("00f067aa0ba902b7", 2, "GET /hello")
    );
    assert_eq!((&upstream.trace_id, &upstream.parent, upstream.kind), (&request.trace_id, &request.id, 3));
    assert!(request.start <= upstream.start && upstream.end <= request.end && request.start < request.end);
    let shown = |name: &str| request.attributes.get(name).map(String::as_str);
    assert_eq!(shown("http.response.status_code"), Some("200"));
    assert_eq!(
        (shown("url.path"), shown("http.route"), shown("tollgate.client_id")),
        (Some("/hello"), Some("/hello"), Some("server"))
    );
    assert_eq!(upstream.attributes["server.port"], fixture.upstream.address().port().to_string());
    assert_eq!((request.service.as_str(), request.state.as_str()), ("gateway-7", "a=1,b=2"));
    assert!(!format!("{all:?}").contains("secret"));
    // The API continues the trace below the span of the upstream.
    let seen = fixture.upstream.only("GET /hello?secret=7 ");
    let parent = format!("00-{}-{}-01", upstream.trace_id, upstream.id);
    assert_eq!((seen.all("traceparent"), seen.all("tracestate")), (vec![&*parent], vec!["a=1,b=2"]));
    let posted = collector.requests("POST /v1/traces ");
    assert_eq!(posted[0].all("authorization"), ["Bearer collector"]);
    // A refusal has one span, which says why.
    fixture.raw(get("/hello", &[])).status(401);
    let all = collected(&collector, &fixture.gateway, 4);
    assert_eq!(all[3].attributes["error.type"], "no_token");
    assert_eq!(Scrape::of(&fixture.gateway).value("tollgate_spans_total{result=\"lost\"}"), 0.0);
}

#[test]
fn the_context_of_strangers_is_replaced_and_the_ratio_decides() {
    let collector = Upstream::start();
    let fixture = Fixture::start(traced(&collector, "ratio = 0.0"));
    let bearer = fixture.bearer("server", "read");
    fixture.raw(get("/hello?stranger", &[&bearer, CONTEXT, "tracestate: a=1"])).status(200);
    let seen = fixture.upstream.only("GET /hello?stranger ");
    let parents = seen.all("traceparent");
    assert!(parents.len() == 1 && parents[0].ends_with("-00"), "{}", seen.text());
    assert!(!parents[0].contains("4bf92f3577b34da6a3ce929d0e0e4736") && seen.all("tracestate").is_empty());
    // A trusted proxy's is accepted, and recorded whatever the ratio; several are malformed.
    let upstream = Upstream::start();
    let config = traced(&collector, "ratio = 0")(Config::standard(upstream.address()));
    let trusting =
        Fixture { gateway: Gateway::start(&config.server("trusted_proxies = [\"127.0.0.1\"]")), upstream };
    let bearer = trusting.bearer("server", "read");
    trusting.raw(get("/hello?two", &[&bearer, CONTEXT, CONTEXT])).status(200);
    trusting.raw(get("/hello?one", &[&bearer, CONTEXT])).status(200);
    let all = collected(&collector, &trusting.gateway, 2);
    assert!(all.iter().all(|span| span.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736"), "{all:#?}");
}

#[test]
fn without_tracing_the_context_of_clients_is_passed_on_like_any_header() {
    let fixture = crate::support::shared();
    let bearer = fixture.bearer("server", "read");
    fixture.raw(get("/hello?plain-trace", &[&bearer, CONTEXT, "tracestate: a=1"])).status(200);
    let seen = fixture.upstream.only("GET /hello?plain-trace ");
    assert_eq!(seen.all("traceparent"), [CONTEXT.trim_start_matches("traceparent: ")]);
    assert_eq!(seen.all("tracestate"), ["a=1"]);
}

#[test]
fn a_collector_that_fails_delays_nobody_and_its_losses_are_counted() {
    let collector = Upstream::start();
    let fixture = Fixture::start(traced(&collector, "ratio = 1"));
    collector.stop();
    for _ in 0..20 {
        raw(fixture.address(), get("/hello", &[])).status(401);
    }
    fixture.gateway.wait_for("spans cannot be sent to the collector");
    let lost = Scrape::of(&fixture.gateway).value("tollgate_spans_total{result=\"lost\"}");
    assert!(lost >= 1.0, "{lost}");
}
