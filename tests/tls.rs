//! The server over TLS: certificates, their reload, handshakes. Tests that run over every transport are in `tests/transports`.

#[path = "common/mod.rs"]
mod common;

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConnection, DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion};

use self::common::tls::{certificate_options, client_config, make_certificate, relay, shared_certificate};
use self::common::{Client, DEADLINE, HELLO, Server, Site, Tls, command, exit_code};

/// A server that listens for TLS with the certificates in these directories.
struct TlsServer {
    server: Server,
    address: SocketAddr,
}

impl TlsServer {
    fn start(scheme: &str, certificates: &[&Path], arguments: &[&str]) -> Self {
        let listen = format!("{scheme}://127.0.0.1:0");
        let options: Vec<_> = certificates.iter().flat_map(|directory| certificate_options(directory)).collect();
        let options = options.iter().map(String::as_str);
        let all: Vec<_> = ["--listen", &*listen].into_iter().chain(options).chain(arguments.iter().copied()).collect();
        let mut server = Server::with(&all);
        let address = common::address_in(&server.stdout_line());
        Self { server, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream
    }

    /// Connects a client that trusts the certificate in this directory, with this name of the server.
    fn connect_tls(&self, trusted: &Path, name: &str) -> Client {
        Client::new(relay(self.connect(), client_config(trusted, rustls::ALL_VERSIONS), name))
    }

    /// The certificate that a client gets that asks for this name.
    fn certificate_for(&self, name: &str) -> CertificateDer<'static> {
        let mut stream = self.connect();
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let mut config = client_config(shared_certificate(), rustls::ALL_VERSIONS);
        config.dangerous().set_certificate_verifier(Arc::new(TrustEverything));
        let mut tls = ClientConnection::new(Arc::new(config), name).expect("a client");
        tls.complete_io(&mut stream).expect("a handshake");
        tls.peer_certificates().expect("a certificate")[0].clone().into_owned()
    }
}

#[derive(Debug)]
struct TrustEverything;

impl ServerCertVerifier for TrustEverything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn certificate_in(directory: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(directory.join("chinwag-cert.pem")).expect("a certificate")
}

/// A directory with a certificate for these names.
fn certificate(names: &[&str]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    make_certificate(directory.path(), names);
    directory
}

fn chat_with(version: &'static SupportedProtocolVersion) {
    let server = TlsServer::start("tls", &[shared_certificate()], &[]);
    let config = client_config(shared_certificate(), &[version]);
    let mut client = Client::new(relay(server.connect(), config, "localhost"));
    client.expect(HELLO);
    client.send("NICK alice");
    client.expect("OK NICK alice");
    client.expect("COORDINATOR alice");
    client.send("QUIT");
    client.expect("OK QUIT");
    client.expect_end();
}

#[test]
fn both_versions_are_served() {
    chat_with(&rustls::version::TLS12);
    chat_with(&rustls::version::TLS13);
}

#[test]
fn client_gets_the_certificate_for_its_name() {
    let (second, third) = (certificate(&["second.example"]), certificate(&["third.example", "second.example"]));
    let all = [shared_certificate(), second.path(), third.path()];
    let server = TlsServer::start("tls", &all, &[]);
    for (name, expected) in [
        ("second.example", second.path()),
        ("THIRD.example", third.path()),
        ("localhost", shared_certificate()),
        ("unknown.example", shared_certificate()),
        ("127.0.0.1", shared_certificate()),
    ] {
        assert_eq!(server.certificate_for(name), certificate_in(expected), "{name}");
    }
}

/// The member leaves as lost, and the unfinished line is not carried out.
#[test]
fn connection_that_is_cut_is_lost() {
    let server = TlsServer::start("tls", &[shared_certificate()], &[]);
    let mut watcher = server.server.join("watcher");
    let mut stream = server.connect();
    let config = client_config(shared_certificate(), rustls::ALL_VERSIONS);
    let name = ServerName::try_from("localhost").expect("a name");
    let mut tls = ClientConnection::new(Arc::new(config), name).expect("a client");
    tls.writer().write_all(b"NICK alice\nMSG one\nMSG tw").expect("space");
    tls.complete_io(&mut stream).expect("a handshake");
    while tls.wants_write() {
        tls.write_tls(&mut stream).expect("the server reads");
    }
    watcher.expect("JOIN alice");
    watcher.expect("MSG alice one");
    stream.shutdown(Shutdown::Write).expect("a connection");
    watcher.expect("LEAVE alice lost");
}

