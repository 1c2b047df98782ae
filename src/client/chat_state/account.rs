//! The user's account: its commands with their passwords, and the loss of the nickname to the owner of an account. Pure.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use super::{ChatAction, ChatState, ConnectionPhase, SentLine, WaitingLine, not_connected, note, warn};
use crate::client::account_input::{AccountInput, AccountRequest, SecretDialog};
use crate::client::typed::UserInput;
use crate::command::{Command, Login, Register, Reply, SetPassword, Takeover, TokenListing, TokenReply};
use crate::protocol::{AccountTokenId, Credential, Day, Name};

impl ChatState {
    /// Sets the account to which the session is logged in at the start.
    pub(in crate::client) fn set_account(&mut self, account: Option<Login>) {
        self.account = account;
    }

    /// The account to which the session is logged in, with the secret for the next connection.
    pub(in crate::client) fn account(&self) -> Option<&Login> {
        self.account.as_ref()
    }

    /// Whether the account has changed since the last call.
    pub(in crate::client) fn take_account_change(&mut self) -> bool {
        std::mem::take(&mut self.is_account_changed)
    }

    /// Sets whether nobody else can read a secret on the next connection.
    pub(in crate::client) fn set_accepts_secrets(&mut self, accepts_secrets: bool) {
        self.accepts_secrets = accepts_secrets;
    }

    /// The questions to ask before a typed line can be sent, or the reason why it cannot be sent; `None` if it needs no password.
    pub(in crate::client) fn secret_dialog(&self, line: &str) -> Option<Result<SecretDialog, String>> {
        let UserInput::Account(input) = self.parse(line) else { return None };
        let line = line.trim();
        Some(match self.account_obstacle(line) {
            Some(why) => Err(why),
            None => self.account_of(&input).map(|name| SecretDialog::new(line, input, name)),
        })
    }

    /// Queues a command of an account. If it cannot be sent, returns the reason instead.
    pub(in crate::client) fn queue_account_request(&mut self, request: AccountRequest) -> Option<String> {
        let refusal = self.refusal_of_more(&request.line).or_else(|| self.account_obstacle(&request.line));
        if refusal.is_none() {
            self.waiting.push_back(WaitingLine::Account(request));
        }
        refusal
    }

    /// Why a command of an account cannot be sent on this connection.
    fn account_obstacle(&self, line: &str) -> Option<String> {
        if !self.is_connected() {
            Some(not_connected(line))
        } else if !self.features.accounts {
            Some(
                "not sent: this server has no accounts; its operator can enable them with chinwagd --data PATH"
                    .to_owned(),
            )
        } else if !self.accepts_secrets {
            let what = "not sent: others may read this connection: connect with --tls, through a Unix socket, or through an SSH \
                        tunnel";
            Some(what.to_owned())
        } else {
            None
        }
    }

    /// The account that a command is about.
    fn account_of(&self, input: &AccountInput) -> Result<Name, String> {
        let own = self.account.as_ref().map(|account| &account.name);
        let name = match input {
            AccountInput::Register | AccountInput::Login(_) | AccountInput::Takeover(_) => {
                let name = input.named().or(own).or(self.name.as_ref());
                name.ok_or("not sent: type: /login name")
            }
            AccountInput::SetPassword | AccountInput::Unregister | AccountInput::Token(_) => {
                own.ok_or("not sent: you are not logged in; type: /login [name]")
            }
        };
        name.cloned().map_err(str::to_owned)
    }

    /// Sends a command of an account.
    pub(super) fn handle_account_request(&mut self, request: AccountRequest) -> Vec<ChatAction> {
        let AccountRequest { line, command, then } = request;
        match self.account_obstacle(&line) {
            Some(why) => vec![warn(why)],
            None => {
                let room = self.rooms.home().clone();
                vec![self.send(SentLine { line, room, command, then, names_room: false, is_shown: false })]
            }
        }
    }

