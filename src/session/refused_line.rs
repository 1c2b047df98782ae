//! Refusals that do not repeat the line: it may be a secret.

use crate::command::{Hint, Refusal, Verb};
use crate::protocol::ErrorCode;

/// The refusal of a line to a session that has not given the password of the server yet.
pub(super) fn without_password(refusal: Refusal) -> Refusal {
    let what = "unknown command; this server needs a password, so the line is not repeated here";
    without_line(refusal, what, Verb::Pass)
}

/// The refusal of a line to a session that must log in first.
pub(super) fn without_login(refusal: Refusal) -> Refusal {
    let what = "unknown command; this server needs a login, so the line is not repeated here";
    without_line(refusal, what, Verb::Login)
}

/// Any other line than a command may be the password itself: its refusal does not repeat it.
fn without_line(refusal: Refusal, what: &str, verb: Verb) -> Refusal {
    if refusal.code != ErrorCode::VerbUnknown || refusal.verb.is_some() {
        return refusal;
    }
    Refusal::new(None, ErrorCode::VerbUnknown, what).with_hint(Hint::Write(verb))
}
