//! `[upstreams]`.

use super::*;

#[test]
fn servers_and_credentials() {
    check(&[
        ("[upstreams.x]\n", 1, "upstreams.x", MissingKey, "`servers` is missing"),
        ("[upstreams.x]\nservers = []", 2, "upstreams.x.servers", InvalidValue, "is empty"),
        (
            "[upstreams.x]\nservers = [\"http://h/p/\"]",
            2,
            "upstreams.x.servers[0]",
            InvalidValue,
            "ends with a slash",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h/a/../b\"]",
            2,
            "upstreams.x.servers[0]",
            InvalidValue,
            "segment",
        ),
        ("[upstreams.x]\nservers = [\"http://h/p?q\"]", 2, "upstreams.x.servers[0]", InvalidValue, "query"),
        (
            "[upstreams.x]\nservers = [\"http://h?q\"]",
            2,
            "upstreams.x.servers[0]",
            InvalidValue,
            "begin with /",
        ),
        (
            "[upstreams.x]\nservers = [\"http://a/p\",\n\"http://b\"]",
            3,
            "upstreams.x.servers[1]",
            Conflict,
            "another path",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h\"]\nhost = \"http://h\"",
            3,
            "upstreams.x.host",
            InvalidValue,
            "\"preserve\"",
        ),
        (
            "[upstreams.x]\nservers = [\"http://u:p@h\"]",
            2,
            "upstreams.x.servers[0]",
            InvalidValue,
            "user name or password",
        ),
        (
            "[upstreams.x]\nservers = [\"tcp://h\"]",
            2,
            "upstreams.x.servers[0]",
            InvalidValue,
            "http:// or https://",
        ),
        ("[upstreams.x]\nservers = [\"http://h:0\"]", 2, "upstreams.x.servers[0]", InvalidValue, "port 0"),
        (
            "[upstreams.x]\nservers = [\"http://h\",\n\"http://H:80\"]",
            3,
            "upstreams.x.servers[1]",
            Duplicate,
            "weight",
        ),
        (
            "[upstreams.x]\nservers = [{ url = \"http://h\", weight = 0 }]",
            2,
            "upstreams.x.servers[0].weight",
            InvalidValue,
            "from 1 to 1000",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h\"]\nbalance = \"round-robin\"",
            3,
            "upstreams.x.balance",
            InvalidValue,
            "did you mean \"round_robin\"?",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h\"]\nprotocol = \"http3\"",
            3,
            "upstreams.x.protocol",
            InvalidValue,
            "\"http2\"",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h\"]\nretries = 11",
            3,
            "upstreams.x.retries",
            InvalidValue,
            "from 0 to 10",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h\"]\nmax_in_flight = 0",
            3,
            "upstreams.x.max_in_flight",
            InvalidValue,
            "from 1",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h\"]\nhealth_check = { path = \"health\" }",
            3,
            "upstreams.x.health_check.path",
            InvalidValue,
            "/health",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h\"]\nhealth_check = { interval = \"1s\", timeout = \"2s\" }",
            3,
            "upstreams.x.health_check.timeout",
            Conflict,
            "`interval`",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h\"]\nhealth_check = { path = \"/h\", status = \"4xy\" }",
            3,
            "upstreams.x.health_check.status",
            InvalidValue,
            "\"2xx\"",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h\"]\nhealth_check = { path = \"/h\", status = \"299-200\" }",
            3,
            "upstreams.x.health_check.status",
            InvalidValue,
            "200-299",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h\"]\nhealth_check = { path = \"/h\", status = [] }",
            3,
            "upstreams.x.health_check.status",
            InvalidValue,
            "is empty",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h\"]\nhealth_check = { path = \"/h\", status = [99] }",
            3,
            "upstreams.x.health_check.status[0]",
            InvalidValue,
            "from 200 to 599",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h\"]\nhealth_check = { status = 200 }",
            3,
            "upstreams.x.health_check.status",
            Conflict,
            "`path`",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h\"]\nejection = true",
            3,
            "upstreams.x.ejection",
            WrongType,
            "or false",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h\"]\nejection = { for = \"1m\", max = \"30s\" }",
            3,
            "upstreams.x.ejection.max",
            Conflict,
            "`for`",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h\"]\nejection = { failures = 0 }",
            3,
            "upstreams.x.ejection.failures",
            InvalidValue,
            "from 1 to 1000",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h\"]\nretry_budget = { percent = 101 }",
            3,
            "upstreams.x.retry_budget.percent",
            InvalidValue,
            "from 0 to 100",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h\"]\nmax_queue = 5",
            3,
            "upstreams.x.max_queue",
            Conflict,
            "`max_in_flight`",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h\"]\nmax_in_flight = 5\nmax_queue = 5\nqueue_timeout = \"61s\"",
            5,
            "upstreams.x.queue_timeout",
            InvalidValue,
            "to 1m",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h\"]\nmax_in_flight = 5\nqueue_timeout = \"1s\"",
            4,
            "upstreams.x.queue_timeout",
            Conflict,
            "`max_queue`",
        ),
        (
            "[upstreams.x]\nservers = [\"http://h\"]\ntls = {}",
            3,
            "upstreams.x.tls",
            Conflict,
            "https:// servers",
        ),
        (
            "[upstreams.x]\nservers = [\"https://h\"]\ntls = { server_name = \"\" }",
            3,
            "upstreams.x.tls.server_name",
            InvalidValue,
            "name the server, or leave it out",
        ),
        (
            "[upstreams.x]\nservers = [\"https://h\"]\ntls = { client_key = \"Cargo.toml\" }",
            3,
            "upstreams.x.tls",
            MissingKey,
            "go together",
        ),
        (
            "[upstreams.x]\nservers = [\"https://h\"]\ntls = { ca = \"none\" }",
            3,
            "upstreams.x.tls.ca",
            FileUnavailable,
            "cannot read",
        ),
    ]);
    for (credentials, key, kind, help) in [
        ("{}", "", MissingKey, "X-Api-Key"),
        ("{ header = \"X\" }", "", MissingKey, "`value` is missing"),
        ("{ value = \"v\" }", "", MissingKey, "`header` is missing"),
        (
            "{ header = \"X\", value = \"v\", basic = { user = \"u\", password = \"p\" } }",
            "",
            Conflict,
            "has `basic` beside",
        ),
        ("{ header = \"X Y\", value = \"v\" }", ".header", InvalidValue, "header name"),
        ("{ header = \"Connection\", value = \"v\" }", ".header", InvalidValue, "of the connection"),
        ("{ header = \"transfer-encoding\", value = \"v\" }", ".header", InvalidValue, "of the connection"),
        ("{ header = \"Host\", value = \"v\" }", ".header", InvalidValue, "sets or removes itself"),
        ("{ header = \"X_Client_Id\", value = \"v\" }", ".header", InvalidValue, "sets or removes itself"),
        ("{ header = \"X\", value = \"a\\nb\" }", ".value", InvalidValue, "control characters"),
        ("{ header = \"X\", value = \"\" }", ".value", InvalidValue, "is empty"),
        ("{ basic = { user = \"a:b\", password = \"p\" } }", ".basic.user", InvalidValue, "RFC 7617"),
        ("{ basic = { user = \"a\" } }", ".basic", MissingKey, "`password`"),
    ] {
        let error =
            only_error(&format!("[upstreams.x]\nservers = [\"http://h\"]\ncredentials = {credentials}\n"));
        let wanted = format!("upstreams.x.credentials{key}");
        assert_eq!((error.position.unwrap().line, &error.key, error.kind), (3, &wanted, kind), "{error}");
        assert!(error.message.contains(help), "{error}");
    }
    good(
        "[upstreams.x]\nservers = [\"http://h\"]\ncredentials = { header = \"Authorization\", value = \"ApiKey x\" }\n",
    );
}
