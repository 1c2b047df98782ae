//! The start of a chat at a terminal: connects, and logs in or takes a nickname. Asks for another address, a nickname or a password where
//! needed.

use futures_lite::FutureExt as _;
use futures_lite::future::pending;

use super::Shared;
use crate::client::account::{AccountOptions, LoginPatience, waiting_text};
use crate::client::address::ServerAddress;
use crate::client::arguments::ClientOptions;
use crate::client::chat_state::DisplayItem;
use crate::client::connection::ServerConnection;
use crate::client::entrance::LoginKind;
use crate::client::refusal::explain_at_terminal;
use crate::client::trust::TlsOptions;
use crate::client::{Exit, ExitCode};
use crate::command::ReceivedRefusal;
use crate::command_line::quoted;
use crate::protocol::{Credential, ErrorCode, Event, InvalidPassword, Name, Password, RoomName};

/// The name that the user chose.
enum Identity {
    /// Nothing yet: the client asks for a nickname.
    Unknown,
    /// A nickname.
    Nick(String),
    /// The nickname of an account.
    Account(AccountOptions, LoginKind),
}

/// The attempts to join. They end when the server accepts a nickname or a login.
pub(super) struct Entrance<'a> {
    shared: &'a Shared,
    connection: &'a mut ServerConnection,
    address: ServerAddress,
    /// How to parse another address.
    tls: TlsOptions,
    identity: Identity,
    is_connected: bool,
    /// Whether the nickname was tried on an earlier connection already.
    is_second_try: bool,
    /// Whether the message of the day of this server was shown.
    has_shown_motd: bool,
    patience: LoginPatience,
}

impl<'a> Entrance<'a> {
    pub(super) fn new(shared: &'a Shared, connection: &'a mut ServerConnection, options: &ClientOptions) -> Self {
        let address = options.address.clone();
        // An attacker who breaks the handshake brings the user to the prompt for another address: it must not lead to plain TCP.
        let is_required = options.tls.is_required || address.is_tls();
        let tls = TlsOptions { is_required, ..options.tls.clone() };
        let identity = match (&options.account, &options.nick) {
            (Some(account), _) => Identity::Account(account.clone(), LoginKind::Refusable),
            (None, Some(nick)) => Identity::Nick(nick.clone()),
            (None, None) => Identity::Unknown,
        };
        let (is_connected, is_second_try, has_shown_motd) = (false, false, false);
        let patience = LoginPatience::new();
        Self { shared, connection, address, tls, identity, is_connected, is_second_try, has_shown_motd, patience }
    }

    /// Joins the lobby. Returns the address of the server and the nickname.
    pub(super) async fn enter(mut self) -> (ServerAddress, Name) {
        loop {
            if !self.is_connected && !self.connect().await {
                continue;
            }
            let name = match std::mem::replace(&mut self.identity, Identity::Unknown) {
                Identity::Unknown => {
                    let raw = self.ask_nick().await;
                    if self.is_connected || self.is_second_try {
                        self.take_name(raw).await
                    } else {
                        (self.identity, self.is_second_try) = (Identity::Nick(raw), true);
                        None
                    }
                }
                Identity::Nick(raw) => self.take_name(raw).await,
                Identity::Account(account, kind) => self.log_in(account, kind).await,
            };
            if let Some(name) = name {
                return (self.address, name);
            }
        }
    }

    /// Connects. Asks for the password of the server, or for another address. Returns whether the client is connected.
    async fn connect(&mut self) -> bool {
        match self.connection.open_resumable(&self.address).await {
            Ok(()) => {
                self.is_connected = true;
                self.show_motd();
            }
            Err(Exit(ExitCode::Password, why)) if self.connection.can_give_password() => {
                // The server does not wait for the user: the password is given on a new connection.
                self.connection.close();
                let why = self.connection.password.take().map(|_| why);
                self.connection.password = Some(ask_password(self.shared, why).await);
            }
            Err(Exit(_, why)) => self.ask_address(why).await,
        }
        self.is_connected
    }

    /// Shows the message of the day, once for each server.
    fn show_motd(&mut self) {
        let motd = std::mem::take(&mut self.connection.motd);
        if !std::mem::replace(&mut self.has_shown_motd, true) {
            for text in motd {
                self.shared.display.printer.print(&DisplayItem::Event(None, Event::Notice(text), false));
            }
        }
    }

    /// Asks for another address. The secrets are for the server at the old one.
    async fn ask_address(&mut self, why: String) {
        self.warn(why);
        self.is_connected = false;
        let next = ask_address(self.shared, self.address.clone(), &self.tls).await;
        if next != self.address {
            (self.connection.password, self.has_shown_motd) = (None, false);
            if let Identity::Account(account, kind) = &mut self.identity {
                (account.credential, *kind) = (None, LoginKind::Refusable);
            }
            self.address = next;
        }
    }

    /// Asks for a nickname. Meanwhile, the connection replies to `PING`.
    async fn ask_nick(&mut self) -> String {
        self.is_second_try = false;
        let Self { connection, shared, is_connected, .. } = self;
        let lost = async {
            let Exit(_, why) = loop {
                if let Err(end) = connection.next(false).await {
                    break end;
                }
            };
            shared.display.printer.warn(format!("{why}; your nickname will be used on a new connection"));
            *is_connected = false;
            pending().await
        };
        shared.ask("your nickname: ").or(lost).await
    }

