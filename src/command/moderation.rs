//! The common parts of the commands of moderators.

use std::fmt;
use std::time::Duration;

use super::arguments::{parse_optional_text, shorten, unexpected_argument};
use super::context::room_of;
use super::join::room_refusal;
use super::nick::name_refusal;
use super::{Command, Context, Hint, Refusal, ReplyWords, Verb};
use crate::limits::SANCTION_SECONDS_MAX;
use crate::protocol::{
    ErrorCode, MessageId, Name, RoomLock, RoomName, SanctionId, SanctionKind, SanctionTarget, TargetError, Text,
    parse_duration, parse_shown_target, shown_target, split_word,
};
use crate::state::{
    Action, Moderation, ModerationCommand, ModerationRejection, MutedCommand, Rank, RoomId, RoomRejection,
    SanctionChoice, SanctionLimit, SanctionNotice,
};

/// A reply to a command whose effect must outlive the server. It has taken effect in any case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored<T> {
    /// The words of the reply.
    pub value: T,
    /// False: the disk does not have it yet. The server tries again until it has.
    pub is_stored: bool,
}

/// The last word of a reply if the disk does not have the change.
const NOT_STORED: &str = "stored=no";

impl<T: ReplyWords> ReplyWords for Stored<T> {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.write(f)?;
        if self.is_stored { Ok(()) } else { write!(f, " {NOT_STORED}") }
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        let words = words?;
        let without_mark = words.strip_suffix(NOT_STORED).and_then(|rest| rest.strip_suffix(' '));
        Some(Self { value: T::parse(Some(without_mark.unwrap_or(words)))?, is_stored: without_mark.is_none() })
    }
}

/// The arguments of a ban or a mute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SanctionArguments {
    /// The target.
    pub target: SanctionTarget,
    /// How long. `None`: until it is lifted.
    pub duration: Option<Duration>,
    /// The reason.
    pub reason: Option<Text>,
}

impl SanctionArguments {
    /// Parses the target, the duration and the reason.
    pub(super) fn parse(verb: Verb, arguments: &str) -> Result<Self, Refusal> {
        let (target, rest) = split_word(arguments.trim());
        let target = parse_sanction_target(verb, target)?;
        let rest = rest.unwrap_or_default().trim_start();
        let (word, after) = split_word(rest);
        let duration = parse_duration(word, Duration::from_secs(SANCTION_SECONDS_MAX)).transpose().map_err(|_| {
            let what = format!(
                "invalid duration '{}': expected a number and s, m, h, d or w, at most {} days; then the reason",
                shorten(word),
                SANCTION_SECONDS_MAX / 86_400
            );
            Refusal::new(verb, ErrorCode::DurationInvalid, what).with_hint(Hint::Write(verb))
        })?;
        let reason = if duration.is_some() { after.unwrap_or_default() } else { rest };
        Ok(Self { target, duration, reason: parse_optional_text(verb, reason)? })
    }
}

impl SanctionArguments {
    /// The change that a command with these arguments asks for, in this room. `None`: on the server.
    pub(super) fn moderation(self, kind: SanctionKind, room: Option<RoomId>) -> Moderation {
        let Self { target, duration, reason } = self;
        Moderation::Sanction { kind, room, target, duration, reason }
    }
}

impl fmt::Display for SanctionArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, duration, reason } = self;
        target.fmt(f)?;
        duration.iter().try_for_each(|duration| write!(f, " {}s", duration.as_secs()))?;
        reason.iter().try_for_each(|reason| write!(f, " {reason}"))
    }
}

/// The ban or the mute that a moderator ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiftArguments(pub SanctionChoice);

impl LiftArguments {
    /// Parses a number or a target. A number that is also a nickname is a number.
    pub(super) fn parse(verb: Verb, arguments: &str) -> Result<Self, Refusal> {
        let (word, surplus) = split_word(arguments.trim());
        if let Some(surplus) = surplus {
            return Err(unexpected_argument(verb, surplus.trim_start()));
        }
        let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        if is_number && let Ok(number) = word.parse() {
            return Ok(Self(SanctionChoice::Id(SanctionId(number))));
        }
        parse_sanction_target(verb, word).map(|target| Self(SanctionChoice::Target(target)))
    }
}

