//! Random records.

use std::net::IpAddr;
use std::time::Duration;

use arbtest::arbitrary::{Result, Unstructured};

use super::super::LoggedChange;
use super::samples;
use crate::cluster::{Batch, Genesis, Record};
use crate::limits::{ROOMS_PER_COMMAND_MAX, WHISPER_NAMES_MAX};
use crate::protocol::{
    AccountId, AccountTokenId, Day, Drawing, LeaveReason, MessageId, Name, Network, OwnDeletion, PasswordHash, Role,
    RoomLock, RoomName, SanctionId, SanctionKind, SanctionTarget, Secret, Stroke, Text, Timestamp, Token, TokenLabel,
    Verifier,
};
use crate::state::{
    AccountChange, AccountUpdate, Action, LoginProof, LoginRequest, MemberId, Message, Moderation, NodeJoin, Origin,
    Policy, RoomId, SanctionChoice, SessionId, StateLimits, TopicChange,
};

/// Nicknames of which random strings rarely are ones: of several scripts, with combining marks, like addresses.
const NAMES: [&str; 8] = ["ann", "Åsa", "Ελένη", "Ольга", "דוד", "花子", "192.0.2.1", "2001"];

pub(super) fn record(u: &mut Unstructured<'_>) -> Result<Record> {
    if u.ratio(1, 16)? {
        return Ok(Record::Genesis(Genesis { limits: limits(u)?, epoch: token(u)? }));
    }
    let run = u.arbitrary()?;
    let mut changes = Vec::new();
    for _ in 0..u.int_in_range(0..=20)? {
        let origin = Origin { session: SessionId(number(u)?), member: MemberId(number(u)?), network: network(u)? };
        changes.push(LoggedChange::new(origin, action(u)?).expect("it can be in the log"));
    }
    Ok(Record::Batch(Batch { run, changes }))
}

fn limits(u: &mut Unstructured<'_>) -> Result<StateLimits> {
    Ok(StateLimits {
        resume_seconds: number(u)?,
        lease_seconds: number(u)?,
        history_messages: u.arbitrary()?,
        rooms: u.arbitrary()?,
        sanctions_reserved: u.arbitrary()?,
        ..StateLimits::default()
    })
}

fn action(u: &mut Unstructured<'_>) -> Result<Action> {
    Ok(match u.int_in_range(0..=22)? {
        0 => Action::Register { name: name(u)?, verifier: optional(u, verifier)?, room: optional(u, room_name)? },
        1 => Action::Rename(name(u)?),
        2 => Action::Join(list(u, ROOMS_PER_COMMAND_MAX, room_name)?),
        3 => Action::Part(room(u)?, optional(u, text)?),
        4 => {
            let (room, name, account) = (room(u)?, name(u)?, optional(u, account)?);
            Action::Say(room, Message { name, account, at: time(u)?, text: text(u)? })
        }
        5 => Action::SetTopic(room(u)?, TopicChange { name: name(u)?, at: time(u)?, topic: optional(u, text)? }),
        6 => Action::Whisper(list(u, WHISPER_NAMES_MAX, name)?, text(u)?),
        7 => Action::Draw(room(u)?, drawing(u)?),
        8 => Action::Watch(room_name(u)?),
        9 => Action::SetVerifier(optional(u, verifier)?),
        10 => Action::Resume(MemberId(number(u)?), verifier(u)?),
        11 => Action::Detach(*u.choose(&LeaveReason::ALL)?),
        12 => Action::Leave(*u.choose(&LeaveReason::ALL)?, optional(u, text)?),
        13 | 14 => Action::ChangeAccount(AccountChange { at: time(u)?, update: account_update(u)? }),
        15 => {
            let (account, verifier) = (account(u)?, optional(u, verifier)?);
            Action::Login(LoginRequest { account, proof: proof(u)?, takes_over: u.arbitrary()?, verifier })
        }
        16 | 17 => Action::Moderate(moderation(u)?),
        18 => Action::DeleteOwn(OwnDeletion { room: room(u)?, id: message_id(u)?, author: account(u)? }),
        19 => {
            let (rooms, empty_rooms) = (u.arbitrary()?, u.arbitrary()?);
            Action::SetPolicy(Policy { resume_seconds: number(u)?, rooms, empty_rooms })
        }
        20 => Action::Barrier(optional(u, token)?),
        21 => Action::JoinCluster(NodeJoin { node: token(u)?, run: u.arbitrary()? }),
        _ => u.choose(&[Action::Unwatch, Action::EndOfInput, Action::Heartbeat, Action::LeaveCluster])?.clone(),
    })
}

fn account_update(u: &mut Unstructured<'_>) -> Result<AccountUpdate> {
    let (account, generation, token) = (account(u)?, u.arbitrary()?, AccountTokenId(u.arbitrary()?));
    Ok(match u.int_in_range(0..=6)? {
        0 => AccountUpdate::Create { name: name(u)?, password: password(u)?, ends_rest: u.arbitrary()? },
        1 => AccountUpdate::SetPassword { account, generation, password: password(u)? },
        2 => AccountUpdate::SetRole { account, role: *u.choose(&Role::ALL)? },
        3 => AccountUpdate::Delete { account, generation },
        4 => {
            let (verifier, label, expires_at) = (verifier(u)?, text(u)?, time(u)?);
            let label = TokenLabel::new(label).or_else(|_| TokenLabel::new(samples::text("laptop"))).unwrap();
            AccountUpdate::CreateToken { account, generation, verifier, label, expires_at }
        }
        5 => AccountUpdate::RevokeToken { account, generation, token },
        _ => AccountUpdate::RecordTokenUse { account, token, on: Day::from(time(u)?) },
    })
}

