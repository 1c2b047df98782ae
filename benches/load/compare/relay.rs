//! The least that delivering can cost with one `send` a reader: whatever whole lines came from one are sent on to all, as they
//! are. No names, no limits, no order but that of arrival. It is what servers are compared with, not one to be used.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use argh::FromArgs;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;

use super::protocol::GREETING;

/// Passes every line on to everybody; what the comparison starts for itself.
#[derive(FromArgs)]
#[argh(subcommand, name = "relay")]
pub(crate) struct Relay {
    /// where to listen
    #[argh(option)]
    address: SocketAddr,
}

/// Most bytes taken from one before all get them.
const BATCH_BYTES: usize = 64 * 1024;

/// What stands for the listener among the peers.
const LISTENER: u64 = u64::MAX;

struct Peer {
    stream: TcpStream,
    /// A line's begin that came from it.
    part: Vec<u8>,
    /// What its socket had no room for.
    waiting: Vec<u8>,
}

impl Relay {
    /// Does so until it is killed.
    pub(crate) fn run(&self) -> ! {
        let listener = TcpListener::bind(self.address).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        rustix::net::listen(&listener, 4096).expect("a longer queue of connections");
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
        epoll::add(&epoll, &listener, EventData::new_u64(LISTENER), EventFlags::IN).expect("epoll takes a socket");
        let mut peers: Vec<Option<Peer>> = Vec::new();
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
                    LISTENER => accept(&listener, &epoll, &mut peers),
                    number => serve(usize::try_from(number).expect("64-bit"), &mut peers, &mut batch),
                }
            }
        }
    }
}

fn accept(listener: &TcpListener, epoll: &impl std::os::fd::AsFd, peers: &mut Vec<Option<Peer>>) {
    while let Ok((stream, _)) = listener.accept() {
        stream.set_nonblocking(true).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        // Edges are enough: whoever has something is read until there is nothing, and written to until there is no room.
        let flags = EventFlags::IN | EventFlags::OUT | EventFlags::ET;
        epoll::add(epoll, &stream, EventData::new_u64(peers.len() as u64), flags).expect("epoll takes a socket");
        let mut peer = Peer { stream, part: Vec::new(), waiting: Vec::new() };
        peer.send(format!("{GREETING}\n").as_bytes());
        peers.push(Some(peer));
    }
}

/// Sends on what waits for a peer, and to all what came from it.
fn serve(number: usize, peers: &mut [Option<Peer>], batch: &mut [u8]) {
    loop {
        let Some(peer) = &mut peers[number] else { return };
        peer.send(b"");
        let begun = peer.part.len();
        batch[..begun].copy_from_slice(&peer.part);
        let end = match peer.stream.read(&mut batch[begun..]) {
            Ok(0) => return peers[number] = None,
            Ok(count) => begun + count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(_) => return peers[number] = None,
        };
        let whole = batch[..end].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        peer.part.clear();
        peer.part.extend_from_slice(&batch[whole..end]);
        peers.iter_mut().flatten().for_each(|peer| peer.send(&batch[..whole]));
    }
}

impl Peer {
    fn send(&mut self, bytes: &[u8]) {
        if !self.waiting.is_empty() {
            self.waiting.extend_from_slice(bytes);
            let sent = self.stream.write(&self.waiting).unwrap_or(0);
            self.waiting.drain(..sent);
        } else if !bytes.is_empty() {
            let sent = self.stream.write(bytes).unwrap_or(0);
            self.waiting.extend_from_slice(&bytes[sent..]);
        }
    }
}
