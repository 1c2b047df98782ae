//! The operator, who adds accounts, sets their passwords and removes them while clients use them.

use chinwag::protocol::{AccountId, Name};
use chinwag::session::InputKind;
use chinwag::state::{AccountUpdate, SessionId};

use super::{Run, accounts, phrases};

impl Run<'_> {
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
            (choice, _) => {
                let name = guest.unwrap_or_else(|| phrases::name(&mut self.script));
                let password = accounts::hash_of(phrases::password(&mut self.script));
                AccountUpdate::Create { name, password, ends_rest: choice % 2 == 0 }
            }
        };
        self.act(SessionId::SERVER, &InputKind::ChangeAccount(update));
    }
}
