//! Regular expressions for texts, in the syntax that JSON Schema and Rust's `regex` share.
//!
//! Each expresses as much of the reader's grammar as a regular expression can. The rest (a repeated `{name}`,
//! bits behind an address prefix) is for `check` alone.

use serde_json::{Value as Json, json};

use super::number;

/// RFC 6749 §3.3.
pub(super) const SCOPE: &str = r"[!#-\[\]-~]+";
/// Visible ASCII, spaces only inside.
pub(super) const CLIENT_ID: &str = "[!-~]([ -~]{0,253}[!-~])?";
pub(super) const UPSTREAM_NAME: &str = r"[^\x00-\x1f\x7f-\x9f]{1,255}";
/// A text without control characters.
pub(super) const LINE: &str = r"[^\x00-\x1f\x7f-\x9f]+";
/// An address to write to (RFC 6068).
pub(super) const MAILTO: &str = r"mailto:[^@?, \x00-\x1f\x7f-\x9f]+@[A-Za-z0-9.-]+";
/// RFC 9110 §5.1.
pub(super) const HEADER_NAME: &str = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
/// RFC 9110 §9.1, without lower case.
pub(super) const METHOD: &str = "[!#$%&'*+.^_`|~0-9A-Z-]+";
/// RFC 8707 §2: no fragment.
pub(super) const AUDIENCE: &str = r#"[!-"$-~]{1,1024}"#;
/// Text that needs no escape in a quoted string (RFC 9110 §5.6.4).
pub(super) const REALM: &str = r"[ !#-\[\]-~]{1,100}";
/// Scheme, host and port.
pub(super) const ORIGIN: &str =
    r#"[Hh][Tt][Tt][Pp][Ss]?://([!"$-.0-9;->A-Z\\^-~]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{0,5})?/?"#;
/// A server of a shared store.
pub(super) const ENGINE_URL: &str =
    r"(redis|valkey)s?://([0-9A-Za-z._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?|unix:/[^\x00-\x1f\x7f-\x9f]+";
/// What the names of keys in a shared store begin with.
pub(super) const KEY_PREFIX: &str = "[A-Za-z0-9._:-]{1,64}";
/// A SHA-256 in base64url without padding.
pub(super) const SHA256: &str = "[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]";
/// A SHA-256 in base64 with padding.
pub(super) const PIN: &str = "[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=";
/// The target of a health check, with or without a query.
pub(super) const TARGET: &str = r#"/[!-"$-~]*"#;
/// The path of a socket.
const SOCKET: &str = r"[^\x00-\x1f\x7f-\x9f]*[^\x00-\x1f\x7f-\x9f/]";
/// A range of statuses.
pub(super) const STATUSES: &str = "[2-5]xx|[2-5][0-9]{2}-[2-5][0-9]{2}";
/// A TOML date and time with an offset.
pub(super) const DATE_TIME: &str =
    "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]+)?)?([Zz]|[+-][0-9]{2}:[0-9]{2})";
/// The environment variable that a text comes from.
pub(super) const VARIABLE: &str = "env:[A-Za-z_][A-Za-z0-9_]*";
/// The source of a secret value that is not in the file.
const ELSEWHERE: &str = "env:[A-Za-z_][A-Za-z0-9_]*|file:.+";

const OCTET: &str = "(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
const IPV6: &str = "[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*";
const LOOPBACK_V6: &str = "[0:]*:0*1";

/// The hash of a client's secret, or where it comes from. A secret in the clear does not match.
pub(super) fn secret_hash() -> String {
    let base64 = "[A-Za-z0-9+/]";
    format!(r"[$]argon2id[$]v=19[$]m=[0-9]+,t=[0-9]+,p=[0-9]+[$]{base64}{{4,}}[$]{base64}{{22,}}|{ELSEWHERE}")
}

/// A secret in the file, in the environment (`env:NAME`) or in a file of its own (`file:path`).
pub(super) fn secret_value() -> Json {
    json!({
        "type": "string",
        "pattern": r"^[^\x00-\x08\x0a-\x1f\x7f]+$",
        "if": { "pattern": "^(env|file):" },
        "then": { "pattern": format!("^({ELSEWHERE})$") },
    })
}

/// `https://` on any address of this machine; `http://` only on loopback, unless `open`.
pub(super) fn listen(open: bool) -> String {
    let (ip, loopback) = (address(), loopback());
    let localhost = any_case("localhost");
    let http = if open { format!("({ip}|{localhost})") } else { format!("({loopback}|{localhost})") };
    format!(
        "({https}({ip}|{localhost})|{plain}{http}){port}",
        https = scheme("https"),
        plain = scheme("http"),
        port = port(0)
    )
}

/// Either scheme, on loopback only.
pub(super) fn listen_on_loopback() -> String {
    let (loopback, localhost) = (loopback(), any_case("localhost"));
    format!("({}|{})({loopback}|{localhost}){}", scheme("https"), scheme("http"), port(0))
}

/// The same without `https://`.
pub(super) fn listen_plain(open: bool) -> String {
    let host = if open { address() } else { loopback() };
    format!("{}({host}|{}){}", scheme("http"), any_case("localhost"), port(0))
}

