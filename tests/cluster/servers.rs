//! Servers of NATS on loopback, with fresh directories and ports of their own.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Limit for anything that the servers do. An election takes up to 9 seconds on a quiet machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// The range of the ports: below those that the system gives to connections, so that a stopped server gets its port back.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// The ports that servers of this process have had.
static PORTS_USED: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// One or several servers of NATS with JetStream, which form one engine. They are killed at the end.
pub(crate) struct Servers {
    directory: tempfile::TempDir,
    servers: Vec<Server>,
}

struct Server {
    /// For clients, for other servers, and for HTTP.
    ports: [u16; 3],
    process: Option<Child>,
}

impl Servers {
    /// Starts this number of servers. They may not be ready: the adapter waits for them.
    pub(crate) fn start(count: usize) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let servers = (0..count).map(|_| Server { ports: [(); 3].map(|()| free_port()), process: None }).collect();
        let mut servers = Self { directory, servers };
        for number in 0..count {
            servers.write_configuration(number);
        }
        for number in 0..count {
            servers.restart(number);
        }
        servers
    }

    fn write_configuration(&self, number: usize) {
        let [client, cluster, http] = self.servers[number].ports;
        let store = self.directory.path().join(format!("n{number}"));
        let mut text = format!(
            "server_name: n{number}\nlisten: \"127.0.0.1:{client}\"\nhttp: \"127.0.0.1:{http}\"\n\
             jetstream {{ store_dir: \"{}\", max_mem: 64MB, max_file: 1GB, sync_interval: always }}\n",
            store.display()
        );
        if self.servers.len() > 1 {
            let routes = self.servers.iter().map(|server| format!("\"nats://127.0.0.1:{}\"", server.ports[1]));
            let routes = routes.collect::<Vec<_>>().join(", ");
            text += &format!("cluster {{ name: test, listen: \"127.0.0.1:{cluster}\", routes: [{routes}] }}\n");
        }
        fs::write(self.configuration(number), text).expect("the configuration is written");
    }

    fn configuration(&self, number: usize) -> PathBuf {
        self.directory.path().join(format!("n{number}.conf"))
    }

    fn log(&self, number: usize) -> PathBuf {
        self.directory.path().join(format!("n{number}.log"))
    }

    /// The address of a cluster on these servers.
    pub(crate) fn address(&self, cluster: &str) -> String {
        let servers = self.servers.iter().map(|server| format!("127.0.0.1:{}", server.ports[0]));
        format!("nats://{}/{cluster}", servers.collect::<Vec<_>>().join(","))
    }

    /// The port of a server for clients.
    pub(crate) fn port(&self, number: usize) -> u16 {
        self.servers[number].ports[0]
    }

    /// Starts a server, again if it was killed, and waits until it listens. If another program has taken one of its ports, tries again.
    pub(crate) fn restart(&mut self, number: usize) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let log = fs::File::options().create(true).append(true).open(self.log(number)).expect("the log is opened");
            // The server ends with this thread, even if it cannot clean up. A test starts servers in its own thread.
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL", "--"]).arg(program()).arg("-c").arg(self.configuration(number));
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
            self.servers[number].process = Some(command.spawn().expect("setpriv starts"));
            if self.wait_until_listening(number, deadline) {
                return;
            }
        }
    }

    /// Returns false if the server has ended.
    fn wait_until_listening(&mut self, number: usize, deadline: Instant) -> bool {
        loop {
            let server = &mut self.servers[number];
            let process = server.process.as_mut().expect("the server was started");
            if process.try_wait().expect("the server can be waited for").is_some() {
                assert!(Instant::now() < deadline, "server n{number} does not start:\n{}", self.logs());
                return false;
            }
            if TcpStream::connect((Ipv4Addr::LOCALHOST, server.ports[0])).is_ok() {
                return true;
            }
            assert!(Instant::now() < deadline, "server n{number} does not listen:\n{}", self.logs());
            poll_pause();
        }
    }

    /// Kills a server as SIGKILL does.
    pub(crate) fn kill(&mut self, number: usize) {
        if let Some(mut process) = self.servers[number].process.take() {
            process.kill().expect("the server is killed");
            process.wait().expect("the server ends");
        }
    }

    /// Sends a signal to a server: `-STOP` or `-CONT`.
    pub(crate) fn signal(&self, number: usize, signal: &str) {
        let process = self.servers[number].process.as_ref().expect("the server runs");
        let status = Command::new("kill").args([signal, &process.id().to_string()]).status().expect("kill runs");
        assert!(status.success());
    }

    /// The number of the server that leads the log of a cluster.
    pub(crate) fn leader(&self, cluster: &str) -> usize {
        let deadline = Instant::now() + DEADLINE;
        let stream = format!("chinwag-{cluster}");
        loop {
            for number in 0..self.servers.len() {
                if let Some(leader) = self.streams(number).iter().find(|found| found["name"] == stream)
                    && let Some(leader) = leader["cluster"]["leader"].as_str()
                    && let Some(leader) = leader.strip_prefix('n').and_then(|leader| leader.parse().ok())
                {
                    return leader;
                }
            }
            assert!(Instant::now() < deadline, "the log {stream} has no leader:\n{}", self.logs());
            poll_pause();
        }
    }

    /// Creates a stream as somebody else than chinwagd would, by the protocol of NATS.
    pub(crate) fn create_stream(&self, name: &str, subjects: &str) {
        let mut stream =
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port(0))).expect("the server accepts connections");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        let body = format!("{{\"name\":\"{name}\",\"subjects\":[\"{subjects}\"],\"storage\":\"file\"}}");
        let command = "CONNECT {\"verbose\":false}\r\nSUB answer 1\r\n";
        write!(stream, "{command}PUB $JS.API.STREAM.CREATE.{name} answer {}\r\n{body}\r\n", body.len()).expect("sent");
        let mut lines = BufReader::new(stream).lines().map(|line| line.expect("an answer"));
        let answer = lines.find(|line| line.starts_with('{')).expect("an answer");
        assert!(answer.contains("\"did_create\":true"), "{answer}");
    }

    /// The streams that a server reports. None if it does not answer.
    fn streams(&self, number: usize) -> Vec<Value> {
        let answer = get(self.servers[number].ports[2], "/jsz?streams=true&accounts=true").unwrap_or_default();
        let accounts = answer["account_details"].as_array().cloned().unwrap_or_default();
        accounts.iter().flat_map(|account| account["stream_detail"].as_array().cloned().unwrap_or_default()).collect()
    }

    /// The ends of the servers' logs, for a test that failed.
    pub(crate) fn logs(&self) -> String {
        let end = |number| {
            let log = fs::read_to_string(self.log(number)).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            format!("n{number}:\n{}\n", lines[lines.len().saturating_sub(15)..].join("\n"))
        };
        (0..self.servers.len()).map(end).collect()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for number in 0..self.servers.len() {
            self.kill(number);
        }
    }
}

/// The program. `scripts/test` installs it.
fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/nats-server");
    assert!(program.exists(), "{} is missing; scripts/test installs it", program.display());
    program
}

/// A port on which nothing listens, and which no server of this process had.
fn free_port() -> u16 {
    let mut used = PORTS_USED.lock().expect("no test fails while it chooses a port");
    loop {
        let port = fastrand::u16(PORTS);
        if !used.contains(&port) && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            used.insert(port);
            return port;
        }
    }
}

/// The JSON at a path of the monitoring port.
fn get(port: u16, path: &str) -> io::Result<Value> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    // A stopped server accepts connections and does not answer.
    let timeout = Duration::from_secs(1);
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
    Ok(serde_json::from_str(body)?)
}

/// The interval at which a program is asked that cannot tell when it is ready.
fn poll_pause() {
    thread::sleep(Duration::from_millis(20));
}