    /// Handles the reply to a command of an account.
    pub(super) fn handle_account_reply(&mut self, reply: Reply, request: Option<SentLine>) -> Vec<ChatAction> {
        let (line, command, then) = match request {
            Some(SentLine { line, command, then, .. }) => (line, Some(command), then),
            None => (String::new(), None, None),
        };
        match (reply, command) {
            (
                Reply::Login(name) | Reply::Takeover(name),
                Some(Command::Login(login) | Command::Takeover(Takeover(login))),
            ) => {
                let mut actions = self.handle_login(name, login.credential, then.is_some());
                if let Some(command) = then {
                    let room = self.rooms.home().clone();
                    actions.push(self.send(SentLine {
                        line,
                        room,
                        command,
                        then: None,
                        names_room: false,
                        is_shown: false,
                    }));
                }
                actions
            }
            (Reply::Register(name), Some(Command::Register(Register(password)))) => {
                let text = format!("{name} is your account now: its password is needed to take the nickname");
                self.change_account(Some(Login { name, credential: password.into() }));
                vec![note(text)]
            }
            (Reply::SetPassword(_), Some(Command::SetPassword(SetPassword(password)))) => {
                if let Some(account) = self.account.clone() {
                    self.change_account(Some(Login { credential: password.into(), ..account }));
                }
                vec![note("the password is changed; access tokens remain valid: /token list shows them")]
            }
            (Reply::Unregister(name), _) => {
                self.change_account(None);
                self.forget_ranks();
                vec![note(format!("the account {name} is deleted; nobody can take the nickname for 30 days"))]
            }
            (Reply::AccessTokens(reply), _) => vec![note(token_reply(&reply))],
            (reply, _) => vec![note(reply.to_string())],
        }
    }

    /// Handles a successful login. `is_step`: another command follows it.
    fn handle_login(&mut self, name: Name, credential: Credential, is_step: bool) -> Vec<ChatAction> {
        let is_new_name = self.phase == ConnectionPhase::Nameless || self.name.as_ref() != Some(&name);
        let was_guest = self.account.is_none();
        // An access token remains the secret for the next connection, like a new password.
        self.change_account(Some(Login { name: name.clone(), credential }));
        let mut actions =
            if is_step { Vec::new() } else { vec![note(format!("you are logged in to the account {name}"))] };
        if is_new_name {
            actions.extend(self.handle_name(name));
        } else if was_guest {
            // The account may have ranks.
            actions.extend(self.request_members());
        }
        actions
    }

    fn change_account(&mut self, account: Option<Login>) {
        (self.account, self.is_account_changed) = (account, true);
    }

    /// Handles that the owner of the nickname has logged in. The user may take another one.
    pub(super) fn handle_displacement(&mut self) -> Vec<ChatAction> {
        self.phase = ConnectionPhase::Nameless;
        self.rooms.iter_mut().for_each(|(_, room)| room.forget_members());
        vec![warn(
            "you have no nickname now: its owner has logged in; log in with /login, or choose another and type: /nick name",
        )]
    }
}

/// An access token in words.
pub(super) fn listed_token(listed: &TokenListing) -> String {
    let TokenListing { number: AccountTokenId(number), created_at, expires_at, last_used_on, label } = listed;
    let used = last_used_on.map_or_else(|| "never used".to_owned(), |day| format!("last used on {day}"));
    let [made, until] = [*created_at, *expires_at].map(Day::from);
    format!("access token {number}, {label}: made on {made}, valid until {until}, {used}")
}

fn token_reply(reply: &TokenReply) -> String {
    match reply {
        TokenReply::New { number: AccountTokenId(number), token, expires_at } => {
            let until = Day::from(*expires_at);
            format!("access token {number}: {token} (valid until {until}; it is not shown again)")
        }
        TokenReply::List(0) => "you have no access tokens".to_owned(),
        TokenReply::List(1) => "1 access token".to_owned(),
        TokenReply::List(count) => format!("{count} access tokens"),
        TokenReply::Revoke(AccountTokenId(number)) => format!("access token {number} is no longer valid"),
    }
}
