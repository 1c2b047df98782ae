//! `HELP`: lists the commands, or explains one.

use std::fmt;

use super::arguments::shorten;
use super::{Context, Definition, EmptyReply, Hint, Pipelining, Refusal, Reply, ServerLine, Specification, Verb};
use crate::protocol::{ErrorCode, Event, Mode, Text};

/// List all commands, or explain this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Help(pub Option<Verb>);

impl Definition for Help {
    const SPECIFICATION: Specification = Specification {
        verb: "HELP",
        usage: "HELP [verb]",
        summary: "list the commands, or explain one",
        needs_nickname: false,
        needs_password: false,
        needs_login: false,
        pipelining: Pipelining::Off,
        ..Specification::DEFAULT
    };

    /// The `NOTICE` lines precede it.
    type Reply = EmptyReply;

    fn parse(arguments: &str, mode: Mode) -> Result<Self, Refusal> {
        let word = arguments.trim();
        if word.is_empty() {
            return Ok(Self(None));
        }
        let word = word.trim_start_matches('/');
        let verb = Verb::from_word(word).or_else(|| Verb::from_word_in(word, mode));
        verb.map(|verb| Self(Some(verb))).ok_or_else(|| {
            let what = format!("unknown command '{}'", shorten(word));
            Refusal::new(Verb::Help, ErrorCode::VerbUnknown, what).with_hint(Hint::ListCommands)
        })
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let mode = context.mode();
        let verbs = match self.0 {
            // In chat mode `/msg` whispers, and a message has no verb.
            Some(Verb::Msg) if mode == Mode::Chat => vec![Verb::Whisper, Verb::Msg],
            Some(verb) => vec![verb],
            None => Verb::ALL.iter().copied().filter(|verb| verb.is_offered(context)).collect(),
        };
        if self.0.is_none() && context.needs_login() {
            let first =
                format!("log in first, because this server is for accounts only: {}", Verb::Login.usage_in(mode));
            context.send(ServerLine::Event(None, Event::Notice(Text::truncated(&first))));
        }
        for verb in verbs {
            let line = format!("{}: {}", verb.usage_in(mode), verb.specification().summary);
            context.send(ServerLine::Event(None, Event::Notice(Text::truncated(&line))));
        }
        context.reply(Reply::Help(EmptyReply));
        Ok(())
    }
}

impl fmt::Display for Help {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|verb| verb.fmt(f))
    }
}
