//! The room's rejections as the client reads them.

use crate::protocol::{ErrorCode, Mode, Name, Refusal, Verb};
use crate::room::Rejection;

impl Rejection {
    /// The refusal of the command, for a client whose lines are read in this mode.
    pub(super) fn into_refusal(self, mode: Mode) -> Refusal {
        let whisper = |code, text: String| Refusal::new(Verb::Whisper, code, format!("{text}; nothing was delivered"));
        match self {
            Self::NickTaken(name, holder) => {
                nick_refused(ErrorCode::NameTaken, &name, "is the same name as", &holder, mode)
            }
            Self::NickAlike(name, holder) => {
                nick_refused(ErrorCode::NameAlike, &name, "looks too much like", &holder, mode)
            }
            Self::NickReserved(name) => {
                let usage = mode.usage(Verb::Nick);
                let why = format!(
                    "{name} is reserved until a message sent under it, or under a look-alike, is stored; try again later, or choose another and write: {usage}"
                );
                Refusal::new(Verb::Nick, ErrorCode::NameTaken, why)
            }
            Self::TokenUnknown => Refusal::token_unknown(mode),
            Self::TargetSelf(name) => whisper(ErrorCode::TargetSelf, format!("{name} is you")),
            Self::TargetAbsent(name) => {
                whisper(ErrorCode::TargetAbsent, format!("{name} is not here ({}WHO lists names)", mode.prefix()))
            }
            Self::TargetDetached(name) => {
                whisper(ErrorCode::TargetAbsent, format!("{name} has no connection now and may come back"))
            }
            Self::TargetLeaving(name) => {
                whisper(ErrorCode::TargetAbsent, format!("{name} is leaving and hears no more"))
            }
            Self::NotStored(why) => {
                let text = format!("nobody got the message: {why}; try again later");
                Refusal::new(Verb::Msg, ErrorCode::NotStored, text)
            }
        }
    }
}

fn nick_refused(code: ErrorCode, name: &Name, how: &str, holder: &Name, mode: Mode) -> Refusal {
    let why =
        if name == holder { format!("{name} is taken") } else { format!("{name} {how} {holder}, which is taken") };
    Refusal::new(Verb::Nick, code, format!("{why}; choose another and write: {}", mode.usage(Verb::Nick)))
}
