//! Connects to a server. By host name, tries all addresses of the name, each shortly after the previous one, and uses the first that sends a
//! greeting (RFC 8305, "happy eyeballs"). So an address that does not respond causes only a short delay.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use async_channel::Sender;
use futures_lite::future::{or, pending};
use smol::Timer;
use smol::net::unix::UnixStream;
use smol::net::{TcpStream, resolve};
use socket2::{SockRef, TcpKeepalive};

use super::address::ServerAddress;
use super::line_reader::{ConnectionEnd, decode_lossy, read_line};
use super::refusal::explain;
use super::tls::Connector;
use super::transport::{ServerReader, ServerWriter, split};
use crate::command::{ReceivedLine, ServerLine};
use crate::command_line::quoted;
use crate::limits::{
    ADDRESSES_MAX, CONNECT_MS_MAX, KEEPALIVE_SECONDS, NEXT_ADDRESS_GREETING_MS, NEXT_ADDRESS_MS, REPLY_MS_MAX,
};
use crate::process::error_text;

/// Both sides of a connection, and the greeting that the server has sent.
pub(super) struct NewConnection {
    pub(super) server: ServerReader,
    pub(super) writer: Box<dyn ServerWriter>,
    pub(super) greeting: ReceivedLine,
    /// Whether nobody else can read the lines on the way: they are encrypted, or stay on this machine.
    pub(super) is_private: bool,
}

/// The progress of the attempt to connect to one address.
enum AttemptProgress {
    /// Connected; the greeting has not arrived yet.
    Connected,
    Greeted(Box<NewConnection>),
    Failed(SocketAddr, String),
}

/// Connects to a server. The error has the reason, for each address of a host.
pub(super) async fn dial(address: &ServerAddress) -> Result<NewConnection, String> {
    match address {
        ServerAddress::Tcp(address) => race(addresses(address).await?, None).await,
        ServerAddress::Tls(address, trust) => {
            let host = address.rsplit_once(':').map_or(&**address, |(host, _)| host);
            let connector = Connector::new(host, trust)?;
            race(addresses(address).await?, Some(&connector)).await
        }
        ServerAddress::Unix(path) => {
            let stream = with_timeout(CONNECT_MS_MAX, UnixStream::connect(path));
            let (server, writer) = split(stream.await.map_err(|error| explain_unix_error(path, &error))?);
            await_greeting(server, writer, true).await
        }
    }
}

/// Whether the address has no host, or one that is found.
pub(super) async fn is_found(address: &ServerAddress) -> bool {
    match address {
        ServerAddress::Tcp(address) | ServerAddress::Tls(address, _) => addresses(address).await.is_ok(),
        ServerAddress::Unix(_) => true,
    }
}

/// The reason why the client could not connect to a Unix socket, and what the user can do.
fn explain_unix_error(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            format!("there is no such file; start the server with: chinwagd --listen 'unix://{}'", path.display())
        }
        io::ErrorKind::ConnectionRefused => "a file is there, but no server listens; start the server again".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; ask the server's operator for access to the file, by its mode, its group or its directory"
                .to_owned()
        }
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "the server is busy; try again later".to_owned(),
        io::ErrorKind::InvalidFilename => "the path is too long for a socket: expected at most 107 bytes".to_owned(),
        _ => error_text(error),
    }
}

/// Resolves `host:port` to at most [`ADDRESSES_MAX`] addresses. IPv6 and IPv4 alternate.
async fn addresses(address: &str) -> Result<Vec<SocketAddr>, String> {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, ""));
    let port = port.parse().map_err(|_| format!("invalid port {}", quoted(port)))?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let found =
        with_timeout(REPLY_MS_MAX, resolve((host, port))).await.map_err(|error| match host.split_once('%') {
            Some((address, zone)) if address.parse::<Ipv6Addr>().is_ok() => {
                format!("unknown zone {}: expected a network interface, as in fe80::1%eth0", quoted(zone))
            }
            _ => {
                let reason = error_text(&error).replace("failed to lookup address information: ", "");
                format!("cannot resolve {}: {reason}; expected the name or address of a host", quoted(host))
            }
        })?;
    let first_is_v6 = found.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| found.is_ipv6() == first_is_v6);
    first.dedup();
    second.dedup();
    let mut sorted = Vec::new();
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let before = sorted.len();
        sorted.extend(first.next().into_iter().chain(second.next()));
        if sorted.len() == before {
            sorted.truncate(ADDRESSES_MAX);
            return Ok(sorted);
        }
    }
}

