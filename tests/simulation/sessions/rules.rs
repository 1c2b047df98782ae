//! Which commands are refused, and why: `protocol.md` in few words. Whatever the room answers has to be what these say.

use chinwag::command::{Command, Nick, Resume, ServerLine, Set, Setting, Since, Whisper};
use chinwag::protocol::{ErrorCode, Name};
use chinwag::room::SessionId;
use chinwag::session::{Output, Sessions};

use super::claims::Claims;
use super::said::Said;

/// Why the room has to refuse the command of a session, when those who are `deaf` hear no more; `None` if it has to carry it out.
pub(super) fn refusal(
    room: &Sessions,
    said: &Said,
    deaf: &[&Name],
    claims: &Claims,
    session: SessionId,
    command: &Command,
) -> Option<ErrorCode> {
    let own = room.name(session);
    match command {
        Command::Nick(Nick(name)) => refused_name(room, own, name),
        Command::Resume(_) if own.is_some() => Some(ErrorCode::AlreadyNamed),
        Command::Resume(Resume(token)) => {
            let is_good = claims.holder(*token).is_some_and(|holder| room.name(holder).is_some());
            (!is_good).then_some(ErrorCode::TokenUnknown)
        }
        Command::Set(Set { setting: Setting::Resume, on: true }) => {
            (!claims.are_kept()).then_some(ErrorCode::ResumeOff)
        }
        Command::Ping(_) | Command::Pong(_) | Command::Help(_) | Command::Set(..) | Command::Quit(_) => None,
        _ if own.is_none() => Some(ErrorCode::NoName),
        Command::Status(_) => (room.names().next() != own).then_some(ErrorCode::NotCoordinator),
        Command::Whisper(Whisper { to, .. }) => refused_target(room, deaf, own, to),
        Command::Since(Since { after: id, .. }) => said.refusal(*id),
        Command::Search(_) => Some(ErrorCode::NoStore),
        _ => None,
    }
}

/// Why the room did refuse it.
pub(super) fn refused(session: SessionId, outputs: &[Output]) -> Option<ErrorCode> {
    outputs.iter().find_map(|output| match output {
        Output::Send(to, ServerLine::Err(refusal)) if *to == session => Some(refusal.code),
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

/// The first who cannot be told counts; but only when all of them are here does it count that somebody hears no more.
fn refused_target(room: &Sessions, deaf: &[&Name], own: Option<&Name>, to: &[Name]) -> Option<ErrorCode> {
    let holder = |name: &Name| room.names().find(|other| other.key() == name.key());
    let first = to.iter().find_map(|name| match holder(name) {
        None => Some(ErrorCode::TargetAbsent),
        some => (some == own).then_some(ErrorCode::TargetSelf),
    });
    let is_deaf = |name| holder(name).is_some_and(|holder| deaf.contains(&holder));
    first.or_else(|| to.iter().any(is_deaf).then_some(ErrorCode::TargetAbsent))
}