#[test]
fn plain_text_is_answered_and_nothing_of_it_is_carried_out() {
    let server = TlsServer::start("tls", &[shared_certificate()], &[]);
    let mut watcher = server.server.join("watcher");
    for request in ["NICK mallory\nMSG hi\n", "GET / HTTP/1.1\r\n\r\nNICK mallory\r\n", "\n"] {
        let mut stream = server.connect();
        stream.write_all(request.as_bytes()).expect("the server reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an orderly end");
        let expected =
            "ERR - tls-expected this port expects TLS; connect with: openssl s_client -quiet -connect HOST:PORT\n";
        assert_eq!(answer, expected, "{request:?}");
    }
    watcher.expect_nothing();
}

#[test]
#[cfg(feature = "web")]
fn plain_request_to_https_gets_400() {
    let server = TlsServer::start("https", &[shared_certificate()], &[]);
    let mut stream = server.connect();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").expect("the server reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an orderly end");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("this port expects TLS"), "{answer}");
}

/// Somebody on the way may have sent a page that came from the same host without TLS.
#[test]
#[cfg(feature = "web")]
fn page_without_tls_may_not_join_over_https() {
    let server = TlsServer::start("https", &[shared_certificate()], &[]);
    let host = server.address;
    for (scheme, status) in [("https", "101"), ("http", "403")] {
        let mut stream =
            relay(server.connect(), client_config(shared_certificate(), rustls::ALL_VERSIONS), "127.0.0.1");
        let head = format!(
            "GET /ws HTTP/1.1\r\nHost: {host}\r\nOrigin: {scheme}://{host}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("the server reads");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).expect("an answer");
        assert!(line.starts_with(&format!("HTTP/1.1 {status} ")), "{scheme}: {line}");
    }
}

/// TLS protects the way whatever name the browser uses.
#[test]
#[cfg(feature = "web")]
fn hello_says_secure_over_https_under_any_name() {
    let server = TlsServer::start("https", &[shared_certificate()], &[]);
    let mut stream = relay(server.connect(), client_config(shared_certificate(), rustls::ALL_VERSIONS), "127.0.0.1");
    let head = "GET /ws HTTP/1.1\r\nHost: 192.0.2.2\r\nOrigin: https://192.0.2.2\r\nUpgrade: websocket\r\n\
                Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("the server reads");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    let mut lines = BufReader::new(stream).split(b'\n').map(|line| line.expect("a line"));
    let hello = lines.find(|line| line.windows(6).any(|word| word == b"HELLO ")).expect("a greeting");
    assert!(String::from_utf8_lossy(&hello).contains(",secure"), "{}", hello.escape_ascii());
}

/// Bytes that begin like a handshake end the connection, and delay nobody.
#[test]
fn malformed_handshakes_are_refused() {
    let server = TlsServer::start("tls", &[shared_certificate()], &[]);
    let mut watcher = server.server.join("watcher");
    let mut random = fastrand::Rng::with_seed(5);
    for length in [0_u16, 1, 100, 16_384, 65_535] {
        let mut stream = server.connect();
        let [high, low] = length.to_be_bytes();
        let noise: Vec<u8> = (0..70_000).map(|_| random.u8(..)).collect();
        // The server may close before it has all of it.
        let _ = stream.write_all(&[&[22, 3, 1, high, low], &*noise].concat());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer[0] == 21, "not an alert: {}", answer.escape_ascii());
    }
    watcher.expect_nothing();
}

/// A client that does not complete its handshake within 10 s. The test takes as long.
#[test]
fn late_handshakes_end_their_connections() {
    let server = TlsServer::start("tls", &[shared_certificate()], &[]);
    let answer_to = |sent: &[u8]| {
        let mut stream = server.connect();
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream.write_all(sent).expect("the server reads");
        thread::spawn(move || {
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).expect("an orderly end before the deadline");
            String::from_utf8(answer).expect("UTF-8")
        })
    };
    let (silent, half) = (answer_to(&[]), answer_to(&[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]));
    let answer = silent.join().expect("an answer");
    assert!(answer.starts_with("ERR - tls-expected "), "{answer}");
    assert_eq!(half.join().expect("an end"), "");
}

