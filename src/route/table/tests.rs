use super::*;
use crate::route::path::canonical;

/// `METHODS HOST PATTERN FLAGS`, where `*` is any, a pattern that ends in `**` is a prefix, and the flags are
/// `i` (case does not matter), `;`, `s` (encoded slash), `?` (encoded delimiter) and `e` (empty segment). The
/// value is the whole line.
fn entry(line: &'static str) -> Entry<&'static str> {
    let mut words = line.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let methods = match word() {
        "*" => None,
        names => Some(names.split(',').map(|name| name.parse().expect("a method")).collect()),
    };
    let host = Some(word()).filter(|host| *host != "*").map(str::to_owned);
    let text = word();
    let pattern = match text.strip_suffix("**") {
        Some("/") => Pattern::prefix("/"),
        Some(prefix) => Pattern::prefix(prefix),
        None => Pattern::path(text),
    };
    let flags = word();
    Entry {
        host,
        pattern: pattern.unwrap_or_else(|error| panic!("{text}: {error}")),
        methods,
        case_insensitive: flags.contains('i'),
        allowed: Marks::SEMICOLON.when(flags.contains(';'))
            | Marks::ENCODED_SLASH.when(flags.contains('s'))
            | Marks::ENCODED_DELIMITER.when(flags.contains('?'))
            | Marks::EMPTY_SEGMENT.when(flags.contains('e')),
        value: line,
    }
}

fn table(lines: &[&'static str]) -> RouteTable<&'static str> {
    RouteTable::build(lines.iter().map(|line| entry(line)))
        .unwrap_or_else(|conflicts| panic!("{conflicts:?}"))
}

/// Returns the line that matches, or the reason why none does.
fn find(table: &RouteTable<&'static str>, method: &str, host: &str, path: &str) -> String {
    let path = match canonical(path) {
        Ok(path) => path,
        Err(error) => return format!("refused at once {error:?}"),
    };
    match table.find(host, &path, &method.parse().expect("a method")) {
        Match::Found(line) => (*line).to_owned(),
        Match::MethodNotAllowed { allow } => format!("allow {}", allow.to_str().expect("text")),
        Match::NotFound => "none".to_owned(),
        Match::PathRefused(error) => format!("refused {error:?}"),
    }
}

#[test]
fn the_most_specific_route_wins() {
    let table = table(&[
        "* * /**",
        "* * /orders**",
        "* * /orders/new",
        "* * /orders/{id}",
        "* * /orders/{id}/lines**",
        "* * /orders/{id}/lines/{line}",
        "* * /{any}/archive/{id}",
        "* * /orders/{id}/{x}",
        "* * /hello_world",
        "* * /slashed/{id}/",
        "* api.example.com /**",
        "* api.example.com /orders/new",
        "* only.example.com /a",
        "* [::1] /six",
    ]);
    for (host, path, want) in [
        ("x", "/", "* * /**"),
        ("x", "/x", "* * /**"),
        ("x", "/orders", "* * /orders**"),
        ("x", "/orders/", "* * /orders**"),
        ("x", "/ordersX", "* * /**"),
        ("x", "/order", "* * /**"),
        ("x", "/Orders", "* * /**"),
        ("x", "/orders/new", "* * /orders/new"),
        ("x", "/orders/%6eew", "* * /orders/new"),
        ("x", "/orders/new/", "* * /orders**"),
        ("x", "/orders/7", "* * /orders/{id}"),
        ("x", "/orders/NEW", "* * /orders/{id}"),
        ("x", "/orders/7/", "* * /orders**"),
        ("x", "/orders/7/8", "* * /orders/{id}/{x}"),
        ("x", "/orders/7/lines", "* * /orders/{id}/{x}"),
        ("x", "/orders/7/lines/", "* * /orders/{id}/lines**"),
        ("x", "/orders/7/lines/1", "* * /orders/{id}/lines/{line}"),
        ("x", "/orders/7/lines/1/2", "* * /orders/{id}/lines**"),
        ("x", "/orders/archive/7", "* * /orders/{id}/{x}"),
        ("x", "/shops/archive/7", "* * /{any}/archive/{id}"),
        ("x", "/hello_world", "* * /hello_world"),
        ("x", "/hello_world/", "* * /**"),
        ("x", "/slashed/7/", "* * /slashed/{id}/"),
        ("x", "/slashed/7", "* * /**"),
        // A route that names the host wins over every route that names none.
        ("api.example.com", "/orders/7", "* api.example.com /**"),
        ("API.Example.COM", "/orders/new", "* api.example.com /orders/new"),
        ("api.example.com.evil", "/orders/new", "* * /orders/new"),
        ("only.example.com", "/a", "* only.example.com /a"),
        ("only.example.com", "/orders/new", "* * /orders/new"),
        ("[::1]", "/six", "* [::1] /six"),
    ] {
        assert_eq!(find(&table, "GET", host, path), want, "{host} {path}");
    }
}

#[test]
fn leftmost_literal_decides_between_names() {
    let table = table(&["* * /a/{x}/c", "* * /{y}/b/c", "* * /a/{x}/{z}**", "* * /{y}/b/c**"]);
    for (path, want) in [
        ("/a/b/c", "* * /a/{x}/c"),
        ("/q/b/c", "* * /{y}/b/c"),
        ("/a/b/d", "* * /a/{x}/{z}**"),
        ("/a/b/c/d", "* * /a/{x}/{z}**"),
        ("/q/b/c/d", "* * /{y}/b/c**"),
        ("/a//c", "refused EmptySegment"),
        ("/a/", "none"),
    ] {
        assert_eq!(find(&table, "GET", "x", path), want, "{path}");
    }
}

#[test]
fn the_method_never_leads_to_a_less_specific_route() {
    let table = table(&[
        "* * /**",
        "POST,PUT * /orders",
        "DELETE * /orders",
        "GET * /orders/{id}",
        "PURGE * /cache**",
        "GET h /orders",
    ]);
    for (method, host, path, want) in [
        ("POST", "x", "/orders", "POST,PUT * /orders"),
        ("DELETE", "x", "/orders", "DELETE * /orders"),
        ("GET", "x", "/orders", "allow POST, PUT, DELETE"),
        ("HEAD", "x", "/orders/7", "allow GET"),
        ("get", "x", "/orders/7", "allow GET"),
        ("PURGE", "x", "/cache/7", "PURGE * /cache**"),
        ("POST", "h", "/orders", "allow GET"),
        ("PATCH", "x", "/other", "* * /**"),
        ("BREW", "x", "/other", "* * /**"),
        ("TRACE", "x", "/other", "allow GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
        ("CONNECT", "x", "/other", "allow GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
    ] {
        assert_eq!(find(&table, method, host, path), want, "{method} {host} {path}");
    }
}

#[test]
fn case_is_ignored_only_on_upstreams_that_ignore_it() {
    let table = table(&[
        "* * /**",
        "* * /Legacy/Admin i",
        "* * /legacy** i",
        "* * /legacy/{id}/Edit i",
        "* * /modern/Admin",
        "* * /modern**",
        "* * /Mixed/{a}/c/{b}",
        "* * /mixed/b/{c}/{d} i",
    ]);
    for (path, want) in [
        ("/legacy/admin", "* * /Legacy/Admin i"),
        ("/LEGACY/ADMIN", "* * /Legacy/Admin i"),
        ("/%4CEGACY/%61DMIN", "* * /Legacy/Admin i"),
        ("/LegacY", "* * /legacy** i"),
        ("/LEGACY/7/eDIT", "* * /legacy/{id}/Edit i"),
        ("/LEGACY/7/x", "* * /legacy** i"),
        ("/modern/Admin", "* * /modern/Admin"),
        ("/modern/admin", "* * /modern**"),
        ("/Modern/Admin", "* * /**"),
        // Both match; the leftmost literal decides, whatever the case.
        ("/Mixed/b/c/1", "* * /mixed/b/{c}/{d} i"),
        ("/Mixed/x/c/1", "* * /Mixed/{a}/c/{b}"),
        ("/mixed/x/c/1", "* * /**"),
    ] {
        assert_eq!(find(&table, "GET", "x", path), want, "{path}");
    }
}

#[test]
fn a_path_that_reads_as_another_route_is_refused() {
    let table = table(&[
        "* * /**",
        "* * /admin** ;s",
        "* * /maps** ;",
        "* * /maps/admin",
        "* * /files/{id} s",
        "* * /files/{id}/secret",
        "* * /fetch** s",
        "* * /items:delete",
        "* * /items/{id}",
        "GET,PUT * /m/{x} ;",
        "POST * /m/{x}",
        "* * /both/{x} ;s",
    ]);
    for (method, path, want) in [
        // Parameters.
        ("GET", "/maps/x;color=red/y", "* * /maps** ;"),
        ("GET", "/maps/x%3Bcolor=red/y", "* * /maps** ;"),
        ("GET", "/other;x", "refused Semicolon"),
        ("GET", "/other%3bx", "refused Semicolon"),
        ("GET", "/maps/admin;x", "refused Ambiguous"),
        ("GET", "/maps;x/admin", "refused Ambiguous"),
        ("GET", "/maps/admin%3bx", "refused Ambiguous"),
        ("GET", "/admin;x", "refused Ambiguous"),
        ("GET", "/admin;x/users", "refused Ambiguous"),
        ("GET", "/admin/x;y", "* * /admin** ;s"),
        ("GET", "/m/1;v=2", "GET,PUT * /m/{x} ;"),
        ("POST", "/m/1;v=2", "refused Semicolon"),
        ("DELETE", "/m/1;v=2", "allow GET, PUT, POST"),
        // Encoded slashes.
        ("GET", "/other%2Fx", "refused EncodedSlash"),
        ("GET", "/admin%2Fusers", "refused Ambiguous"),
        ("GET", "/files/a%2Fb", "refused Ambiguous"),
        ("GET", "/files/a%2fsecret", "refused Ambiguous"),
        ("GET", "/fetch/https:%2F%2Fexample.com%2F", "* * /fetch** s"),
        ("GET", "/fetch/https%3A%2F%2Fexample.com", "* * /fetch** s"),
        ("GET", "/fetch%2Fa", "refused Ambiguous"),
        ("GET", "/both/a;x%2Fy", "refused Ambiguous"),
        // Escapes of characters that are also allowed unescaped.
        ("GET", "/items:delete", "* * /items:delete"),
        ("GET", "/items%3Adelete", "refused Ambiguous"),
        ("GET", "/items%3adelete", "refused Ambiguous"),
        ("GET", "/items/urn%3Aisbn%3A1", "* * /items/{id}"),
        ("GET", "/other/a%40b.example", "* * /**"),
        // These escapes stand for characters that a path cannot have unescaped, so the path has one reading.
        ("GET", "/items/%25%20%C3%A9%22", "* * /items/{id}"),
    ] {
        assert_eq!(find(&table, method, "x", path), want, "{method} {path}");
    }
}

#[test]
fn without_a_catch_all_the_only_matching_route_decides() {
    let table = table(&["* * /orders ;", "* * /projects/{id} s", "* * /v1/items:delete", "* * /a;b/c ;"]);
    for (path, want) in [
        ("/orders;v=2", "* * /orders ;"),
        ("/projects/group%2Fname", "* * /projects/{id} s"),
        ("/v1/items%3Adelete", "* * /v1/items:delete"),
        ("/a;b/c", "* * /a;b/c ;"),
        ("/nothing;x", "refused Semicolon"),
        ("/nothing%2Fx", "refused EncodedSlash"),
        ("/nothing%3Ax", "none"),
        ("/nothing", "none"),
    ] {
        assert_eq!(find(&table, "GET", "x", path), want, "{path}");
    }
}

#[test]
fn conflicts_are_reported() {
    let conflicts = |lines: &[&'static str]| match RouteTable::build(lines.iter().map(|line| entry(line))) {
        Ok(_) => vec![],
        Err(found) => found.iter().map(|conflict| (conflict.first, conflict.second)).collect(),
    };
    for (lines, want) in [
        (&["* * /a", "* * /a"][..], vec![(0, 1)]),
        (&["* * /a", "* * /b", "GET * /a", "POST * /a"], vec![(0, 2), (0, 3)]),
        (&["GET * /a", "POST * /a"], vec![]),
        (&["GET,PUT * /a", "POST,PUT * /a"], vec![(0, 1)]),
        (&["* * /a", "* * /a/"], vec![]),
        (&["* * /a", "* * /a**"], vec![]),
        (&["* * /a**", "* * /a**"], vec![(0, 1)]),
        (&["* * /{x}", "* * /{y}"], vec![(0, 1)]),
        (&["* * /{x}/b", "* * /a/{y}"], vec![]),
        (&["* * /{x}**", "* * /{y}**"], vec![(0, 1)]),
        (&["* h /a", "* * /a", "* g /a"], vec![]),
        (&["* h /a", "* H. /a"], vec![(0, 1)]),
        (&["* * /a", "* * /A"], vec![]),
        (&["* * /a i", "* * /A i"], vec![(0, 1)]),
        (&["GET * /a i", "POST * /A i"], vec![]),
        (&["* * /A", "* * /a i"], vec![(0, 1)]),
        (&["GET * /A", "POST * /a i"], vec![(0, 1)]),
        (&["* * /{x}/B", "* * /{x}/b i"], vec![(0, 1)]),
    ] {
        assert_eq!(conflicts(lines), want, "{lines:?}");
    }
}

#[test]
fn deep_paths_and_many_routes() {
    let mut entries = Vec::new();
    for number in 0..1000 {
        let prefix = format!("/service-{number}");
        for pattern in [
            Pattern::prefix(&prefix),
            Pattern::path(&format!("{prefix}/health")),
            Pattern::path(&format!("{prefix}/things/{{id}}")),
        ] {
            let pattern = pattern.expect("a pattern");
            entries.push(Entry {
                host: None,
                value: format!("{number} {}", pattern.shape()),
                pattern,
                methods: None,
                case_insensitive: false,
                allowed: Marks::NONE,
            });
        }
    }
    let deepest =
        Pattern::path(&(0..64).map(|at| format!("/{{x{at}}}")).collect::<String>()).expect("a pattern");
    entries.push(Entry { pattern: deepest, value: "deepest".to_owned(), ..entries[0].clone() });
    let table = RouteTable::build(entries).expect("no conflicts");
    let get = |path: &str| match table.find("h", &canonical(path).expect("a path"), &Method::GET) {
        Match::Found(value) => value.clone(),
        other => format!("{other:?}"),
    };
    for number in 0..1000 {
        assert_eq!(get(&format!("/service-{number}/x/y")), format!("{number} /service-{number}"));
        assert_eq!(get(&format!("/service-{number}/health")), format!("{number} /service-{number}/health"));
        assert_eq!(
            get(&format!("/service-{number}/things/7")),
            format!("{number} /service-{number}/things/{{}}")
        );
    }
    assert_eq!(get(&"/a".repeat(64)), "deepest");
    assert_eq!(get(&"/a".repeat(65)), "NotFound");
    assert_eq!(get(&format!("/service-7{}", "/a".repeat(20_000))), "7 /service-7");
}

#[test]
fn delimiters_and_empty_segments_are_accepted_if_they_lead_to_one_route() {
    let table = table(&["* * /files** ?e", "* * /files/admin**", "* * /plain**"]);
    for (path, expected) in [
        ("/files/what%3F", "* * /files** ?e"),
        ("/files/a%23b%3Fc", "* * /files** ?e"),
        ("/files/a//b", "* * /files** ?e"),
        // A server that decodes first, or merges slashes, would serve the resource of another route.
        ("/files/admin%3F", "refused Ambiguous"),
        ("/files/admin%23/x", "refused Ambiguous"),
        ("/files//admin/x", "refused Ambiguous"),
        ("/plain/what%3F", "refused EncodedDelimiter"),
        ("/plain/a//b", "refused EmptySegment"),
        ("/nowhere//a", "refused EmptySegment"),
        ("/nowhere%3F", "refused EncodedDelimiter"),
        ("//files/a", "refused at once EmptySegment"),
    ] {
        assert_eq!(find(&table, "GET", "h", path), expected, "{path}");
    }
}

#[test]
fn names_that_windows_shortens_are_refused_on_routes_that_ignore_case() {
    let table = table(&["* * /iis** i", "* * /iis/admin i", "* * /linux**"]);
    for (path, expected) in [
        ("/IIS/Admin", "* * /iis/admin i"),
        ("/iis/admin.", "refused TrailingDot"),
        ("/iis/admin%20", "refused TrailingDot"),
        ("/iis./x", "none"),
        ("/iis/adm%C4%B1n", "refused Lookalike"),
        ("/iis/%C3%9Cbersicht", "* * /iis** i"),
        ("/linux/a./b%20", "* * /linux**"),
    ] {
        assert_eq!(find(&table, "GET", "h", path), expected, "{path}");
    }
}