fn moderation(u: &mut Unstructured<'_>) -> Result<Moderation> {
    let (some_room, room) = (optional(u, room)?, room(u)?);
    let (kind, on) = (*u.choose(&SanctionKind::ALL)?, u.arbitrary()?);
    Ok(match u.int_in_range(0..=6)? {
        0 => Moderation::Kick { room: some_room, name: name(u)?, reason: optional(u, text)? },
        1 => {
            let (target, duration) = (target(u, kind)?, u.arbitrary::<Option<u64>>()?.map(Duration::from_secs));
            Moderation::Sanction { kind, room: some_room, target, duration, reason: optional(u, text)? }
        }
        2 => {
            let by_number = SanctionChoice::Id(SanctionId(u.arbitrary()?));
            let which = if on { by_number } else { SanctionChoice::Target(target(u, kind)?) };
            Moderation::Lift { kind, room: some_room, which }
        }
        3 => Moderation::SetLock { room, lock: *u.choose(&RoomLock::ALL)? },
        4 => Moderation::Invite { room, name: name(u)?, on },
        5 => Moderation::SetModerator { room, name: name(u)?, on },
        _ => Moderation::Delete { room, id: message_id(u)? },
    })
}

/// A target as a moderator can give it.
fn target(u: &mut Unstructured<'_>, kind: SanctionKind) -> Result<SanctionTarget> {
    let word = match (kind, u.int_in_range(0..=2)?) {
        (SanctionKind::Ban, 0) => format!("@{}", name(u)?),
        (SanctionKind::Ban, 1) => network(u)?.map_or_else(|| "2001:db8::/32".to_owned(), |network| network.to_string()),
        _ => name(u)?.to_string(),
    };
    Ok(SanctionTarget::parse(kind, &word).unwrap_or_else(|_| SanctionTarget::Name(samples::name("ann"))))
}

/// Small numbers as well as large ones: their lengths differ.
fn number(u: &mut Unstructured<'_>) -> Result<u64> {
    let bits = u.int_in_range(0..=63)?;
    Ok(u.arbitrary::<u64>()? >> bits)
}

fn optional<'a, T>(
    u: &mut Unstructured<'a>,
    value: impl FnOnce(&mut Unstructured<'a>) -> Result<T>,
) -> Result<Option<T>> {
    if u.arbitrary()? { value(u).map(Some) } else { Ok(None) }
}

fn list<'a, T>(
    u: &mut Unstructured<'a>,
    max: usize,
    value: impl Fn(&mut Unstructured<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    (0..u.int_in_range(0..=max)?).map(|_| value(u)).collect()
}

fn name(u: &mut Unstructured<'_>) -> Result<Name> {
    let random = Name::new(u.arbitrary()?);
    let known = samples::name(u.choose(&NAMES)?);
    Ok(random.unwrap_or(known))
}

fn room_name(u: &mut Unstructured<'_>) -> Result<RoomName> {
    Ok(samples::room(&format!("#{}", name(u)?)))
}

fn text(u: &mut Unstructured<'_>) -> Result<Text> {
    Ok(Text::new(u.arbitrary()?).unwrap_or_else(|_| samples::text("hello\tworld")))
}

fn token(u: &mut Unstructured<'_>) -> Result<Token> {
    Ok(Token::new(u.arbitrary()?).unwrap_or_else(|_| samples::token("k7qd")))
}

fn password(u: &mut Unstructured<'_>) -> Result<PasswordHash> {
    Ok(PasswordHash::new(&format!("${}", number(u)?)).expect("a hash"))
}

fn verifier(u: &mut Unstructured<'_>) -> Result<Verifier> {
    Ok(Secret::new(u.arbitrary()?).verifier())
}

fn drawing(u: &mut Unstructured<'_>) -> Result<Drawing> {
    let points: String = (0..u.int_in_range(1..=30)?)
        .map(|_| Ok(format!(" {},{}", u.int_in_range(0..=9999)?, u.int_in_range(0..=9999)?)))
        .collect::<Result<_>>()?;
    let (colour, width) = (u.int_in_range(0..=0xff_ffff)?, u.int_in_range(1..=999)?);
    let stroke = Stroke::new(&format!("#{colour:06X} {width}{points}")).expect("a stroke");
    Ok(if u.ratio(1, 8)? { Drawing::Clear } else { Drawing::Stroke(stroke) })
}

fn network(u: &mut Unstructured<'_>) -> Result<Option<Network>> {
    let (v4, v6): ([u8; 4], [u8; 16]) = (u.arbitrary()?, u.arbitrary()?);
    let address: IpAddr = if u.arbitrary()? { v4.into() } else { v6.into() };
    Ok(Network::of_client(address))
}

fn time(u: &mut Unstructured<'_>) -> Result<Timestamp> {
    u.arbitrary().map(Timestamp)
}

fn room(u: &mut Unstructured<'_>) -> Result<RoomId> {
    u.arbitrary().map(RoomId)
}

fn account(u: &mut Unstructured<'_>) -> Result<AccountId> {
    u.arbitrary().map(AccountId)
}

fn message_id(u: &mut Unstructured<'_>) -> Result<MessageId> {
    number(u).map(MessageId)
}

fn proof(u: &mut Unstructured<'_>) -> Result<LoginProof> {
    let number = u.arbitrary()?;
    Ok(if u.arbitrary()? {
        LoginProof::Password { generation: number }
    } else {
        LoginProof::Token(AccountTokenId(number))
    })
}