/// A client that is not admitted gets an alert. A connection counts before its handshake.
#[test]
fn half_handshake_counts_for_max_clients() {
    let server = TlsServer::start("tls", &[shared_certificate()], &["--max-clients", "1"]);
    let first = server.connect();
    let mut second = server.connect();
    let mut answer = Vec::new();
    second.read_to_end(&mut answer).expect("an orderly end");
    assert_eq!(answer, [21, 3, 3, 0, 2, 2, 80]);
    drop(first);
    // Its place is free once the server has seen the end.
    let admitted = || server.connect_tls(shared_certificate(), "localhost").next_if_any();
    let is_admitted =
        |_| std::panic::catch_unwind(std::panic::AssertUnwindSafe(admitted)).is_ok_and(|line| line.is_some());
    assert!((0..1000).any(is_admitted));
}

/// `--tls-cert` and `--tls-key` with these files.
fn start_error(certificate: &Path, key: &Path) -> String {
    let mut command = command(&["--log", "off", "--listen", "tls://127.0.0.1:0", "--tls-cert"]);
    command.arg(certificate).arg("--tls-key").arg(key);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    assert_eq!(exit_code(&mut child, DEADLINE), Some(1));
    io::read_to_string(child.stderr.take().expect("piped")).expect("UTF-8")
}

#[test]
fn unusable_files_are_named_at_the_start() {
    let (own, other) = (certificate(&[]), certificate(&[]));
    let at = |name: &str| own.path().join(name);
    let (certificate, key) = (at("chinwag-cert.pem"), at("chinwag-key.pem"));
    fs::write(at("text"), "not PEM\n").expect("a file");
    fs::write(at("cut"), "-----BEGIN CERTIFICATE-----\nMIIB\n").expect("a file");
    fs::write(at("noise"), "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n").expect("a file");
    let chain = [&*fs::read(&certificate).expect("a file"), &*fs::read(at("noise")).expect("a file")].concat();
    fs::write(at("chain"), chain).expect("a file");
    fs::write(at("long"), vec![b'x'; 1024 * 1024 + 1]).expect("a file");
    assert!(Command::new("mkfifo").arg(at("pipe")).status().expect("mkfifo runs").success());
    let other_key = other.path().join("chinwag-key.pem");
    let quoted = |path: &Path| format!("\"{}\"", path.display());
    for (certificate, key, expected) in [
        (&at("none"), &key, format!("cannot read {}: No such file or directory", quoted(&at("none")))),
        (&certificate, &at("none"), format!("cannot read {}: No such file or directory", quoted(&at("none")))),
        (&own.path().into(), &key, format!("{} is a directory: expected a file in PEM", quoted(own.path()))),
        // Regression: the start waited for a program that writes to it, and SIGTERM did not end that.
        (&at("pipe"), &key, format!("{} is a FIFO: expected a file in PEM", quoted(&at("pipe")))),
        (&at("long"), &key, format!("{} is too long: expected at most 1048576 bytes of PEM", quoted(&at("long")))),
        (
            &at("text"),
            &key,
            format!("{} has no certificate: expected PEM with a line BEGIN CERTIFICATE", quoted(&at("text"))),
        ),
        (&key, &key, format!("{} has no certificate: expected PEM with a line BEGIN CERTIFICATE", quoted(&key))),
        (&at("noise"), &key, format!("certificate 1 in {} is damaged: replace it, or remove it", quoted(&at("noise")))),
        // Regression: damaged intermediate certificates were sent to clients.
        (&at("chain"), &key, format!("certificate 2 in {} is damaged: replace it, or remove it", quoted(&at("chain")))),
        (
            &certificate,
            &certificate,
            format!("{} has no private key: expected PEM with a line BEGIN PRIVATE KEY", quoted(&certificate)),
        ),
        (
            &certificate,
            &other_key,
            format!("the key {} is not that of the certificate {}", quoted(&other_key), quoted(&certificate)),
        ),
    ] {
        assert_eq!(start_error(certificate, key), format!("chinwagd: {expected}\n"));
    }
    let cut = start_error(&at("cut"), &key);
    assert!(cut.starts_with(&format!("chinwagd: {} is not valid PEM: ", quoted(&at("cut")))), "{cut}");
}

