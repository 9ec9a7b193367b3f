//! `[[expect]]`.

use super::key::{Key, Kind, Table};
use super::pattern;
use crate::config::settings::expect::STATUS;

const DOCUMENT: &str = "[clients.report]\nsecret = \"$argon2id$v=19$m=19456,t=2,p=1$IW16qEzU0Xj/igRn9X9uQg$9su1qKzgjcEYuUz6VgfY7Se75rZ5TwHsCNTfA5egip8\"\n[[expect]]\n§";
const BASE: &str = "url = \"/orders\"\nresult = 404";

pub(super) fn expectation() -> Table {
    let never = ["method", "url", "result"].map(|key| serde_json::json!({ "required": [key] }));
    Table::new("[[expect]]", "An access test.", DOCUMENT)
        .base(BASE)
        .keys([
            Key::new(
                "client",
                Kind::text("client id", pattern::CLIENT_ID),
                "The client whose token the request has, with every scope that the client may ask for: one of \
                 `[clients]`.",
            )
            .default_note("no token")
            .example(r#""report""#)
            .wrong_for_check(r#""reports""#),
            Key::new("method", Kind::text("method, in upper case", pattern::METHOD), "The method of the request.")
                .default("\"GET\"")
                .example(r#""POST""#)
                .wrong(r#""post""#),
            Key::new(
                "url",
                Kind::text(
                    "URL, or a path for a host that no route names",
                    r"(/|[Hh][Tt][Tt][Pp][Ss]?://)[^\x00-\x1f\x7f-\x9f]*",
                ),
                "The URL of the request.",
            )
            .example(r#""https://api.example.com/orders""#)
            .wrong(r#""orders""#)
            .beside("result = 404"),
            Key::new(
                "result",
                Kind::Either(vec![Kind::Choice(vec!["pass"]), Kind::Number(STATUS.least, STATUS.most)]),
                "What becomes of the request: `\"pass\"` if it goes to an upstream, or the status of the gateway's \
                 answer.",
            )
            .example("404")
            .wrong(r#""refused""#)
            .beside("url = \"/orders\""),
            Key::new(
                "never",
                Kind::list(Kind::text(
                    "methods or `*`, a space, and a path or a host and a path",
                    r"(\*|[!#$%&'*+.^_`|~0-9A-Z,-]+) [^ /]*/[^\x00-\x1f\x7f-\x9f]*",
                ))
                .not_empty(),
                "Patterns of requests that the client must never get through with. This is proved for all hosts, \
                 methods and paths. In the path, `{name}` and `*` are one segment, and `/**` at the end is any rest, \
                 or none.",
            )
            .example(r#"["POST,PUT,DELETE /orders/**"]"#)
            .wrong(r#"["/orders/**"]"#)
            .beside("client = \"report\""),
        ])
        .rule(
            "Either `never`, or `url` and `result`.",
            serde_json::json!({
                "if": { "required": ["never"] },
                "then": { "not": { "anyOf": never } },
                "else": { "required": ["url", "result"] },
            }),
        )
}
