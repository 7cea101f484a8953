//! The PROXY protocol, version 2 (haproxy.org, proxy-protocol.txt, section 2.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sallyport_model::limits;

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, version and command, family, length.
const HEAD_BYTES: usize = 16;

/// The bytes are no header of version 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a header of the PROXY protocol, version 2")]
pub struct NotProxyV2;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passed {
    /// The header is longer than what came yet: this many bytes are needed in all.
    Needs(usize),
    /// The proxy speaks for itself: a health check.
    Itself {
        /// Bytes of the header.
        length: usize,
    },
    /// The proxy speaks for a client.
    For {
        /// The client.
        client: IpAddr,
        /// Bytes of the header.
        length: usize,
    },
}

/// Reads the header at the beginning of a connection from a listed proxy.
///
/// # Errors
/// [`NotProxyV2`] as soon as it cannot be one: another signature, version or transport, too long, or without room for its addresses.
pub fn proxy_v2(bytes: &[u8]) -> Result<Passed, NotProxyV2> {
    let shown = bytes.len().min(SIGNATURE.len());
    if bytes[..shown] != SIGNATURE[..shown] {
        return Err(NotProxyV2);
    }
    let Some((head, rest)) = bytes.split_at_checked(HEAD_BYTES) else { return Ok(Passed::Needs(HEAD_BYTES)) };
    let body = usize::from(head[14]) << 8 | usize::from(head[15]);
    let length = HEAD_BYTES + body;
    if length > limits::PROXY_HEADER_BYTES || head[12] >> 4 != 2 {
        return Err(NotProxyV2);
    }
    let Some(body) = rest.get(..body) else { return Ok(Passed::Needs(length)) };
    match (head[12] & 0x0f, head[13]) {
        (0, _) => Ok(Passed::Itself { length }),
        (1, 0x11) if body.len() >= 12 => Ok(Passed::For { client: IpAddr::V4(Ipv4Addr::new(body[0], body[1], body[2], body[3])), length }),
        (1, 0x21) if body.len() >= 36 => Ok(Passed::For { client: v6(body)?.to_canonical(), length }),
        _ => Err(NotProxyV2),
    }
}

fn v6(body: &[u8]) -> Result<IpAddr, NotProxyV2> {
    let bytes: [u8; 16] = body[..16].try_into().map_err(|_| NotProxyV2)?;
    Ok(IpAddr::V6(Ipv6Addr::from(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [SIGNATURE.as_slice(), &[0x20 | command, family], &length, body].concat()
    }

    fn v4_body() -> Vec<u8> {
        vec![192, 0, 2, 7, 198, 51, 100, 1, 0x12, 0x34, 0x01, 0xbb]
    }

    #[test]
    fn net_03_the_client_is_read() {
        let bytes = header(1, 0x11, &v4_body());
        assert_eq!(proxy_v2(&bytes), Ok(Passed::For { client: "192.0.2.7".parse().unwrap(), length: 28 }));
        let mut body = [0u8; 36];
        body[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        body[15] = 9;
        assert_eq!(proxy_v2(&header(1, 0x21, &body)), Ok(Passed::For { client: "2001:db8::9".parse().unwrap(), length: 52 }));
        let with_more = [v4_body(), vec![4, 0, 1, 0]].concat();
        let bytes = [header(1, 0x11, &with_more), b"GET / HTTP/1.1".to_vec()].concat();
        assert_eq!(proxy_v2(&bytes), Ok(Passed::For { client: "192.0.2.7".parse().unwrap(), length: 32 }), "what follows is not looked at");
        assert_eq!(proxy_v2(&header(0, 0, &[])), Ok(Passed::Itself { length: 16 }));
    }

    #[test]
    fn net_03_mapped_addresses_are_what_they_map() {
        let mut body = [0u8; 36];
        body[10..16].copy_from_slice(&[0xff, 0xff, 192, 0, 2, 7]);
        assert_eq!(proxy_v2(&header(1, 0x21, &body)), Ok(Passed::For { client: "192.0.2.7".parse().unwrap(), length: 52 }));
    }

    #[test]
    fn net_03_every_beginning_of_a_header_needs_more_and_nothing_panics() {
        let whole = header(1, 0x11, &v4_body());
        for length in 0..whole.len() {
            assert!(matches!(proxy_v2(&whole[..length]), Ok(Passed::Needs(_))), "{length}");
        }
    }

    #[test]
    fn net_03_what_is_no_header_is_refused() {
        let huge = [SIGNATURE.as_slice(), &[0x21, 0x11, 0xff, 0xff]].concat();
        for wrong in [
            b"GET / HTTP/1.1\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n".to_vec(),
            header(1, 0x12, &v4_body()),
            header(1, 0x31, &v4_body()),
            header(1, 0x11, &v4_body()[..11]),
            header(1, 0x21, &[0; 35]),
            header(2, 0x11, &v4_body()),
            [SIGNATURE.as_slice(), &[0x11, 0x11, 0, 0]].concat(),
            huge,
        ] {
            assert_eq!(proxy_v2(&wrong), Err(NotProxyV2), "{wrong:?}");
        }
    }
}
