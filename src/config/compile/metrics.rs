//! `[metrics]`.

use std::net::{Ipv4Addr, SocketAddr};

use super::server;
use crate::config::{
    address::{Host, Origin, Scheme},
    error::ErrorKind,
    model::{Metrics, Server},
    reader::Value,
};

const WANTED: &str = "a URL to listen on, such as \"http://127.0.0.1:9464\"";

pub(super) fn metrics(value: &Value<'_>, server: &Server) -> Option<Metrics> {
    let listen = value.table("a table: [metrics]", |table| {
        let listen = table.need("listen", WANTED);
        let open = table.flag("open_to_network");
        address(&listen?, open, server)
    })??;
    Some(Metrics { listen, position: value.position() })
}

fn address(value: &Value<'_>, open: bool, server: &Server) -> Option<SocketAddr> {
    let origin = match Origin::parse(value.string(WANTED)?) {
        Ok(origin) => origin,
        Err(error) => return value.invalid(error.to_string()),
    };
    if origin.scheme == Scheme::Https {
        return value.invalid(
            "must be http://: metrics are served without TLS, so put a proxy in front of them if you need it",
        );
    }
    let ip = match origin.host {
        Host::Address(ip) => ip,
        Host::Name(ref name) if &**name == "localhost" => Ipv4Addr::LOCALHOST.into(),
        Host::Name(_) => return value.invalid("must name an IP address of this machine, or localhost"),
    };
    let address = SocketAddr::new(ip, origin.port);
    if !ip.to_canonical().is_loopback() && !open {
        return value.fail(
            ErrorKind::InsecureListener,
            "lets the whole network read the metrics: listen on 127.0.0.1, or write open_to_network = true",
        );
    }
    if server::taken(&server.listen, address) {
        return value.fail(ErrorKind::Duplicate, "the gateway itself listens there ([server] listen)");
    }
    Some(address)
}
