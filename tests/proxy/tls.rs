//! The PROXY protocol below TLS.

use std::io::Read as _;
use std::net::{Ipv4Addr, TcpStream};

use crate::common::tls::{certificate_options, client_config, relay, shared_certificate};
use crate::common::{Client, HELLO};
use crate::{HELLO_NOT_SECURE, ProxiedServer, address_in_status, tls_value, v1, v2};

fn start(scheme: &str, parameters: &str) -> ProxiedServer {
    let options = certificate_options(shared_certificate());
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    ProxiedServer::listen(&format!("{scheme}://127.0.0.1:0?{parameters}"), &options)
}

fn encrypted(server: &ProxiedServer, header: &[u8]) -> TcpStream {
    relay(server.send(header), client_config(shared_certificate(), rustls::ALL_VERSIONS), "127.0.0.1")
}

#[test]
fn header_comes_before_the_handshake() {
    let server = start("tls", "proxy=127.0.0.1");
    let mut coordinator = server.server.join("coordinator");
    // TLS may end at the proxy, unless the proxy says that the client uses it.
    for (header, hello, nick) in [
        (v1("192.0.2.7:4711").into_bytes(), HELLO_NOT_SECURE, "a"),
        (v2("192.0.2.7:4711", &[tls_value(true)]), HELLO, "b"),
    ] {
        let mut client = Client::new(encrypted(&server, &header));
        client.expect(hello);
        client.send(&format!("NICK {nick}"));
        client.until(&format!("OK NICK {nick}"));
        client.sync();
        assert_eq!(address_in_status(&mut coordinator, nick), "192.0.2.7:4711");
    }
}

#[test]
fn connection_without_a_header_gets_an_alert() {
    let server = start("tls", "proxy=127.0.0.1");
    for source in [1, 2] {
        let mut stream = server.send_from(Ipv4Addr::new(127, 0, 0, source), [22, 3, 1, 0, 1]);
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an orderly end");
        assert_eq!(answer, [21, 3, 3, 0, 2, 2, 80]);
    }
}

#[test]
#[cfg(feature = "web")]
fn https_takes_a_header_or_a_field() {
    for (parameters, header, field) in [
        ("proxy=127.0.0.1", v1("192.0.2.7:4711"), ""),
        ("x-forwarded-for=127.0.0.1", String::new(), "X-Forwarded-For: 192.0.2.7:4711\r\n"),
        ("proxy=127.0.0.1&forwarded=10.0.0.9", v1("10.0.0.9:1"), "Forwarded: for=\"192.0.2.7:4711\"\r\n"),
    ] {
        let server = start("https", parameters);
        let mut stream = encrypted(&server, header.as_bytes());
        let address = crate::web::address_of_member(&mut stream, field);
        assert_eq!(address, "192.0.2.7:4711", "{parameters}");
    }
}
