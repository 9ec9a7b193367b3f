//! `proxy_protocol` of a listener.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::addresses::address_ranges;
use crate::config::{address::AddressRange, error::ErrorKind, reader::Value};

const FROM: &str = "the addresses of the load balancers: { from = [\"10.0.0.0/8\"] }";

/// Reads `true`, `false` or `{ from = ["10.0.0.0/8"] }`: the addresses whose PROXY protocol header is
/// trusted. A listener on loopback can trust every connection.
pub(super) fn proxy_protocol(value: &Value<'_>, listens_on: IpAddr) -> Option<Option<Vec<AddressRange>>> {
    match value.inner().as_bool() {
        Some(false) => Some(None),
        Some(true) if listens_on.to_canonical().is_loopback() => Some(Some(loopback())),
        Some(true) => value.fail(
            ErrorKind::Conflict,
            "would let anybody who connects claim any address: write { from = [\"10.0.0.0/8\"] } with the addresses of \
             the load balancers (true is for listeners on loopback)",
        ),
        None => value.table("true, false, or { from = [\"10.0.0.0/8\"] }", |table| {
            let from = table.need("from", FROM)?;
            let ranges = address_ranges(&from)?;
            if ranges.is_empty() {
                return from.invalid(format!("is empty; name {FROM}"));
            }
            Some(Some(ranges))
        })?,
    }
}

fn loopback() -> Vec<AddressRange> {
    vec![
        AddressRange { network: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), prefix: 8 },
        AddressRange { network: IpAddr::V6(Ipv6Addr::LOCALHOST), prefix: 128 },
    ]
}
