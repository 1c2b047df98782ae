use arbtest::arbitrary::Unstructured;
use proxy_header::{ProxiedAddress, SslInfo, Tlv};

use super::*;

/// The header in these bytes, which arrive at once, and its length.
fn decode(bytes: &[u8]) -> Result<Option<(ProxyHeader, usize)>, HeaderError> {
    let (count, header) = HeaderDecoder::default().decode(bytes)?;
    assert!(count <= bytes.len());
    Ok(header.map(|header| (header, count)))
}

#[track_caller]
fn check(bytes: &[u8], client: Option<&str>, is_encrypted: bool) {
    let expected = ProxyHeader { client: client.map(|address| address.parse().unwrap()), is_encrypted };
    assert_eq!(decode(bytes), Ok(Some((expected, bytes.len()))), "{}", bytes.escape_ascii());
    let with_line = [bytes, b"NICK alice\n"].concat();
    assert_eq!(decode(&with_line), Ok(Some((expected, bytes.len()))), "the next line belongs to the header");
    // In pieces of one byte, and cut at each byte.
    let mut decoder = HeaderDecoder::default();
    for (number, byte) in bytes.iter().enumerate() {
        let is_last = number + 1 == bytes.len();
        assert_eq!(decoder.decode(&[*byte]), Ok((1, is_last.then_some(expected))), "byte {number}");
        let mut decoder = HeaderDecoder::default();
        assert_eq!(decoder.decode(&bytes[..number]), Ok((number, None)), "{number} bytes");
        assert_eq!(decoder.decode(&with_line[number..]), Ok((bytes.len() - number, Some(expected))));
    }
}

#[track_caller]
fn refused(bytes: &[u8], expected: HeaderError) {
    assert_eq!(decode(bytes), Err(expected), "{}", bytes.escape_ascii());
}

/// A header of version 2 with this command, address family and content.
fn v2(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&START_V2[..], &[command, family], &length, content].concat()
}

const IPV4: [u8; 12] = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x34, 0, 80];

/// A value of version 2.
fn value(kind: u8, content: &[u8]) -> Vec<u8> {
    [&[kind], &u16::try_from(content.len()).unwrap().to_be_bytes()[..], content].concat()
}

