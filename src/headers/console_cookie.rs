//! The cookie of the console's sessions, which is for no upstream.

/// How the name of the cookie begins; the port of the listener follows.
const NAME: &str = "tollgate_admin_";
/// The prefix of cookies that browsers accept only over TLS and only from the host itself.
const HOST_PREFIX: &str = "__Host-";

/// Returns the name of the cookie of a listener.
pub(crate) fn console_cookie(port: u16, secure: bool) -> String {
    format!("{}{NAME}{port}", if secure { HOST_PREFIX } else { "" })
}
