//! `chinwagd cert`: makes a self-signed certificate and its key.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};
use chinwag::command_line::{print_error, print_output};
use chinwag::fingerprint::Fingerprint;
use chinwag::limits::CERTIFICATE_DAYS;
use chinwag::process::{error_text, quoted_path};
use chrono::{DateTime, Datelike as _, Days, Utc};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};

use super::PROGRAM;
use super::values::parse_path;

/// make a self-signed certificate and its key for TLS listeners, and print its fingerprint. Existing files are not replaced.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "cert",
    help_triggers("-h", "--help"),
    example = "{command_name}\n{command_name} --name chat.example.org --name 192.0.2.1 --out /etc/chinwag",
    note = "Clients cannot look up who made the certificate: give them its fingerprint.",
    error_code(0, "the files were made"),
    error_code(1, "a file exists or cannot be written"),
    error_code(2, "invalid command line")
)]
pub(super) struct Cert {
    /// host name or IP address under which clients reach the server; may be repeated (default: localhost, 127.0.0.1 and
    /// `::1`)
    #[argh(option, arg_name = "host", from_str_fn(parse_name))]
    name: Vec<String>,

    /// directory for chinwag-cert.pem and chinwag-key.pem (default: the current directory)
    #[argh(option, arg_name = "directory", from_str_fn(parse_path))]
    out: Option<PathBuf>,
}

fn parse_name(raw: &str) -> Result<String, String> {
    match CertificateParams::new([raw.to_owned()]) {
        Ok(_) if !raw.is_empty() && !raw.contains(char::is_whitespace) => Ok(raw.to_owned()),
        _ => Err("expected a host name in ASCII or an IP address".to_owned()),
    }
}

/// Makes the files, and prints what they are.
pub(super) fn run(arguments: Cert) -> ExitCode {
    let defaults = || ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    let names = if arguments.name.is_empty() { defaults() } else { arguments.name };
    let directory = arguments.out.unwrap_or_else(|| ".".into());
    match make(&names, &directory, Utc::now()) {
        Ok(report) => print_output(PROGRAM, &report),
        Err(what) => {
            print_error(PROGRAM, &what);
            ExitCode::FAILURE
        }
    }
}

/// Writes the certificate and the key. Returns the report for the user.
fn make(names: &[String], directory: &Path, now: DateTime<Utc>) -> Result<String, String> {
    let until = now + Days::new(CERTIFICATE_DAYS);
    let (certificate, key) = generate(names, now - Days::new(1), until).map_err(|error| error.to_string())?;
    let [certificate_path, key_path] = ["chinwag-cert.pem", "chinwag-key.pem"].map(|name| directory.join(name));
    create(&key_path, 0o600, &key.serialize_pem())?;
    create(&certificate_path, 0o644, &certificate.pem()).inspect_err(|_| drop(fs::remove_file(&key_path)))?;
    let [certificate_path, key_path] = [&certificate_path, &key_path].map(|path| path.display());
    Ok(format!(
        "wrote {certificate_path} and {key_path}, for {}, valid until {}\nfingerprint: {}\nstart the server with: {PROGRAM} \
         --listen tls://0.0.0.0:9998 --tls-cert {certificate_path} --tls-key {key_path}",
        names.join(", "),
        until.format("%Y-%m-%d"),
        Fingerprint::of(certificate.der())
    ))
}

fn generate(
    names: &[String],
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> Result<(rcgen::Certificate, KeyPair), rcgen::Error> {
    let mut parameters = CertificateParams::new(names)?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, names.first().map_or(PROGRAM, String::as_str));
    let byte = |number: u32| u8::try_from(number).unwrap_or(1);
    let date = |at: DateTime<Utc>| date_time_ymd(at.year(), byte(at.month()), byte(at.day()));
    (parameters.not_before, parameters.not_after) = (date(from), date(until));
    let key = KeyPair::generate()?;
    Ok((parameters.self_signed(&key)?, key))
}

/// Creates a file with this mode. The file must be new.
fn create(path: &Path, mode: u32, content: &str) -> Result<(), String> {
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    file.and_then(|mut file| file.write_all(content.as_bytes())).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("{} exists and is not replaced: choose another directory with --out", quoted_path(path))
        }
        _ => format!("cannot write {}: {}", quoted_path(path), error_text(&error)),
    })
}
