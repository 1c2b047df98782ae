//! `PASS`: gives the password of the server, which clients need for most other commands. `Sessions::try_password`
//! (`session/password.rs`) decides whether it may be checked; the server compares hashes in constant time (`protocol/verifier.rs`).

use std::fmt;

use super::account::insecure;
use super::{Context, Definition, EmptyReply, Hint, Refusal, Reply, Specification, Verb};
use crate::protocol::{ErrorCode, InvalidPassword, Mode, Password};

/// Give this password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass(pub Password);

/// The result of an attempt to give the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordAttempt {
    /// It is the password.
    Accepted,
    /// It is not the password.
    Wrong,
    /// The server has no password.
    NotNeeded,
    /// The session has given the password already.
    GivenAlready,
    /// Others on the way may read the connection. The password was not checked.
    Insecure,
    /// Clients of this address have given too many wrong passwords. They may try again after these seconds. The password was not
    /// checked.
    TooMany {
        /// The seconds.
        seconds: u64,
    },
}

impl Definition for Pass {
    const SPECIFICATION: Specification = Specification {
        verb: "PASS",
        usage: "PASS password",
        summary: "give the password of the server, if it has one, before you take a name",
        needs_nickname: false,
        needs_password: false,
        needs_login: false,
        may_be_secret: Some(|text| !text.trim().is_empty()),
        ..Specification::DEFAULT
    };

    type Reply = EmptyReply;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        Password::new(arguments).map(Self).map_err(|error| match error {
            InvalidPassword::Missing => Refusal::new(Verb::Pass, ErrorCode::PasswordMissing, "the password is missing")
                .with_hint(Hint::Write(Verb::Pass)),
            // No server has such a password.
            InvalidPassword::TooLong | InvalidPassword::ControlCharacter => wrong_password(),
        })
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        match context.try_password(&self.0) {
            PasswordAttempt::Accepted => {
                context.reply_after_all(Reply::Pass(EmptyReply));
                context.send_motd();
                Ok(())
            }
            PasswordAttempt::Wrong => Err(wrong_password()),
            PasswordAttempt::NotNeeded => Err(unexpected_password(context, "this server needs no password")),
            PasswordAttempt::GivenAlready => Err(unexpected_password(context, "you have given the password already")),
            PasswordAttempt::Insecure => {
                let what = "others may read this connection, so the password was not checked";
                Err(insecure(context, Verb::Pass, what))
            }
            PasswordAttempt::TooMany { seconds } => {
                let what = format!("too many wrong passwords from your address; try again in {seconds} s");
                Err(Refusal::new(Verb::Pass, ErrorCode::TooManyAttempts, what))
            }
        }
    }
}

fn wrong_password() -> Refusal {
    let refusal = Refusal::new(Verb::Pass, ErrorCode::PasswordWrong, "the password is wrong");
    refusal.with_hint(Hint::Write(Verb::Pass))
}

fn unexpected_password(context: &dyn Context, what: &str) -> Refusal {
    let refusal = Refusal::new(Verb::Pass, ErrorCode::PasswordUnexpected, what);
    if context.nickname().is_none() { refusal.with_hint(Hint::Write(Verb::Nick)) } else { refusal }
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
