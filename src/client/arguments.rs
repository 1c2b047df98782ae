//! The client's command line: the options of the chat and of each command, and their help. [`crate::command_line`] parses it; this module
//! checks what argh cannot, and finds the server.

use std::env;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs, SubCommand};
use regex_lite::Regex;

use super::account::{AccountArguments, AccountOptions};
use super::address::ServerAddress;
use super::password;
use super::render::LineFormat;
use super::stop::StopSignal;
use super::token_file;
use super::trust::{TlsOptions, Trust};
use crate::command_line::{is_colored, nearest, parse_color, parse_duration, parse_number, quoted};
use crate::fingerprint::Fingerprint;
use crate::limits::{ACCESS_TOKEN_DAYS_MAX, HISTORY_REPLAYED_DEFAULT, TOKEN_LABEL_BYTES_MAX};
use crate::protocol::{MessageId, Name, Password, RoomName, Text, Token, TokenLabel, is_blank};

/// The environment variable that names the server.
const SERVER_VARIABLE: &str = "CHINWAG_SERVER";

/// The options that every command has.
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

    /// log in with the access token in this file, which chinwag login writes (default: $`CHINWAG_TOKEN_FILE`)
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

/// Defines the struct of a command: its own options and exit codes, and the common ones. An option with `hidden_help` is
/// accepted and has no effect, so that an alias such as `chinwag --color never` works with every command.
macro_rules! command {
    (
        $(#[$about:meta])*
        $name:ident($(password $password:ident,)? $(login $login:ident,)? $(secret $secret:ident,)? nick $($nick:ident)?, room $($room:ident)?, color $($color:ident)?, $($code:ident($number:tt, $meaning:tt)),+) { $($own:tt)* }
    ) => {
        #[derive(FromArgs, ArgsInfo, Debug)]
        $(#[$about])*
        #[argh(
            help_triggers("-h", "--help"),
            note = "The server can also be given before the command, as host, host:port or host port.",
            error_code(0, "success, or the reader of standard output closed it"),
            error_code(1, "a command or a line was refused, or standard input or output failed"),
            error_code(2, "invalid command line"),
            error_code(3, "could not connect"),
            error_code(4, "the connection was lost"),
            $($code($number, $meaning),)+
            error_code(129, "ended by SIGHUP"),
            error_code(130, "ended by SIGINT (Ctrl-C)"),
            error_code(131, "ended by SIGQUIT"),
            error_code(143, "ended by SIGTERM")
        )]
        pub(super) struct $name {
            $($own)*

            /// print each line as a JSON object
            #[argh(switch)]
            json: bool,

            /// the server (default: $`CHINWAG_SERVER`, or 127.0.0.1:9999 if that is not set)
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

            /// give the server the password in this file, which has one line (default: $`CHINWAG_PASSWORD_FILE`)
            #[argh(option, arg_name = "file", from_str_fn(parse_file), $($password)?)]
            password_file: Option<PathBuf>,

            /// log in to this account, and take its nickname; the client asks for the password, unless a file has it
            #[argh(option, arg_name = "name", from_str_fn(parse_member), $($login)?)]
            login: Option<Name>,

            /// log in with the password in this file, which has one line
            #[argh(option, arg_name = "file", from_str_fn(parse_file), $($secret)?)]
            account_password_file: Option<PathBuf>,

            /// log in with the access token in this file, which chinwag login writes (default: $`CHINWAG_TOKEN_FILE`)
            #[argh(option, arg_name = "file", from_str_fn(parse_file), $($secret)?)]
            token_file: Option<PathBuf>,

            /// your nickname, with which to enter the room (default: commands that only read take none; send takes your login name or
            /// guest, with a number if that is taken)
            #[argh(option, arg_name = "name", from_str_fn(parse_nick), $($nick)?)]
            nick: Option<String>,

            /// the room (default: #lobby)
            #[argh(option, arg_name = "#room", from_str_fn(parse_room), $($room)?)]
            room: Option<RoomName>,

            /// colour: always, never, or auto for colour at a terminal unless `NO_COLOR` is set or TERM is dumb (default: auto)
            #[argh(option, arg_name = "when", default = "is_colored(&io::stdout())", from_str_fn(parse_color), $($color)?)]
            color: bool,

            /// ring the terminal's bell
            #[argh(switch, hidden_help)]
            bell: bool,
        }

        impl CommonOptions for $name {
            fn name(&self) -> &'static str {
                Self::COMMAND.name
            }

            fn options(&self, host: &[String]) -> Result<ClientOptions, String> {
                if let (Some(server), Some(host)) = (&self.server, host.first()) {
                    return Err(format!("two servers: {} and --server {}, expected one", quoted(host), quoted(server)));
                }
                let tls = tls_options(self.tls, self.tls_ca.as_ref(), self.tls_fingerprint)?;
                let address = address(self.server.as_deref(), host, &tls)?;
                let (nick, format) = (self.nick.clone(), LineFormat { color: self.color, bell: self.bell });
                let room = self.room.clone().unwrap_or_else(RoomName::lobby);
                let (json, account) = (self.json, None);
                Ok(ClientOptions { address, tls, nick, room, password: None, account, stop: None, json, format })
            }

            fn password_file(&self) -> Option<&PathBuf> {
                self.password_file.as_ref()
            }

            fn account(&self) -> AccountArguments<'_> {
                let (login, password_file) = (self.login.as_ref(), self.account_password_file.as_ref());
                let (token_file, nick) = (self.token_file.as_ref(), self.nick.as_deref());
                AccountArguments { login, password_file, token_file, nick }
            }
        }
    };
}