#[test]
fn v1_names_the_client() {
    check(b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 9999\r\n", Some("192.0.2.7:4711"), false);
    check(b"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", Some("0.0.0.0:0"), false);
    check(b"PROXY TCP6 2001:db8::7 ::1 65535 9999\r\n", Some("[2001:db8::7]:65535"), false);
    check(b"PROXY TCP6 2001:DB8:0:0:0:0:0:7 ::1 1 2\r\n", Some("[2001:db8::7]:1"), false);
    check(b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", Some("192.0.2.7:1"), false);
    let longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    check(
        format!("PROXY TCP6 {longest} {longest} 65535 65535\r\n").as_bytes(),
        Some(&format!("[{longest}]:65535")),
        false,
    );
}

#[test]
fn v1_unknown_is_the_proxy_itself() {
    check(b"PROXY UNKNOWN\r\n", None, false);
    check(b"PROXY UNKNOWN 192.0.2.7 10.0.0.1 4711 9999\r\n", None, false);
    check(b"PROXY UNKNOWN \xff\r\0 x\r\n", None, false);
    let longest = format!("PROXY UNKNOWN {}\r\n", "x".repeat(PROXY_LINE_BYTES_MAX - 16));
    assert_eq!(longest.len(), PROXY_LINE_BYTES_MAX);
    check(longest.as_bytes(), None, false);
}

#[test]
fn malformed_v1_is_refused() {
    for (line, part) in [
        ("TCP4 192.0.2.7 10.0.0.1 4711", "port"),
        ("TCP4 192.0.2.7 10.0.0.1 4711 9999 x", "number of words"),
        ("TCP4 192.0.2.7 10.0.0.1 4711 9999 ", "number of words"),
        ("TCP4  192.0.2.7 10.0.0.1 4711 9999", "number of words"),
        ("TCP4 192.0.2.7", "address"),
        ("TCP4 192.0.2.256 10.0.0.1 4711 9999", "address"),
        ("TCP4 192.0.2.07 10.0.0.1 4711 9999", "address"),
        ("TCP4 192.0.2.7 10.0.0 4711 9999", "address"),
        ("TCP4 ::1 ::1 4711 9999", "address"),
        ("TCP6 192.0.2.7 10.0.0.1 4711 9999", "address"),
        ("TCP6 fe80::1%eth0 ::1 4711 9999", "address"),
        ("TCP4 192.0.2.7 10.0.0.1 65536 9999", "port"),
        ("TCP4 192.0.2.7 10.0.0.1 04711 9999", "port"),
        ("TCP4 192.0.2.7 10.0.0.1 +4711 9999", "port"),
        ("TCP4 192.0.2.7 10.0.0.1 4711 +0", "port"),
        ("TCP4 192.0.2.7 10.0.0.1 -1 9999", "port"),
        ("TCP4 192.0.2.7 10.0.0.1 4711 00", "port"),
        ("TCP4\t192.0.2.7 10.0.0.1 4711 9999", "protocol"),
        ("UDP4 192.0.2.7 10.0.0.1 4711 9999", "protocol"),
        ("tcp4 192.0.2.7 10.0.0.1 4711 9999", "protocol"),
        ("UNKNOWNx", "protocol"),
        ("", "protocol"),
    ] {
        refused(format!("PROXY {line}\r\n").as_bytes(), HeaderError::Invalid(part));
    }
    refused(b"PROXY UNKNOWN\n", HeaderError::Invalid("line ending"));
    refused(b"PROXY UNKNOWN\n\r\n", HeaderError::Invalid("line ending"));
}

#[test]
fn too_long_v1_is_refused() {
    let line = |length: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(length - 16));
    refused(line(PROXY_LINE_BYTES_MAX + 1).as_bytes(), HeaderError::LineTooLong);
    refused(line(PROXY_HEADER_BYTES_MAX).as_bytes(), HeaderError::LineTooLong);
    let mut decoder = HeaderDecoder::default();
    let long = line(PROXY_LINE_BYTES_MAX + 1);
    let bytes = long.as_bytes().iter().map(|&byte| decoder.decode(&[byte]));
    assert_eq!(bytes.take_while(Result::is_ok).count(), PROXY_LINE_BYTES_MAX - 1);
}

/// No byte more is read than shows that.
#[test]
fn other_first_bytes_are_refused_at_once() {
    for start in [
        "NICK alice\n",
        "GET / HTTP/1.1\r\n",
        "PING\n",
        "PROX\n",
        "PROXYx",
        "PROXY\t",
        "\r\n\r\nQUIT\n",
        "\r\n\r\n\0\r\nQUIT\r",
        "\n",
    ] {
        let is_refused = |length: &usize| decode(&start.as_bytes()[..*length]) == Err(HeaderError::Missing);
        let length = (1..=start.len()).find(is_refused).unwrap_or_else(|| panic!("{start:?} is accepted"));
        let is_start = |known: &[u8]| known.starts_with(&start.as_bytes()[..length]);
        assert!(!is_start(START_V1) && !is_start(START_V2), "{start:?} at {length}");
    }
    refused(&[22, 3, 1], HeaderError::Missing);
    assert_eq!(decode(b""), Ok(None));
}

#[test]
fn v2_names_the_client() {
    check(&v2(0x21, 0x11, &IPV4), Some("192.0.2.7:4660"), false);
    let ipv6 = [&[0x20, 1, 0xd, 0xb8], &[0; 11][..], &[7], &[0; 15], &[1], &[0xff, 0xfe, 0, 80]].concat();
    check(&v2(0x21, 0x21, &ipv6), Some("[2001:db8::7]:65534"), false);
    let mapped = [&[0; 10], &[0xff, 0xff, 192, 0, 2, 7][..], &[0; 16], &[0, 1, 0, 2]].concat();
    check(&v2(0x21, 0x21, &mapped), Some("192.0.2.7:1"), false);
    // An unknown value, and values that end too early.
    for values in [value(0xe0, b"x"), value(4, &[]), vec![0x20], vec![0x20, 0, 9, 1], vec![0x20, 0xff, 0xff]] {
        check(&v2(0x21, 0x11, &[&IPV4[..], &values].concat()), Some("192.0.2.7:4660"), false);
    }
}

#[test]
fn v2_says_whether_the_client_uses_tls() {
    let with = |values: &[Vec<u8>]| v2(0x21, 0x11, &[&IPV4[..], &values.concat()].concat());
    let tls = |flags: u8| value(0x20, &[&[flags, 0, 0, 0, 0], &value(0x21, b"TLSv1.3")[..]].concat());
    check(&with(&[tls(1)]), Some("192.0.2.7:4660"), true);
    check(&with(&[value(5, b"id"), tls(7)]), Some("192.0.2.7:4660"), true);
    check(&with(&[tls(0)]), Some("192.0.2.7:4660"), false);
    // The proxy's own connection to another one.
    check(&with(&[tls(6), tls(1)]), Some("192.0.2.7:4660"), false);
    check(&with(&[value(0x21, &[1, 0, 0, 0, 0]), value(2, &tls(1))]), Some("192.0.2.7:4660"), false);
    check(&with(&[value(0x20, &[1, 0, 0, 0])]), Some("192.0.2.7:4660"), false);
    // Without an address, and for the proxy itself.
    check(&v2(0x21, 0x00, &tls(1)), None, true);
    check(&v2(0x20, 0x11, &[&IPV4[..], &tls(1)].concat()), None, false);
}

#[test]
fn v2_without_tcp_address_is_the_proxy_itself() {
    for family in [0x00, 0x01, 0x02, 0x10, 0x12, 0x20, 0x22, 0x30, 0x31, 0x32] {
        check(&v2(0x21, family, &[1; 216]), None, false);
        check(&v2(0x21, family, &[]), None, false);
    }
    // LOCAL, whatever follows.
    for family in 0..=255 {
        check(&v2(0x20, family, &IPV4[..11]), None, false);
    }
}

#[test]
fn malformed_v2_is_refused() {
    for command in (0..=255).filter(|command| ![0x20, 0x21].contains(command)) {
        refused(&v2(command, 0x11, &IPV4), HeaderError::Invalid("version or command"));
    }
    for family in (0..=255).filter(|family| family >> 4 > 3 || family & 0xf > 2) {
        refused(&v2(0x21, family, &[0; 216]), HeaderError::Invalid("address family or protocol"));
    }
    refused(&v2(0x21, 0x11, &IPV4[..11]), HeaderError::Invalid("length"));
    refused(&v2(0x21, 0x21, &[0; 35]), HeaderError::Invalid("length"));
    refused(&v2(0x21, 0x11, &[]), HeaderError::Invalid("length"));
}

/// Its fixed part is enough.
#[test]
fn too_long_v2_is_refused() {
    let longest = v2(0x21, 0x11, &[&IPV4[..], &[0; PROXY_HEADER_BYTES_MAX - 16 - 12]].concat());
    assert_eq!(longest.len(), PROXY_HEADER_BYTES_MAX);
    assert_eq!(decode(&longest).unwrap().unwrap().1, PROXY_HEADER_BYTES_MAX);
    for length in [PROXY_HEADER_BYTES_MAX - 15, 65_535] {
        refused(&v2(0x21, 0x11, &vec![0; length])[..16], HeaderError::TooLong);
    }
}

/// Headers of another implementation.
#[test]
fn encoded_headers_are_decoded() {
    arbtest::arbtest(|source| {
        let (client, server) = if source.arbitrary()? {
            (
                SocketAddr::from((source.arbitrary::<[u8; 4]>()?, source.arbitrary()?)),
                SocketAddr::from(([10, 0, 0, 1], 80)),
            )
        } else {
            (
                SocketAddr::from((source.arbitrary::<[u8; 16]>()?, source.arbitrary()?)),
                SocketAddr::from(([0_u16; 8], 80)),
            )
        };
        let mut header = proxy_header::ProxyHeader::with_address(ProxiedAddress::stream(client, server));
        let client = Some(SocketAddr::new(client.ip().to_canonical(), client.port()));
        let mut bytes = Vec::new();
        header.encode_v1(&mut bytes).unwrap();
        assert_eq!(decode(&bytes), Ok(Some((ProxyHeader { client, is_encrypted: false }, bytes.len()))));
        let is_encrypted = source.arbitrary()?;
        header.append_tlv(Tlv::UniqueId(source.arbitrary::<[u8; 16]>()?.to_vec().into()));
        header.append_tlv(Tlv::Ssl(SslInfo::new(is_encrypted, source.arbitrary()?, source.arbitrary()?, 0)));
        bytes.clear();
        header.encode_v2(&mut bytes).unwrap();
        assert_eq!(decode(&bytes), Ok(Some((ProxyHeader { client, is_encrypted }, bytes.len()))));
        Ok(())
    });
}

/// No bytes cause a panic, and how they are cut makes no difference.
#[test]
fn any_bytes_are_decoded_alike_in_any_pieces() {
    arbtest::arbtest(|source| {
        let bytes = random_header(source)?;
        let whole = decode(&bytes[..bytes.len().min(PROXY_HEADER_BYTES_MAX)]);
        let (mut decoder, mut rest, mut consumed) = (HeaderDecoder::default(), bytes.as_slice(), 0);
        let in_pieces = loop {
            if rest.is_empty() {
                break Ok(None);
            }
            let (piece, next) = rest.split_at(source.int_in_range(1..=rest.len().min(PROXY_HEADER_BYTES_MAX))?);
            match decoder.decode(piece) {
                Ok((count, header)) => {
                    consumed += count;
                    if let Some(header) = header {
                        break Ok(Some((header, consumed)));
                    }
                    assert_eq!(count, piece.len());
                }
                Err(error) => break Err(error),
            }
            rest = next;
        };
        assert_eq!(in_pieces, whole, "{}", bytes.escape_ascii());
        Ok(())
    });
}

/// Bytes that begin like a header, with some of them changed.
fn random_header(source: &mut Unstructured<'_>) -> arbtest::arbitrary::Result<Vec<u8>> {
    let line = &b"PROXY TCP4 192.0.2.7 10.0.0.1 4711 9999\r\n"[..];
    let start = match source.int_in_range(0..=4)? {
        0 => line.to_vec(),
        1 => b"PROXY UNKNOWN".to_vec(),
        2 => v2(0x21, 0x11, &[&IPV4[..], &value(0x20, &[1, 0, 0, 0, 0])].concat()),
        3 => START_V2.to_vec(),
        _ => Vec::new(),
    };
    let mut bytes = [start, source.arbitrary()?].concat();
    for _ in 0..source.int_in_range(0..=2)? {
        if let Some(last) = bytes.len().checked_sub(1) {
            let at = source.int_in_range(0..=last)?;
            bytes[at] = source.arbitrary()?;
        }
    }
    Ok(bytes)
}