/// Tries the addresses. Drops the other attempts once a server has sent a greeting.
async fn race(addresses: Vec<SocketAddr>, tls: Option<&Connector>) -> Result<NewConnection, String> {
    let (report, reports) = async_channel::unbounded();
    let (mut next, mut attempts, mut failures) = (addresses.into_iter().peekable(), Vec::new(), Vec::new());
    let mut next_at = Instant::now();
    while next.peek().is_some() || failures.len() < attempts.len() {
        let is_more = next.peek().is_some();
        let pause = async {
            if !is_more {
                return pending().await;
            }
            Timer::at(next_at).await;
            None
        };
        match or(async { reports.recv().await.ok() }, pause).await {
            None => {
                attempts
                    .extend(next.next().map(|address| smol::spawn(try_address(address, tls.cloned(), report.clone()))));
                next_at = after_ms(NEXT_ADDRESS_MS);
            }
            Some(AttemptProgress::Connected) => next_at = after_ms(NEXT_ADDRESS_GREETING_MS),
            Some(AttemptProgress::Greeted(greeted)) => return Ok(*greeted),
            Some(AttemptProgress::Failed(address, why)) => {
                failures.push((address, why));
                next_at = Instant::now();
            }
        }
    }
    Err(describe(&failures))
}

/// Joins the failures to one error; without addresses if all have the same reason.
fn describe(failures: &[(SocketAddr, String)]) -> String {
    let Some((_, first)) = failures.first() else { return "the host has no address".to_owned() };
    if failures.iter().all(|(_, why)| why == first) {
        return first.clone();
    }
    let mut text = String::new();
    for (address, why) in failures {
        let separator = if text.is_empty() { "" } else { "; " };
        let _ = write!(text, "{separator}{address}: {why}");
    }
    text
}

async fn try_address(address: SocketAddr, tls: Option<Connector>, report: Sender<AttemptProgress>) {
    let greeted = connect(address, tls.as_ref(), &report).await;
    let progress = match greeted {
        Ok(connection) => AttemptProgress::Greeted(Box::new(connection)),
        Err(why) => AttemptProgress::Failed(address, why),
    };
    // If this fails, another attempt has succeeded already.
    let _ = report.send(progress).await;
}

async fn connect(
    address: SocketAddr,
    tls: Option<&Connector>,
    report: &Sender<AttemptProgress>,
) -> Result<NewConnection, String> {
    let stream = with_timeout(CONNECT_MS_MAX, TcpStream::connect(address)).await.map_err(|error| match address {
        // A fixed example: in `fe80::1:9999`, the port may be a part of the address, because the brackets are missing.
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0 => {
            "a link-local address needs its network interface, and brackets before a port: [fe80::1%eth0]:9999"
                .to_owned()
        }
        _ if error.raw_os_error().is_some() => error.kind().to_string(),
        _ => error.to_string(),
    })?;
    // The connection also works without these two options.
    let _ = stream.set_nodelay(true);
    let keepalive = TcpKeepalive::new().with_time(Duration::from_secs(KEEPALIVE_SECONDS));
    let _ = SockRef::from(&stream).set_tcp_keepalive(&keepalive);
    let _ = report.send(AttemptProgress::Connected).await;
    let Some(tls) = tls else {
        let (server, writer) = split(stream);
        return await_greeting(server, writer, address.ip().to_canonical().is_loopback()).await;
    };
    let shaken = with_timeout(REPLY_MS_MAX, async { Ok(tls.connect(stream).await) }).await;
    let (server, writer) = shaken.map_err(|_| "the server did not complete the TLS handshake".to_owned())??;
    await_greeting(server, writer, true).await
}

