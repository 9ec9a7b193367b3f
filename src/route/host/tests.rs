use http::{Request, Version};

use super::*;

fn request(version: Version, target: &str, hosts: &[&[u8]]) -> Parts {
    let mut request =
        Request::builder().version(version).uri(target).body(()).expect("a request").into_parts().0;
    for host in hosts {
        request.headers.append(HOST, HeaderValue::from_bytes(host).expect("a header value"));
    }
    request
}

#[test]
fn hosts_are_names_and_addresses() {
    for (text, name, port) in [
        ("example.com", "example.com", None),
        ("Example.COM", "Example.COM", None),
        ("example.com.", "example.com", None),
        ("example.com.:8443", "example.com", Some(8443)),
        ("localhost:8443", "localhost", Some(8443)),
        ("my_host-1", "my_host-1", None),
        ("127.0.0.1:1", "127.0.0.1", Some(1)),
        ("[::1]", "[::1]", None),
        ("[::1]:65535", "[::1]", Some(65535)),
        ("[2001:db8::7]:443", "[2001:db8::7]", Some(443)),
        ("[::ffff:10.0.0.1]", "[::ffff:10.0.0.1]", None),
    ] {
        let host = Host::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((host.as_str(), host.name(), host.port), (text, name, port));
    }
    for text in [
        "",
        ".",
        "..",
        ":80",
        "a..b",
        ".a",
        "a..",
        "a:",
        "a:65536",
        "a:+1",
        "a:1x",
        "a:1:2",
        "a b",
        "a,b",
        "a/b",
        "a@b",
        "u:p@b",
        "a%2eb",
        "%61",
        "a\\b",
        "a;b",
        "[::1",
        "::1",
        "[::1]x",
        "[::1]:",
        "[]",
        "[::1%25eth0]",
        "[v1.x]",
        "[::g]",
        "a?b",
        "a#b",
        "\u{e9}",
        "a\"",
        "<a>",
        "a:000080",
    ] {
        assert_eq!(Host::parse(text), Err(HostError::Malformed), "{text:?}");
    }
}

#[test]
fn one_host_and_no_other() {
    use HostError::*;
    use Version as V;
    type Row<'a> = (Version, &'a str, &'a [&'a [u8]], Result<&'a str, HostError>);
    let table: &[Row<'_>] = &[
        (V::HTTP_11, "/", &[b"a.example"], Ok("a.example")),
        (V::HTTP_11, "/", &[b"a.example:80"], Ok("a.example:80")),
        (V::HTTP_11, "/", &[], Err(Missing)),
        (V::HTTP_10, "/", &[], Err(Missing)),
        (V::HTTP_10, "/", &[b"a.example"], Ok("a.example")),
        (V::HTTP_11, "/", &[b"a.example", b"a.example"], Err(Repeated)),
        (V::HTTP_11, "/", &[b"a.example", b"b.example"], Err(Repeated)),
        (V::HTTP_11, "/", &[b""], Err(Malformed)),
        (V::HTTP_11, "/", &[b"a.example, b.example"], Err(Malformed)),
        (V::HTTP_11, "/", &[b"user@a.example"], Err(Malformed)),
        (V::HTTP_11, "/", &[b"a.ex\xffmple"], Err(Malformed)),
        // Absolute-form.
        (V::HTTP_11, "http://a.example/", &[b"a.example"], Ok("a.example")),
        (V::HTTP_11, "http://A.example/", &[b"a.EXAMPLE"], Ok("A.example")),
        (V::HTTP_11, "http://a.example:80/", &[b"a.example"], Ok("a.example:80")),
        (V::HTTP_11, "http://a.example/", &[b"a.example:80"], Ok("a.example")),
        (V::HTTP_11, "https://a.example:443/", &[b"a.example."], Ok("a.example:443")),
        (V::HTTP_11, "https://a.example/", &[b"a.example:80"], Err(Disagree)),
        (V::HTTP_11, "http://a.example/", &[b"b.example"], Err(Disagree)),
        (V::HTTP_11, "http://a.example:8080/", &[b"a.example"], Err(Disagree)),
        (V::HTTP_11, "http://a.example/", &[], Err(Missing)),
        (V::HTTP_11, "http://a.example/", &[b"a.example", b"a.example"], Err(Repeated)),
        (V::HTTP_11, "http://user@a.example/", &[b"a.example"], Err(Malformed)),
        (V::HTTP_11, "ftp://a.example/", &[b"a.example"], Err(Scheme)),
        (V::HTTP_11, "http://[::1]:8080/", &[b"[::1]:8080"], Ok("[::1]:8080")),
        // HTTP/2.
        (V::HTTP_2, "https://a.example/", &[], Ok("a.example")),
        (V::HTTP_2, "https://a.example/", &[b"a.example:443"], Ok("a.example")),
        (V::HTTP_2, "https://a.example/", &[b"b.example"], Err(Disagree)),
        (V::HTTP_2, "https://a.example/", &[b"a.example", b"a.example"], Err(Repeated)),
        (V::HTTP_2, "/", &[b"a.example"], Ok("a.example")),
        (V::HTTP_2, "/", &[], Err(Missing)),
    ];
    for (version, target, hosts, want) in table {
        let parts = request(*version, target, hosts);
        let got = authority(&parts).map(|host| host.as_str());
        assert_eq!(got, *want, "{version:?} {target} {hosts:?}");
    }
}
