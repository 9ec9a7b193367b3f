//! The cookie of the console's sessions, which is for no upstream.
//!
//! Cookies ignore ports: a browser that is signed in to a console on this host sends its cookie to every
//! other server on the host, including this gateway's listeners for clients. It may be the console of another
//! gateway, so the cookie is removed whether this gateway has a console or not.

use memchr::memmem;

/// How the name of the cookie begins; the port of the listener follows.
const NAME: &str = "tollgate_admin_";
/// The prefix of cookies that browsers accept only over TLS and only from the host itself.
const HOST_PREFIX: &str = "__Host-";

/// Returns the name of the cookie of a listener.
pub(crate) fn console_cookie(port: u16, secure: bool) -> String {
    format!("{}{NAME}{port}", if secure { HOST_PREFIX } else { "" })
}

/// Returns the cookies of a `Cookie` header without those of consoles; `None` if there are none of them.
pub(super) fn without_console_cookies(value: &[u8]) -> Option<Vec<u8>> {
    memmem::find(value, NAME.as_bytes())?;
    let is_console = |pair: &&[u8]| {
        let name = pair.strip_prefix(HOST_PREFIX.as_bytes()).unwrap_or(pair);
        name.starts_with(NAME.as_bytes())
    };
    let pairs = value.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let rest: Vec<&[u8]> = pairs.filter(|pair| !is_console(pair)).collect();
    Some(rest.join(&b"; "[..]))
}

/// Returns whether a `Set-Cookie` header of a server sets the cookie of a console. A server could otherwise
/// end the sessions of operators, or replace one by its own. A cookie without a name is sent back as its
/// value, so the value counts as its name.
pub(super) fn sets_console_cookie(value: &[u8]) -> bool {
    let pair = value.trim_ascii_start();
    let pair = pair.strip_prefix(b"=").unwrap_or(pair).trim_ascii_start();
    pair.strip_prefix(HOST_PREFIX.as_bytes()).unwrap_or(pair).starts_with(NAME.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_of_consoles_are_removed_and_others_stay() {
        for (before, after) in [
            ("a=1; b=2", None),
            ("a=tollgate_admin_; b=2", Some("a=tollgate_admin_; b=2")),
            ("tollgate_admin_9465=x", Some("")),
            ("__Host-tollgate_admin_9465=x", Some("")),
            ("a=1; tollgate_admin_9465=x; b=2", Some("a=1; b=2")),
            ("a=1;tollgate_admin_1=x;__Host-tollgate_admin_2=y;;b=2", Some("a=1; ; b=2")),
            (" \ttollgate_admin_9465 =x", Some("")),
        ] {
            let after = after.map(|text| text.as_bytes().to_vec());
            assert_eq!(without_console_cookies(before.as_bytes()), after, "{before}");
        }
        assert!(without_console_cookies(format!("{}=x", console_cookie(1, true)).as_bytes()).is_some());
    }

    #[test]
    fn cookies_of_consoles_are_known_in_responses() {
        for (value, is_console) in [
            ("tollgate_admin_9465=x; Path=/", true),
            (" \t__Host-tollgate_admin_1=", true),
            ("=tollgate_admin_9465=x", true),
            ("= tollgate_admin_9465=x", true),
            ("session=tollgate_admin_9465", false),
            ("my_tollgate_admin_1=x", false),
            ("", false),
        ] {
            assert_eq!(sets_console_cookie(value.as_bytes()), is_console, "{value}");
        }
    }
}