impl LiftArguments {
    /// The change that a command with this argument asks for, in this room. `None`: on the server.
    pub(super) fn moderation(self, kind: SanctionKind, room: Option<RoomId>) -> Moderation {
        Moderation::Lift { kind, room, which: self.0 }
    }
}

impl fmt::Display for LiftArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            SanctionChoice::Id(SanctionId(number)) => number.fmt(f),
            SanctionChoice::Target(target) => target.fmt(f),
        }
    }
}

/// A ban or a mute that has begun, or has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SanctionReply {
    /// Its number.
    pub id: SanctionId,
    /// The target. `None`: a network, which only operators learn.
    pub target: Option<SanctionTarget>,
}

impl ReplyWords for SanctionReply {
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id: SanctionId(id), target } = self;
        write!(f, " {id} {}", shown_target(target.as_ref()))
    }

    fn parse(words: Option<&str>) -> Option<Self> {
        let (id, target) = words?.split_once(' ')?;
        // The reply does not say the kind.
        let target = SanctionKind::ALL.into_iter().find_map(|kind| parse_shown_target(kind, target).ok())?;
        Some(Self { id: SanctionId(id.parse().ok()?), target })
    }
}

fn parse_sanction_target(verb: Verb, word: &str) -> Result<SanctionTarget, Refusal> {
    let kind = if matches!(verb, Verb::Mute | Verb::Unmute) { SanctionKind::Mute } else { SanctionKind::Ban };
    SanctionTarget::parse(kind, word).map_err(|error| match error {
        TargetError::Name(error) => name_refusal(verb, &error),
        TargetError::Network(error) => {
            let what = format!("'{}' cannot be banned: {error}", shorten(word));
            Refusal::new(verb, ErrorCode::AddressRefused, what)
        }
    })
}

impl Command {
    /// The change that the command of a moderator asks for, in this room. `None` as room: on the server.
    ///
    /// # Errors
    /// It is another command; or it is about a room, and there is none.
    pub fn moderation(self, room: Option<RoomId>) -> Result<Moderation, Refusal> {
        match self {
            Self::Kick(kick) => Ok(kick.moderation(room)),
            Self::Mute(mute) => Ok(mute.0.moderation(SanctionKind::Mute, room)),
            Self::Unmute(unmute) => Ok(unmute.0.moderation(SanctionKind::Mute, room)),
            Self::Ban(ban) => Ok(ban.0.moderation(SanctionKind::Ban, room)),
            Self::Unban(unban) => Ok(unban.0.moderation(SanctionKind::Ban, room)),
            Self::Lock(lock) => expect_room(Verb::Lock, "accounts", room).map(|room| lock.moderation(room)),
            Self::Invite(invite) => expect_room(Verb::Invite, "ann", room).map(|room| invite.moderation(room)),
            Self::Moderator(moderator) => {
                expect_room(Verb::Moderator, "ann on", room).map(|room| moderator.moderation(room))
            }
            Self::Delete(delete) => expect_room(Verb::Delete, "12", room).map(|room| delete.moderation(room)),
            other => {
                let verb = other.verb();
                Err(Refusal::new(verb, ErrorCode::NotModerator, format!("{verb} is not a command of moderators")))
            }
        }
    }
}

/// The room of a command that is about a room only, and has arguments such as these.
fn expect_room(verb: Verb, arguments: &str, room: Option<RoomId>) -> Result<RoomId, Refusal> {
    room.ok_or_else(|| {
        let what = format!("the command is about a room: name it first, as in #ops {verb} {arguments}");
        Refusal::new(verb, ErrorCode::RoomMissing, what)
    })
}

/// The room that a command of a moderator is about. `None`: the server, because an operator has named no room.
///
/// # Errors
/// The session is not in the room.
pub(super) fn moderated_room(context: &dyn Context, verb: Verb) -> Result<Option<RoomId>, Refusal> {
    if !context.names_room() && context.rank(None) == Rank::Operator {
        return Ok(None);
    }
    room_of(context, verb).map(|(room, _)| Some(room))
}

