//! A server of an upstream that listens on a Unix socket.

use std::path::PathBuf;

use crate::config::{
    address::{Host, Origin, Scheme},
    reader::Value,
};

/// The longest path that a Unix socket can have on Linux (unix(7)), without the byte that ends it.
const LONGEST: usize = 107;

/// Returns the path in `unix:/run/app.sock` or `unix:///run/app.sock`; `None` for another kind of text.
pub(super) fn path(text: &str) -> Option<&str> {
    let path = text.strip_prefix("unix:")?;
    // The second form is a URL with an empty authority.
    Some(if path.starts_with("///") { path.strip_prefix("//").unwrap_or(path) } else { path })
}

/// Checks the path of a socket. A relative one starts at the folder of the file.
pub(super) fn socket(value: &Value<'_>, path: &str) -> Option<PathBuf> {
    if path.is_empty() || path.ends_with('/') || path.contains('\0') {
        return value.invalid("must name a socket behind unix:, as in \"unix:/run/app.sock\"");
    }
    let path = value.cx.base_dir.join(path);
    if path.as_os_str().len() > LONGEST {
        return value.invalid(format!("has a longer path than a Unix socket can have ({LONGEST} bytes)"));
    }
    Some(path)
}

/// The host of requests to a Unix socket.
pub(super) fn origin() -> Origin {
    Origin { scheme: Scheme::Http, host: Host::Name("localhost".into()), port: Scheme::Http.default_port() }
}
