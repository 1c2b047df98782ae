//! The ways into a room: with a nickname, as a watcher, or with a login.

use super::connection::ServerConnection;
use super::refusal::explain;
use super::{Exit, ExitCode};
use crate::command::{
    Hint, Join, Login, Nick, NickReply, Part, ReceivedLine, ReceivedRefusal, Refusal, Reply, RoomPosition, RoomUse,
    ServerLine, Takeover, Verb, Watch,
};
use crate::command_line::quoted;
use crate::protocol::{ErrorCode, Name, RoomName};

/// Whether a login may close another connection that uses the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoginKind {
    /// `LOGIN`.
    Refusable,
    /// `TAKEOVER`.
    TakesOver,
}

/// The result of an attempt to enter a room: the nickname, or the refusal.
pub(super) type Entered = Result<Name, ReceivedRefusal>;

impl ServerConnection {
    /// Takes a nickname, and enters this room as the home. The refusal is by the client's own check or by the server.
    pub(super) async fn take_name(&mut self, raw: &str, room: &RoomName) -> Result<Entered, Exit> {
        let name = match Name::new(raw) {
            Ok(name) => name,
            Err(error) => return Ok(Err(Refusal::from(error).into())),
        };
        self.check_room(room)?;
        // A server without rooms would parse the room as a part of the name.
        let room = Some(room).filter(|room| !is_lobby(room)).cloned();
        let answer = self.request_reply(&Nick { name, room }.into()).await?;
        if let Some(ServerLine::Ok(Reply::Nick(NickReply { name, room }))) = answer.known {
            if let Some(entered) = room {
                self.epoch = entered.epoch;
            }
            return Ok(Ok(name));
        }
        expect_refusal(&answer, "OK NICK")
    }

    /// Reads this room without a nickname. Returns the server's refusal.
    pub(super) async fn watch(&mut self, room: &RoomName) -> Result<Result<(), ReceivedRefusal>, Exit> {
        let answer = self.request_reply(&Watch(Some(room.clone())).into()).await?;
        if let Some(ServerLine::Ok(Reply::Watch(entered))) = answer.known {
            self.epoch = entered.epoch;
            return Ok(Ok(()));
        }
        expect_refusal(&answer, "OK WATCH")
    }

    /// Logs in, and enters this room. Sends the secret only if nobody else can read it on the way. On success, remembers the account.
    pub(super) async fn log_in(&mut self, account: &Login, kind: LoginKind, room: &RoomName) -> Result<Entered, Exit> {
        if let Some(refusal) = self.login_obstacle() {
            return Ok(Err(refusal.into()));
        }
        self.check_room(room)?;
        self.moved_to = None;
        // A login enters the room that the client watches: so the member is in no other room before.
        let can_watch = self.features.watch && !self.features.accounts_only;
        let is_watching = !is_lobby(room) && can_watch && self.watch(room).await?.is_ok();
        let command = match kind {
            LoginKind::Refusable => account.clone().into(),
            LoginKind::TakesOver => Takeover(account.clone()).into(),
        };
        let answer = self.request_reply(&command).await?;
        let Some(ServerLine::Ok(Reply::Login(name) | Reply::Takeover(name))) = answer.known else {
            return expect_refusal(&answer, "OK LOGIN");
        };
        self.account = Some(account.clone());
        if !is_watching && !is_lobby(room) {
            self.move_to(room).await?;
        }
        Ok(Ok(name))
    }

    /// Why the client does not send the secret of an account on this connection.
    fn login_obstacle(&self) -> Option<Refusal> {
        if !self.features.accounts {
            let refusal = Refusal::new(Verb::Login, ErrorCode::AccountsOff, "the server has no accounts");
            return Some(refusal.with_hint(Hint::EnableAccounts));
        }
        let what = "others may read this connection, so the client does not log in: connect with --tls, through a Unix socket, \
                    or through an SSH tunnel";
        (!self.accepts_secrets()).then(|| Refusal::new(Verb::Login, ErrorCode::Insecure, what))
    }

    /// Goes from the lobby, the home of a member that has just logged in, to another room.
    async fn move_to(&mut self, room: &RoomName) -> Result<(), Exit> {
        let answer = self.request_reply(&Join(vec![room.clone()]).into()).await?;
        let entered =
            if let Some(ServerLine::Ok(Reply::Join(entered))) = &answer.known { entered.first() } else { None };
        let Some(RoomPosition { epoch, .. }) = entered else {
            let refused = expect_refusal::<()>(&answer, "OK JOIN")?;
            return refused.map_err(|refusal| Exit(ExitCode::Refused, explain(&refusal)));
        };
        self.epoch.clone_from(epoch);
        self.request_reply(&Part { room: RoomName::lobby(), reason: None }.into()).await?;
        self.moved_to = Some(room.clone());
        Ok(())
    }