    /// Takes a nickname. If it belongs to an account, the user may log in.
    async fn take_name(&mut self, raw: String) -> Option<Name> {
        match self.connection.take_name(&raw, &RoomName::lobby()).await {
            Ok(Ok(name)) => return Some(name),
            Ok(Err(refusal)) => self.handle_refused_name(&raw, refusal),
            Err(Exit(_, why)) => {
                self.warn(why);
                self.is_connected = false;
                // Tries the nickname once more, on a new connection.
                if !self.is_second_try {
                    self.identity = Identity::Nick(raw);
                }
                self.is_second_try = true;
            }
        }
        None
    }

    fn handle_refused_name(&mut self, raw: &str, refusal: ReceivedRefusal) {
        // Without the hint, which suggests a command: this prompt accepts only a nickname.
        self.warn(refusal.problem);
        let needs_login = [ErrorCode::NameRegistered, ErrorCode::LoginRequired].map(ErrorCode::as_str);
        if !needs_login.contains(&refusal.code.as_str()) || !self.connection.features.accounts {
            return;
        }
        if !self.connection.accepts_secrets() {
            let what = "to log in, connect with --tls, through a Unix socket, or through an SSH tunnel: others may read this \
                        connection";
            self.warn(what.to_owned());
        } else if let Ok(name) = Name::new(raw) {
            self.identity = Identity::Account(AccountOptions { name, credential: None }, LoginKind::Refusable);
        }
    }

    /// Logs in. Asks for the password, unless it is known.
    async fn log_in(&mut self, account: AccountOptions, kind: LoginKind) -> Option<Name> {
        let Some(login) = account.login() else {
            // The server does not wait for the user: the password is given on a new connection.
            self.close();
            self.identity = self.ask_credential(account.name, kind).await;
            return None;
        };
        match self.connection.log_in(&login, kind, &RoomName::lobby()).await {
            Ok(Ok(name)) => return Some(name),
            Ok(Err(refusal)) => self.handle_refused_login(account, refusal).await,
            Err(Exit(_, why)) => {
                self.identity = Identity::Account(account, kind);
                self.ask_address(why).await;
            }
        }
        None
    }

    async fn handle_refused_login(&mut self, account: AccountOptions, refusal: ReceivedRefusal) {
        self.close();
        if ErrorCode::from_word(&refusal.code) == Some(ErrorCode::AccountInUse) {
            self.warn(refusal.problem);
            let answer = self.shared.ask("close that connection and log in here? (yes or no) ").await;
            if ["y", "yes"].contains(&answer.to_lowercase().as_str()) {
                self.identity = Identity::Account(account, LoginKind::TakesOver);
            }
            return;
        }
        if let Some(pause) = self.patience.pause(&refusal) {
            self.shared.display.printer.note(waiting_text(&refusal, pause));
            // It ends early only when the user leaves.
            let _ = self.connection.wait_for(pause).await;
            self.identity = Identity::Account(account, LoginKind::Refusable);
            return;
        }
        match ErrorCode::from_word(&refusal.code) {
            Some(ErrorCode::PasswordWrong) => {
                self.warn(refusal.problem);
                self.identity = Identity::Account(AccountOptions { credential: None, ..account }, LoginKind::Refusable);
            }
            Some(ErrorCode::Insecure) => {
                self.identity = Identity::Account(account, LoginKind::Refusable);
                self.ask_address(explain_at_terminal(&refusal)).await;
            }
            _ => self.warn(explain_at_terminal(&refusal)),
        }
    }

    /// Asks for the password of an account. Without one, the client asks for another nickname.
    async fn ask_credential(&self, name: Name, kind: LoginKind) -> Identity {
        loop {
            let question = format!("password of {name} (or Enter to choose a nickname): ");
            let typed = self.shared.ask_secret(&question, "connecting...").await;
            if typed.is_empty() {
                return Identity::Unknown;
            }
            match Credential::new(&typed) {
                Ok(credential) => {
                    return Identity::Account(AccountOptions { name, credential: Some(credential) }, kind);
                }
                Err(why) => self.warn(why.to_string()),
            }
        }
    }

    fn close(&mut self) {
        self.connection.close();
        self.is_connected = false;
    }

    fn warn(&self, what: String) {
        self.shared.display.printer.warn(what);
    }
}

/// Asks for the password of the server until the user types a valid one. `refusal`: why the server refused the one before.
async fn ask_password(shared: &Shared, refusal: Option<String>) -> Password {
    let printer = &shared.display.printer;
    if let Some(why) = refusal {
        printer.warn(why);
    }
    loop {
        match Password::new(&shared.ask_secret("password of the server: ", "connecting...").await) {
            Ok(password) => return password,
            Err(InvalidPassword::Missing) => printer.warn("the password is missing".to_owned()),
            Err(InvalidPassword::TooLong | InvalidPassword::ControlCharacter) => {
                printer.warn("the password is wrong".to_owned());
            }
        }
    }
}

/// Asks for another address until the user types a valid one; Enter alone keeps the last one.
async fn ask_address(shared: &Shared, last: ServerAddress, tls: &TlsOptions) -> ServerAddress {
    loop {
        let raw = shared.ask("another address, or Enter to try again: ").await;
        match ServerAddress::parse(&raw, tls) {
            _ if raw.is_empty() => return last,
            Ok(address) => return address,
            Err(why) => shared.display.printer.warn(format!("invalid server {}: {why}", quoted(&raw))),
        }
    }
}
