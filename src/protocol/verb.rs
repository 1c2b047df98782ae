//! The verbs: the first words of a command, and what `HELP` says of each.

use std::fmt;

/// What a command asks for. Written in any case; the server writes it in capitals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Take a name, or another.
    Nick,
    /// Take one's name back on another connection.
    Resume,
    /// Say something to everybody.
    Msg,
    /// Say something to some.
    Whisper,
    /// Ask who is here.
    Who,
    /// Ask for the last messages.
    History,
    /// Ask for the messages after one.
    Since,
    /// Ask for the messages that have these words.
    Search,
    /// Draw on the canvas, or clear it.
    Draw,
    /// Ask for what is on the canvas.
    Canvas,
    /// Ask for everybody's address and times; for the coordinator.
    Status,
    /// Ask for an answer.
    Ping,
    /// Answer the server's `PING`.
    Pong,
    /// Ask what there is to type.
    Help,
    /// Turn an option on or off.
    Set,
    /// Talk without `MSG`.
    Chat,
    /// Leave.
    Quit,
}

impl Verb {
    /// All of them, in the order in which `HELP` lists them.
    pub const ALL: [Self; 17] = [
        Self::Nick,
        Self::Msg,
        Self::Whisper,
        Self::Who,
        Self::History,
        Self::Since,
        Self::Search,
        Self::Chat,
        Self::Quit,
        Self::Set,
        Self::Resume,
        Self::Ping,
        Self::Pong,
        Self::Draw,
        Self::Canvas,
        Self::Status,
        Self::Help,
    ];

    /// The verb that `word` is, in any case.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.as_str().eq_ignore_ascii_case(word))
    }

    /// The word, in capitals.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nick => "NICK",
            Self::Resume => "RESUME",
            Self::Msg => "MSG",
            Self::Whisper => "WHISPER",
            Self::Who => "WHO",
            Self::History => "HISTORY",
            Self::Since => "SINCE",
            Self::Search => "SEARCH",
            Self::Draw => "DRAW",
            Self::Canvas => "CANVAS",
            Self::Status => "STATUS",
            Self::Ping => "PING",
            Self::Pong => "PONG",
            Self::Help => "HELP",
            Self::Set => "SET",
            Self::Chat => "CHAT",
            Self::Quit => "QUIT",
        }
    }

    /// How it is written: the verb and its arguments, those that may be left out in brackets.
    pub fn usage(self) -> &'static str {
        match self {
            Self::Nick => "NICK name",
            Self::Resume => "RESUME token",
            Self::Msg => "MSG text",
            Self::Whisper => "WHISPER name[,name...] text",
            Self::Who => "WHO",
            Self::History => "HISTORY [count]",
            Self::Since => "SINCE id [epoch]",
            Self::Search => "SEARCH words",
            Self::Draw => "DRAW #rrggbb width x,y..., or DRAW clear",
            Self::Canvas => "CANVAS",
            Self::Status => "STATUS",
            Self::Ping => "PING [token]",
            Self::Pong => "PONG [token]",
            Self::Help => "HELP [verb]",
            Self::Set => "SET echo|tags|draw|resume on|off",
            Self::Chat => "CHAT",
            Self::Quit => "QUIT [reason]",
        }
    }

    /// What it does, in half a sentence.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Nick => "take a name and join, or change it",
            Self::Resume => "take your name back, instead of NICK, with the token of SET resume on",
            Self::Msg => "say something to everybody",
            Self::Whisper => "say something to those named only",
            Self::Who => "list who is here",
            Self::History => "get the last messages again (20, if you do not say how many)",
            Self::Since => "get the messages after the one with this id; the epoch is in HELLO",
            Self::Search => "find messages that have these words, the newest first",
            Self::Draw => "draw a line through these points, for those who SET draw on; x and y go from 0 to 9999",
            Self::Canvas => "get all that was drawn since the last DRAW clear, as far as it is kept",
            Self::Status => "list addresses and times (for the coordinator)",
            Self::Ping => "get OK PING back, after all that came before it",
            Self::Pong => "answer the server's PING (gets no reply)",
            Self::Help => "list the commands, or explain one",
            Self::Set => {
                "echo: get your own messages too; tags: events begin with @id time; draw: get what is drawn; resume: get a token for RESUME"
            }
            Self::Chat => {
                "switch to chat mode: a line is a message, /verb a command, /msg name text whispers; /chat ends it"
            }
            Self::Quit => "leave",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
