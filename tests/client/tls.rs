//! The client over TLS: its checks of certificates, and the end of a connection. Most servers here are scripted.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SignatureAlgorithm,
    date_time_ymd,
};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

use super::{JOIN, RESUME, finish};
use crate::common::tls::{certificate_options, make_certificate};
use crate::common::{Server, address_in};

/// A self-signed certificate of a server.
struct Certificate {
    config: Arc<ServerConfig>,
    directory: TempDir,
    /// As `chinwagd cert` prints it.
    fingerprint: String,
}

impl Certificate {
    /// For these names, with further changes of its contents.
    fn new(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Self {
        Self::with_key(&KeyPair::generate().expect("a key"), names, change)
    }

    fn with_key(key: &KeyPair, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Self {
        let names: Vec<_> = names.iter().copied().map(str::to_owned).collect();
        let mut parameters = CertificateParams::new(names).expect("names");
        parameters.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        change(&mut parameters);
        let certificate = parameters.self_signed(key).expect("a certificate");
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("ca.pem"), certificate.pem()).expect("a file");
        let digits: Vec<_> =
            hmac_sha256::Hash::hash(certificate.der()).iter().map(|byte| format!("{byte:02x}")).collect();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into());
        let fingerprint = format!("sha256:{}", digits.concat());
        Self { config: Arc::new(config.expect("a certificate")), directory, fingerprint }
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// The argument `--tls-ca`, by which the client trusts it.
    fn as_issuer(&self) -> String {
        format!("--tls-ca={}", self.file().display())
    }

    fn as_fingerprint(&self) -> String {
        format!("--tls-fingerprint={}", self.fingerprint)
    }
}

type Peer = BufReader<StreamOwned<ServerConnection, std::net::TcpStream>>;

fn accept(listener: &TcpListener, config: &Arc<ServerConfig>) -> Peer {
    let stream = super::accept(listener).into_inner();
    let session = ServerConnection::new(Arc::clone(config)).expect("a session");
    BufReader::new(StreamOwned::new(session, stream))
}

/// A server that follows `script`, like `super::serve`. `(cut)` breaks the connection without `close_notify`, `(end)` does so at the
/// end of the script. Fails if the handshake fails.
fn serve(certificate: &Certificate, script: &[&'static str]) -> (SocketAddr, JoinHandle<io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (script, config) = (script.to_vec(), Arc::clone(&certificate.config));
    let server = thread::spawn(move || {
        let mut peer = accept(&listener, &config);
        for step in script {
            match (step, step.strip_prefix("< ")) {
                ("(end)", _) => return Ok(()),
                ("(cut)", _) => {
                    drop(peer);
                    peer = accept(&listener, &config);
                }
                (_, None) => writeln!(peer.get_mut(), "{step}")?,
                (_, Some(expected)) => {
                    let mut line = String::new();
                    // The end without `close_notify` is an error here.
                    peer.read_line(&mut line)?;
                    assert_eq!(line.trim_end_matches('\n'), expected);
                }
            }
        }
        peer.get_mut().conn.send_close_notify();
        peer.get_mut().flush()?;
        // Otherwise a reset could overtake the lines.
        peer.get_mut().sock.read_to_end(&mut Vec::new()).map(drop)
    });
    (address, server)
}

/// The client over TLS. The system trusts only the issuer in `system`.
fn client(system: &Certificate, server: &str, words: &[&str]) -> Command {
    let mut client = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    client.arg(server).args(words).env("SSL_CERT_FILE", system.file()).env_remove("SSL_CERT_DIR");
    client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    client
}

/// A script for [`WHO_WORDS`].
const WHO: [&str; 9] = [
    "HELLO chinwag/1 hi",
    "< SET tags on",
    "OK SET tags on",
    "< NICK al",
    "OK NICK al",
    "< WHO",
    "USER bob coordinator",
    "OK WHO 2",
    "< QUIT",
];

const WHO_WORDS: [&str; 3] = ["who", "--nick", "al"];

#[test]
fn trusted_certificate_is_accepted() {
    let issuer = Certificate::new(&["localhost", "127.0.0.1"], |_| ());
    let stranger = Certificate::new(&["elsewhere.example"], |_| ());
    let expired = Certificate::new(&[], |parameters| {
        (parameters.not_before, parameters.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
    });
    let check = |certificate: &Certificate, system: &Certificate, host: &str, words: &[&str]| {
        let (address, server) = serve(certificate, &WHO);
        let uri = host.replace("PORT", &address.port().to_string());
        let ended = finish(&mut client(system, &uri, &[&WHO_WORDS, words].concat()), "");
        assert_eq!(ended, (Some(0), "bob coordinator\n".to_owned(), String::new()), "{host} {words:?}");
        server.join().expect("the script is followed").expect("a handshake");
    };
    check(&issuer, &issuer, "tls://localhost:PORT", &[]);
    check(&issuer, &issuer, "127.0.0.1:PORT", &["--tls"]);
    check(&issuer, &stranger, "tls://127.0.0.1:PORT", &[&issuer.as_issuer()]);
    check(&issuer, &stranger, "localhost:PORT", &[&issuer.as_issuer()]);
    // Neither names nor dates count, nor the system's issuers.
    for certificate in [&issuer, &expired, &stranger] {
        check(certificate, &issuer, "tls://127.0.0.1:PORT", &[&certificate.as_fingerprint()]);
    }
}

/// The client sends no line to a server that it does not trust.
#[test]
fn untrusted_certificate_is_explained() {
    let issuer = Certificate::new(&["localhost", "127.0.0.1"], |_| ());
    let stranger = Certificate::new(&["a.example", "b.example"], |_| ());
    let expired = Certificate::new(&["127.0.0.1"], |parameters| {
        (parameters.not_before, parameters.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
    });
    let early = Certificate::new(&["127.0.0.1"], |parameters| {
        (parameters.not_before, parameters.not_after) = (date_time_ymd(3001, 1, 1), date_time_ymd(3002, 1, 1));
    });
    let check = |certificate: &Certificate, system: &Certificate, words: &[&str], what: &str| {
        let (address, server) = serve(certificate, &["HELLO chinwag/1 hi", "< "]);
        let (code, out, err) =
            finish(&mut client(system, &format!("tls://{address}"), &[&["who"], words].concat()), "");
        let expected = format!("chinwag: could not connect to tls://{address}: the server's certificate {what}");
        assert_eq!((code, &*out), (Some(3), ""));
        assert!(err.starts_with(&expected), "{err}");
        assert!(server.join().expect("the script is followed").is_err(), "a handshake");
        err.strip_prefix(&expected).expect("checked").to_owned()
    };
    let hint = ", or use --tls-fingerprint sha256:... if you know its fingerprint, which chinwagd cert prints\n";
    let rest = check(
        &issuer,
        &stranger,
        &[],
        "is not from an issuer that this system trusts; give the file of its issuer to --tls-ca",
    );
    assert_eq!(rest, hint);
    let what = format!("is not from an issuer in \"{}\"; ", stranger.file().display());
    check(&issuer, &issuer, &[&stranger.as_issuer()], &what);
    // Regression: the user read `UnsupportedSignatureAlgorithmForPublicKeyContext`, with bytes.
    let check_key = |algorithm: &'static SignatureAlgorithm| {
        let other = Certificate::with_key(&KeyPair::generate_for(algorithm).expect("a key"), &["127.0.0.1"], |_| ());
        let what = format!("is not from an issuer in \"{}\"; ", other.file().display());
        check(&issuer, &issuer, &[&other.as_issuer()], &what);
    };
    check_key(&PKCS_ED25519);
    check_key(&PKCS_ECDSA_P384_SHA384);
    check(&expired, &expired, &[], "has expired; its operator must renew it");
    check(&early, &early, &[], "is not valid yet; check the clock of this machine");
    check(&stranger, &stranger, &[], "is for a.example, b.example, not for 127.0.0.1; connect by a name that it has");
    let what = format!("has the fingerprint {}, not the one of --tls-fingerprint; ", issuer.fingerprint);
    let rest = check(&issuer, &issuer, &[&stranger.as_fingerprint()], &what);
    assert!(rest.starts_with("if its operator has replaced the certificate, ask for the new fingerprint"), "{rest}");
}

#[test]
fn unusable_issuers_are_explained() {
    let issuer = Certificate::new(&["127.0.0.1"], |_| ());
    let directory = issuer.directory.path();
    fs::write(directory.join("text.pem"), "no certificate\n").expect("a file");
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    fs::write(directory.join("damaged.pem"), damaged).expect("a file");
    for (file, what) in [
        ("none.pem", "cannot read --tls-ca PATH: No such file or directory"),
        ("text.pem", "invalid --tls-ca PATH: expected certificates in PEM"),
        ("damaged.pem", "invalid --tls-ca PATH: a certificate in it is damaged"),
    ] {
        let path = directory.join(file);
        let words = ["who", &format!("--tls-ca={}", path.display())];
        let expected = what.replace("PATH", &format!("\"{}\"", path.display()));
        let ended = finish(&mut client(&issuer, "127.0.0.1:1", &words), "");
        let expected = format!("chinwag: could not connect to tls://127.0.0.1:1: {expected}\n");
        assert_eq!(ended, (Some(3), String::new(), expected));
    }
    let mut rootless = client(&issuer, "tls://127.0.0.1:1", &["who"]);
    let (code, _, err) = finish(rootless.env("SSL_CERT_FILE", directory.join("text.pem")), "");
    assert!(code == Some(3) && err.contains("this system has no root certificates"), "{err}");
}

#[test]
fn server_without_tls_is_explained() {
    let issuer = Certificate::new(&["127.0.0.1"], |_| ());
    let real = Server::start();
    let ssh = TcpListener::bind("127.0.0.1:0").expect("a port");
    let ssh_address = ssh.local_addr().expect("an address");
    thread::spawn(move || super::accept(&ssh).get_mut().write_all(b"SSH-2.0-OpenSSH\r\n"));
    for address in [real.address, ssh_address] {
        let ended = finish(&mut client(&issuer, &format!("tls://{address}"), &["who"]), "");
        let why =
            "the server does not speak TLS on this port; connect without TLS, or to the port of its tls:// listener";
        let expected = format!("chinwag: could not connect to tls://{address}: {why}\n");
        assert_eq!(ended, (Some(3), String::new(), expected));
    }
}

/// Regression: the user read `InternalError`, the name of the alert.
#[test]
fn full_server_is_explained() {
    let directory = tempfile::tempdir().expect("a directory");
    make_certificate(directory.path(), &[]);
    let options = certificate_options(directory.path());
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let mut server = Server::with(&[&["--listen", "tls://127.0.0.1:0", "--max-clients", "1"], &*options].concat());
    let address = address_in(&server.stdout_line());
    let _first = server.join("alice");
    let issuer = Certificate::new(&["127.0.0.1"], |_| ());
    let ended = finish(&mut client(&issuer, &format!("tls://{address}"), &["who"]), "");
    let why = "the server refused the connection before the TLS handshake: it is full, your address has too many \
               connections, or it serves proxies only; try again later";
    assert_eq!(ended, (Some(3), String::new(), format!("chinwag: could not connect to tls://{address}: {why}\n")));
}

/// The server sees the end of the input, and its last lines arrive.
#[test]
fn input_ends_with_close_notify() {
    let certificate = Certificate::new(&[], |_| ());
    let script = ["HELLO chinwag/1 hi", "< PING", "OK PING", "< ", "NOTICE one", "NOTICE two"];
    let run = |end: &[&'static str]| {
        let (address, server) = serve(&certificate, &[&script, end].concat());
        let words = ["raw", &certificate.as_fingerprint()];
        let ended = finish(&mut client(&certificate, &format!("tls://{address}"), &words), "PING\n");
        server.join().expect("the script is followed").expect("no cut");
        ended
    };
    let out = "HELLO chinwag/1 hi\nOK PING\nNOTICE one\nNOTICE two\n";
    assert_eq!(run(&[]), (Some(0), out.to_owned(), String::new()));
    // Further lines may have been lost.
    assert_eq!(run(&["(end)"]), (Some(4), out.to_owned(), CUT_OFF.to_owned()));
}

const CUT_OFF: &str = "chinwag: the connection broke: the server did not end it with close_notify\n";

#[test]
fn end_without_close_notify_is_a_lost_connection() {
    let certificate = Certificate::new(&[], |_| ());
    let run = |end: &[&'static str], retry: &str| {
        let (address, server) = serve(&certificate, &[&JOIN, end].concat());
        let words = ["tail", "--nick", "al", "--retry", retry, "--count", "2", &certificate.as_fingerprint()];
        let (code, out, err) = finish(&mut client(&certificate, &format!("tls://{address}"), &words), "");
        server.join().expect("the script is followed").expect("a handshake");
        (code, out, err.replace(&address.to_string(), "<address>"))
    };
    assert_eq!(run(&["MSG bob hi", "(end)"], "0"), (Some(4), "bob: hi\n".to_owned(), CUT_OFF.to_owned()));
    let closed = "chinwag: the server closed the connection\n".to_owned();
    assert_eq!(run(&["MSG bob hi"], "0"), (Some(4), "bob: hi\n".to_owned(), closed));
    // The client takes its session back, over TLS again.
    let back = [
        "MSG bob hi",
        "(cut)",
        "HELLO chinwag/1 epoch=a hi",
        "< SET tags on",
        "OK SET tags on",
        RESUME,
        "OK RESUME al",
    ];
    let rest = ["< SINCE 0 a", "OK SINCE 0 last=0", "MSG bob again", "< QUIT", "OK QUIT"];
    let (code, out, err) = run(&[&back[..], &rest].concat(), "60");
    assert_eq!((code, &*out), (Some(0), "bob: hi\nbob: again\n"));
    assert_eq!(err, CUT_OFF.replace("notify\n", "notify; reconnecting to tls://<address>\n"));
}

/// With the files of `chinwagd cert`, and with what it prints.
#[test]
fn chinwagd_is_reached_over_tls() {
    let directory = tempfile::tempdir().expect("a directory");
    let printed = make_certificate(directory.path(), &[]);
    let fingerprint = printed.lines().find_map(|line| line.strip_prefix("fingerprint: ")).expect("a fingerprint");
    let options = certificate_options(directory.path());
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let mut server = Server::with(&[&["--listen", "tls://127.0.0.1:0"], &*options].concat());
    let address = address_in(&server.stdout_line());
    let stranger = Certificate::new(&["127.0.0.1"], |_| ());
    let mut alice = server.join("alice");
    let run = |words: &[&str], input: &str| finish(&mut client(&stranger, &format!("tls://{address}"), words), input);
    let trusts = [
        format!("--tls-fingerprint={fingerprint}"),
        format!("--tls-ca={}", directory.path().join("chinwag-cert.pem").display()),
    ];
    for trust in &trusts {
        assert_eq!(run(&["who", trust], ""), (Some(0), "alice coordinator\n".to_owned(), String::new()));
        let (code, out, err) = run(&["raw", trust], "NICK ci\nMSG one\nMSG two");
        assert_eq!((code, &*err), (Some(0), ""), "{out}");
        for line in ["JOIN ci", "MSG ci one", "MSG ci two", "LEAVE ci eof"] {
            alice.expect(line);
        }
    }
    // More than the buffers on the way hold, in both directions.
    let text: String = (0..3000).map(|number| format!("{number} {}\n", "x".repeat(200))).collect();
    let tail = client(
        &stranger,
        &format!("tls://{address}"),
        &["tail", "--json", "--count", "3000", "--from", "ci", &trusts[0]],
    )
    .args(["--nick", "tail"])
    .stdin(Stdio::null())
    .spawn()
    .expect("it starts");
    alice.expect("JOIN tail");
    // Reads on, so that the server does not disconnect it.
    let reading = thread::spawn(move || alice.until_start("LEAVE ci"));
    assert_eq!(run(&["send", "--nick", "ci", &trusts[0]], &text), (Some(0), String::new(), String::new()));
    let output = tail.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = String::from_utf8(output.stdout).expect("UTF-8");
    for (number, line) in read.lines().enumerate() {
        assert!(line.contains(&format!("\"text\":\"{number} x")), "{number}: {line}");
    }
    assert_eq!(read.lines().count(), 3000);
    reading.join().expect("it only reads");
}