/// Defines the struct of a command that prints messages and events as they arrive.
macro_rules! watch_command {
    ($(#[$about:meta])* $name:ident { $($own:tt)* }) => {
        command! {
            $(#[$about])*
            $name(
                nick,
                room,
                color,
                error_code(5, "timed out: the server did not reply, or --timeout expired"),
                error_code(6, "another connection resumed this session, or took over its account")
            ) {
                $($own)*

                /// print only messages and whispers of this member
                #[argh(option, arg_name = "name", from_str_fn(parse_member))]
                from: Option<Name>,

                /// exit with code 5 after this time, such as 30s or 10m; 0: at once (default: without limit)
                #[argh(option, arg_name = "duration", from_str_fn(parse_duration))]
                timeout: Option<Duration>,

                /// begin with the messages after this id, which --json prints; a warning on standard error reports messages that
                /// the server no longer keeps (default: new messages only)
                #[argh(option, arg_name = "id", from_str_fn(parse_id))]
                since: Option<MessageId>,

                /// the epoch of the id of --since (epoch= in the server's greeting); exit with code 1 if the server has another
                /// epoch
                #[argh(option, arg_name = "epoch", from_str_fn(parse_epoch))]
                epoch: Option<Token>,

                /// how long to try to reconnect after the connection is lost, such as 90s or 10m; 0: do not reconnect
                /// (default: 60s)
                #[argh(option, arg_name = "duration", from_str_fn(parse_duration))]
                retry: Option<Duration>,
            }
        }

        impl $name {
            pub(super) fn filter(&self) -> WatchFilter<'_> {
                let (from, since, epoch) = (self.from.as_ref(), self.since, self.epoch.as_ref());
                WatchFilter { count: self.count, from, timeout: self.timeout, since, epoch, retry: self.retry }
            }
        }
    };
}

/// Which messages and events to print, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct WatchFilter<'a> {
    pub(super) count: Option<u64>,
    pub(super) from: Option<&'a Name>,
    pub(super) timeout: Option<Duration>,
    pub(super) since: Option<MessageId>,
    pub(super) epoch: Option<&'a Token>,
    pub(super) retry: Option<Duration>,
}

/// The commands. A first word that is not a command is the server.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(subcommand)]
pub(super) enum Subcommand {
    Send(SendOptions),
    Who(WhoOptions),
    Tail(TailOptions),
    Wait(WaitOptions),
    History(HistoryOptions),
    Search(SearchOptions),
    Rooms(RoomsOptions),
    Login(LoginOptions),
    Raw(RawOptions),
}

