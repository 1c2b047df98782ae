//! A relay in front of a server that can lose the server's answers.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Relays connections. Its threads end with the process.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    loses_answers: Arc<AtomicBool>,
}

impl Proxy {
    /// A relay to a port of this machine.
    pub(crate) fn start(to: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the relay listens");
        let port = listener.local_addr().expect("an address").port();
        let loses_answers = Arc::new(AtomicBool::new(false));
        let is_losing = Arc::clone(&loses_answers);
        thread::spawn(move || {
            for client in listener.incoming() {
                // A client may give up before it is accepted.
                let _ = client.and_then(|client| relay(client, to, &is_losing));
            }
        });
        Self { port, loses_answers }
    }

    /// From now on, drops what the server sends. With `false`, only on connections that exist: they have lost bytes, and end.
    pub(crate) fn lose_answers(&self, is_losing: bool) {
        self.loses_answers.store(is_losing, Ordering::SeqCst);
    }
}

fn relay(client: TcpStream, to: u16, is_losing: &Arc<AtomicBool>) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, to))?;
    let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Both);
    });
    let is_losing = Arc::clone(is_losing);
    thread::spawn(move || {
        let _ = relay_answers(&server, &client, &is_losing);
        let _ = client.shutdown(Shutdown::Both);
    });
    Ok(())
}

fn relay_answers(mut server: &TcpStream, mut client: &TcpStream, is_losing: &AtomicBool) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut has_lost = false;
    loop {
        let length = server.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        if is_losing.load(Ordering::SeqCst) {
            has_lost = true;
        } else if has_lost {
            return Ok(());
        } else {
            client.write_all(&buffer[..length])?;
        }
    }
}
