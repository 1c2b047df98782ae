//! The bare relay: forwards each batch of whole lines from one client to all clients, unchanged. It has no names, no
//! limits and no other order than that of arrival. With one `send` for each reader, a delivery cannot cost less, so
//! servers are compared with it. It is not a server for real use.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;

use argh::FromArgs;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;

use crate::protocol::GREETING;

/// Forwards every line to all clients. The comparison starts it itself.
#[derive(FromArgs)]
#[argh(subcommand, name = "relay")]
pub(crate) struct Relay {
    /// address to listen on
    #[argh(option)]
    address: SocketAddr,
}

/// Most bytes read from a client before they are sent to all.
const BATCH_BYTES: usize = 64 * 1024;

/// The number of the listener in epoll, beside those of the clients.
const LISTENER: u64 = u64::MAX;

struct Client {
    stream: TcpStream,
    /// The beginning of a line that is not complete yet.
    partial: Vec<u8>,
    /// Output for which the socket had no room.
    unsent: Vec<u8>,
}

impl Relay {
    /// Runs until it is killed.
    pub(crate) fn run(&self) -> ! {
        let listener = TcpListener::bind(self.address).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        rustix::net::listen(&listener, 4096).expect("a longer queue of connections");
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN).expect("epoll takes a socket");
        let mut clients: Vec<Option<Client>> = Vec::new();
        let mut batch = vec![0; BATCH_BYTES];
        let mut events = Vec::with_capacity(1024);
        loop {
            events.clear();
            match epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => panic!("epoll: {error}"),
            }
            for event in &events {
                match { event.data }.u64() {
                    LISTENER => accept(&listener, &epoll, &mut clients),
                    number => serve(usize::try_from(number).expect("64-bit"), &mut clients, &mut batch),
                }
            }
        }
    }
}

fn accept(listener: &TcpListener, epoll: &impl AsFd, clients: &mut Vec<Option<Client>>) {
    while let Ok((stream, _)) = listener.accept() {
        stream.set_nonblocking(true).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        // Edge-triggered: after each event, read until the input is empty, and write until the socket is full.
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
        epoll::add(epoll, &stream, EventData::new_u64(clients.len() as u64), flags).expect("epoll takes a socket");
        let mut client = Client { stream, partial: Vec::new(), unsent: Vec::new() };
        client.send(format!("{GREETING}\n").as_bytes());
        clients.push(Some(client));
    }
}

/// Sends a client its unsent output, and forwards its input to all.
fn serve(number: usize, clients: &mut [Option<Client>], batch: &mut [u8]) {
    loop {
        let Some(client) = &mut clients[number] else { return };
        client.send(b"");
        let start = client.partial.len();
        batch[..start].copy_from_slice(&client.partial);
        let end = match client.stream.read(&mut batch[start..]) {
            Ok(0) => return clients[number] = None,
            Ok(count) => start + count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(_) => return clients[number] = None,
        };
        let whole = batch[..end].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        client.partial.clear();
        client.partial.extend_from_slice(&batch[whole..end]);
        clients.iter_mut().flatten().for_each(|client| client.send(&batch[..whole]));
    }
}

impl Client {
    fn send(&mut self, bytes: &[u8]) {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            let sent = self.stream.write(&self.unsent).unwrap_or(0);
            self.unsent.drain(..sent);
        } else if !bytes.is_empty() {
            let sent = self.stream.write(bytes).unwrap_or(0);
            self.unsent.extend_from_slice(&bytes[sent..]);
        }
    }
}
