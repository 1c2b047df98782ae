//! The control socket: accepts operators, and replies to their requests. The hub carries out changes of accounts: no password is hashed
//! here, because a request has the hash.
//!
//! One task accepts. It also runs the connections, so they end with it when the server stops. A connection is not a client: it has no
//! session, and counts for no limit of clients. Only root and the user of the server are served. Each connection has one request, whose
//! length and time are limited, and there are at most [`CONTROL_CONNECTIONS_MAX`] at a time. One file descriptor is reserved for them.

mod audit;
mod render;
mod reserve;
mod status;

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::{AsyncReadExt as _, AsyncWriteExt as _, FutureExt as _, future};
use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;
use smol::lock::Semaphore;
use smol::{Async, Executor, Timer};

use self::reserve::DescriptorReserve;
pub(super) use self::status::StatusSource;
use super::connection::ConnectionContext;
use super::hub::HubRequest;
use super::log::FrequentEvent;
use super::unix_socket::{SocketFile, UnixSocket};
use crate::command::ClientLine;
use crate::control::{ControlError, ControlRequest, GREETING};
use crate::limits::{
    ACCEPT_RETRY_MS, CONTROL_CHANGE_MS_MAX, CONTROL_CONNECTIONS_MAX, CONTROL_MODE, CONTROL_REPLY_MS_MAX,
    CONTROL_REQUEST_BYTES_MAX, CONTROL_REQUEST_MS_MAX,
};
use crate::process::error_text;
use crate::protocol::Mode;

/// Where the control socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlOptions {
    /// The path of the socket.
    pub path: PathBuf,
    /// The server does not start without the socket. Otherwise it warns, and runs without it.
    pub is_required: bool,
}

/// A control socket that accepts connections.
pub(super) struct ControlSocket {
    pub(super) path: PathBuf,
    socket: Async<UnixListener>,
    reserve: DescriptorReserve,
}

impl ControlSocket {
    /// Creates the socket's file, which only the user of the server and root may open, and listens.
    pub(super) fn bind(path: PathBuf) -> io::Result<(Self, SocketFile)> {
        let (socket, file) = Self::at(path.clone()).bind()?;
        Ok((Self { path, socket: Async::new(socket)?, reserve: DescriptorReserve::new()? }, file))
    }

    /// Checks whether the socket can be created.
    pub(super) fn check(path: PathBuf) -> io::Result<()> {
        Self::at(path).check()
    }

    fn at(path: PathBuf) -> UnixSocket {
        UnixSocket { path, mode: CONTROL_MODE, user: None, group: None }
    }
}

/// Serves operators.
pub(super) struct ControlServer {
    socket: ControlSocket,
    status: StatusSource,
    context: Arc<ConnectionContext>,
    /// The number of the control socket in the log.
    listener: usize,
    /// The user of the server.
    owner: u32,
    /// One permit for each connection.
    places: Semaphore,
    request_timeout: Duration,
    reply_timeout: Duration,
    /// The `reply_timeout` of requests that change something.
    change_timeout: Duration,
}

impl ControlServer {
    pub(super) fn new(
        socket: ControlSocket,
        status: StatusSource,
        context: Arc<ConnectionContext>,
        listener: usize,
    ) -> Self {
        Self {
            socket,
            status,
            context,
            listener,
            owner: geteuid().as_raw(),
            places: Semaphore::new(CONTROL_CONNECTIONS_MAX),
            request_timeout: Duration::from_millis(CONTROL_REQUEST_MS_MAX),
            reply_timeout: Duration::from_millis(CONTROL_REPLY_MS_MAX),
            change_timeout: Duration::from_millis(CONTROL_CHANGE_MS_MAX),
        }
    }

    /// Accepts and serves operators. Never returns. Dropping the future closes the connections.
    pub(super) async fn run(self) {
        let connections = Executor::new();
        connections.run(self.accept(&connections)).await;
    }

