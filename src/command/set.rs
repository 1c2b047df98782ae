//! `SET`: turns an option of the session on or off.

use std::fmt;

use super::arguments::{shorten, unexpected_argument};
use super::line::{require_account, require_password};
use super::reply::on_off_from_word;
use super::{Context, Definition, Hint, Refusal, Reply, ReplyWords, Specification, Verb};
use crate::protocol::{Dialect, ErrorCode, Mode, ResumeToken, on_off};
use crate::state::{LoginProof, Member};

/// Turn this option on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set {
    /// The option.
    pub setting: Setting,
    /// Whether it is on.
    pub on: bool,
}

/// An option of a session. All are off at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// The session also gets the events of its own commands.
    Echo,
    /// Events begin with `@id time`.
    Tags,
    /// The session gets changes of the canvas as events.
    Draw,
    /// The session can be resumed on another connection.
    Resume,
    /// Every line about a room names it, also about the home.
    Rooms,
}

impl Setting {
    /// All options.
    pub const ALL: [Self; 5] = [Self::Echo, Self::Tags, Self::Draw, Self::Resume, Self::Rooms];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Tags => "tags",
            Self::Draw => "draw",
            Self::Resume => "resume",
            Self::Rooms => "rooms",
        }
    }

    /// The option with this name, in any letter case.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|setting| setting.as_str().eq_ignore_ascii_case(word))
    }
}

impl Definition for Set {
    const SPECIFICATION: Specification = Specification {
        verb: "SET",
        usage: "SET echo|tags|draw|resume|rooms on|off",
        summary: "echo: also get the events of your own commands; tags: events begin with @id time; \
                  draw: get DRAW events; resume: get a token for RESUME; rooms: all lines about a room name it",
        needs_nickname: false,
        needs_password: false,
        needs_login: false,
        reply_keys: &["option", "value", "token"],
        ..Specification::DEFAULT
    };

    type Reply = SetReply;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        let refuse = |code, what: &str| Refusal::new(Verb::Set, code, what).with_hint(Hint::Write(Verb::Set));
        let mut words = arguments.split_whitespace();
        let Some(option) = words.next() else {
            let what = "the option is missing: expected echo, tags, draw, resume or rooms";
            return Err(refuse(ErrorCode::OptionUnknown, what));
        };
        let Some(setting) = Setting::from_word(option) else {
            let what = format!("unknown option '{}': expected echo, tags, draw, resume or rooms", shorten(option));
            return Err(refuse(ErrorCode::OptionUnknown, &what));
        };
        let Some(value) = words.next() else {
            return Err(refuse(ErrorCode::ValueInvalid, "the value is missing: expected on or off"));
        };
        let Some(on) = on_off_from_word(value) else {
            let what = format!("invalid value '{}': expected on or off", shorten(value));
            return Err(refuse(ErrorCode::ValueInvalid, &what));
        };
        match words.next() {
            None => Ok(Self { setting, on }),
            Some(surplus) => Err(unexpected_argument(Verb::Set, surplus)),
        }
    }

    fn needs_secret(&self) -> bool {
        matches!(self, Self { setting: Setting::Resume, on: true })
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let Self { setting, on } = self;
        // The token has the number of the session: how many clients have connected.
        if setting == Setting::Resume {
            require_password(context, Verb::Set)?;
            require_account(context, Verb::Set)?;
        }
        if self.needs_secret() {
            require_valid_login(context)?;
            return give_token(context);
        }
        if setting == Setting::Resume {
            context.set_resume(None);
            return Ok(());
        }
        // The reply comes first: the change applies to the lines after it, in all rooms.
        context.reply_after_all(Reply::Set(SetReply::Set(setting, on)));
        let dialect = context.dialect();
        match setting {
            Setting::Resume => {}
            Setting::Tags => context.set_dialect(Dialect { tags: on, ..dialect }),
            Setting::Rooms => context.set_dialect(Dialect { room_names: on, ..dialect }),
            Setting::Draw => context.set_dialect(Dialect { draw: on, ..dialect }),
            Setting::Echo => context.set_echo(on),
        }
        Ok(())
    }
}

/// Refuses a member whose login would not be resumed: its password was changed, or its access token has ended.
fn require_valid_login(context: &dyn Context) -> Result<(), Refusal> {
    let Some(login) = context.state().member(context.member()).and_then(Member::login) else { return Ok(()) };
    let account = context.state().accounts().get(login.account);
    if account.is_some_and(|account| account.accepts(login.proof, context.time())) {
        return Ok(());
    }
    let what = match login.proof {
        LoginProof::Password { .. } => "your account has another password since you logged in",
        LoginProof::Token(_) => "the access token with which you logged in is not valid any more",
    };
    Err(Refusal::new(Verb::Set, ErrorCode::LoginTooOld, what).with_hint(Hint::Write(Verb::Login)))
}

fn give_token(context: &mut dyn Context) -> Result<(), Refusal> {
    let Some(secret) = context.secret().filter(|_| context.state().has_resume()) else {
        let refusal = Refusal::new(Verb::Set, ErrorCode::ResumeOff, "this server does not resume sessions");
        return Err(refusal.with_hint(Hint::JoinAgainLater));
    };
    context.set_resume(Some(ResumeToken { id: context.member().0, secret }));
    Ok(())
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.setting.as_str(), on_off(self.on))
    }
}

/// The reply to `SET`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetReply {
    /// The option has this value.
    Set(Setting, bool),
    /// The option `resume` is on, and this token resumes the session.
    Resumable(ResumeToken),
}

impl ReplyWords for SetReply {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(setting, on) => write!(f, " {} {}", setting.as_str(), on_off(*on)),
            Self::Resumable(token) => write!(f, " resume on {token}"),
        }
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        let (setting, value) = words?.split_once(' ')?;
        match (Setting::from_word(setting)?, value.split_once(' ')) {
            (Setting::Resume, Some(("on", token))) => token.parse().ok().map(Self::Resumable),
            (setting, _) => Some(Self::Set(setting, on_off_from_word(value)?)),
        }
    }
}
