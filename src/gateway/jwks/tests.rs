use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc;

use http::StatusCode;

use super::fetch::{BOUNDS, client, fetch};
use super::*;
use crate::gate::{ClientSpec, GateSpec};
use crate::http_client::{Bounds, HttpError, Trust};
use crate::oauth::client::{Capabilities, ClientId, ClientPolicy};
use crate::oauth::jose::testing::TestKey;
use crate::oauth::scope::Scopes;

const MIDDLE: u16 = u16::MAX / 2;

fn at(seconds: u64) -> Millis {
    Millis::new(seconds * 1000)
}

#[test]
fn a_set_is_fetched_at_once_then_every_five_minutes_give_or_take_a_tenth() {
    let mut schedule = Schedule::new(at(0));
    for (random, earliest) in [(0, 270), (u16::MAX, 330)] {
        let now = schedule.next;
        assert!(schedule.is_due(now, false));
        schedule.begin(now, false);
        assert!(!schedule.is_due(now, true) && schedule.wait(now, true).is_none(), "one at a time");
        schedule.end(true, random);
        assert_eq!(schedule.next.since(now), Duration::from_secs(earliest));
        assert!(!schedule.is_due(now.after(Duration::from_secs(earliest - 1)), false));
    }
}

#[test]
fn unknown_keys_cause_one_fetch_a_minute() {
    let mut schedule = Schedule::new(at(0));
    schedule.begin(at(0), false);
    schedule.end(true, MIDDLE);
    assert!(schedule.is_due(at(1), true), "the keys changed right after they were fetched");
    schedule.begin(at(1), true);
    schedule.end(true, MIDDLE);
    assert!(!schedule.is_due(at(60), true));
    assert_eq!(schedule.wait(at(60), true), Some(Duration::from_secs(1)));
    assert!(schedule.is_due(at(61), true), "the request is not forgotten");
    // A set that cannot be fetched is not fetched more often because of unknown keys.
    schedule.begin(at(61), true);
    schedule.end(false, MIDDLE);
    assert!(!schedule.is_due(at(62), true));
}

#[test]
fn failed_fetches_are_retried_after_growing_waits() {
    let mut schedule = Schedule::new(at(0));
    let mut waits = Vec::new();
    for _ in 0..40 {
        let now = schedule.next;
        schedule.begin(now, false);
        schedule.end(false, MIDDLE);
        waits.push(schedule.next.since(now).as_secs_f32().round() as u64);
    }
    assert_eq!(waits[..9], [2, 4, 8, 16, 32, 64, 128, 256, 300]);
    assert!(waits[9..].iter().all(|wait| *wait == 300));
}

/// Starts a server that sends each of these responses once, and reports the requests.
fn serve(answers: Vec<Vec<u8>>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/keys?v=1", listener.local_addr().unwrap());
    let (asked, heard) = mpsc::channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            // A TLS greeting has no such end.
            while !head.ends_with(b"\r\n\r\n")
                && head.first() != Some(&22)
                && stream.read(&mut byte).unwrap() > 0
            {
                head.push(byte[0]);
            }
            let _ = stream.write_all(&answer);
            let _ = asked.send(String::from_utf8_lossy(&head).into_owned());
        }
    });
    (url, heard)
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len()).into()
}