command! {
    /// send a message, or each line of standard input as one
    #[argh(
        subcommand,
        name = "send",
        example = "{command_name} build 41 is green\n{command_name} --to bob,carol psst\nmake 2>&1 | {command_name}\n{command_name} -- -5 degrees",
        note = "It prints nothing; with --json, it prints each reply. Words after -- are text."
    )]
    SendOptions(nick, room, color hidden_help, error_code(5, "timed out: the server did not reply")) {
        /// the message (default: each line of standard input is a message)
        #[argh(positional)]
        pub(super) text: Vec<String>,

        /// whisper to these members only: names separated by commas
        #[argh(option, arg_name = "names", from_str_fn(parse_names))]
        pub(super) to: Option<String>,
    }
}

command! {
    /// list the members of a room
    #[argh(subcommand, name = "who", example = "{command_name}", note = "It prints a line for each: bob coordinator, or bob member.")]
    WhoOptions(nick, room, color hidden_help, error_code(5, "timed out: the server did not reply")) {}
}

watch_command! {
    /// print messages and events as they arrive
    #[argh(subcommand, name = "tail", example = "{command_name} --json | grep -m1 alice\n{command_name} --since 1204 --epoch k7qd")]
    TailOptions {
        /// exit after this number of lines (default: without limit)
        #[argh(option, arg_name = "number", from_str_fn(parse_count))]
        count: Option<u64>,
    }
}

watch_command! {
    /// wait for a message that matches a regular expression, and print it
    #[argh(
        subcommand,
        name = "wait",
        example = "{command_name} 'build 41 is (green|red)' --from ci --timeout 10m",
        note = "(?i) at the start of the regular expression ignores upper and lower case.",
        note = "Without --since, only messages that arrive after the start count."
    )]
    WaitOptions {
        /// the regular expression, in Rust's syntax; it matches anywhere in the text. Put it in quotes if it contains spaces
        #[argh(positional, from_str_fn(parse_regex))]
        pub(super) regex: Regex,

        /// exit after this number of messages (default: 1)
        #[argh(option, arg_name = "number", from_str_fn(parse_awaited))]
        count: Option<u64>,
    }
}

command! {
    /// print the last messages
    #[argh(subcommand, name = "history", example = "{command_name} 50")]
    HistoryOptions(nick, room, color, error_code(5, "timed out: the server did not reply")) {
        /// the number of messages (default: 20)
        #[argh(positional, arg_name = "number", default = "HISTORY_REPLAYED_DEFAULT", from_str_fn(parse_messages))]
        pub(super) count: u64,
    }
}

command! {
    /// search for messages that contain all of these words; print the newest first
    #[argh(
        subcommand,
        name = "search",
        example = "{command_name} green build",
        note = "The server must store messages (chinwagd --data)."
    )]
    SearchOptions(nick, room, color, error_code(5, "timed out: the server did not reply")) {
        /// the words to search for
        #[argh(positional)]
        pub(super) words: Vec<String>,
    }
}

command! {
    /// list the rooms
    #[argh(
        subcommand,
        name = "rooms",
        example = "{command_name}\n{command_name} '#build'",
        note = "It prints a line for each room: its name, the number of members, and the topic."
    )]
    RoomsOptions(nick hidden_help, room hidden_help, color hidden_help, error_code(5, "timed out: the server did not reply")) {
        /// list only the rooms whose names begin like this, such as #build (default: all rooms)
        #[argh(positional, arg_name = "prefix", from_str_fn(parse_room))]
        pub(super) prefix: Option<RoomName>,
    }
}

