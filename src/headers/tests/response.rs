//! The headers of responses for the client.

use super::*;

#[test]
fn headers_for_the_gateway_are_removed_from_responses() {
    let answer = |sent: &[&str], upgraded| {
        let (came, mut kept) = (headers(sent), HeaderMap::new());
        let fields = came.iter().map(|(name, value)| Field::in_map(name, value));
        let connection = came.get_all("connection").iter().map(HeaderValue::as_bytes);
        let returning = Returning { upgraded, length: true, version: Version::HTTP_11 };
        let unwanted = |field: &Field<'_>| field.name == b"x-unwanted";
        let date = for_client(fields, connection, returning, unwanted, |_| None, &mut kept);
        assert_eq!(date, came.contains_key("date"));
        lines(&kept)
    };
    let kept = [
        "content-length: 3",
        "date: now",
        "server: legacy/1",
        "set-cookie: a=b",
        "set-cookie: c=d",
        "via: 1.1 tollgate",
        "www-authenticate: Basic",
    ];
    let plain = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    for dropped in [
        &[][..],
        &["connection: close"],
        &["connection: keep-alive, X-Hop", "keep-alive: timeout=5", "x-hop: 1"],
        &["proxy-connection: close", "proxy-authenticate: Basic", "proxy-authentication-info: x"],
        &["upgrade: h2c", "connection: upgrade", "te: trailers"],
        &["connection: content-length"],
        &["transfer_encoding: chunked", "content_length: 7"],
        &["content-length: 3", "x-unwanted: 1"],
    ] {
        let sent: Vec<&str> =
            kept.iter().filter(|line| !line.starts_with("via")).chain(dropped).copied().collect();
        assert_eq!(answer(&sent, false), plain(&kept), "{dropped:?}");
    }
    assert_eq!(
        answer(&["transfer-encoding: chunked", "trailer: x"], false),
        plain(&["trailer: x", "via: 1.1 tollgate"])
    );
    assert_eq!(answer(&["via: 1.1 a"], false), plain(&["via: 1.1 a", "via: 1.1 tollgate"]));
    let switch = ["connection: Upgrade", "upgrade: websocket"];
    assert_eq!(
        answer(&switch, true),
        plain(&["connection: upgrade", "upgrade: websocket", "via: 1.1 tollgate"])
    );
    assert_eq!(answer(&switch, false), plain(&["via: 1.1 tollgate"]));

    assert_eq!(answer(&["content-length: 3, 3"], false), plain(&["content-length: 3", "via: 1.1 tollgate"]));

    use ResponseError::*;
    for (sent, want) in [
        (&["content-length: 3"][..], Ok(())),
        (&["transfer-encoding: chunked"], Err(TransferEncoding)),
        (&["content-length: 3", "content-length: 3"], Err(ContentLength)),
        (&["content-length: 3, 3"], Err(ContentLength)),
    ] {
        assert_eq!(check_response(&headers(sent)), want, "{sent:?}");
    }
}

#[test]
fn urls_of_a_response_are_mapped_unless_they_are_removed() {
    let came =
        headers(&["location: /a", "set-cookie: b", "content-location: /c", "connection: content-location"]);
    let fields = came.iter().map(|(name, value)| Field::in_map(name, value));
    let returning = Returning { upgraded: false, length: true, version: Version::HTTP_11 };
    let mut kept = HeaderMap::new();
    let map = |_: &Field<'_>| Some((&http::header::LOCATION, "/mapped".to_owned()));
    let connection = came.get_all("connection").iter().map(HeaderValue::as_bytes);
    for_client(fields, connection, returning, |field| field.name == b"set-cookie", map, &mut kept);
    assert_eq!(lines(&kept), ["location: /mapped", "via: 1.1 tollgate"]);
}
