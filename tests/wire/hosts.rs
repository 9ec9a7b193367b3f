//! Routes of several hosts, and of all names below one.

use crate::support::{Config, Conn, Gateway, shared};

#[test]
fn the_most_specific_host_decides() {
    let upstream = shared().upstream.address();
    let route = |host: &str, stamp: &str| {
        format!(
            "prefix = \"/\"\naccess = \"public\"\nupstream = \"api\"\n{host}\nresponse_headers = {{ set = {{ X-Route = \"{stamp}\" }} }}"
        )
    };
    let config = Config::bare()
        .upstream("api", upstream)
        .route(&route("host = [\"one.example\", \"two.example\"]", "names"))
        .route(&route("host = \"*.example\"", "below"))
        .route(&route("host = [\"*.two.example\", \"*.other\"]", "far-below"))
        .route(&route("", "any"));
    let gateway = Gateway::start(&config);
    let mut conn = Conn::plain(gateway.plain());
    for (host, expected) in [
        ("one.example", "names"),
        ("TWO.Example:81", "names"),
        ("two.example.", "names"),
        ("three.example", "below"),
        ("a.one.example", "below"),
        ("a.two.example", "far-below"),
        ("a.b.two.example", "far-below"),
        ("x.other", "far-below"),
        ("example", "any"),
        ("other", "any"),
        ("notexample", "any"),
        ("127.0.0.1", "any"),
    ] {
        conn.request(format!("GET /hosts HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .status(200)
            .has("x-route", expected);
    }
}