command! {
    /// make an access token of your account for scripts, and write it to a file
    #[argh(
        subcommand,
        name = "login",
        example = "{command_name} alice\n{command_name} build --days 30 --account-password-file password",
        note = "It asks for the password of the account, unless --account-password-file names a file with it.",
        note = "The token goes to the file of --token-file or $CHINWAG_TOKEN_FILE, otherwise to chinwag/token in your configuration directory. Only you may read the file. If the variable names it, the other commands log in with it."
    )]
    LoginOptions(login hidden_help, nick hidden_help, room hidden_help, color hidden_help, error_code(5, "timed out: the server did not reply")) {
        /// the account
        #[argh(positional, from_str_fn(parse_member))]
        pub(super) name: Name,

        /// a label for the token, by which you recognize it in the list of /token list (default: chinwag on this machine)
        #[argh(option, arg_name = "text", from_str_fn(parse_label))]
        pub(super) label: Option<TokenLabel>,

        /// the number of days for which the token is valid, from 1 to 366 (default: 90)
        #[argh(option, arg_name = "number", from_str_fn(parse_days))]
        pub(super) days: Option<u16>,
    }
}

impl LoginOptions {
    /// The file to write, if the command line names one.
    pub(super) fn file(&self) -> Option<&PathBuf> {
        self.token_file.as_ref()
    }
}

command! {
    /// send protocol lines, and print every line from the server
    #[argh(
        subcommand,
        name = "raw",
        example = "printf 'NICK bot\\nMSG hi\\n' | {command_name}",
        note = "It reads lines from standard input (protocol.md describes them), and sends each line after the reply to the previous one."
    )]
    RawOptions(password hidden_help, login hidden_help, secret hidden_help, nick hidden_help, room hidden_help, color hidden_help, error_code(5, "timed out: the server did not reply")) {}
}

/// The options that all commands have in common.
trait CommonOptions {
    fn name(&self) -> &'static str;

    /// The options, without the password; `host` has the words before the command.
    fn options(&self, host: &[String]) -> Result<ClientOptions, String>;

    fn password_file(&self) -> Option<&PathBuf>;

    /// The options about an account.
    fn account(&self) -> AccountArguments<'_>;
}

impl Subcommand {
    fn common(&self) -> &dyn CommonOptions {
        match self {
            Self::Send(send) => send,
            Self::Who(who) => who,
            Self::Tail(tail) => tail,
            Self::Wait(wait) => wait,
            Self::History(history) => history,
            Self::Search(search) => search,
            Self::Rooms(rooms) => rooms,
            Self::Login(login) => login,
            Self::Raw(raw) => raw,
        }
    }

    /// The account to log in to.
    fn account(&self, server: &ServerAddress) -> Result<Option<AccountOptions>, String> {
        match self {
            // Its other files are for the token that it makes.
            Self::Login(login) => {
                let password_file = login.account_password_file.as_ref();
                AccountArguments { login: Some(&login.name), password_file, ..AccountArguments::default() }
                    .read(server, None)
            }
            command => command.common().account().read(server, token_file::variable()),
        }
    }

    /// Explains the first error that argh cannot find.
    fn error(&self) -> Option<&'static str> {
        match self {
            Self::Send(SendOptions { text, .. }) if !text.is_empty() && is_blank(&text.concat()) => {
                Some("blank message: expected send TEXT")
            }
            Self::Search(SearchOptions { words, .. }) if is_blank(&words.concat()) => {
                Some("missing words: expected search WORDS")
            }
            Self::Tail(TailOptions { epoch: Some(_), since: None, .. })
            | Self::Wait(WaitOptions { epoch: Some(_), since: None, .. }) => {
                Some("--epoch without --since: expected both, as in --since 1204 --epoch k7qd")
            }
            Self::Raw(RawOptions { password_file: Some(_), .. }) => {
                Some("unexpected --password-file: raw reads the password from its input, as PASS password")
            }
            Self::Raw(raw) if raw.account().are_given() => {
                Some("unexpected login: raw logs in by its input, as LOGIN name password")
            }
            Self::Login(LoginOptions { login: Some(_), .. } | LoginOptions { nick: Some(_), .. }) => {
                Some("unexpected --login or --nick: expected the account after login, as in login alice")
            }
            Self::Login(LoginOptions { room: Some(_), .. }) => Some("unexpected --room: a token is for all rooms"),
            Self::Raw(RawOptions { nick: Some(_), .. }) => {
                Some("unexpected --nick: raw reads the nickname from its input, as NICK name")
            }
            Self::Raw(RawOptions { room: Some(_), .. }) => {
                Some("unexpected --room: raw reads the room from its input, as NICK name #room")
            }
            _ => None,
        }
    }
}

