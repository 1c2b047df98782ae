//! Moderators, and the operator, who adds accounts, sets their passwords and roles and removes them while clients use them.

use chinwag::protocol::{AccountId, Name, Role};
use chinwag::session::InputKind;
use chinwag::state::{AccountUpdate, MemberId, SessionId};

use super::{Run, accounts, phrases, roles};

impl Run<'_> {
    /// A client moderates. Its member has a rank in most cases.
    pub(super) fn moderate(&mut self, session: SessionId) {
        let (nth, choice) = (self.script.below(256), self.script.below(4));
        let state = self.model.room.state();
        let is_ranked = |session: &SessionId| self.model.has_rank(*session);
        let ranked: Vec<_> = self.clients.keys().copied().filter(is_ranked).collect();
        // Half of the commands are about those that have just done something.
        let is_wanted = |id: MemberId| choice % 2 == 0 || self.model.roles.is_active(id);
        let names = state.members().filter(|(id, _)| is_wanted(*id)).map(|(_, member)| member.name().clone());
        let names: Vec<Name> = names.collect();
        let accounts = self.model.account_names();
        if ranked.is_empty() && choice < 3 {
            return self.promote(session, nth);
        }
        let session = if choice == 3 { session } else { ranked[nth % ranked.len()] };
        if self.model.room.name(session).is_none() {
            let line = format!("NICK {}", phrases::name(&mut self.script));
            return self.send_line(session, line.into_bytes(), 1);
        }
        // Those that have a rank own the rooms that they create; the others are invited, kicked and banned there.
        if self.script.below(6) == 0 {
            let line = format!("JOIN {}", phrases::room_name(&mut self.script));
            return self.send_line(session, line.into_bytes(), 1);
        }
        let sanctions: Vec<_> = self.model.room.state().sanctions().iter().map(|sanction| sanction.id).collect();
        let newest = roles::address_of(SessionId(self.last_session));
        let rooms = self.model.rooms_of(session);
        let line = phrases::moderation(&mut self.script, &rooms, &names, &accounts, newest, &sanctions);
        self.send_line(session, line, 1);
    }

    /// A client speaks whose member is muted, if there is one; or one enters a room to which it is invited.
    pub(super) fn speak_muted(&mut self, session: SessionId) {
        let invited = |session: &SessionId| Some((*session, self.model.invitation_of(*session)?));
        if let Some((session, room)) = self.clients.keys().find_map(invited)
            && self.script.below(4) < 3
        {
            return self.send_line(session, format!("JOIN {room}").into_bytes(), 1);
        }
        let is_muted = |session: &SessionId| self.model.is_muted(self.wall(), *session);
        let muted: Vec<_> = self.clients.keys().copied().filter(is_muted).collect();
        let nth = self.script.below(256);
        let session = if muted.is_empty() { session } else { muted[nth % muted.len()] };
        let rooms = self.model.rooms_of(session);
        let room = rooms.get(nth % rooms.len().max(1)).map(|(room, _)| room);
        let line = phrases::speech(&mut self.script, room);
        self.send_line(session, line, 1);
    }

    /// The operator gives a role to an account that somebody has logged in to. If there is none, this session logs in to one.
    fn promote(&mut self, session: SessionId, nth: usize) {
        let accounts = self.model.room.state().members().filter_map(|(_, member)| member.account());
        let accounts: Vec<_> = accounts.collect();
        if accounts.is_empty() {
            let names = self.model.account_names();
            let Some(name) = names.get(nth % names.len().max(1)) else { return self.change_account() };
            let line = format!("TAKEOVER {name} {}", phrases::password(&mut self.script));
            self.send_line(session, line.into_bytes(), 1);
            return self.process_password(0);
        }
        let update = AccountUpdate::SetRole { account: accounts[nth % accounts.len()], role: Role::Operator };
        self.act(SessionId::SERVER, &InputKind::ChangeAccount(update));
    }

    /// The operator changes an account, or adds one, mostly with the nickname of a guest.
    pub(super) fn change_account(&mut self) {
        let nth = self.script.below(4);
        let state = self.model.room.state();
        let account: Option<AccountId> = state.accounts().iter().nth(nth).map(|account| account.id);
        let guests = state.members().filter(|(_, member)| member.account().is_none());
        let guest: Option<Name> = guests.map(|(_, member)| member.name().clone()).nth(nth);
        let update = match (self.script.below(8), account) {
            (0..2, Some(account)) => AccountUpdate::Delete { account, generation: None },
            (2, Some(account)) => {
                let password = accounts::hash_of(phrases::password(&mut self.script));
                AccountUpdate::SetPassword { account, generation: None, password }
            }
            (3..6, Some(account)) => {
                let role = self.script.one_of(&[Role::Operator, Role::Operator, Role::User]);
                AccountUpdate::SetRole { account, role }
            }
            (choice, _) => {
                let name = guest.unwrap_or_else(|| phrases::name(&mut self.script));
                let password = accounts::hash_of(phrases::password(&mut self.script));
                AccountUpdate::Create { name, password, ends_rest: choice % 2 == 0 }
            }
        };
        self.act(SessionId::SERVER, &InputKind::ChangeAccount(update));
    }
}