    async fn accept<'a>(&'a self, connections: &Executor<'a>) {
        loop {
            self.socket.reserve.refill();
            match self.accept_one().await {
                Ok(stream) => {
                    connections.spawn(self.serve(stream)).detach();
                    // During a burst of connections, this loop would never wait, so none of them would be served.
                    future::yield_now().await;
                }
                // The client closed the connection before it was accepted.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    self.context.log.count(self.listener, FrequentEvent::AcceptFailed(error_text(&error)));
                    Timer::after(Duration::from_millis(ACCEPT_RETRY_MS)).await;
                }
            }
        }
    }

    /// Waits for a connection, and accepts it. Uses the reserved descriptor if there is no other.
    async fn accept_one(&self) -> io::Result<UnixStream> {
        let ControlSocket { socket, reserve, .. } = &self.socket;
        loop {
            // The kernel looks for a descriptor first: without a connection, an accept fails for lack of one, too.
            socket.readable().await?;
            let accepted = match socket.get_ref().accept() {
                Err(error) if reserve.release(&error) => socket.get_ref().accept(),
                accepted => accepted,
            };
            match accepted {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => reserve.refill(),
                accepted => return accepted.map(|(stream, _)| stream),
            }
        }
    }

    async fn serve(&self, stream: UnixStream) {
        // A panic in one connection ends only that connection. The panic hook has logged it.
        let exchange = AssertUnwindSafe(self.exchange(stream)).catch_unwind();
        // The client may have closed the connection.
        let _ = exchange.await;
        self.socket.reserve.refill();
    }

    /// Reads one request, and sends its reply.
    async fn exchange(&self, stream: UnixStream) -> io::Result<()> {
        let user = peer_user(&stream);
        let stream = Async::new(stream)?;
        if !may_control(user, self.owner) {
            self.context.log.count(self.listener, FrequentEvent::ControlDenied(user));
            let error = user.map_or_else(ControlError::unknown_user, |_| ControlError::denied(self.owner));
            return send_line(&stream, &error.to_string()).await;
        }
        let Some(_place) = self.places.try_acquire() else {
            return send_line(&stream, &ControlError::busy(CONTROL_CONNECTIONS_MAX).to_string()).await;
        };
        send_line(&stream, GREETING).await?;
        let late = async {
            Timer::after(self.request_timeout).await;
            Ok(Err(ControlError::no_request(self.request_timeout.as_secs())))
        };
        match future::or(read_request(&stream), late).await? {
            Ok(request) => self.reply(request, &stream).await,
            Err(error) => send_line(&stream, &error.to_string()).await,
        }
    }

    async fn reply(&self, request: ControlRequest, mut stream: &Async<UnixStream>) -> io::Result<()> {
        let timeout = if request.is_change() { self.change_timeout } else { self.reply_timeout };
        let deadline = Instant::now() + timeout;
        let late = async {
            Timer::at(deadline).await;
            None
        };
        let reply = match future::or(self.find_reply(&request), late).await {
            Some(Ok(body)) => request.reply(&body),
            Some(Err(error)) => format!("{error}\n"),
            None => format!("{}\n", ControlError::no_reply(&request, timeout.as_secs())),
        };
        // An operator that does not read the reply loses it. A reply that was found in time gets some time to be sent.
        let late = async {
            Timer::at(deadline.max(Instant::now() + self.reply_timeout)).await;
            Err(io::ErrorKind::TimedOut.into())
        };
        future::or(stream.write_all(reply.as_bytes()), late).await
    }

    /// The lines of the reply, or an error. `None` if the hub has ended.
    async fn find_reply(&self, request: &ControlRequest) -> Option<Result<String, ControlError>> {
        match request {
            ControlRequest::Status(format) => Some(Ok(self.status.read(&self.context).await?.render(*format))),
            ControlRequest::Audit(query) => self.read_audit(query).await,
            ControlRequest::Moderate(line) => {
                let (to_operator, result) = async_channel::bounded(1);
                let request = HubRequest::Moderate(ClientLine::parse(line, Mode::Commands), to_operator);
                self.context.to_hub.send(&Arc::default(), request, 0).ok()?;
                Some(result.recv().await.ok()?)
            }
            ControlRequest::Account(request) => {
                let (to_operator, result) = async_channel::bounded(1);
                let request = HubRequest::Operate(request.clone(), to_operator);
                self.context.to_hub.send(&Arc::default(), request, 0).ok()?;
                Some(result.recv().await.ok()?.map(|reply| reply.to_string()))
            }
        }
    }
}

/// The user of the process at the other end. `None` if the kernel does not say.
///
/// A process outside of the server's PID namespace has the number 0 here. Rustix copies it into its type `Pid`, where 0 is not a valid
/// value, so the language defines no result. With the compilers so far, the result reads as an error, and the user is refused. No crate
/// that the server has reads the user without the number.
fn peer_user(stream: &UnixStream) -> Option<u32> {
    socket_peercred(stream).ok().map(|peer| peer.uid.as_raw())
}

/// Whether a process of this user may use the control socket of a server that `owner` runs.
fn may_control(user: Option<u32>, owner: u32) -> bool {
    let root = 0;
    user.is_some_and(|user| user == root || user == owner)
}

/// Sends a short line: the send buffer has room for it.
async fn send_line(mut stream: &Async<UnixStream>, line: &str) -> io::Result<()> {
    stream.write_all(format!("{line}\n").as_bytes()).await
}

/// Reads the line of a request. Its line ending may be missing if the client ends its input.
async fn read_request(mut stream: &Async<UnixStream>) -> io::Result<Result<ControlRequest, ControlError>> {
    let mut received = Vec::new();
    let mut buffer = [0; CONTROL_REQUEST_BYTES_MAX];
    loop {
        let count = stream.read(&mut buffer).await?;
        received.extend_from_slice(&buffer[..count]);
        let end = received.iter().position(|&byte| byte == b'\n');
        let line = &received[..end.unwrap_or(received.len())];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > CONTROL_REQUEST_BYTES_MAX {
            return Ok(Err(ControlError::too_long(CONTROL_REQUEST_BYTES_MAX)));
        }
        if end.is_some() || count == 0 {
            return Ok(String::from_utf8_lossy(line).parse());
        }
    }
}

#[cfg(test)]
mod tests;
