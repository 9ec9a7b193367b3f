//! `[demo]`.

use std::net::SocketAddr;

use super::server;
use crate::config::{
    error::ErrorKind,
    model::{Demo, Server},
    reader::Value,
};

pub(super) fn demo(value: &Value<'_>, server: &Server) -> Option<Demo> {
    const WANTED: &str = "an address and port on loopback, such as \"127.0.0.1:9000\"";
    let listen = value.table("a table: [demo]", |table| {
        let value = table.need("listen", WANTED)?;
        let text = value.string(WANTED)?;
        match text.parse::<SocketAddr>() {
            Ok(address) if !address.ip().is_loopback() => value.fail(
                ErrorKind::InsecureListener,
                format!("answers without a token, so it must be {WANTED}"),
            ),
            Ok(address) if server::taken(&server.listen, address) => {
                value.fail(ErrorKind::Duplicate, "the gateway itself listens there ([server] listen)")
            }
            Ok(address) => Some(address),
            Err(_) => value.invalid(format!("must be {WANTED}")),
        }
    })??;
    Some(Demo { listen, position: value.position() })
}
