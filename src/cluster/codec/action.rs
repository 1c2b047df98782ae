//! Writes and reads the actions.

use minicbor::decode::Decoder;
use minicbor::encode::{self, Encoder};

use super::ReadResult;
use super::account::{read_account_change, read_login_request, write_account_change, write_login_request};
use super::content::{read_message, read_topic_change, write_message, write_topic_change};
use super::moderation::{read_moderation, read_own_deletion, write_moderation, write_own_deletion};
use super::values::{
    Kind, Sink, WriteResult, read_leave_reason, read_list, write_kind, write_optional, write_optional_text,
    write_optional_verifier, write_room_name,
};
use crate::limits::{ROOMS_PER_COMMAND_MAX, WHISPER_NAMES_MAX};
use crate::protocol::{Drawing, Name, RoomName, Text, Token};
use crate::state::snapshot::values::{
    parse_with, read_name, read_optional, read_room_name, read_text, read_token, read_verifier, write_optional_str,
};
use crate::state::{Action, MemberId, NodeJoin, Policy, RoomId};

/// The numbers of the actions. None is ever given to another action.
const REGISTER: u64 = 0;
const RENAME: u64 = 1;
const JOIN: u64 = 2;
const PART: u64 = 3;
const SAY: u64 = 4;
const SET_TOPIC: u64 = 5;
const WHISPER: u64 = 6;
const DRAW: u64 = 7;
const WATCH: u64 = 8;
const UNWATCH: u64 = 9;
const SET_VERIFIER: u64 = 10;
const RESUME: u64 = 11;
const END_OF_INPUT: u64 = 12;
const DETACH: u64 = 13;
const LEAVE: u64 = 14;
const CHANGE_ACCOUNT: u64 = 15;
const LOGIN: u64 = 16;
const MODERATE: u64 = 17;
const DELETE_OWN: u64 = 18;
const SET_POLICY: u64 = 19;
const BARRIER: u64 = 20;
const JOIN_CLUSTER: u64 = 21;
const HEARTBEAT: u64 = 22;
const LEAVE_CLUSTER: u64 = 23;

/// Writes an action. Fails if it is never in the log, and only then.
pub(super) fn write_action<W: Sink>(e: &mut Encoder<W>, action: &Action) -> WriteResult {
    match action {
        Action::Register { name, verifier, room } => {
            write_kind(e, REGISTER, 3)?;
            e.str(name.as_str())?;
            write_optional_verifier(e, verifier.as_ref())?;
            write_optional(e, room.as_ref(), write_room_name)
        }
        Action::Rename(name) => {
            write_kind(e, RENAME, 1)?;
            write_name(e, name)
        }
        Action::Join(rooms) => write_join(e, rooms),
        Action::Part(room, reason) => {
            write_kind(e, PART, 2)?;
            e.u32(room.0)?;
            write_optional_text(e, reason.as_ref())
        }
        Action::Say(room, message) => {
            write_kind(e, SAY, 5)?;
            e.u32(room.0)?;
            write_message(e, message)
        }
        Action::SetTopic(room, change) => {
            write_kind(e, SET_TOPIC, 4)?;
            e.u32(room.0)?;
            write_topic_change(e, change)
        }
        Action::Whisper(names, text) => write_whisper(e, names, text),
        Action::Draw(room, drawing) => {
            write_kind(e, DRAW, 2)?;
            e.u32(room.0)?.str(&drawing.to_string())?;
            Ok(())
        }
        Action::Watch(room) => {
            write_kind(e, WATCH, 1)?;
            write_room_name(e, room)
        }
        Action::Unwatch => write_kind(e, UNWATCH, 0),
        Action::SetVerifier(verifier) => {
            write_kind(e, SET_VERIFIER, 1)?;
            write_optional_verifier(e, verifier.as_ref())
        }
        Action::Resume(member, verifier) => {
            write_kind(e, RESUME, 2)?;
            e.u64(member.0)?.bytes(verifier.as_bytes())?;
            Ok(())
        }
        Action::EndOfInput => write_kind(e, END_OF_INPUT, 0),
        Action::Detach(reason) => {
            write_kind(e, DETACH, 1)?;
            e.str(reason.as_str())?;
            Ok(())
        }
        Action::Leave(reason, text) => {
            write_kind(e, LEAVE, 2)?;
            e.str(reason.as_str())?;
            write_optional_text(e, text.as_ref())
        }
        Action::ChangeAccount(change) => {
            write_kind(e, CHANGE_ACCOUNT, 2)?;
            write_account_change(e, change)
        }
        Action::Login(request) => {
            write_kind(e, LOGIN, 3)?;
            write_login_request(e, request)
        }
        Action::Moderate(moderation) => {
            write_kind(e, MODERATE, 1)?;
            write_moderation(e, moderation)
        }
        Action::DeleteOwn(deletion) => {
            write_kind(e, DELETE_OWN, 3)?;
            write_own_deletion(e, deletion)
        }
        Action::SetPolicy(policy) => write_policy(e, *policy),
        Action::Barrier(token) => {
            write_kind(e, BARRIER, 1)?;
            write_optional_str(e, token.as_ref().map(Token::to_string).as_deref())
        }
        Action::JoinCluster(NodeJoin { node, run }) => {
            write_kind(e, JOIN_CLUSTER, 2)?;
            e.str(&node.to_string())?.u64(*run)?;
            Ok(())
        }
        Action::Heartbeat => write_kind(e, HEARTBEAT, 0),
        Action::LeaveCluster => write_kind(e, LEAVE_CLUSTER, 0),
        // `NotLogged` says why.
        Action::Tick | Action::Stop => Err(encode::Error::message("the log has another action in its place")),
        Action::ContentPending(..)
        | Action::ContentFailed(..)
        | Action::AccountPending
        | Action::AccountChangeFailed(..)
        | Action::ModerationStored(..)
        | Action::OwnDeletionStored(..)
        | Action::Evict(..) => Err(encode::Error::message("it is about the node's own store")),
        Action::RecordModeration(..) => Err(encode::Error::message("it follows from the entry of the moderator")),
    }
}