    /// The room with which a line to the server must begin, and a space, if the client has moved from its home.
    pub(super) fn written_room(&self, line: &[u8]) -> String {
        let Some(room) = &self.moved_to else { return String::new() };
        let word = line.split(|byte| *byte == b' ').next().unwrap_or_default();
        let verb = str::from_utf8(word).ok().and_then(Verb::from_word);
        let is_about_room = verb.is_some_and(|verb| verb.specification().room == RoomUse::Prefix);
        if is_about_room { format!("{room} ") } else { String::new() }
    }

    /// Fails if the server does not have this room because it has no rooms.
    fn check_room(&self, room: &RoomName) -> Result<(), Exit> {
        if self.features.rooms || is_lobby(room) {
            return Ok(());
        }
        Err(Exit(ExitCode::Refused, format!("cannot enter {room}: the server has only {}", RoomName::lobby())))
    }
}

/// The line as one that names no room, if it names the room to which the client has moved.
pub(super) fn as_of_home(received: ReceivedLine, moved_to: Option<&RoomName>) -> ReceivedLine {
    match (&received.room, moved_to) {
        // A tag has no `#`.
        (Some(room), Some(own)) if room.key() == own.key() => {
            ReceivedLine::new(&received.line.replacen(&format!("{room} "), "", 1))
        }
        _ => received,
    }
}

fn is_lobby(room: &RoomName) -> bool {
    room.key() == RoomName::lobby().key()
}

/// The refusal, if the answer is one; otherwise, this is not a chinwag server.
fn expect_refusal<T>(answer: &ReceivedLine, expected: &str) -> Result<Result<T, ReceivedRefusal>, Exit> {
    let what = || format!("not a chinwag/1 server: expected {expected}, received {}", quoted(&answer.line));
    answer.refusal().map(Err).ok_or_else(|| Exit(ExitCode::Lost, what()))
}

#[cfg(test)]
mod tests {
    use futures_lite::stream;

    use super::*;
    use crate::command::Features;
    use crate::protocol::Credential;

    fn account() -> Login {
        Login { name: Name::new("alice").unwrap(), credential: Credential::new("correct horse").unwrap() }
    }

    /// Without a server, a reply would not come.
    #[test]
    fn account_secret_is_sent_over_private_connections_to_servers_with_accounts_only() {
        for (accounts, secure, is_private, expected) in [
            (true, true, false, ErrorCode::Insecure),
            (true, false, true, ErrorCode::Insecure),
            (true, false, false, ErrorCode::Insecure),
            (false, true, true, ErrorCode::AccountsOff),
        ] {
            let mut connection = ServerConnection::new(stream::pending());
            connection.features = Features { secure, accounts, ..Features::default() };
            connection.is_private = is_private;
            let (account, lobby) = (account(), RoomName::lobby());
            let attempt = connection.log_in(&account, LoginKind::Refusable, &lobby);
            let refusal = smol::block_on(attempt).unwrap().unwrap_err();
            assert_eq!(refusal.code, expected.as_str());
            assert_eq!(connection.account, None);
        }
    }

    #[test]
    fn room_replaces_the_home() {
        let mut connection = ServerConnection::new(stream::pending());
        let ops = RoomName::new("#Ops").unwrap();
        let written = |connection: &ServerConnection, line: &str| connection.written_room(line.as_bytes()) + line;
        assert_eq!(written(&connection, "MSG hi"), "MSG hi");
        connection.moved_to = Some(ops.clone());
        assert_eq!(written(&connection, "MSG hi"), "#Ops MSG hi");
        assert_eq!(written(&connection, "WHO"), "#Ops WHO");
        assert_eq!(written(&connection, "WHISPER bob psst"), "WHISPER bob psst");
        assert_eq!(written(&connection, "QUIT"), "QUIT");
        let read = |line: &str| {
            let received = as_of_home(ReceivedLine::new(line), Some(&ops));
            (received.line, received.room)
        };
        assert_eq!(read("#ops MSG bob see #ops now"), ("MSG bob see #ops now".to_owned(), None));
        let tagged = "@7 2026-11-20T12:44:29.138Z MSG bob hi";
        assert_eq!(read(&tagged.replacen("MSG", "#ops MSG", 1)), (tagged.to_owned(), None));
        assert_eq!(read("#dev MSG bob hi").1, RoomName::new("#dev").ok());
        assert_eq!(read("MSG bob hi").0, "MSG bob hi");
    }
}
