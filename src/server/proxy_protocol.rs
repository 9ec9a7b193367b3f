//! The PROXY protocol header (versions 1 and 2), which a load balancer sends at the start of a connection.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

const V2_SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// The maximum length of a version 1 line, including its end.
const V1_MAX: usize = 107;
/// The maximum length accepted for the addresses and extensions of version 2. The format allows 64 KiB.
const V2_MAX: usize = 1024;

/// Reads the header and nothing beyond it. Returns `None` if the load balancer connects on its own behalf
/// (`LOCAL`, such as a health check) or does not know the client's address.
pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<SocketAddr>> {
    // No valid header of either version is shorter than the signature of version 2.
    let mut start = [0; 12];
    stream.read_exact(&mut start).await?;
    if start == V2_SIGNATURE { read_v2(stream).await } else { read_v1(stream, start).await }
}

async fn read_v1<S: AsyncRead + Unpin>(stream: &mut S, start: [u8; 12]) -> io::Result<Option<SocketAddr>> {
    let mut line = Vec::with_capacity(V1_MAX);
    line.extend_from_slice(&start);
    if !line.starts_with(b"PROXY ") {
        return Err(invalid());
    }
    // Byte by byte, because the bytes after the line belong to TLS or HTTP.
    while !line.ends_with(b"\r\n") {
        if line.len() >= V1_MAX {
            return Err(invalid());
        }
        line.push(stream.read_u8().await?);
    }
    parse_v1(&line).ok_or_else(invalid)
}

/// Parses a version 1 line. The outer `Option` is `None` if the line is malformed.
fn parse_v1(line: &[u8]) -> Option<Option<SocketAddr>> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?.strip_prefix("PROXY ")?;
    if line == "UNKNOWN" || line.starts_with("UNKNOWN ") {
        return Some(None);
    }
    let mut fields = line.split(' ');
    let family = fields.next()?;
    let source = fields.next()?;
    let _destination: IpAddr = fields.next()?.parse().ok()?;
    let port = fields.next()?.parse().ok()?;
    let _destination_port: u16 = fields.next()?.parse().ok()?;
    let source = match family {
        "TCP4" => IpAddr::V4(source.parse().ok()?),
        "TCP6" => IpAddr::V6(source.parse().ok()?),
        _ => return None,
    };
    fields.next().is_none().then_some(Some(SocketAddr::new(source, port)))
}

async fn read_v2<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<Option<SocketAddr>> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let [version_command, family, high, low] = head;
    let length = usize::from(u16::from_be_bytes([high, low]));
    if version_command >> 4 != 2 || length > V2_MAX {
        return Err(invalid());
    }
    let mut rest = [0; V2_MAX];
    let rest = rest.get_mut(..length).ok_or_else(invalid)?;
    stream.read_exact(rest).await?;
    match version_command & 0x0f {
        0 => Ok(None),
        1 => parse_v2(family, rest).ok_or_else(invalid),
        _ => Err(invalid()),
    }
}

/// Parses the addresses of version 2. The outer `Option` is `None` if they are shorter than their family
/// requires.
fn parse_v2(family: u8, rest: &[u8]) -> Option<Option<SocketAddr>> {
    match family >> 4 {
        1 => {
            let source: [u8; 4] = rest.get(..4)?.try_into().ok()?;
            let port: [u8; 2] = rest.get(8..10)?.try_into().ok()?;
            rest.get(..12)?;
            Some(Some((Ipv4Addr::from(source), u16::from_be_bytes(port)).into()))
        }
        2 => {
            let source: [u8; 16] = rest.get(..16)?.try_into().ok()?;
            let port: [u8; 2] = rest.get(32..34)?.try_into().ok()?;
            rest.get(..36)?;
            Some(Some((Ipv6Addr::from(source), u16::from_be_bytes(port)).into()))
        }
        _ => Some(None),
    }
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a PROXY protocol header")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parse(bytes: &[u8]) -> (io::Result<Option<SocketAddr>>, usize) {
        let mut rest = bytes;
        let result = read(&mut rest).await;
        (result, rest.len())
    }

    #[tokio::test]
    async fn version_1_headers_are_read() {
        let (source, rest) = parse(b"PROXY TCP4 192.0.2.7 192.0.2.1 56324 443\r\nGET").await;
        assert_eq!(source.unwrap(), Some("192.0.2.7:56324".parse().unwrap()));
        assert_eq!(rest, 3, "the bytes after the header are not consumed");
        let (source, _) = parse(b"PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n").await;
        assert_eq!(source.unwrap(), Some("[2001:db8::7]:1".parse().unwrap()));
        assert_eq!(parse(b"PROXY UNKNOWN\r\nGET").await.0.unwrap(), None);
    }

    #[tokio::test]
    async fn version_2_headers_are_read() {
        let mut header = V2_SIGNATURE.to_vec();
        header.extend([0x21, 0x11, 0, 12, 192, 0, 2, 7, 192, 0, 2, 1, 0x10, 0x00, 0x01, 0xbb]);
        header.extend(b"GET");
        let (source, rest) = parse(&header).await;
        assert_eq!(source.unwrap(), Some("192.0.2.7:4096".parse().unwrap()));
        assert_eq!(rest, 3);
        let mut local = V2_SIGNATURE.to_vec();
        local.extend([0x20, 0, 0, 0]);
        assert_eq!(parse(&local).await.0.unwrap(), None);
    }

    #[tokio::test]
    async fn malformed_headers_are_refused() {
        let endless = [b"PROXY TCP4 ".as_slice(), &[b'1'; 200]].concat();
        let mut too_long = V2_SIGNATURE.to_vec();
        too_long.extend([0x21, 0x11, 0xff, 0xff]);
        too_long.extend([0; 70_000]);
        let mut cut = V2_SIGNATURE.to_vec();
        cut.extend([0x21, 0x11, 0, 4, 192, 0, 2, 7]);
        for bytes in [
            b"GET / HTTP/1.1\r\n\r\n".as_slice(),
            b"PROXY TCP4 2001:db8::7 192.0.2.1 1 2\r\n",
            b"PROXY TCP4 192.0.2.7 192.0.2.1 70000 2\r\n",
            b"PROXY TCP4 192.0.2.7 192.0.2.1 1 2 3\r\n",
            &endless,
            &too_long,
            &cut,
        ] {
            assert!(parse(bytes).await.0.is_err(), "{:?}", String::from_utf8_lossy(bytes));
        }
    }
}
