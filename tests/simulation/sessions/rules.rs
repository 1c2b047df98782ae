//! The rules of `protocol.md` about which commands are refused, and with which code. The room's replies must match them.

use chinwag::command::{Command, Nick, Resume, ServerLine, Set, Setting, Since, Whisper};
use chinwag::protocol::{ErrorCode, Name};
use chinwag::room::SessionId;
use chinwag::session::{Output, Sessions};

use super::message_log::MessageLog;
use super::resume_tokens::ResumeTokens;

/// The code with which the room must refuse this command, or `None` if it must carry it out. Members whose nickname is in `closing` receive
/// no more lines.
pub(super) fn expected(
    room: &Sessions,
    log: &MessageLog,
    closing: &[&Name],
    resume_tokens: &ResumeTokens,
    session: SessionId,
    command: &Command,
) -> Option<ErrorCode> {
    let own = room.name(session);
    match command {
        Command::Nick(Nick(name)) => refused_name(room, own, name),
        Command::Resume(_) if own.is_some() => Some(ErrorCode::AlreadyNamed),
        Command::Resume(Resume(token)) => {
            let is_good = resume_tokens.holder(*token).is_some_and(|holder| room.name(holder).is_some());
            (!is_good).then_some(ErrorCode::TokenUnknown)
        }
        Command::Set(Set { setting: Setting::Resume, on: true }) => {
            (!resume_tokens.are_on()).then_some(ErrorCode::ResumeOff)
        }
        Command::Ping(_) | Command::Pong(_) | Command::Help(_) | Command::Set(..) | Command::Quit(_) => None,
        _ if own.is_none() => Some(ErrorCode::NoName),
        Command::Status(_) => (room.names().next() != own).then_some(ErrorCode::NotCoordinator),
        Command::Whisper(Whisper { to, .. }) => refused_target(room, closing, own, to),
        Command::Since(Since { after: id, .. }) => log.refusal(*id),
        Command::Search(_) => Some(ErrorCode::NoStore),
        _ => None,
    }
}

/// The code with which the room did refuse the command.
pub(super) fn actual(session: SessionId, outputs: &[Output]) -> Option<ErrorCode> {
    outputs.iter().find_map(|output| match output {
        Output::Send(to, _, ServerLine::Err(refusal)) if *to == session => Some(refusal.code),
        _ => None,
    })
}

fn refused_name(room: &Sessions, own: Option<&Name>, name: &Name) -> Option<ErrorCode> {
    let others = || room.names().filter(|&other| Some(other) != own);
    let alike = |other: &Name| other.skeletons().into_iter().zip(name.skeletons()).any(|(a, b)| a == b);
    if others().any(|other| other.key() == name.key()) {
        return Some(ErrorCode::NameTaken);
    }
    others().any(alike).then_some(ErrorCode::NameAlike)
}

/// The first invalid target determines the code. Targets that receive no more lines are considered only if all targets are valid.
fn refused_target(room: &Sessions, closing: &[&Name], own: Option<&Name>, to: &[Name]) -> Option<ErrorCode> {
    let holder = |name: &Name| room.names().find(|other| other.key() == name.key());
    let first = to.iter().find_map(|name| match holder(name) {
        None => Some(ErrorCode::TargetAbsent),
        some => (some == own).then_some(ErrorCode::TargetSelf),
    });
    let is_closing = |name| holder(name).is_some_and(|holder| closing.contains(&holder));
    first.or_else(|| to.iter().any(is_closing).then_some(ErrorCode::TargetAbsent))
}
