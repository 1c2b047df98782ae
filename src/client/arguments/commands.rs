//! The options of each command, and their help.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs, SubCommand as _};
use regex_lite::Regex;

use super::CommonOptions;
use super::values::{
    parse_awaited, parse_count, parse_days, parse_epoch, parse_file, parse_id, parse_label, parse_member,
    parse_messages, parse_names, parse_nick, parse_regex, parse_room,
};
use crate::client::account::AccountArguments;
use crate::client::render::LineFormat;
use crate::command_line::{is_colored, parse_color, parse_duration};
use crate::fingerprint::Fingerprint;
use crate::limits::HISTORY_REPLAYED_DEFAULT;
use crate::protocol::{MessageId, Name, RoomName, Token, TokenLabel, is_blank};

/// The name and the common options of a command.
pub(super) trait CommandOptions {
    fn name(&self) -> &'static str;

    fn common(&self) -> CommonOptions<'_>;
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
        pub(in crate::client) struct $name {
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

            /// the file with an access token: chinwag login writes it, and other commands log in with it (default: $`CHINWAG_TOKEN_FILE`)
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

        impl CommandOptions for $name {
            fn name(&self) -> &'static str {
                Self::COMMAND.name
            }

            fn common(&self) -> CommonOptions<'_> {
                common_options!(self, room: self.room.as_ref(), json: self.json)
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
            pub(in crate::client) fn filter(&self) -> WatchFilter<'_> {
                let (from, since, epoch) = (self.from.as_ref(), self.since, self.epoch.as_ref());
                WatchFilter { count: self.count, from, timeout: self.timeout, since, epoch, retry: self.retry }
            }
        }
    };
}

/// Which messages and events to print, and for how long.
#[derive(Clone, Copy, Debug)]
pub(in crate::client) struct WatchFilter<'a> {
    pub(in crate::client) count: Option<u64>,
    pub(in crate::client) from: Option<&'a Name>,
    pub(in crate::client) timeout: Option<Duration>,
    pub(in crate::client) since: Option<MessageId>,
    pub(in crate::client) epoch: Option<&'a Token>,
    pub(in crate::client) retry: Option<Duration>,
}

/// The commands. A first word that is not a command is the server.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(subcommand)]
pub(in crate::client) enum Subcommand {
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
        pub(in crate::client) text: Vec<String>,

        /// whisper to these members only: names separated by commas
        #[argh(option, arg_name = "names", from_str_fn(parse_names))]
        pub(in crate::client) to: Option<String>,
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
        pub(in crate::client) regex: Regex,

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
        pub(in crate::client) count: u64,
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
        pub(in crate::client) words: Vec<String>,
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
        pub(in crate::client) prefix: Option<RoomName>,
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
        pub(in crate::client) name: Name,

        /// a label for the token, by which you recognize it in the list of /token list (default: chinwag on this machine)
        #[argh(option, arg_name = "text", from_str_fn(parse_label))]
        pub(in crate::client) label: Option<TokenLabel>,

        /// the number of days for which the token is valid, from 1 to 366 (default: 90)
        #[argh(option, arg_name = "number", from_str_fn(parse_days))]
        pub(in crate::client) days: Option<u16>,
    }
}

impl LoginOptions {
    /// The file to write, if the command line names one.
    pub(in crate::client) fn file(&self) -> Option<&PathBuf> {
        self.token_file.as_ref()
    }

    /// The account whose token this makes. The other files are for the token.
    pub(super) fn account(&self) -> AccountArguments<'_> {
        let password_file = self.account_password_file.as_ref();
        AccountArguments { login: Some(&self.name), password_file, ..AccountArguments::default() }
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

impl Subcommand {
    pub(super) fn options(&self) -> &dyn CommandOptions {
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

    /// Explains the first error that argh cannot find.
    pub(super) fn error(&self) -> Option<&'static str> {
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
            Self::Raw(raw) if raw.common().account.are_given() => {
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
