//! What the module of a command defines, and the types made of all definitions.

use std::fmt;

use super::{Context, Refusal, ReplyWords};
use crate::protocol::Mode;

/// A command: its arguments, and all that is known of it. `Display` writes the arguments as [`Definition::parse`] reads them.
pub trait Definition: fmt::Display + Sized {
    /// The facts.
    const SPECIFICATION: Specification;

    /// What follows `OK` and the verb.
    type Reply: ReplyWords;

    /// Reads the arguments: what follows the verb and one space.
    ///
    /// # Errors
    /// The refusal to answer with, if they are wrong.
    fn parse(arguments: &str, mode: Mode) -> Result<Self, Refusal>;

    /// Whether [`Context::secret`] must have a secret.
    fn needs_secret(&self) -> bool {
        false
    }

    /// Carries the command out. It replies now, or submits a change whose result answers it.
    ///
    /// # Errors
    /// The refusal to answer with, if it changed nothing.
    fn run(self, context: &mut dyn Context) -> Result<(), Refusal>;
}

/// The facts about a command.
#[derive(Clone, Copy, Debug)]
pub struct Specification {
    /// The first word, in capitals.
    pub verb: &'static str,
    /// The verb and its arguments; optional ones are in brackets.
    pub usage: &'static str,
    /// The same in chat mode, if it is not the usage after a slash.
    pub chat_usage: Option<&'static str>,
    /// Other words for the verb in chat mode, in lower case.
    pub chat_aliases: &'static [&'static str],
    /// What it does, in half a sentence.
    pub summary: &'static str,
    /// Whether it gets a final reply.
    pub has_reply: bool,
    /// Whether it is refused to a session without a nickname.
    pub needs_nickname: bool,
    /// Which of the connection's next lines may be carried out before the reply.
    pub pipelining: Pipelining,
    /// The keys, in the client's JSON, of the words after `OK` and the verb. The last one has the rest of the line.
    pub reply_keys: &'static [&'static str],
}

impl Specification {
    /// The values of what a specification leaves out.
    pub const DEFAULT: Self = Self {
        verb: "",
        usage: "",
        chat_usage: None,
        chat_aliases: &[],
        summary: "",
        has_reply: true,
        needs_nickname: true,
        pipelining: Pipelining::Any,
        reply_keys: &[],
    };
}

/// Which of a connection's next lines may be carried out before a command is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pipelining {
    /// All.
    Any,
    /// More commands with the same verb. Without a store, all.
    SameVerb,
    /// None: the reply is long, or decides how the next line is read.
    Off,
}

/// Declares the modules of the commands, and makes [`Command`](super::Command), [`Verb`](super::Verb) and [`Reply`](super::Reply) of
/// their definitions.
macro_rules! commands {
    ($($module:ident: $Command:ident,)+) => {
        $(mod $module; pub use self::$module::$Command;)+

        /// A command with its arguments. Whether it may be carried out is for [`Command::run`] to say.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Command {
            $(#[doc = concat!("See [`", stringify!($Command), "`].")] $Command($Command),)+
        }

        /// The first word of a command. Clients write it in any case.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Verb {
            $(#[doc = concat!("See [`", stringify!($Command), "`].")] $Command,)+
        }

        /// The final line of a command that was carried out: `OK verb …`.
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
            /// All of them, in the order in which `HELP` lists them.
            pub const ALL: &[Self] = &[$(Self::$Command,)+];

            /// The facts about the command.
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

            /// Whether it takes a secret to carry it out: see [`Context::secret`].
            pub fn needs_secret(&self) -> bool {
                match self {
                    $(Self::$Command(command) => command.needs_secret(),)+
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