fn set() -> String {
    format!(r#"{{"keys":[{}]}}"#, TestKey::ed25519().jwk(r#","kid":"1""#))
}

#[tokio::test]
async fn only_a_good_response_is_a_set_of_keys() {
    let client = client().unwrap();
    let chunk = format!("{:x}\r\n{}\r\n", 64 * 1024, " ".repeat(64 * 1024)).repeat(3);
    let endless = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunk}");
    let redirect = b"HTTP/1.1 302 Found\r\nlocation: /keys\r\ncontent-length: 0\r\n\r\n".to_vec();
    let answers = vec![
        answer("200 OK", &set()),
        answer("404 Not Found", &set()),
        redirect,
        answer("200 OK", "<html>"),
        endless.into_bytes(),
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec(),
        b"SSH-2.0-x\r\n".to_vec(),
    ];
    let (url, heard) = serve(answers);
    assert_eq!(fetch(&url, &client).await.unwrap().keys().len(), 1);
    let asked = heard.recv().unwrap().to_ascii_lowercase();
    assert!(
        asked.starts_with("get /keys?v=1 http/1.1\r\n") && asked.contains("\r\nhost: 127.0.0.1:"),
        "{asked}"
    );
    assert!(matches!(fetch(&url, &client).await, Err(FetchError::Status(StatusCode::NOT_FOUND))));
    assert!(matches!(fetch(&url, &client).await, Err(FetchError::Status(StatusCode::FOUND))));
    assert!(matches!(fetch(&url, &client).await, Err(FetchError::Keys(_))));
    assert!(matches!(fetch(&url, &client).await, Err(FetchError::Exchange(HttpError::TooLarge(_)))));
    assert!(matches!(fetch(&url, &client).await, Err(FetchError::Exchange(HttpError::Http(_)))));
    assert!(matches!(fetch(&url, &client).await, Err(FetchError::Exchange(HttpError::Http(_)))));
    for url in ["ftp://127.0.0.1/", "/keys", "not a url", "http:///keys"] {
        assert!(
            matches!(fetch(url, &client).await, Err(FetchError::Url | FetchError::Exchange(HttpError::Url))),
            "{url}"
        );
    }
    // There is no server, and a server without TLS at an https URL is not trusted.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(matches!(
        fetch(&format!("http://{gone}/"), &client).await,
        Err(FetchError::Exchange(HttpError::Connect(_)))
    ));
    let (url, _heard) = serve(vec![answer("200 OK", &set())]);
    let url = url.replace("http://", "https://");
    assert!(matches!(fetch(&url, &client).await, Err(FetchError::Exchange(HttpError::Tls(_)))));
}

#[tokio::test]
async fn a_name_does_not_lead_to_a_metadata_service() {
    for address in ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "100.100.100.200"] {
        assert!(!(BOUNDS.accepts)(address.parse().unwrap()), "{address}");
    }
    assert!((BOUNDS.accepts)("192.0.2.7".parse().unwrap()));
    // No name leads to such an address on every machine, so loopback is in its place.
    let bounds = Bounds { accepts: |address| !address.is_loopback(), ..BOUNDS };
    let client = HttpClient::new(&Trust::default(), bounds).unwrap();
    let (url, heard) = serve(vec![answer("200 OK", &set())]);
    let named = url.replace("127.0.0.1", "localhost");
    let error = fetch(&named, &client).await.unwrap_err();
    assert!(matches!(&error, FetchError::Exchange(HttpError::Address { name, .. }) if name == "localhost"));
    assert!(error.to_string().contains("so it is not connected to"), "{error}");
    // The address itself can only come from the configuration.
    assert_eq!(fetch(&url, &client).await.unwrap().keys().len(), 1);
    assert_eq!(heard.iter().count(), 1, "the first fetch did not reach the server");
}

#[test]
fn the_thread_fetches_what_the_settings_name_and_ends_with_the_gate() {
    let (url, heard) = serve(vec![answer("200 OK", &set())]);
    let policy = ClientPolicy {
        capabilities: Capabilities::default(),
        scopes: Scopes::none(),
        default_scopes: Scopes::none(),
        token_lifetime: Duration::from_secs(299),
        enabled: true,
    };
    let mut client = ClientSpec::new(ClientId::new("a").unwrap(), policy);
    client.keys = Some(crate::gate::KeySource::Uri(url));
    let gate = Gate::builder(GateSpec::default()).hashing_threads(1).build().unwrap();
    gate.fetch_keys().unwrap();
    gate.reload(GateSpec { clients: vec![client], ..GateSpec::default() });
    let long = Duration::from_secs(20);
    heard.recv_timeout(long).expect("a reload calls the thread");
    let remote = gate.remote_keys();
    assert!((0..2000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        remote[0].is_fetched()
    }));
    let weak = gate.downgrade();
    drop(gate);
    assert!((0..2000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        weak.upgrade().is_none()
    }));
}
