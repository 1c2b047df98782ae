//! Sockets for many connections: source addresses other than 127.0.0.1, writing without waiting, and the limit of open descriptors.

use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};

use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The first address of [`source`], in the loopback network.
const SOURCE_FIRST: Ipv4Addr = Ipv4Addr::new(127, 1, 0, 0);

/// The source address with this number. The clients of each room have their own, because chinwag limits the rooms that clients of one
/// address create.
pub(crate) fn source(number: usize) -> Ipv4Addr {
    let offset = u32::try_from(number).expect("the loopback network has fewer addresses");
    Ipv4Addr::from_bits(SOURCE_FIRST.to_bits() + offset)
}

/// Connects from this source address.
pub(crate) fn connect_from(source: Ipv4Addr, server: SocketAddr) -> TcpStream {
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&socket, &SocketAddrV4::new(source, 0)).expect("every loopback address can be used");
    connect(&socket, &server).expect("the server accepts");
    socket.into()
}

/// Writes as much as the kernel takes; the rest stays in `unsent`.
pub(crate) fn write_some(mut stream: impl Write, unsent: &mut Vec<u8>) -> io::Result<()> {
    while !unsent.is_empty() {
        match stream.write(unsent) {
            Ok(count) => drop(unsent.drain(..count)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Raises the limit of open descriptors for 10,000 connections, here and in the servers, which inherit it.
pub(crate) fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    // If it cannot be raised, the first connection beyond the limit fails with an error that says so.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}