#[test]
fn options_need_each_other() {
    let error = |arguments: &[&str]| {
        let output = command(arguments).output().expect("it starts");
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    for (arguments, expected) in [
        (
            &["--listen", "tls://127.0.0.1:0"][..],
            "a tls:// listener without --tls-cert and --tls-key; make these files with: chinwagd cert",
        ),
        (
            &["--tls-cert", "x"],
            "--tls-cert without a tls:// listener: expected one, such as --listen tls://127.0.0.1:9998",
        ),
        (
            &["--listen", "tls://127.0.0.1:0", "--tls-cert", "x"],
            "--tls-cert is given 1 times and --tls-key 0 times: expected a key for each",
        ),
    ] {
        assert_eq!(error(arguments), format!("chinwagd: {expected}; see chinwagd --help\n"));
    }
}

/// New connections get the new certificate; old ones go on. A bad certificate changes nothing.
#[test]
fn sighup_reads_the_certificates_again() {
    let (files, next) = (certificate(&["localhost"]), certificate(&["localhost"]));
    let copy_next = |name: &str| {
        fs::copy(next.path().join(name), files.path().join(name)).expect("a copy");
    };
    let first = certificate_in(files.path());
    let mut command = command(&["--listen", "127.0.0.1:0", "--listen", "tls://127.0.0.1:0", "--line-rate", "0"]);
    command.args(certificate_options(files.path())).stderr(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut log = BufReader::new(child.stderr.take().expect("piped"));
    let mut logged = |part: &str| {
        let mut line = String::new();
        while !line.contains(part) {
            line.clear();
            assert!(log.read_line(&mut line).expect("a log") > 0, "the log ended before {part:?}");
        }
        line
    };
    let mut server = Server::adopt(child);
    let address = common::address_in(&server.stdout_line());
    let server = TlsServer { server, address };
    let old_trust = tempfile::tempdir().expect("a directory");
    fs::copy(files.path().join("chinwag-cert.pem"), old_trust.path().join("chinwag-cert.pem")).expect("a copy");
    let mut old = server.connect_tls(old_trust.path(), "localhost");
    old.expect_start("HELLO ");
    // The certificate does not fit the key yet.
    copy_next("chinwag-cert.pem");
    server.server.signal("-HUP");
    let warning = logged("SIGHUP");
    assert!(warning.contains(" WARN SIGHUP: cannot use the new file; the old one stays in use error="), "{warning}");
    assert!(warning.contains("is not that of the certificate"), "{warning}");
    assert_eq!(server.certificate_for("localhost"), first);
    copy_next("chinwag-key.pem");
    server.server.signal("-HUP");
    logged("read a certificate");
    let is_new = |_: &u32| server.certificate_for("localhost") == certificate_in(next.path());
    // The log line comes before the change.
    assert!((0..1000).find(is_new).is_some());
    old.sync();
    let mut new = server.connect_tls(next.path(), "localhost");
    new.expect_start("HELLO ");
}

/// Also if it was ignored at the start, as by `nohup`.
#[test]
fn sighup_that_was_ignored_reads_the_certificates() {
    let files = certificate(&["localhost"]);
    let mut command = Command::new("env");
    command.args(["--ignore-signal=HUP", env!("CARGO_BIN_EXE_chinwagd"), "--log", "off", "--epoch", common::EPOCH]);
    command.args(["--listen", "127.0.0.1:0", "--listen", "tls://127.0.0.1:0"]).args(certificate_options(files.path()));
    let mut server = Server::spawn(&mut command);
    let address = common::address_in(&server.stdout_line());
    let server = TlsServer { server, address };
    for name in ["chinwag-cert.pem", "chinwag-key.pem"] {
        fs::remove_file(files.path().join(name)).expect("a file");
    }
    make_certificate(files.path(), &["localhost"]);
    server.server.signal("-HUP");
    let is_new = |_: &u32| server.certificate_for("localhost") == certificate_in(files.path());
    assert!((0..10_000).find(is_new).is_some());
}

#[test]
fn expired_certificate_is_a_warning() {
    let directory = tempfile::tempdir().expect("a directory");
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a name");
    (parameters.not_before, parameters.not_after) =
        (rcgen::date_time_ymd(2001, 1, 1), rcgen::date_time_ymd(2002, 1, 1));
    let certificate = parameters.self_signed(&key).expect("a certificate");
    fs::write(directory.path().join("chinwag-cert.pem"), certificate.pem()).expect("a file");
    fs::write(directory.path().join("chinwag-key.pem"), key.serialize_pem()).expect("a file");
    let mut command = command(&["--listen", "127.0.0.1:0", "--listen", "tls://127.0.0.1:0", "--log", "warn"]);
    let child = command.args(certificate_options(directory.path())).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().expect("it starts");
    let mut log = BufReader::new(child.stderr.take().expect("piped"));
    let _server = Server::adopt(child);
    let mut line = String::new();
    log.read_line(&mut line).expect("a log");
    assert!(line.contains(" WARN clients will not accept this certificate path="), "{line}");
    assert!(line.ends_with("reason=\"it has expired\"\n"), "{line}");
}

#[test]
fn cert_replaces_no_file_and_keeps_the_key_private() {
    use std::os::unix::fs::MetadataExt as _;

    let directory = tempfile::tempdir().expect("a directory");
    let report = make_certificate(directory.path(), &["chat.example.org", "192.0.2.1"]);
    let [certificate, key] = ["chinwag-cert.pem", "chinwag-key.pem"].map(|name| directory.path().join(name));
    assert_eq!(fs::metadata(&key).expect("the key").mode() & 0o777, 0o600);
    let (certificate_text, key_text) = (certificate.display(), key.display());
    let lines: Vec<_> = report.lines().collect();
    let start = format!("wrote {certificate_text} and {key_text}, for chat.example.org, 192.0.2.1, valid until ");
    assert!(lines[0].starts_with(&start), "{report}");
    let digits = lines[1].strip_prefix("fingerprint: sha256:").expect("a fingerprint");
    assert!(digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()), "{digits}");
    let next = format!("--listen tls://0.0.0.0:9998 --tls-cert {certificate_text} --tls-key {key_text}");
    assert_eq!(lines[2], format!("start the server with: chinwagd {next}"));
    let before = fs::read(&key).expect("the key");
    let again = Command::new(env!("CARGO_BIN_EXE_chinwagd")).arg("cert").arg("--out").arg(directory.path()).output();
    let again = again.expect("it starts");
    assert_eq!(again.status.code(), Some(1));
    let expected =
        format!("chinwagd: \"{key_text}\" exists and is not replaced: choose another directory with --out\n");
    assert_eq!(String::from_utf8(again.stderr).expect("UTF-8"), expected);
    assert_eq!(fs::read(&key).expect("the key"), before);
    // No key is left without its certificate.
    fs::remove_file(&key).expect("the key");
    let output = Command::new(env!("CARGO_BIN_EXE_chinwagd")).arg("cert").arg("--out").arg(directory.path()).output();
    assert_eq!(output.expect("it starts").status.code(), Some(1));
    assert!(!key.exists());
}

/// A thousand connections that have sent half a handshake hold little memory, and a session over TLS holds no buffers.
#[test]
fn half_handshakes_and_idle_sessions_are_small() {
    const COUNT: u64 = 300;
    let site = Site::<Tls>::with(&["--connect-rate", "0"]);
    let mut watcher = site.server.join("watcher");
    // The first connections also fill what all share.
    let _first: Vec<_> = (0..20).map(|number| site.join(&format!("first{number}"))).collect();
    let before = site.resident_bytes();
    let address = site.ip_address().expect("TCP");
    let half: Vec<_> = (0..COUNT)
        .map(|_| {
            let mut stream = TcpStream::connect(address).expect("the server accepts");
            stream.write_all(&[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]).expect("the server reads");
            stream
        })
        .collect();
    watcher.sync();
    let halves = site.resident_bytes().saturating_sub(before) / COUNT;
    eprintln!("{halves} bytes for half a handshake");
    assert!(halves < 16 * 1024, "{halves} bytes for half a handshake");
    drop(half);
    let before = site.resident_bytes();
    let _idle: Vec<_> = (0..COUNT).map(|number| site.join(&format!("idle{number}"))).collect();
    let idle = site.resident_bytes().saturating_sub(before) / COUNT;
    eprintln!("{idle} bytes for an idle member over TLS");
    assert!(idle < 24 * 1024, "{idle} bytes for an idle member over TLS");
}
