//! The metrics of a running server: they count what clients do, Prometheus' own checker accepts them, and the documents, the dashboard and
//! the alerts name the ones that exist.

#![expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "the values are integers below 2^52")]

#[path = "../common/mod.rs"]
mod common;

// The documents have the metrics of all default features.
#[cfg(all(feature = "accounts", feature = "tls"))]
mod documents;
mod http;
mod values;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use self::common::{DEADLINE, Server};

/// A server with a listener for Prometheus.
struct MeasuredServer {
    server: Server,
    metrics: SocketAddr,
}

impl MeasuredServer {
    /// Starts a server whose further listeners come after that one.
    fn start(arguments: &[&str]) -> Self {
        let mut server = Server::with(&[&["--listen", "metrics://127.0.0.1:0"], arguments].concat());
        let metrics = common::address_in(&server.stdout_line());
        Self { server, metrics }
    }

    fn connect(&self) -> TcpStream {
        connect(self.metrics)
    }

    fn ask(&self, lines: &str) -> (String, String) {
        ask(self.metrics, lines)
    }

    fn scrape(&self) -> Metrics {
        Metrics::parse(&text(self.metrics, "text/plain"))
    }

    /// Scrapes until this is true.
    #[track_caller]
    fn until(&self, condition: impl Fn(&Metrics) -> bool) -> Metrics {
        let start = Instant::now();
        loop {
            let metrics = self.scrape();
            if condition(&metrics) {
                return metrics;
            }
            assert!(start.elapsed() < DEADLINE, "{:#?}", metrics.0);
        }
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the server accepts");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    stream
}

/// The answer to a request with these lines, its head and its body.
fn ask(address: SocketAddr, lines: &str) -> (String, String) {
    let mut stream = connect(address);
    stream.write_all(format!("{lines}\r\n\r\n").as_bytes()).expect("the server reads");
    read_answer(stream)
}

/// The metrics at this address, in the format that the field `Accept` chooses.
fn text(address: SocketAddr, accept: &str) -> String {
    let (head, body) = ask(address, &format!("GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {accept}"));
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    body
}

/// The head and the body of an answer, after which the connection is closed.
fn read_answer(mut stream: TcpStream) -> (String, String) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.to_owned() + "\r\n", body.to_owned())
}

/// The values of samples, by name and labels as they are written.
struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let parsed = samples.map(|line| {
            let (name, value) = line.rsplit_once(' ').expect("a value");
            (name.to_owned(), value.parse().expect("a number"))
        });
        Self(parsed.collect())
    }

    #[track_caller]
    fn get(&self, sample: &str) -> f64 {
        *self.0.get(sample).unwrap_or_else(|| panic!("no {sample} in {:#?}", self.0))
    }

    /// The samples have these values. A line of `expected` is a name with labels, a space, and the value.
    #[track_caller]
    fn expect(&self, expected: &str) {
        let mut wrong = String::new();
        for line in expected.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (sample, value) = line.rsplit_once(' ').expect("a value");
            let found = self.get(sample);
            if found.to_string() != value {
                writeln!(wrong, "{sample}: {found} instead of {value}").expect("a string");
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }
}
