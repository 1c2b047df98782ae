//! The client's command line: the options of the chat, and what it has in common with the commands. [`crate::command_line`] parses it;
//! this module checks what argh cannot, and reads the files of secrets.

/// The [`CommonOptions`] of a struct of options; the last of them differ between the chat and the commands.
macro_rules! common_options {
    ($options:expr, $($field:ident: $value:expr),+ $(,)?) => {
        CommonOptions {
            server: $options.server.as_deref(),
            tls: $options.tls,
            tls_ca: $options.tls_ca.as_ref(),
            tls_fingerprint: $options.tls_fingerprint,
            password_file: $options.password_file.as_ref(),
            account: AccountArguments {
                login: $options.login.as_ref(),
                password_file: $options.account_password_file.as_ref(),
                token_file: $options.token_file.as_ref(),
                nick: $options.nick.as_deref(),
            },
            format: LineFormat { color: $options.color, bell: $options.bell },
            $($field: $value,)+
        }
    };
}

mod commands;
mod server;
mod values;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};

pub(super) use self::commands::{LoginOptions, SendOptions, Subcommand, WatchFilter};
use self::values::{parse_file, parse_member, parse_nick};
use super::account::{AccountArguments, AccountOptions};
use super::address::ServerAddress;
use super::password;
use super::render::LineFormat;
use super::stop::StopSignal;
use super::token_file;
use super::trust::TlsOptions;
use crate::command_line::{is_colored, parse_color, parse_duration, quoted};
use crate::fingerprint::Fingerprint;
use crate::protocol::{Name, Password, RoomName};

/// The options of the chat or of a command, checked, with the contents of their files.
#[derive(Clone, Debug)]
pub(super) struct ClientOptions {
    /// The address of the server.
    pub(super) address: ServerAddress,
    /// How to parse another address.
    pub(super) tls: TlsOptions,
    /// The nickname that the user chose.
    pub(super) nick: Option<String>,
    /// The room: the session's home, or the room that it watches.
    pub(super) room: RoomName,
    /// The password of the server, from a file.
    pub(super) password: Option<Password>,
    /// The account to log in to.
    pub(super) account: Option<AccountOptions>,
    /// The signals that are caught already, because the user was asked for a password.
    pub(super) stop: Option<StopSignal>,
    /// Whether to print JSON.
    pub(super) json: bool,
    pub(super) format: LineFormat,
}

