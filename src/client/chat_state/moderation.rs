//! Moderation: the user's ranks in its rooms, and the replies to commands of moderators in words. Pure.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use super::{ChatAction, ChatState, DisplayItem, SentLine};
use crate::client::offered_commands::usage_of;
use crate::client::render::target_of;
use crate::client::typed::room_of_line;
use crate::command::{BansReply, NamedSwitch, Reply, SanctionReply, Stored, Verb};
use crate::protocol::{Event, Name, Rank, RoomLock, RoomName, SanctionId, SanctionTarget};

impl ChatState {
    /// The user's rank in the room that a typed line is about, as far as the client knows.
    pub(in crate::client) fn rank_for(&self, line: &str) -> Rank {
        let room = room_of_line(line).unwrap_or_else(|| self.current.clone());
        self.rooms.get(&room).map_or(Rank::Member, |room| room.rank)
    }

    /// The user's highest rank in any of its rooms.
    pub(super) fn highest_rank(&self) -> Rank {
        self.rooms.iter().map(|(_, room)| room.rank).max().unwrap_or_default()
    }

    /// Notes the rank of a listed member, if it is the user.
    pub(super) fn note_rank(&mut self, room: &RoomName, name: &Name, rank: Rank) {
        if self.name.as_ref() == Some(name)
            && let Some(room) = self.rooms.get_mut(room)
        {
            room.rank = rank;
        }
    }

    /// Notes that the user is a guest in all rooms.
    pub(super) fn forget_ranks(&mut self) {
        self.rooms.iter_mut().for_each(|(_, room)| room.rank = Rank::Member);
    }

    /// Whether an event of a moderator is about the user. Notes the user's new rank.
    pub(super) fn follow_moderation(&mut self, room: &RoomName, event: &Event) -> bool {
        let is_user = |name: &Name| self.name.as_ref() == Some(name);
        match event {
            Event::Moderator { name, on, .. } => {
                let is_account = self.account.as_ref().is_some_and(|account| account.name.key() == name.key());
                if is_account
                    && let Some(room) = self.rooms.get_mut(room)
                    && room.rank <= Rank::Moderator
                {
                    room.rank = if *on { Rank::Moderator } else { Rank::Member };
                }
                is_account
            }
            Event::Sanction(event) => matches!(&event.target, Some(SanctionTarget::Name(name)) if is_user(name)),
            Event::Invite { name, on, .. } => *on && is_user(name),
            Event::Lifted { target, .. } => matches!(target, Some(SanctionTarget::Name(name)) if is_user(name)),
            _ => false,
        }
    }

    /// Shows the reply to a command of a moderator. The event, if there is one, says the rest.
    pub(super) fn handle_moderation_reply(
        &self,
        room: &RoomName,
        reply: Reply,
        request: Option<&SentLine>,
    ) -> Vec<ChatAction> {
        let is_on_server = request.is_some_and(|request| self.is_about_server(request));
        let text = match reply {
            Reply::Kick(name) if is_on_server => format!("{name} is removed from the server"),
            Reply::Kick(name) => format!("{name} is removed"),
            Reply::Ban(reply) => {
                sanctioned(reply, "is banned", Verb::Unban, is_on_server.then_some(" from the server"))
            }
            Reply::Mute(reply) => sanctioned(reply, "is muted", Verb::Unmute, is_on_server.then_some(" on the server")),
            Reply::Unban(reply) => lifted(reply, "is not banned any more"),
            Reply::Unmute(reply) => lifted(reply, "may speak again"),
            Reply::Moderator(Stored { value: NamedSwitch { name, on }, is_stored }) => {
                let not = if on { "" } else { "not " };
                format!("{name} is {not}a moderator{}", unstored(is_stored))
            }
            Reply::Lock(Stored { value, is_stored }) => {
                let who = match value {
                    RoomLock::Open => "everybody",
                    RoomLock::Accounts => "only accounts",
                    RoomLock::Invited => "only the invited",
                };
                format!("{who} may enter {room}{}", unstored(is_stored))
            }
            Reply::Invite(Stored { value: NamedSwitch { name, on }, is_stored }) => {
                let not = if on { "" } else { "not " };
                format!("{name} is {not}invited{}", unstored(is_stored))
            }
            Reply::Bans(BansReply { count, next }) => {
                let place = if is_on_server { " on the server" } else { "" };
                let count = match count {
                    0 => format!("nobody is banned or muted{place}"),
                    1 => format!("1 ban or mute{place}"),
                    _ => format!("{count} bans and mutes{place}"),
                };
                let next = next.map(|SanctionId(next)| format!("; there are more: /bans after={next}"));
                count + &next.unwrap_or_default()
            }
            other => other.to_string(),
        };
        vec![self.show_in(room, DisplayItem::Note(text))]
    }

    /// Whether a command is about the server: an operator has named no room, and is at home.
    fn is_about_server(&self, request: &SentLine) -> bool {
        let rank = self.rooms.get(&request.room).map(|room| room.rank);
        !request.names_room && self.rooms.is_home(&request.room) && rank == Some(Rank::Operator)
    }
}

fn sanctioned(reply: Stored<SanctionReply>, what: &str, lift: Verb, place: Option<&str>) -> String {
    let Stored { value: SanctionReply { id: SanctionId(number), target }, is_stored } = reply;
    let (who, place) = (target_of(target.as_ref()), place.unwrap_or_default());
    let word = usage_of(lift).and_then(|usage| usage.split(' ').next()).unwrap_or_default();
    format!("{who} {what}{place}; to end that, type: {word} {number}{}", unstored(is_stored))
}

fn lifted(Stored { value: SanctionReply { target, .. }, is_stored }: Stored<SanctionReply>, what: &str) -> String {
    format!("{} {what}{}", target_of(target.as_ref()), unstored(is_stored))
}

fn unstored(is_stored: bool) -> &'static str {
    if is_stored { "" } else { " (the server could not store this: a restart would undo it)" }
}
