//! [`Definition`], which the module of each command implements, and the macro that generates [`Command`](super::Command) and other types
//! from all definitions.

use std::fmt;

use super::{Context, Refusal, ReplyWords};
use crate::protocol::Mode;

/// A command with its arguments. `Display` writes the arguments in the form that [`Definition::parse`] reads.
pub trait Definition: fmt::Display + Sized {
    /// The command's verb, help and properties.
    const SPECIFICATION: Specification;

    /// The words after `OK` and the verb in the reply.
    type Reply: ReplyWords;

    /// Parses the arguments: the text after the verb and one space.
    ///
    /// # Errors
    /// The refusal to send if the arguments are invalid.
    fn parse(arguments: &str, mode: Mode) -> Result<Self, Refusal>;

    /// Whether the command uses [`Context::secret`].
    fn needs_secret(&self) -> bool {
        false
    }

    /// Whether the reply waits for the store, on a server that has one. Otherwise the command may be answered at once.
    fn waits_for_store(&self) -> bool {
        Self::SPECIFICATION.pipelining == Pipelining::SameVerb
    }

    /// Runs the command. It either replies at once, or submits a change to the room, whose result is the reply.
    ///
    /// # Errors
    /// The refusal to send. A refused command changes nothing.
    fn run(self, context: &mut dyn Context) -> Result<(), Refusal>;
}

/// A command's verb, help and properties.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent properties")]
pub struct Specification {
    /// The first word, in capitals.
    pub verb: &'static str,
    /// The verb and its arguments; optional ones are in brackets. `, or ` separates alternatives.
    pub usage: &'static str,
    /// The usage in hints, if it has fewer arguments.
    pub hint_usage: Option<&'static str>,
    /// The usage in chat mode, if it is not a slash followed by `usage`.
    pub chat_usage: Option<&'static str>,
    /// Aliases of the verb in chat mode, in lower case.
    pub chat_aliases: &'static [&'static str],
    /// The effect of the command in one line, for `HELP`.
    pub summary: &'static str,
    /// Whether the command gets a reply.
    pub has_reply: bool,
    /// Whether only a session with a nickname may use the command.
    pub needs_nickname: bool,
    /// Whether only a session that has given the server's password, if there is one, may use the command.
    pub needs_password: bool,
    /// Whether only a session that has logged in may use the command, on a server for accounts only.
    pub needs_login: bool,
    /// Whether this text after the verb may be a secret: chat mode refuses such a line as a message. `None`: no argument is secret.
    pub may_be_secret: Option<fn(&str) -> bool>,
    /// Whether a session that watches a room may use the command, too.
    pub allows_watchers: bool,
    /// Whether the command is about a room, which the line may name in front of the verb.
    pub room: RoomUse,
    /// Which of the connection's next lines may be sent to the hub before the reply.
    pub pipelining: Pipelining,
    /// JSON keys (`chinwag --json`) of the words after `OK` and the verb. The last key gets the rest of the line.
    pub reply_keys: &'static [&'static str],
}

impl Specification {
    /// The values of the fields that a specification omits.
    pub const DEFAULT: Self = Self {
        verb: "",
        usage: "",
        hint_usage: None,
        chat_usage: None,
        chat_aliases: &[],
        summary: "",
        has_reply: true,
        needs_nickname: true,
        needs_password: true,
        needs_login: true,
        may_be_secret: None,
        allows_watchers: false,
        room: RoomUse::None,
        pipelining: Pipelining::Any,
        reply_keys: &[],
    };
}

/// Whether a command is about a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomUse {
    /// It is about one room: the one that the line names in front of the verb, or else the home.
    Prefix,
    /// It is not about one room. A line that names a room in front of the verb is refused.
    None,
}

/// Which of a connection's next lines may be sent to the hub before a command is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pipelining {
    /// All lines.
    Any,
    /// More commands with the same verb about the same room, if they wait for the store, too. Without a store, all lines.
    SameVerb,
    /// None: the reply is long, or the command changes how the next line is parsed.
    Off,
}

/// Declares the commands' modules, and generates [`Command`](super::Command), [`Verb`](super::Verb) and [`Reply`](super::Reply) from
/// their definitions.
macro_rules! commands {
    ($($module:ident: $Command:ident,)+) => {
        $(mod $module; pub use self::$module::$Command;)+

        /// A command with its arguments. [`Command::run`] checks whether the session may use it.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Command {
            $(#[doc = concat!("See [`", stringify!($Command), "`].")] $Command($Command),)+
        }

        /// The first word of a command. Clients may write it in any letter case.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Verb {
            $(#[doc = concat!("See [`", stringify!($Command), "`].")] $Command,)+
        }

        /// The final reply to a command that succeeded: `OK verb …`.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Reply {
            $(#[doc = concat!("The reply to [`", stringify!($Command), "`].")]
            $Command(<$Command as Definition>::Reply),)+
        }

        $(impl From<$Command> for Command {
            fn from(command: $Command) -> Self {
                Self::$Command(command)
            }
        })+

        impl Verb {
            /// All verbs, in the order in which `HELP` lists them.
            pub const ALL: &[Self] = &[$(Self::$Command,)+];

            /// The command's specification.
            pub fn specification(self) -> &'static Specification {
                match self {
                    $(Self::$Command => &<$Command as Definition>::SPECIFICATION,)+
                }
            }
        }

        impl Command {
            /// The verb of the command.
            pub fn verb(&self) -> Verb {
                match self {
                    $(Self::$Command(_) => Verb::$Command,)+
                }
            }

            /// Whether the command uses [`Context::secret`].
            pub fn needs_secret(&self) -> bool {
                match self {
                    $(Self::$Command(command) => command.needs_secret(),)+
                }
            }

            /// Whether the reply waits for the store, on a server that has one.
            pub fn waits_for_store(&self) -> bool {
                match self {
                    $(Self::$Command(command) => command.waits_for_store(),)+
                }
            }

            fn arguments(&self) -> &dyn std::fmt::Display {
                match self {
                    $(Self::$Command(command) => command,)+
                }
            }

            fn parse_arguments(verb: Verb, arguments: &str, mode: $crate::protocol::Mode) -> Result<Self, Refusal> {
                match verb {
                    $(Verb::$Command => $Command::parse(arguments, mode).map(Self::$Command),)+
                }
            }

            fn run_permitted(self, context: &mut dyn Context) -> Result<(), Refusal> {
                match self {
                    $(Self::$Command(command) => command.run(context),)+
                }
            }
        }

        impl Reply {
            /// The verb of the command.
            pub fn verb(&self) -> Verb {
                match self {
                    $(Self::$Command(_) => Verb::$Command,)+
                }
            }

            fn words(&self) -> &dyn ReplyWords {
                match self {
                    $(Self::$Command(words) => words,)+
                }
            }

            fn parse_words(verb: Verb, words: Option<&str>) -> Option<Self> {
                match verb {
                    $(Verb::$Command => <$Command as Definition>::Reply::parse(words).map(Self::$Command),)+
                }
            }
        }
    };
}
