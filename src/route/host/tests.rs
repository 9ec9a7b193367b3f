use super::*;

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
    use HostRule::*;
    const HTTP: Option<u16> = Some(80);
    const HTTPS: Option<u16> = Some(443);
    let none = ("", None);
    type Row<'a> = (HostRule, (&'a str, Option<u16>), &'a [&'a [u8]], Result<&'a str, HostError>);
    let table: &[Row<'_>] = &[
        (Required, none, &[b"a.example"], Ok("a.example")),
        (Required, none, &[b"a.example:80"], Ok("a.example:80")),
        (Required, none, &[], Err(Missing)),
        (Optional, none, &[], Ok("")),
        (Optional, none, &[b"a.example"], Ok("a.example")),
        (Required, none, &[b"a.example", b"a.example"], Err(Repeated)),
        (Required, none, &[b"a.example", b"b.example"], Err(Repeated)),
        (Required, none, &[b""], Err(Malformed)),
        (Required, none, &[b"a.example, b.example"], Err(Malformed)),
        (Required, none, &[b"user@a.example"], Err(Malformed)),
        (Required, none, &[b"a.ex\xffmple"], Err(Malformed)),
        // Absolute-form.
        (Required, ("a.example", HTTP), &[b"a.example"], Ok("a.example")),
        (Required, ("A.example", HTTP), &[b"a.EXAMPLE"], Ok("A.example")),
        (Required, ("a.example:80", HTTP), &[b"a.example"], Ok("a.example:80")),
        (Required, ("a.example", HTTP), &[b"a.example:80"], Ok("a.example")),
        (Required, ("a.example:443", HTTPS), &[b"a.example."], Ok("a.example:443")),
        (Required, ("a.example", HTTPS), &[b"a.example:80"], Err(Disagree)),
        (Required, ("a.example", HTTP), &[b"b.example"], Err(Disagree)),
        (Required, ("a.example:8080", HTTP), &[b"a.example"], Err(Disagree)),
        (Required, ("a.example", HTTP), &[], Err(Missing)),
        (Optional, ("a.example", HTTP), &[], Ok("a.example")),
        (Required, ("a.example", HTTP), &[b"a.example", b"a.example"], Err(Repeated)),
        (Required, ("user@a.example", HTTP), &[b"a.example"], Err(Malformed)),
        (Required, ("[::1]:8080", HTTP), &[b"[::1]:8080"], Ok("[::1]:8080")),
        // HTTP/2.
        (TargetSuffices, ("a.example", HTTPS), &[], Ok("a.example")),
        (TargetSuffices, ("a.example", HTTPS), &[b"a.example:443"], Ok("a.example")),
        (TargetSuffices, ("a.example", HTTPS), &[b"b.example"], Err(Disagree)),
        (TargetSuffices, ("a.example", HTTPS), &[b"a.example", b"a.example"], Err(Repeated)),
        (TargetSuffices, none, &[b"a.example"], Ok("a.example")),
        (TargetSuffices, none, &[], Err(Missing)),
    ];
    let mut last = LastHost::default();
    for (rule, (authority, default_port), hosts, want) in table {
        let target = (!authority.is_empty()).then_some(TargetHost { authority, default_port: *default_port });
        let mut got = None;
        // The second time, the host is known from the first.
        for _ in 0..2 {
            let host = last.of_request(target, hosts.iter().copied(), *rule);
            let host = host.map(|host| (host.as_str().to_owned(), host.name().to_owned(), host.is_none()));
            assert_eq!(*got.get_or_insert_with(|| host.clone()), host, "{target:?} {hosts:?}");
        }
        let got = got.expect("asked twice");
        let got = got.as_ref().map(|(authority, ..)| authority.as_str()).map_err(|error| *error);
        assert_eq!(got, *want, "{rule:?} {authority} {hosts:?}");
    }
}
