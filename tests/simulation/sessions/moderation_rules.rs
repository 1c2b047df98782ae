//! The rules of `protocol.md` about commands of moderators, and about commands that a ban, a mute or a lock prevents.

use chinwag::command::{
    Command, Delete, Draw, Invite, Join, Kick, Lock, Login, Moderator, Msg, Nick, Resume, Takeover, Topic, Watch,
    Whisper,
};
use chinwag::protocol::{
    AccountId, Credential, ErrorCode, MessageId, Name, RoomLock, RoomName, SanctionKind, SanctionTarget,
};
use chinwag::state::{Member, MemberId, RoomId, SanctionChoice, SharedState};

use super::roles::facts::{Client, MEMBER, MODERATOR, OPERATOR, OWNER};
use super::roles::{SANCTIONS_PER_ROOM, network_of};
use super::rules::Line;

type Rule = Result<(), ErrorCode>;

fn is_address(which: &SanctionChoice) -> bool {
    matches!(which, SanctionChoice::Target(SanctionTarget::Network(_)))
}

impl Line<'_> {
    fn state(&self) -> &SharedState {
        self.sessions.state()
    }

    fn own_member(&self) -> Option<(MemberId, &Member)> {
        let id = self.sessions.member(self.session)?;
        Some((id, self.state().member(id)?))
    }

    fn own_account(&self) -> Option<AccountId> {
        self.own_member()?.1.account()
    }

    /// The rank of the session's member in the room. `None` as room: on the server.
    pub(super) fn own_rank(&self, room: Option<RoomId>) -> u8 {
        self.roles.ranks.of_account(self.state(), self.own_account(), room)
    }

    /// The room that a command of a moderator is about. `None`: the server.
    pub(super) fn moderated_room(&self, command: &Command) -> Result<Option<RoomId>, ErrorCode> {
        let is_of_room =
            matches!(command, Command::Lock(_) | Command::Invite(_) | Command::Moderator(_) | Command::Delete(_));
        if !is_of_room && self.named.is_none() && self.own_rank(None) == OPERATOR {
            return Ok(None);
        }
        self.room_of_line().map(Some).ok_or(ErrorCode::NotInRoom)
    }

    /// The code with which a command of a moderator must be refused, or `None` if it must be carried out.
    pub(super) fn refused_moderation(&self, command: &Command) -> Option<ErrorCode> {
        self.check_moderation(command).err()
    }

    fn check_moderation(&self, command: &Command) -> Rule {
        let room = self.moderated_room(command)?;
        let needed = match command {
            Command::Delete(_) => MEMBER,
            _ if room.is_none() => OPERATOR,
            Command::Moderator(_) => OWNER,
            Command::Unban(unban) if is_address(&unban.0.0) => OPERATOR,
            _ => MODERATOR,
        };
        expect(self.own_rank(room) >= needed, ErrorCode::NotModerator)?;
        let is_silent = matches!(command, Command::Delete(_) | Command::Bans(_));
        expect(is_silent || !self.is_muted(Vec::new()), ErrorCode::Muted)?;
        match command {
            Command::Kick(Kick { name, .. }) => self.find_target(room, name).map(|_| ()),
            Command::Mute(mute) => self.check_sanction(SanctionKind::Mute, room, &mute.0.target),
            Command::Ban(ban) => self.check_sanction(SanctionKind::Ban, room, &ban.0.target),
            Command::Unmute(unmute) => self.check_lift(SanctionKind::Mute, room, &unmute.0.0),
            Command::Unban(unban) => self.check_lift(SanctionKind::Ban, room, &unban.0.0),
            Command::Invite(Invite { name, .. }) => {
                let is_known = self.holder(name).is_some() || self.state().accounts().find(name).is_some();
                expect(is_known, ErrorCode::TargetAbsent)
            }
            Command::Moderator(Moderator { name, .. }) => {
                let account = self.state().accounts().find(name).ok_or(ErrorCode::AccountUnknown)?;
                let rank = self.roles.ranks.of_account(self.state(), Some(account.id), room);
                expect(rank <= MODERATOR, ErrorCode::TargetProtected)
            }
            Command::Delete(Delete(id)) => {
                let room = room.ok_or(ErrorCode::NotInRoom)?;
                let is_kept = self.rooms.message_log(room).is_some_and(|log| log.keeps(*id));
                expect(is_kept, ErrorCode::MessageUnknown)?;
                let may = self.own_rank(Some(room)) >= MODERATOR || self.is_author((room, *id));
                expect(may, ErrorCode::NotAuthor)
            }
            _ => Ok(()),
        }
    }

    fn is_author(&self, message: (RoomId, MessageId)) -> bool {
        let Some((member, account)) = self.roles.authors.get(&message).copied() else { return false };
        let own = self.own_account();
        self.sessions.member(self.session) == Some(member) || own.is_some() && own == account
    }

    /// The member with this nickname.
    fn holder(&self, name: &Name) -> Option<(MemberId, &Member)> {
        self.state().members().find(|(_, member)| member.name().key() == name.key())
    }

    fn find_target(&self, room: Option<RoomId>, name: &Name) -> Result<&Member, ErrorCode> {
        let holder = self.holder(name).filter(|(_, member)| room.is_none_or(|room| member.is_in(room)));
        let (id, member) = holder.ok_or(ErrorCode::TargetAbsent)?;
        expect(self.sessions.member(self.session) != Some(id), ErrorCode::TargetSelf)?;
        self.expect_lower(room, member.account())?;
        Ok(member)
    }

    fn expect_lower(&self, room: Option<RoomId>, account: Option<AccountId>) -> Rule {
        let own = self.own_rank(room);
        let other = self.roles.ranks.of_account(self.state(), account, room);
        expect(own > other || own == OPERATOR, ErrorCode::TargetProtected)
    }

    fn check_sanction(&self, kind: SanctionKind, room: Option<RoomId>, target: &SanctionTarget) -> Rule {
        let own = network_of(self.session);
        match target {
            SanctionTarget::Name(name) => {
                let holder = self.holder(name);
                let is_own = holder.is_some_and(|(id, _)| self.sessions.member(self.session) == Some(id));
                expect(!is_own, ErrorCode::TargetSelf)?;
                let account = || self.state().accounts().find(name).map(|account| account.id);
                self.expect_lower(room, holder.map_or_else(account, |(_, member)| member.account()))?;
            }
            SanctionTarget::Connection(name) => {
                let network = self.find_target(room, name)?.network().expect("all clients have addresses");
                expect(!network.overlaps(own), ErrorCode::TargetSelf)?;
            }
            SanctionTarget::Network(network) => {
                expect(self.own_rank(room) == OPERATOR, ErrorCode::NotModerator)?;
                expect(!network.overlaps(own), ErrorCode::TargetSelf)?;
            }
        }
        let of_room = || self.state().sanctions().iter().filter(|sanction| sanction.room == room);
        let is_new = !of_room().any(|sanction| sanction.kind == kind && is_same(&sanction.target, target));
        let is_full = is_new && room.is_some() && of_room().count() >= SANCTIONS_PER_ROOM;
        expect(!is_full, ErrorCode::BansTooMany)
    }

    fn check_lift(&self, kind: SanctionKind, room: Option<RoomId>, which: &SanctionChoice) -> Rule {
        let mut sanctions = self.state().sanctions().iter();
        let is_known = sanctions.any(|sanction| {
            let is_chosen = match which {
                SanctionChoice::Id(id) => sanction.id == *id,
                SanctionChoice::Target(target) => is_same(&sanction.target, target),
            };
            (sanction.kind, sanction.room) == (kind, room) && is_chosen
        });
        expect(is_known, ErrorCode::BanUnknown)
    }

    /// The codes with which a ban, a mute or a lock prevents the command. If there are any, it must be refused.
    pub(super) fn barriers(&self, command: &Command) -> Vec<ErrorCode> {
        let own = self.own_member();
        let muted_in = |rooms: Vec<RoomId>| Vec::from_iter(self.is_muted(rooms).then_some(ErrorCode::Muted));
        match (command, own) {
            (Command::Msg(Msg(_)) | Command::Topic(Topic::Set(_) | Topic::Clear) | Command::Draw(Draw(_)), Some(_)) => {
                muted_in(self.room_of_line().into_iter().collect())
            }
            (Command::Whisper(Whisper { to, .. }), Some(_)) => {
                let to = to.iter().filter_map(|name| self.holder(name));
                muted_in(to.flat_map(|(_, member)| member.rooms()).collect())
            }
            (Command::Nick(Nick { name, .. }), Some((_, member))) if member.name() != name => {
                let mut codes = muted_in(member.rooms().collect());
                codes.extend(self.bans(member.account(), Some(name), member.rooms().collect()));
                codes
            }
            (Command::Nick(Nick { name, room }), None) => self.barriers_at_home(None, name, room.as_ref()),
            (Command::Join(Join(names)), Some((id, member))) => {
                let rooms: Vec<_> = names.iter().filter_map(|name| self.rooms.find(name)).collect();
                let creates = rooms.len() < names.len();
                let mut codes = if creates { muted_in(Vec::new()) } else { Vec::new() };
                codes.extend(rooms.iter().filter_map(|room| self.locked(*room, member.account(), Some(id))));
                let bans = rooms.into_iter().map(Some);
                codes.extend(bans.filter_map(|room| self.ban(room, member.account(), Some(member.name()))));
                codes
            }
            (Command::Resume(Resume(token)), None) => {
                let holder = self.resume_tokens.holder(*token).and_then(|holder| self.sessions.member(holder));
                let Some(member) = holder.and_then(|id| self.state().member(id)) else { return Vec::new() };
                self.bans(member.account(), Some(member.name()), member.rooms().collect())
            }
            (Command::Watch(Watch(room)), None) => {
                let room = room.as_ref().map_or(Some(RoomId::LOBBY), |room| self.rooms.find(room));
                let lock = room.is_some_and(|room| self.roles.locks.lock_of(room) != RoomLock::Open);
                let mut codes = Vec::from_iter(lock.then_some(ErrorCode::RoomLocked));
                codes.extend(self.bans(None, None, Vec::from_iter(room)));
                codes
            }
            (Command::Login(login) | Command::Takeover(Takeover(login)), _) => self.barriers_of_token(login),
            _ => Vec::new(),
        }
    }

    /// A login with an access token takes effect at once.
    fn barriers_of_token(&self, Login { name, credential }: &Login) -> Vec<ErrorCode> {
        let is_token = matches!(credential, Credential::Token(_));
        let account = self.state().accounts().find(name).filter(|_| is_token);
        account.map_or_else(Vec::new, |account| self.barriers_of_login(account.id, &account.name))
    }

    /// The codes with which a ban or a lock prevents a login to this account.
    pub(super) fn barriers_of_login(&self, account: AccountId, name: &Name) -> Vec<ErrorCode> {
        match self.own_member() {
            Some((_, member)) => self.bans(Some(account), Some(name), member.rooms().collect()),
            None => self.barriers_at_home(Some(account), name, None),
        }
    }

    /// The codes of bans, mutes and locks that keep a client without a nickname from its first room.
    fn barriers_at_home(&self, account: Option<AccountId>, name: &Name, named: Option<&RoomName>) -> Vec<ErrorCode> {
        let watched = || self.state().watched_room(self.session).unwrap_or(RoomId::LOBBY);
        let home = named.map_or_else(|| Some(watched()), |room| self.rooms.find(room));
        let mut codes = self.bans(account, Some(name), Vec::from_iter(home));
        codes.extend(home.and_then(|home| self.locked(home, account, self.sessions.member(self.session))));
        let client = Client { account, name: Some(name), network: Some(network_of(self.session)) };
        let mute = self.roles.ranks.sanction_of(self.state(), SanctionKind::Mute, None, client, self.now);
        codes.extend(mute.filter(|_| home.is_none()).map(|_| ErrorCode::Muted));
        codes
    }

    fn locked(&self, room: RoomId, account: Option<AccountId>, member: Option<MemberId>) -> Option<ErrorCode> {
        let is_in = self.own_member().is_some_and(|(_, member)| member.is_in(room));
        let has_rank = self.roles.ranks.of_account(self.state(), account, Some(room)) > MEMBER;
        let may_enter = is_in || has_rank || self.roles.locks.lets_in(room, account, member);
        (!may_enter).then_some(ErrorCode::RoomLocked)
    }

    /// Whether the session's member is muted on the server or in one of the rooms.
    pub(super) fn is_muted(&self, rooms: Vec<RoomId>) -> bool {
        let Some((_, member)) = self.own_member() else { return false };
        let ranks = &self.roles.ranks;
        let mute_in = |room| ranks.sanction_of(self.state(), SanctionKind::Mute, room, member.into(), self.now);
        [None].into_iter().chain(rooms.into_iter().map(Some)).any(|room| mute_in(room).is_some())
    }

    /// The codes of bans from the server and from the rooms.
    fn bans(&self, account: Option<AccountId>, name: Option<&Name>, rooms: Vec<RoomId>) -> Vec<ErrorCode> {
        let scopes = [None].into_iter().chain(rooms.into_iter().map(Some));
        scopes.filter_map(|room| self.ban(room, account, name)).collect()
    }

    fn ban(&self, room: Option<RoomId>, account: Option<AccountId>, name: Option<&Name>) -> Option<ErrorCode> {
        let client = Client { account, name, network: Some(network_of(self.session)) };
        let ban = self.roles.ranks.sanction_of(self.state(), SanctionKind::Ban, room, client, self.now);
        ban.map(|_| ErrorCode::Banned)
    }
}

/// Whether the command is one of moderators. Authors delete their own messages, too.
pub(super) fn is_moderation(command: &Command) -> bool {
    matches!(
        command,
        Command::Kick(_)
            | Command::Mute(_)
            | Command::Unmute(_)
            | Command::Ban(_)
            | Command::Unban(_)
            | Command::Bans(_)
            | Command::Lock(Lock(_))
            | Command::Invite(_)
            | Command::Moderator(_)
            | Command::Delete(_)
    )
}

/// Whether two sanctions with these targets replace each other.
fn is_same(a: &SanctionTarget, b: &SanctionTarget) -> bool {
    match (a, b) {
        (SanctionTarget::Name(a), SanctionTarget::Name(b))
        | (SanctionTarget::Connection(a), SanctionTarget::Connection(b)) => a.key() == b.key(),
        (a, b) => a == b,
    }
}

fn expect(is_kept: bool, code: ErrorCode) -> Rule {
    if is_kept { Ok(()) } else { Err(code) }
}
