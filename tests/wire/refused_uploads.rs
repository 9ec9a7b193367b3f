//! A refused upload over HTTP/2: the client sees the refusal although it is still sending.

use crate::support::{Fixture, TOKEN};
use std::process::Command;

/// Returns whether this machine has a curl that speaks HTTP/2.
fn has_curl() -> bool {
    let version = Command::new("curl").arg("--version").output();
    version.is_ok_and(|version| String::from_utf8_lossy(&version.stdout).contains("HTTP2"))
}

#[test]
fn curl_shows_the_refusal_of_an_upload() {
    if !has_curl() {
        eprintln!("skipped: there is no curl with HTTP/2");
        return;
    }
    let fixture = Fixture::start(|config| {
        config
            .listen("https://127.0.0.1:0")
            .route("path = \"/small\"\naccess = \"public\"\nupstream = \"api\"\nmax_body_size = \"10B\"")
    });
    let folder = tempfile::tempdir().expect("a folder");
    for (size, path, status) in [
        (64 * 1024, "/api/x", "401"),
        (900 * 1024, "/api/x", "401"),
        (8 * 1024 * 1024, "/api/x", "401"),
        (900 * 1024, "/nowhere", "404"),
        (900 * 1024, "/small", "413"),
        (900 * 1024, TOKEN, "413"),
    ] {
        let file = folder.path().join("upload");
        std::fs::write(&file, vec![b'x'; size]).expect("a file");
        let url = format!("https://{}{path}", fixture.gateway.tls());
        let mut shown = Vec::new();
        for _ in 0..15 {
            let curl = Command::new("curl")
                .args(["-sSk", "--http2", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}"])
                .args(["-H", "Content-Type: application/x-www-form-urlencoded", "--data-binary"])
                .arg(format!("@{}", file.display()))
                .arg(&url)
                .output()
                .expect("curl runs");
            let error = String::from_utf8_lossy(&curl.stderr).into_owned();
            shown.push((String::from_utf8_lossy(&curl.stdout).into_owned(), error, curl.status.code()));
        }
        let good =
            shown.iter().filter(|(code, error, exit)| code == status && error.is_empty() && *exit == Some(0));
        assert_eq!(good.count(), 15, "{path} with {size} bytes: {shown:?}");
    }
    assert_eq!(fixture.upstream.bytes(), 0, "a part of a refused upload went upstream");
}