async fn await_greeting(
    mut server: ServerReader,
    writer: Box<dyn ServerWriter>,
    is_private: bool,
) -> Result<NewConnection, String> {
    let mut line = Vec::new();
    let line = with_timeout(REPLY_MS_MAX, async { Ok(read_line(&mut server, &mut line).await) }).await;
    let line = match line {
        Ok(Ok(line)) => line,
        Ok(Err(ConnectionEnd { why, is_cut_off: true })) => return Err(why),
        _ => return Err("the server sent no HELLO; is it a chinwag server? If it expects TLS, use --tls".to_owned()),
    };
    let greeting = ReceivedLine::new(&decode_lossy(&line));
    match (&greeting.known, greeting.refusal()) {
        (Some(ServerLine::Hello(..)), _) => Ok(NewConnection { server, writer, greeting, is_private }),
        (_, Some(refusal)) => Err(explain(&refusal)),
        (_, None) => Err(format!("not a chinwag/1 server: expected HELLO, received {}", quoted(&greeting.line))),
    }
}

/// Runs a future. Fails with `TimedOut` if it takes longer than `ms` milliseconds.
async fn with_timeout<T>(ms: u64, future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = async {
        Timer::after(Duration::from_millis(ms)).await;
        Err(io::ErrorKind::TimedOut.into())
    };
    or(future, late).await
}

fn after_ms(ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(ms)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    use socket2::{Domain, Socket, Type};

    use super::*;

    /// A listener with a full queue: further attempts to connect get no response.
    fn black_hole() -> (Socket, Vec<Socket>, SocketAddr) {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let full = (0..2).map(|_| {
            let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            client.set_nonblocking(true).unwrap();
            let _ = client.connect(&address.into());
            client
        });
        (listener, full.collect(), address)
    }

    /// A server that sends this to each client.
    fn server(text: &'static str) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let mut clients = Vec::new();
            while let Ok((mut client, _)) = listener.accept() {
                io::Write::write_all(&mut client, text.as_bytes()).unwrap();
                clients.push(client);
            }
        });
        address
    }

    const HELLO: &str = "HELLO chinwag/1 hi\n";

    #[test]
    fn silent_address_delays_next_one_briefly() {
        let (_listener, _full, dead) = black_hole();
        let mute = server("");
        for (first, pause) in [(dead, NEXT_ADDRESS_MS), (mute, NEXT_ADDRESS_GREETING_MS)] {
            let begun = Instant::now();
            let good = server(HELLO);
            assert!(smol::block_on(race(vec![first, good], None)).is_ok());
            let expected = Duration::from_millis(pause)..Duration::from_millis(CONNECT_MS_MAX);
            assert!(expected.contains(&begun.elapsed()), "{:?}", begun.elapsed());
        }
    }

    #[test]
    fn refused_address_does_not_delay_next_one() {
        let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        for first in [gone, server("SSH-2.0-OpenSSH\n"), server("ERR - server-full x; later\n")] {
            let begun = Instant::now();
            assert!(smol::block_on(race(vec![first, server(HELLO)], None)).is_ok());
            assert!(begun.elapsed() < Duration::from_millis(NEXT_ADDRESS_GREETING_MS));
        }
    }

    #[test]
    fn failures_name_addresses_only_if_they_differ() {
        let gone = |octet| SocketAddr::from((Ipv4Addr::new(127, 0, 0, octet), 1));
        let why = |failures: &[(SocketAddr, &str)]| {
            describe(&failures.iter().map(|(address, why)| (*address, (*why).to_owned())).collect::<Vec<_>>())
        };
        assert_eq!(why(&[(gone(1), "refused"), (gone(2), "refused")]), "refused");
        assert_eq!(
            why(&[(gone(1), "refused"), (gone(2), "timed out")]),
            "127.0.0.1:1: refused; 127.0.0.2:1: timed out"
        );
        assert_eq!(why(&[]), "the host has no address");
    }

    #[test]
    fn zone_is_looked_up_or_explained() {
        let found = |raw: &str| smol::block_on(addresses(raw));
        let scope = found("[fe80::1%lo]:7").unwrap();
        assert!(matches!(scope[..], [SocketAddr::V6(v6)] if v6.scope_id() > 0), "{scope:?}");
        assert!(found("[fe80::1%nowhere0]:7").unwrap_err().starts_with("unknown zone \"nowhere0\""));
        for raw in ["[fe80::1]:7", "[fe80::1:7]:9999"] {
            let linked = smol::block_on(dial(&ServerAddress::Tcp(raw.to_owned()))).err().unwrap();
            assert!(linked.ends_with("and brackets before a port: [fe80::1%eth0]:9999"), "{raw}: {linked}");
        }
    }
}
