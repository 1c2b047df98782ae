use super::*;

const PROXIES: &str = "10.0.0.0/8,::1";

/// The client of a request with these fields, which the proxy 10.0.0.1 sends over an encrypted connection.
fn peer(field: ForwardingField, fields: &str) -> Peer {
    let forwarding = Forwarding::new(field, PROXIES.parse().unwrap());
    let head = format!("GET /ws HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    let proxy = Peer { address: ([10, 0, 0, 1], 9).into(), is_secure: true };
    forwarding.client(head.as_bytes(), proxy).expect("a complete head")
}

#[track_caller]
fn check(field: ForwardingField, fields: &str, expected: &str) {
    let Peer { address, is_secure } = peer(field, fields);
    let secure = if is_secure { " secure" } else { "" };
    assert_eq!(format!("{address}{secure}"), expected, "{fields:?}");
}

fn forwarded(value: &str, expected: &str) {
    check(ForwardingField::Forwarded, &format!("Forwarded: {value}\r\n"), expected);
}

fn x_forwarded_for(value: &str, expected: &str) {
    check(ForwardingField::XForwardedFor, &format!("X-Forwarded-For: {value}\r\n"), expected);
}

#[test]
fn last_untrusted_address_is_the_client() {
    x_forwarded_for("192.0.2.7", "192.0.2.7:0");
    x_forwarded_for("203.0.113.9, 192.0.2.7", "192.0.2.7:0");
    x_forwarded_for("192.0.2.7,10.0.0.3 , 10.0.0.2", "192.0.2.7:0");
    x_forwarded_for(",192.0.2.7, ,10.0.0.2,", "192.0.2.7:0");
    x_forwarded_for("10.0.0.3, 10.0.0.2", "10.0.0.3:0");
    forwarded("for=192.0.2.7", "192.0.2.7:0");
    forwarded("for=203.0.113.9, for=192.0.2.7", "192.0.2.7:0");
    forwarded("for=192.0.2.7;by=10.0.0.3,for=10.0.0.3, FOR=\"10.0.0.2\"", "192.0.2.7:0");
    forwarded("for=10.0.0.3", "10.0.0.3:0");
}

#[test]
fn several_fields_are_one_list() {
    let fields =
        "X-Forwarded-For: 203.0.113.9\r\nx-forwarded-for: 192.0.2.7, 10.0.0.3\r\nX-FORWARDED-FOR: 10.0.0.2\r\n";
    check(ForwardingField::XForwardedFor, fields, "192.0.2.7:0");
    let fields = "Forwarded: for=203.0.113.9, for=192.0.2.7\r\nForwarded: for=10.0.0.2\r\n";
    check(ForwardingField::Forwarded, fields, "192.0.2.7:0");
}

/// A client can send any of them.
#[test]
fn fields_that_the_proxy_does_not_set_are_ignored() {
    let others = "X-Forwarded-For: 192.0.2.7\r\nX-Real-IP: 192.0.2.7\r\nX-Forwarded: for=192.0.2.7\r\n";
    check(ForwardingField::Forwarded, others, "10.0.0.1:9");
    check(ForwardingField::XForwardedFor, "Forwarded: for=192.0.2.7;proto=https\r\n", "10.0.0.1:9");
    check(ForwardingField::XForwardedFor, "", "10.0.0.1:9");
    check(ForwardingField::XForwardedFor, "X-Forwarded-For:\r\n", "10.0.0.1:9");
}

#[test]
fn node_has_an_address_and_perhaps_a_port() {
    for (node, expected) in [
        ("192.0.2.7:4711", "192.0.2.7:4711"),
        ("192.0.2.7:_ab", "192.0.2.7:0"),
        ("[2001:db8::7]", "[2001:db8::7]:0"),
        ("[2001:DB8::7]:4711", "[2001:db8::7]:4711"),
        ("[::ffff:192.0.2.7]:1", "192.0.2.7:1"),
        ("2001:db8::7", "[2001:db8::7]:0"),
        ("::ffff:192.0.2.7", "192.0.2.7:0"),
    ] {
        x_forwarded_for(node, expected);
        forwarded(&format!("for=\"{node}\""), expected);
        forwarded(&format!("proto=http ; for={node} ;by=_x"), expected);
    }
}

/// The proxy that added it counts as the client.
#[test]
fn element_without_an_address_ends_the_search() {
    for node in [
        "unknown",
        "_hidden",
        "192.0.2.256",
        "192.0.2",
        "192.0.2.07",
        "192.0.2.7:",
        "192.0.2.7:+1",
        "192.0.2.7:65536",
        "[2001:db8::7",
        "[192.0.2.7]",
        "[fe80::1%eth0]",
        "[::1]9",
        "chat.example.org",
        "192.0.2.7 192.0.2.8",
        "\\",
        "=",
    ] {
        x_forwarded_for(&format!("192.0.2.7, {node}"), "10.0.0.1:9");
        x_forwarded_for(&format!("192.0.2.7, {node}, 10.0.0.2"), "10.0.0.2:0");
        x_forwarded_for(&format!("{node}, 192.0.2.7"), "192.0.2.7:0");
        forwarded(&format!("for=192.0.2.7, for=\"{node}\";proto=https"), "10.0.0.1:9");
        forwarded(&format!("for=192.0.2.7, for={node}, for=10.0.0.2"), "10.0.0.2:0");
    }
    for element in [
        "192.0.2.7",
        "by=192.0.2.7",
        "for",
        "for=",
        "for=192.0.2.7;for=192.0.2.7",
        "for=192.0.2.7;x",
        "for=\"192.0.2.7\"x",
    ] {
        forwarded(element, "10.0.0.1:9");
    }
    let bytes = b"GET /ws HTTP/1.1\r\nForwarded: for=192.0.2.7\xff\r\n\r\n";
    let forwarding = Forwarding::new(ForwardingField::Forwarded, PROXIES.parse().unwrap());
    let proxy = Peer::new(([10, 0, 0, 1], 9).into(), false);
    assert_eq!(forwarding.client(bytes, proxy), Some(proxy));
}

/// A client may send elements of any form. The element that the trusted proxy adds counts all the same.
#[test]
fn quotes_of_the_client_do_not_hide_the_proxys_element() {
    for sent in
        ["\"", "for=\"", "for=\"192.0.2.9, for=10.0.0.9", "\\", "for=\"\\\"", ";;;", "for=\"x\\", "host=\"a,b\""]
    {
        forwarded(&format!("{sent}, for=192.0.2.7"), "192.0.2.7:0");
        x_forwarded_for(&format!("{sent}, 192.0.2.7"), "192.0.2.7:0");
    }
}

/// A proxy may quote the client's `Host`.
#[test]
fn quoted_strings_do_not_forge_elements() {
    for host in [
        ", for=203.0.113.9",
        "x\\\", for=203.0.113.9;y=\\\"",
        "\\\\",
        ", for=203.0.113.9;y=\\\"\\\\",
        ";for=203.0.113.9",
    ] {
        forwarded(&format!("for=192.0.2.7;host=\"{host}\""), "192.0.2.7:0");
        forwarded(&format!("host=\"{host}\";for=192.0.2.7"), "192.0.2.7:0");
    }
}

#[test]
fn client_is_secure_if_all_trusted_proxies_say_so() {
    forwarded("for=192.0.2.7;proto=https", "192.0.2.7:0 secure");
    forwarded("proto=HTTPS;for=192.0.2.7, for=10.0.0.2;proto=\"https\"", "192.0.2.7:0 secure");
    forwarded("for=192.0.2.7", "192.0.2.7:0");
    forwarded("for=192.0.2.7;proto=http", "192.0.2.7:0");
    forwarded("for=192.0.2.7;proto=https;proto=https", "10.0.0.1:9");
    forwarded("for=192.0.2.7;proto=http, for=10.0.0.2;proto=https", "192.0.2.7:0");
    forwarded("for=192.0.2.7;proto=https, for=10.0.0.2", "192.0.2.7:0");
    // There is a proxy beyond the trusted ones.
    forwarded("for=203.0.113.9;proto=https, for=192.0.2.7;proto=https", "192.0.2.7:0");
    for other in ["Via: 1.1 x", "X-Forwarded-For: 203.0.113.9", "X-Real-IP: 203.0.113.9"] {
        let fields = format!("{other}\r\nForwarded: for=192.0.2.7;proto=https\r\n");
        check(ForwardingField::Forwarded, &fields, "192.0.2.7:0");
    }
    // `X-Forwarded-Proto` may come from the client.
    let fields = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n";
    check(ForwardingField::XForwardedFor, fields, "192.0.2.7:0");
    // Without an element, the way beyond the proxy is unknown.
    check(ForwardingField::Forwarded, "", "10.0.0.1:9");
    let forwarding = Forwarding::new(ForwardingField::Forwarded, PROXIES.parse().unwrap());
    let head = b"GET / HTTP/1.1\r\nForwarded: for=192.0.2.7;proto=https\r\n\r\n";
    let over_plain_network = Peer { address: ([10, 0, 0, 1], 9).into(), is_secure: false };
    let expected = Peer { address: ([192, 0, 2, 7], 0).into(), is_secure: false };
    assert_eq!(forwarding.client(head, over_plain_network), Some(expected));
}

/// Otherwise, a client could make its requests count for the proxy.
#[test]
fn head_that_cannot_be_read_names_nobody() {
    let forwarding = Forwarding::new(ForwardingField::Forwarded, PROXIES.parse().unwrap());
    let proxy = Peer { address: ([10, 0, 0, 1], 9).into(), is_secure: true };
    let head = b"GET / HTTP/1.1\r\nForwarded: for=192.0.2.7;proto=https\r\n\r\n";
    for length in 0..head.len() {
        assert_eq!(forwarding.client(&head[..length], proxy), None, "{length}");
    }
    let filled = |count| format!("GET / HTTP/1.1\r\n{}Forwarded: for=192.0.2.7\r\n\r\n", "A: b\r\n".repeat(count));
    let is_read = |head: &str| forwarding.client(head.as_bytes(), proxy).is_some();
    assert!(is_read(&filled(HEAD_FIELDS_MAX - 1)) && !is_read(&filled(HEAD_FIELDS_MAX)));
    assert!(!is_read("GET / HTTP/1.1\r\nForwarded: for=192.0.2.7\r\nno field\r\n\r\n"));
}

#[test]
fn any_fields_are_read_without_a_panic() {
    arbtest::arbtest(|source| {
        let words =
            ["for=", "\"", ",", ";", "\\", "192.0.2.7", "10.0.0.2", "[", "]", ":", "proto=https", " ", "é", "1"];
        let value = (0..source.int_in_range(0..=12)?)
            .map(|_| source.choose(&words).copied())
            .collect::<arbtest::arbitrary::Result<String>>()?;
        for field in [ForwardingField::Forwarded, ForwardingField::XForwardedFor] {
            let peer = peer(field, &format!("{}: {value}\r\n", field.as_str()));
            assert!(!peer.is_secure || field == ForwardingField::Forwarded && value.contains("https"));
        }
        let raw: Vec<u8> = source.arbitrary()?;
        elements_from_right(&raw).for_each(|element| assert!(!element.is_empty()));
        Ok(())
    });
}