impl Arguments {
    /// The name of the command; empty without one.
    pub(super) fn command_name(&self) -> &'static str {
        self.command.as_ref().map_or("", |command| command.common().name())
    }

    /// The options of the command or of the chat.
    ///
    /// # Errors
    /// The text explains an invalid server, or an error that argh cannot find.
    pub(super) fn options(&self) -> Result<ClientOptions, String> {
        if let Some(command) = &self.command {
            let mut options = command.common().options(&self.host)?;
            if let Some(what) = command.error() {
                return Err(what.to_owned());
            }
            // `raw` reads passwords from its input, whatever the environment says.
            if !matches!(command, Subcommand::Raw(_)) {
                options.password = password::read(command.common().password_file())?;
                options.account = command.account(&options.address)?;
            }
            return Ok(options);
        }
        let tls = tls_options(self.tls, self.tls_ca.as_ref(), self.tls_fingerprint)?;
        let address = address(self.server.as_deref(), &self.host, &tls)?;
        let format = LineFormat { color: self.color, bell: self.bell };
        let (nick, room) = (self.nick.clone(), RoomName::lobby());
        let password = password::read(self.password_file.as_ref())?;
        let (login, password_file) = (self.login.as_ref(), self.account_password_file.as_ref());
        let (token_file, nick_chosen) = (self.token_file.as_ref(), self.nick.as_deref());
        let account = AccountArguments { login, password_file, token_file, nick: nick_chosen }
            .read(&address, token_file::variable())?;
        Ok(ClientOptions { address, tls, nick, room, password, account, stop: None, json: false, format })
    }

    /// Reports a single word that resembles a command, such as `taill`. It may also be a host: the caller must look it up first.
    pub(super) fn unknown_command(&self) -> Option<String> {
        let [word] = self.host.as_slice() else { return None };
        let near = nearest(word, command_names().into_iter()).filter(|_| self.command.is_none())?;
        Some(format!("unknown command {}: did you mean {near}? No host has this name, either", quoted(word)))
    }
}

/// Each option about certificates requires TLS: without it, they would have no effect.
fn tls_options(is_on: bool, issuers: Option<&PathBuf>, fingerprint: Option<Fingerprint>) -> Result<TlsOptions, String> {
    let trust = match (issuers, fingerprint) {
        (Some(_), Some(_)) => return Err("--tls-ca and --tls-fingerprint: expected one of them".to_owned()),
        (Some(path), None) => Trust::Issuers(path.clone()),
        (None, Some(fingerprint)) => Trust::Fingerprint(fingerprint),
        (None, None) => Trust::System,
    };
    Ok(TlsOptions { is_required: is_on || trust != Trust::System, trust })
}

/// The server: from `--server`, from the words before the command, or from the environment variable.
fn address(server: Option<&str>, words: &[String], tls: &TlsOptions) -> Result<ServerAddress, String> {
    let is_number = |word: &&String| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    let (host, rest) = match words.split_first() {
        Some((host, rest)) if server.is_none() => (Some(host), rest),
        _ => (None, words),
    };
    let port = rest.first().filter(is_number).filter(|_| host.is_some());
    if let Some(command) = rest.get(usize::from(port.is_some())) {
        return Err(unknown_command(command, host.map(String::as_str)));
    }
    if let (Some(host), Some(port)) = (host, port) {
        check_port(host, port, tls)?;
    }
    let variable = env::var_os(SERVER_VARIABLE).filter(|value| !value.is_empty());
    let (place, raw) = match (server, host, port, variable) {
        (Some(server), ..) => ("--server", server.to_owned()),
        (_, Some(host), Some(port), _) => ("server", format!("{host} {port}")),
        (_, Some(host), ..) => ("server", host.clone()),
        (.., Some(variable)) => (SERVER_VARIABLE, variable.to_string_lossy().into_owned()),
        _ => ("server", "127.0.0.1".to_owned()),
    };
    ServerAddress::parse(&raw, tls).map_err(|why| format!("invalid {place} {}: {why}", quoted(&raw)))
}