/// Submits the command of a moderator: the change that it asks for in the room of the command. `None`: on the server.
///
/// # Errors
/// The session is not in the room.
pub(super) fn submit_moderation(
    context: &mut dyn Context,
    verb: Verb,
    moderation: impl FnOnce(Option<RoomId>) -> Moderation,
) -> Result<(), Refusal> {
    let room = moderated_room(context, verb)?;
    context.submit(Action::Moderate(moderation(room)));
    Ok(())
}

/// Parses the nickname of a member or of an account.
pub(super) fn parse_target(verb: Verb, word: &str) -> Result<Name, Refusal> {
    Name::new(word).map_err(|error| name_refusal(verb, &error))
}

/// The refusal of a command for which the session's rank is too low.
pub(super) fn rank_refusal(verb: Verb, needed: Rank) -> Refusal {
    Refusal::new(verb, ErrorCode::NotModerator, format!("only {} may do this", with_rank(needed)))
}

/// The last line to a client whose network is banned from the server.
pub fn banned_refusal(notice: &SanctionNotice) -> Refusal {
    Refusal::new(None, ErrorCode::Banned, format!("your address is banned from this server{}", details(notice)))
}

/// The refusal of a command that a ban prevents.
pub(super) fn ban_refusal(verb: Verb, notice: &SanctionNotice) -> Refusal {
    let place = notice.room.as_ref().map_or("this server".to_owned(), ToString::to_string);
    Refusal::new(verb, ErrorCode::Banned, format!("you are banned from {place}{}", details(notice)))
}

/// The refusal of a command that the lock of a room prevents.
pub(super) fn lock_refusal(verb: Verb, room: &RoomName, lock: RoomLock) -> Refusal {
    let (who, hint) = match lock {
        RoomLock::Open | RoomLock::Accounts => ("members that are logged in", Hint::Write(Verb::Login)),
        RoomLock::Invited => ("invited accounts and guests", Hint::AskForInvitation),
    };
    let what = format!("{room} is locked: only {who} may enter");
    Refusal::new(verb, ErrorCode::RoomLocked, what).with_hint(hint)
}

/// The text for a watcher whose watch a moderator ends, for this reason.
pub fn watch_end_notice(why: RoomRejection) -> Text {
    Text::truncated(&format!("you do not watch any more: {}", room_refusal(Verb::Watch, why).problem))
}

/// The refusal of a command that a mute prevents.
pub(super) fn mute_refusal(command: MutedCommand, notice: &SanctionNotice) -> Refusal {
    let (verb, what) = match command {
        MutedCommand::Say => (Verb::Msg, "the message was not delivered"),
        MutedCommand::SetTopic => (Verb::Topic, "the topic was not changed"),
        MutedCommand::Draw => (Verb::Draw, "nothing was drawn"),
        MutedCommand::Whisper => (Verb::Whisper, "nothing was delivered"),
        MutedCommand::Rename => (Verb::Nick, "your name was not changed"),
        MutedCommand::CreateRoom => (Verb::Join, "no room was created"),
        MutedCommand::Register => (Verb::Nick, "no room was created"),
    };
    let place = notice.room.as_ref().map_or_else(String::new, |room| format!(" in {room}"));
    Refusal::new(verb, ErrorCode::Muted, format!("{what}: you are muted{place}{}", details(notice)))
}

/// The end of a sanction, and its reason.
fn details(SanctionNotice { until, reason, .. }: &SanctionNotice) -> String {
    let until = until.map_or_else(String::new, |until| format!(" until {}", until.utc().format("%Y-%m-%d %H:%M UTC")));
    let reason = reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
    until + &reason
}

/// The refusal of a command of the operator at the control socket while the server stops.
pub fn stopping_refusal(command: ModerationCommand) -> Refusal {
    Refusal::new(moderation_verb(command), ErrorCode::NotStored, "nothing was changed: the server is shutting down")
}

pub(super) fn moderation_verb(command: ModerationCommand) -> Verb {
    match command {
        ModerationCommand::Kick => Verb::Kick,
        ModerationCommand::Sanction(SanctionKind::Ban) => Verb::Ban,
        ModerationCommand::Sanction(SanctionKind::Mute) => Verb::Mute,
        ModerationCommand::Lift(SanctionKind::Ban) => Verb::Unban,
        ModerationCommand::Lift(SanctionKind::Mute) => Verb::Unmute,
        ModerationCommand::SetModerator => Verb::Moderator,
        ModerationCommand::SetLock => Verb::Lock,
        ModerationCommand::Invite => Verb::Invite,
        ModerationCommand::Delete => Verb::Delete,
    }
}