/// Chat client for chinwag servers. Without a command, it joins the room and chats: interactively at a terminal (/help lists the commands,
/// Ctrl-D leaves), otherwise it handles each line of standard input as if it were typed.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    help_triggers("-h", "--help"),
    example = "{command_name}\n{command_name} chat.example.org --nick alice\n{command_name} 10.0.0.9 7000 who\n{command_name} 10.0.0.9:7000 send build 41 is green\n{command_name} tail --json --server 10.0.0.9:7000\n{command_name} send --help",
    note = "{command_name} <command> --help describes a command.",
    note = "Options can be given anywhere, as --option value or --option=value. Words after -- are text: {command_name} send -- -5 degrees",
    error_code(0, "success, or the reader of standard output closed it"),
    error_code(1, "a command or a line was refused, or standard input or output failed"),
    error_code(2, "invalid command line"),
    error_code(3, "could not connect"),
    error_code(4, "the connection was lost"),
    error_code(5, "timed out: the server did not reply, or --timeout expired"),
    error_code(6, "another connection resumed this session, or took over its account"),
    error_code(129, "ended by SIGHUP"),
    error_code(130, "ended by SIGINT (Ctrl-C)"),
    error_code(131, "ended by SIGQUIT"),
    error_code(143, "ended by SIGTERM")
)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(super) struct Arguments {
    /// the server: host, host:port or host port (default port: 9999), or `unix:///path` for a Unix socket; an IPv6 address before a
    /// port needs brackets, and may have a zone: `[fe80::1%eth0]:9999`
    #[argh(positional, arg_name = "host port")]
    host: Vec<String>,

    /// the server, instead of a host before the command (default: $`CHINWAG_SERVER`, or 127.0.0.1:9999 if that is not set)
    #[argh(option, arg_name = "address")]
    server: Option<String>,

    /// connect with TLS (default port: 9998), and check the certificate against the issuers that the system trusts
    #[argh(switch)]
    tls: bool,

    /// connect with TLS, and accept only certificates from the issuers in this PEM file
    #[argh(option, arg_name = "file", from_str_fn(parse_file))]
    tls_ca: Option<PathBuf>,

    /// connect with TLS, and accept only the certificate with this fingerprint, which chinwagd cert prints, whatever its names and dates
    #[argh(option, arg_name = "sha256:hex", from_str_fn(Fingerprint::parse))]
    tls_fingerprint: Option<Fingerprint>,

    /// give the server the password in this file, which has one line (default: $`CHINWAG_PASSWORD_FILE`; the interactive client asks)
    #[argh(option, arg_name = "file", from_str_fn(parse_file))]
    password_file: Option<PathBuf>,

    /// log in to this account, and take its nickname; the client asks for the password, unless a file has it
    #[argh(option, arg_name = "name", from_str_fn(parse_member))]
    login: Option<Name>,

    /// log in with the password in this file, which has one line
    #[argh(option, arg_name = "file", from_str_fn(parse_file))]
    account_password_file: Option<PathBuf>,

    /// the file with an access token: chinwag login writes it, and other commands log in with it (default: $`CHINWAG_TOKEN_FILE`)
    #[argh(option, arg_name = "file", from_str_fn(parse_file))]
    token_file: Option<PathBuf>,

    /// your nickname (default: the interactive client asks; otherwise your login name or guest, with a number if that is taken)
    #[argh(option, arg_name = "name", from_str_fn(parse_nick))]
    nick: Option<String>,

    /// colour: always, never, or auto for colour at a terminal unless `NO_COLOR` is set or TERM is dumb (default: auto)
    #[argh(option, arg_name = "when", default = "is_colored(&io::stdout())", from_str_fn(parse_color))]
    color: bool,

    /// ring the terminal's bell for a whisper to you or a message that mentions your nickname
    #[argh(switch)]
    bell: bool,

    /// how long to try to reconnect after the connection is lost, such as 90s or 10m; 0: do not reconnect (default: without limit in
    /// the interactive client, otherwise 60s)
    #[argh(option, arg_name = "duration", from_str_fn(parse_duration))]
    pub(super) retry: Option<Duration>,

    /// print the version and exit
    #[argh(switch, short = 'V')]
    pub(super) version: bool,

    #[argh(subcommand)]
    pub(super) command: Option<Subcommand>,
}

/// The options that the chat and every command have, as the command line has them.
#[derive(Clone, Copy, Debug)]
struct CommonOptions<'a> {
    server: Option<&'a str>,
    tls: bool,
    tls_ca: Option<&'a PathBuf>,
    tls_fingerprint: Option<Fingerprint>,
    password_file: Option<&'a PathBuf>,
    account: AccountArguments<'a>,
    room: Option<&'a RoomName>,
    json: bool,
    format: LineFormat,
}

impl Arguments {
    /// The name of the command; empty without one.
    pub(super) fn command_name(&self) -> &'static str {
        self.command.as_ref().map_or("", |command| command.options().name())
    }

    /// The options of the command or of the chat.
    ///
    /// # Errors
    /// The text explains an invalid server, or an error that argh cannot find.
    pub(super) fn options(&self) -> Result<ClientOptions, String> {
        let common = self.command.as_ref().map_or_else(|| self.common(), |command| command.options().common());
        if let (Some(_), Some(server), Some(host)) = (&self.command, common.server, self.host.first()) {
            return Err(format!("two servers: {} and --server {}, expected one", quoted(host), quoted(server)));
        }
        let tls = server::tls_options(common.tls, common.tls_ca, common.tls_fingerprint)?;
        let address = server::address(common.server, &self.host, &tls)?;
        if let Some(what) = self.command.as_ref().and_then(Subcommand::error) {
            return Err(what.to_owned());
        }
        let password = || password::read(common.password_file);
        let (password, account) = match &self.command {
            // It reads passwords from its input, whatever the environment says.
            Some(Subcommand::Raw(_)) => (None, None),
            Some(Subcommand::Login(login)) => (password()?, login.account().read(&address, None)?),
            _ => (password()?, common.account.read(&address, token_file::variable())?),
        };
        let nick = common.account.nick.map(str::to_owned);
        let room = common.room.cloned().unwrap_or_else(RoomName::lobby);
        let (json, format) = (common.json, common.format);
        Ok(ClientOptions { address, tls, nick, room, password, account, stop: None, json, format })
    }

    /// These options of the chat. It begins in the lobby, and prints no JSON.
    fn common(&self) -> CommonOptions<'_> {
        common_options!(self, room: None, json: false)
    }
}