/// Refuses a port after an address that has one already, or cannot have one.
fn check_port(host: &str, port: &str, tls: &TlsOptions) -> Result<(), String> {
    match ServerAddress::parse(host, tls) {
        Ok(ServerAddress::Unix(_)) => Err(format!("unexpected port {}: a Unix socket has none", quoted(port))),
        Ok(address) if address.to_string().trim_start_matches("tls://") == host.trim_start_matches("tls://") => {
            Err(format!("two ports for one server: {} and {}, expected one", quoted(host), quoted(port)))
        }
        _ => Ok(()),
    }
}

fn command_names() -> Vec<&'static str> {
    Arguments::get_args_info().commands.iter().map(|command| command.name).collect()
}

/// Reports a word in the place of the command. The word before it was parsed as the host, but may be a mistyped command.
fn unknown_command(word: &str, host: Option<&str>) -> String {
    let names = command_names();
    let hint = match host {
        None => "--server names the server already".to_owned(),
        Some(host) => {
            if let Some(near) = nearest(host, names.iter().copied()) {
                let (host, word) = (quoted(host), quoted(word));
                return format!(
                    "unknown command {host}: did you mean {near}? If it is the server, {word} is not a command"
                );
            }
            format!("{} was parsed as the server", quoted(host))
        }
    };
    format!("unknown command {}: expected one of {}; {hint}", quoted(word), names.join(", "))
}

/// Accepts any nickname: the server checks it, and at a terminal the client asks for another one.
fn parse_nick(raw: &str) -> Result<String, String> {
    if raw.is_empty() { Err("expected a nickname".to_owned()) } else { Ok(raw.to_owned()) }
}

fn parse_file(raw: &str) -> Result<PathBuf, String> {
    if raw.is_empty() { Err("expected the path of a file".to_owned()) } else { Ok(raw.into()) }
}

fn parse_label(raw: &str) -> Result<TokenLabel, String> {
    let text = Text::new(raw).map_err(|_| "expected a text".to_owned())?;
    TokenLabel::new(text).map_err(|_| format!("expected at most {TOKEN_LABEL_BYTES_MAX} bytes"))
}

fn parse_days(raw: &str) -> Result<u16, String> {
    parse_number(raw, 1..=ACCESS_TOKEN_DAYS_MAX, "a number of days")
}

fn parse_room(raw: &str) -> Result<RoomName, String> {
    RoomName::new(raw).map_err(|why| why.to_string())
}

fn parse_member(raw: &str) -> Result<Name, String> {
    if raw.is_empty() { Err("expected a nickname".to_owned()) } else { Name::new(raw).map_err(|why| why.to_string()) }
}

/// Refuses blanks and empty names: with them, the server would parse the first word of the text as a name.
fn parse_names(raw: &str) -> Result<String, String> {
    let are_names = raw.split(',').all(|name| Name::new(name).is_ok());
    if are_names { Ok(raw.to_owned()) } else { Err("expected nicknames separated by commas".to_owned()) }
}

fn parse_regex(raw: &str) -> Result<Regex, String> {
    Regex::new(raw).map_err(|why| format!("expected a regular expression: {why}"))
}

fn parse_messages(raw: &str) -> Result<u64, String> {
    parse_number(raw, 0.., "a number of messages")
}

fn parse_awaited(raw: &str) -> Result<u64, String> {
    parse_number(raw, 1.., "a number of messages")
}

fn parse_count(raw: &str) -> Result<u64, String> {
    parse_number(raw, 1.., "a number of lines")
}

fn parse_id(raw: &str) -> Result<MessageId, String> {
    parse_number(raw, 0.., "an id").map(MessageId)
}

fn parse_epoch(raw: &str) -> Result<Token, String> {
    Token::new(raw).map_err(|_| "expected the word after epoch= in the server's greeting, such as k7qd".to_owned())
}