/// The refusal of a command of a moderator.
pub(super) fn moderation_refusal(command: ModerationCommand, why: ModerationRejection) -> Refusal {
    let verb = moderation_verb(command);
    let refuse = |code, what: &str| Refusal::new(verb, code, what);
    match why {
        ModerationRejection::NoRoom => refuse(ErrorCode::NotInRoom, "the room does not exist any more"),
        ModerationRejection::Muted(notice) => {
            let what = format!("nothing was changed: you are muted on this server{}", details(&notice));
            refuse(ErrorCode::Muted, &what)
        }
        ModerationRejection::RankTooLow(needed) => rank_refusal(verb, needed),
        ModerationRejection::Protected(name, rank) => {
            let what = format!("you cannot act against {name}: {name} {}", is_of_rank(rank));
            refuse(ErrorCode::TargetProtected, &what)
        }
        ModerationRejection::Absent(name) => {
            refuse(ErrorCode::TargetAbsent, &format!("{name} is not here")).with_hint(Hint::ListMembers)
        }
        ModerationRejection::Own(name) => refuse(ErrorCode::TargetSelf, &format!("{name} is your own name")),
        ModerationRejection::OwnNetwork(network) => {
            refuse(ErrorCode::TargetSelf, &format!("your own address is in {network}"))
        }
        ModerationRejection::NoNetwork(name) => {
            let what = format!(
                "{name} has no address that can be banned: the client is on the server's machine, or behind a proxy that does not name its clients"
            );
            refuse(ErrorCode::AddressRefused, &what)
        }
        ModerationRejection::TooManySanctions(limit) => {
            let (count, whose) = match limit {
                SanctionLimit::Room(count) => (count, "the room has"),
                SanctionLimit::Rooms(count) => (count, "the rooms of the server have"),
                SanctionLimit::Server(count) => (count, "the server has"),
            };
            let what = format!("{whose} {count} bans and mutes, and there cannot be more; lift one first");
            refuse(ErrorCode::BansTooMany, &what).with_hint(Hint::ListBans)
        }
        ModerationRejection::NoSanction => {
            let kind = if matches!(verb, Verb::Unmute) { "mute" } else { "ban" };
            refuse(ErrorCode::BanUnknown, &format!("there is no such {kind}")).with_hint(Hint::ListBans)
        }
        ModerationRejection::NoAccount(name) => {
            refuse(ErrorCode::AccountUnknown, &format!("{name} has no account, and only an account can be a moderator"))
        }
        ModerationRejection::TooManyModerators(count) => {
            refuse(ErrorCode::ModeratorsTooMany, &format!("the room has {count} moderators, and takes no more"))
        }
        ModerationRejection::NoMessage(MessageId(id)) => {
            refuse(ErrorCode::MessageUnknown, &format!("there is no message {id}"))
                .with_hint(Hint::Write(Verb::History))
        }
        ModerationRejection::NotAuthor(MessageId(id)) => {
            let what = format!("message {id} is not yours; its author and the moderators of the room can delete it");
            refuse(ErrorCode::NotAuthor, &what)
        }
        ModerationRejection::NoInvitee(name) => {
            let what =
                format!("no account has the name {name}, and no member: a guest must be connected to be invited");
            refuse(ErrorCode::TargetAbsent, &what)
        }
        ModerationRejection::TooManyInvitations(count) => {
            let what = format!("the room has {count} invitations, and takes no more before one is taken back");
            refuse(ErrorCode::InvitationsTooMany, &what).with_hint(Hint::Write(Verb::Invite))
        }
    }
}

/// The users with at least this rank.
fn with_rank(rank: Rank) -> &'static str {
    match rank {
        Rank::Member | Rank::Moderator => "the owner, moderators and operators",
        Rank::Owner => "the owner of the room and operators",
        Rank::Operator => "operators",
    }
}

/// Says that a user has this rank.
fn is_of_rank(rank: Rank) -> &'static str {
    match rank {
        Rank::Member => "is a member",
        Rank::Moderator => "is a moderator",
        Rank::Owner => "owns the room",
        Rank::Operator => "is an operator",
    }
}