pub(super) fn read_action(d: &mut Decoder<'_>) -> ReadResult<Action> {
    let action = Kind::read(d, "action")?;
    action.expect_values(match action.number {
        UNWATCH | END_OF_INPUT | HEARTBEAT | LEAVE_CLUSTER => 0,
        RENAME | JOIN | WATCH | SET_VERIFIER | DETACH | MODERATE | BARRIER => 1,
        PART | WHISPER | DRAW | RESUME | LEAVE | CHANGE_ACCOUNT | JOIN_CLUSTER => 2,
        REGISTER | LOGIN | DELETE_OWN | SET_POLICY => 3,
        SET_TOPIC => 4,
        SAY => 5,
        _ => return Err(action.unknown()),
    })?;
    Ok(match action.number {
        REGISTER => {
            let (name, verifier) = (read_name(d)?, read_optional(d, read_verifier)?);
            Action::Register { name, verifier, room: read_optional(d, read_room_name)? }
        }
        RENAME => Action::Rename(read_name(d)?),
        JOIN => Action::Join(read_list(d, ROOMS_PER_COMMAND_MAX, read_room_name)?),
        PART => Action::Part(RoomId(d.u32()?), read_optional(d, read_text)?),
        SAY => Action::Say(RoomId(d.u32()?), read_message(d)?),
        SET_TOPIC => Action::SetTopic(RoomId(d.u32()?), read_topic_change(d)?),
        WHISPER => Action::Whisper(read_list(d, WHISPER_NAMES_MAX, read_name)?, read_text(d)?),
        DRAW => Action::Draw(RoomId(d.u32()?), parse_with(d.str()?, Drawing::parse)?),
        WATCH => Action::Watch(read_room_name(d)?),
        UNWATCH => Action::Unwatch,
        SET_VERIFIER => Action::SetVerifier(read_optional(d, read_verifier)?),
        RESUME => Action::Resume(MemberId(d.u64()?), read_verifier(d)?),
        END_OF_INPUT => Action::EndOfInput,
        DETACH => Action::Detach(read_leave_reason(d)?),
        LEAVE => Action::Leave(read_leave_reason(d)?, read_optional(d, read_text)?),
        CHANGE_ACCOUNT => Action::ChangeAccount(read_account_change(d)?),
        LOGIN => Action::Login(read_login_request(d)?),
        MODERATE => Action::Moderate(read_moderation(d)?),
        DELETE_OWN => Action::DeleteOwn(read_own_deletion(d)?),
        SET_POLICY => Action::SetPolicy(read_policy(d)?),
        BARRIER => Action::Barrier(read_optional(d, read_token)?),
        JOIN_CLUSTER => Action::JoinCluster(NodeJoin { node: read_token(d)?, run: d.u64()? }),
        HEARTBEAT => Action::Heartbeat,
        LEAVE_CLUSTER => Action::LeaveCluster,
        _ => return Err(action.unknown()),
    })
}

fn write_name<W: Sink>(e: &mut Encoder<W>, name: &Name) -> WriteResult {
    e.str(name.as_str())?;
    Ok(())
}

fn write_join<W: Sink>(e: &mut Encoder<W>, rooms: &[RoomName]) -> WriteResult {
    write_kind(e, JOIN, 1)?;
    e.array(rooms.len() as u64)?;
    rooms.iter().try_for_each(|room| write_room_name(e, room))
}

fn write_whisper<W: Sink>(e: &mut Encoder<W>, names: &[Name], text: &Text) -> WriteResult {
    write_kind(e, WHISPER, 2)?;
    e.array(names.len() as u64)?;
    names.iter().try_for_each(|name| write_name(e, name))?;
    e.str(text.as_str())?;
    Ok(())
}

fn write_policy<W: Sink>(e: &mut Encoder<W>, policy: Policy) -> WriteResult {
    let Policy { resume_seconds, rooms, empty_rooms } = policy;
    write_kind(e, SET_POLICY, 3)?;
    e.u64(resume_seconds)?.u64(rooms as u64)?.u64(empty_rooms as u64)?;
    Ok(())
}

fn read_policy(d: &mut Decoder<'_>) -> ReadResult<Policy> {
    let resume_seconds = d.u64()?;
    let mut limit = || Ok::<_, minicbor::decode::Error>(usize::try_from(d.u64()?).unwrap_or(usize::MAX));
    Ok(Policy { resume_seconds, rooms: limit()?, empty_rooms: limit()? })
}