/// An address and port on loopback.
pub(super) fn loopback_socket() -> String {
    format!(r"(127(\.{OCTET}){{3}}|\[{LOOPBACK_V6}\]):{}", number::from_to(0, 65_535))
}

/// A URL that names a server, and perhaps a path on it.
pub(super) fn server() -> String {
    let url =
        format!("({}|{}){}{}(/|{})?", scheme("https"), scheme("http"), host(), port(1), path(false, true));
    format!("{url}|unix:(//)?{SOCKET}")
}

/// A host, with or without a port.
pub(super) fn host_and_port() -> String {
    format!("{}{}", host(), port(1))
}

/// An origin of web pages, or `*`.
pub(super) fn web_origin() -> String {
    format!(r"\*|({}|{}){}{}", scheme("https"), scheme("http"), host(), port(0))
}

/// `https://`, or `http://` on loopback; no fragment, and no query unless allowed.
pub(super) fn secure_url(query_allowed: bool) -> String {
    let host = format!(
        "({}{}|{}({}|{}))",
        scheme("https"),
        self::host(),
        scheme("http"),
        loopback(),
        any_case("localhost")
    );
    let rest = r"!$-;=@-\[\]-~"; // Printable ASCII but for " # < > ? and the backslash.
    let query = if query_allowed { format!(r"(\?[{rest}?]*)?") } else { String::new() };
    format!("{host}{}(/[{rest}]*)?{query}", port(1))
}

/// A DNS name or an address, as in a URL.
pub(super) fn host() -> String {
    format!("({}|{})", address(), dns_name())
}

/// A host of a route.
pub(super) fn host_pattern() -> String {
    format!(r"{}|\*\.{}", host(), dns_name())
}

/// A DNS name whose last label is not a number.
pub(super) fn dns_name() -> String {
    let label = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
    let last = "([A-Za-z_]|[0-9]+-*[A-Za-z_])([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
    format!(r"({label}\.)*{last}")
}

/// A DNS name that a certificate can have.
pub(super) fn certificate_name() -> String {
    dns_name().replace('_', "")
}

/// An address, or a range of them such as `10.0.0.0/8`.
pub(super) fn address_range() -> String {
    format!(r"{OCTET}(\.{OCTET}){{3}}(/{})?|{IPV6}(/{})?", number::from_to(0, 32), number::from_to(0, 128))
}

/// The name of a user of the console.
pub(super) fn user_name(longest: usize) -> String {
    format!("[A-Za-z0-9_.@-]{{1,{longest}}}")
}

/// A path in canonical form. In a route's, a segment can be `{name}`, and it can have semicolons and encoded
/// slashes.
pub(super) fn path(of_route: bool, prefix: bool) -> String {
    // RFC 3986 §3.3, and what browsers leave unescaped. The escapes are those that the canonical path keeps.
    let raw = r"A-Za-z0-9_~!$&'()*+,=:@\[\]|-";
    let (semicolon, slash) = if of_route { (";", "|2F") } else { ("", "") };
    let escape = format!("%(22|23|25{slash}|3C|3E|3F|5E|60|7B|7D|[89ABDEF][0-9A-F]|C[2-9A-F])");
    // Dots and spaces alone are a dot segment, also with parameters behind them.
    let segment = format!("((\\.|%20)*([{raw}]|{escape})([.{semicolon}{raw}]|%20|{escape})*|(%20)+)");
    let segment = if of_route { format!("({segment}|\\{{[A-Za-z0-9_-]+\\}})") } else { segment };
    match (of_route, prefix) {
        (true, true) => format!("/|(/{segment}){{1,64}}"),
        (true, false) => format!("/|(/{segment}){{1,64}}/?"),
        (false, true) => format!("(/{segment}){{1,64}}"),
        (false, false) => format!("(/{segment}){{1,64}}/?"),
    }
}

/// One of several words, in any case; `-` also matches `_` if servers may take one for the other.
pub(super) fn one_of(words: impl IntoIterator<Item = &'static str>, underscore: bool) -> String {
    let words = words.into_iter().map(|word| {
        let word = any_case(word);
        if underscore { word.replace('-', "[-_]") } else { word }
    });
    words.collect::<Vec<_>>().join("|")
}

fn address() -> String {
    format!(r"({OCTET}(\.{OCTET}){{3}}|\[{IPV6}\])")
}

fn loopback() -> String {
    format!(r"(127(\.{OCTET}){{3}}|\[{LOOPBACK_V6}\])")
}

fn port(least: u64) -> String {
    format!("(:{})?", number::from_to(least, 65_535))
}

fn scheme(name: &str) -> String {
    format!("{}://", any_case(name))
}

fn any_case(word: &str) -> String {
    let letter = |letter: char| match letter.is_ascii_alphabetic() {
        true => format!("[{}{}]", letter.to_ascii_uppercase(), letter.to_ascii_lowercase()),
        false => letter.to_string(),
    };
    word.chars().map(letter).collect()
}
