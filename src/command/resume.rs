//! `RESUME`: continues a member on another connection. `Transition::resume` (`state/member_transition.rs`) compares the hash of the
//! token's secret with the member's, in constant time (`Verifier` in `protocol/verifier.rs`).

use std::fmt;

use super::{Context, Definition, Hint, Refusal, Specification, Verb, find_access_token};
use crate::protocol::{ErrorCode, InvalidToken, Mode, Name, ResumeToken};
use crate::state::{Action, MemberId};

/// Continue the member that this token was given for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume(pub ResumeToken);

impl Definition for Resume {
    const SPECIFICATION: Specification = Specification {
        verb: "RESUME",
        usage: "RESUME token",
        summary: "take your name back with a resume token, which SET resume on gives you, instead of NICK",
        needs_nickname: false,
        needs_login: false,
        may_be_secret: Some(may_be_token),
        reply_keys: &["name"],
        ..Specification::DEFAULT
    };

    /// The member's nickname.
    type Reply = Name;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        let mut words = arguments.split_whitespace();
        let Some(token) = words.next() else {
            let refusal = Refusal::new(Verb::Resume, ErrorCode::TokenMissing, "the token is missing");
            return Err(refusal.with_hint(Hint::Write(Verb::Resume)));
        };
        match words.next() {
            None => token.parse().map(Self).map_err(|InvalidToken| match find_access_token(token) {
                None => Refusal::token_unknown(),
                Some(_) => {
                    let what = "this is an access token, not one from SET resume on";
                    Refusal::new(Verb::Resume, ErrorCode::TokenUnknown, what).with_hint(Hint::Write(Verb::Login))
                }
            }),
            Some(_) => {
                // Not repeated: it may be a part of the token.
                let what = "unexpected argument after the token";
                Err(Refusal::new(Verb::Resume, ErrorCode::ArgumentUnexpected, what)
                    .with_hint(Hint::Write(Verb::Resume)))
            }
        }
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let Self(ResumeToken { id, secret }) = self;
        if let Some(name) = context.nickname() {
            let refusal = Refusal::new(Verb::Resume, ErrorCode::AlreadyNamed, format!("you are already {name}"));
            return Err(refusal.with_hint(Hint::ResumeOnNewConnection));
        }
        context.submit(Action::Resume(MemberId(id), secret.verifier()));
        Ok(())
    }
}

/// Whether the text begins like a resume token: with a number and a hyphen.
fn may_be_token(text: &str) -> bool {
    let number = text.trim_start().split('-').next().unwrap_or_default();
    text.contains('-') && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Resume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
