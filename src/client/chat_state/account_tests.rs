//! Drives the state of a chat through the commands of accounts.

use super::*;
use crate::client::account_input::{DialogStep, SecretDialog};
use crate::protocol::Credential;

fn name(raw: &str) -> Name {
    Name::new(raw).unwrap()
}

fn send(line: &str) -> ChatAction {
    ChatAction::Send(line.to_owned())
}

/// The state of alice on a server with accounts, over a connection that nobody else can read.
fn alice() -> ChatState {
    let mut state = ChatState::default();
    state.set_features(Features { rooms: true, accounts: true, secure: true, ..Features::default() });
    state.set_accepts_secrets(true);
    state.handle_connect(Ok(name("alice")));
    for line in ["OK SET echo on", "USER alice coordinator", "OK WHO 1"] {
        assert_eq!(receive(&mut state, line), [], "{line}");
    }
    state.handle_ready();
    state
}

/// The state of alice, who is logged in.
fn logged_in() -> ChatState {
    let mut state = alice();
    state.set_account(Some(account("alice", "correct horse")));
    state
}

fn account(raw: &str, password: &str) -> Login {
    Login { name: name(raw), credential: Credential::new(password).unwrap() }
}

fn receive(state: &mut ChatState, line: &str) -> Vec<ChatAction> {
    state.handle_line(ReceivedLine::new(line))
}

/// The account, if it has changed.
#[expect(clippy::option_option, reason = "no change, no account, or an account")]
fn change(state: &mut ChatState) -> Option<Option<&Login>> {
    if state.take_account_change() { Some(state.account()) } else { None }
}

fn dialog(state: &ChatState, line: &str) -> Result<SecretDialog, String> {
    state.secret_dialog(line).expect("a command that needs a password")
}

/// Types a command and the answers. Returns the actions that send it.
fn type_in(state: &mut ChatState, line: &str, answers: &[&str]) -> Vec<ChatAction> {
    let mut dialog = dialog(state, line).unwrap();
    for answer in answers {
        match dialog.answer(answer) {
            DialogStep::Ask(next) => dialog = next,
            DialogStep::Send(request) => {
                assert_eq!(state.queue_account_request(request), None);
                return state.handle_waiting().unwrap();
            }
            DialogStep::End(why) => panic!("{why}"),
        }
    }
    panic!("more questions");
}

#[test]
fn account_commands_change_the_login() {
    let mut state = alice();
    assert_eq!(change(&mut state), None);
    let sent = type_in(&mut state, "/register", &["correct horse", "correct horse"]);
    assert_eq!(sent, [send("REGISTER correct horse")]);
    assert_eq!(change(&mut state), None, "the server has not replied");
    let shown = receive(&mut state, "OK REGISTER alice");
    assert_eq!(shown, [note("alice is your account now: its password is needed to take the nickname")]);
    assert_eq!(change(&mut state), Some(Some(&account("alice", "correct horse"))));
    assert_eq!(change(&mut state), None, "it is taken once");
    // The new password follows the login with the old one.
    let sent = type_in(&mut state, "/password", &["correct horse", "staple staple", "staple staple"]);
    assert_eq!(sent, [send("LOGIN alice correct horse")]);
    assert_eq!(receive(&mut state, "OK LOGIN alice"), [send("PASSWORD staple staple")]);
    let changed = "the password is changed; access tokens remain valid: /token list shows them";
    assert_eq!(receive(&mut state, "OK PASSWORD"), [note(changed)]);
    assert_eq!(change(&mut state), Some(Some(&account("alice", "staple staple"))));
    let sent = type_in(&mut state, "/unregister", &["staple staple"]);
    assert_eq!(sent, [send("UNREGISTER staple staple")]);
    let deleted = "the account alice is deleted; nobody can take the nickname for 30 days";
    assert_eq!(receive(&mut state, "OK UNREGISTER alice"), [note(deleted)]);
    assert_eq!(change(&mut state), Some(None));
}

/// Otherwise the server would accept the new password without the old one, shortly after a login.
#[test]
fn refused_password_sends_no_new_one() {
    let mut state = logged_in();
    type_in(&mut state, "/password", &["incorrect horse", "staple staple", "staple staple"]);
    let refused = "ERR LOGIN password-wrong the name or the password is wrong; write: LOGIN name password";
    assert_eq!(receive(&mut state, refused), [warn("the name or the password is wrong; type: /login [name]")]);
    assert_eq!(change(&mut state), None);
    assert_eq!(state.handle_input("hi"), [send("MSG hi")]);
    assert_eq!(receive(&mut state, "OK MSG 1").len(), 1);
}

#[test]
fn login_takes_the_nickname_of_the_account() {
    let mut state = alice();
    assert_eq!(type_in(&mut state, "/login carol", &["correct horse"]), [send("LOGIN carol correct horse")]);
    let shown = receive(&mut state, "OK LOGIN carol");
    let named = note("you are carol; /help lists the commands");
    assert_eq!(shown, [note("you are logged in to the account carol"), named.clone(), send("WHO")]);
    assert_eq!(change(&mut state), Some(Some(&account("carol", "correct horse"))));
    // With another nickname, the user is still logged in. Another login takes the nickname of the account again.
    receive(&mut state, "OK WHO 0");
    state.handle_input("/nick al");
    receive(&mut state, "OK NICK al");
    receive(&mut state, "OK WHO 0");
    assert_eq!(type_in(&mut state, "/login", &["correct horse"]), [send("LOGIN carol correct horse")]);
    let shown = receive(&mut state, "OK LOGIN carol");
    assert_eq!(shown, [note("you are logged in to the account carol"), named, send("WHO")]);
    receive(&mut state, "OK WHO 0");
    type_in(&mut state, "/login", &["correct horse"]);
    assert_eq!(receive(&mut state, "OK LOGIN carol"), [note("you are logged in to the account carol")]);
    let in_use = "ERR LOGIN account-in-use another connection uses the account bob; to close that one, write: TAKEOVER name \
                  password";
    type_in(&mut state, "/login bob", &["correct horse"]);
    let expected = "another connection uses the account bob; to close that one, type: /takeover [name]";
    assert_eq!(receive(&mut state, in_use), [warn(expected)]);
    let mut state = alice();
    assert_eq!(type_in(&mut state, "/takeover", &["correct horse"]), [send("TAKEOVER alice correct horse")]);
}

#[test]
fn access_tokens_are_made_listed_and_revoked() {
    let mut state = logged_in();
    let sent = type_in(&mut state, "/token new build server", &["correct horse"]);
    assert_eq!(sent, [send("LOGIN alice correct horse")]);
    assert_eq!(receive(&mut state, "OK LOGIN alice"), [send("TOKEN new build server")]);
    let made = "OK TOKEN new 1 cwt_0123456789abcdef0123456789abcdef expires=2027-02-28T12:44:29.138Z";
    let expected =
        "access token 1: cwt_0123456789abcdef0123456789abcdef (valid until 2027-02-28; it is not shown again)";
    assert_eq!(receive(&mut state, made), [note(expected)]);
    assert_eq!(state.handle_input("/token list"), [send("TOKEN list")]);
    let listed =
        "TOKEN 1 created=2026-11-30T12:44:29.138Z expires=2027-02-28T12:44:29.138Z used=2026-12-01 build server";
    let expected = "access token 1, build server: made on 2026-11-30, valid until 2027-02-28, last used on 2026-12-01";
    assert_eq!(receive(&mut state, listed), [note(expected)]);
    assert_eq!(receive(&mut state, "OK TOKEN list 1"), [note("1 access token")]);
    type_in(&mut state, "/token revoke 1", &["correct horse"]);
    assert_eq!(receive(&mut state, "OK LOGIN alice"), [send("TOKEN revoke 1")]);
    assert_eq!(receive(&mut state, "OK TOKEN revoke 1"), [note("access token 1 is no longer valid")]);
}

/// The password is asked for only where it can be sent, and sent only there.
#[test]
fn password_is_for_private_connections_to_servers_with_accounts() {
    let insecure = "not sent: others may read this connection: connect with --tls, through a Unix socket, or through an SSH \
                    tunnel";
    let mut state = logged_in();
    let DialogStep::Send(request) = dialog(&state, "/login").unwrap().answer("correct horse") else {
        panic!("a request")
    };
    assert_eq!(state.queue_account_request(request.clone()), None);
    state.set_accepts_secrets(false);
    assert_eq!(state.handle_waiting(), Some(vec![warn(insecure)]), "the connection is another one now");
    assert_eq!(state.queue_account_request(request.clone()).as_deref(), Some(insecure));
    assert_eq!(dialog(&state, "/register").unwrap_err(), insecure);
    state.set_accepts_secrets(true);
    state.set_features(Features::default());
    assert!(dialog(&state, "/login").unwrap_err().starts_with("not sent: this server has no accounts"));
    state.handle_disconnect();
    assert_eq!(dialog(&state, "/login").unwrap_err(), "not sent (no connection): /login");
    assert_eq!(state.queue_account_request(request).as_deref(), Some("not sent (no connection): /login"));
    let state = alice();
    for line in ["/password", "/unregister", "/token new x"] {
        let why = dialog(&state, line).unwrap_err();
        assert_eq!(why, "not sent: you are not logged in; type: /login [name]", "{line}");
    }
    assert!(state.secret_dialog("/token list").is_none() && state.secret_dialog("login please").is_none());
}

/// Nothing that the client shows has a password.
#[test]
fn lost_account_command_is_reported_without_its_password() {
    let mut state = alice();
    type_in(&mut state, "/login bob", &["correct horse"]);
    assert_eq!(state.handle_disconnect(), [warn("Server disconnected."), warn("perhaps not sent: /login bob")]);
    let mut state = alice();
    let DialogStep::Send(request) = dialog(&state, "/login bob").unwrap().answer("correct horse") else {
        panic!("a request")
    };
    state.queue_account_request(request);
    assert_eq!(state.waiting().collect::<Vec<_>>(), ["/login bob"]);
    assert!(!format!("{state:?}").contains("horse"));
    // Without a terminal, nobody can be asked.
    let shown = state.handle_input("/login bob");
    assert!(
        matches!(&shown[..], [ChatAction::Show(DisplayItem::Warning(why))] if why.starts_with("not sent: /login bob ("))
    );
}

#[test]
fn displaced_guest_takes_another_nickname() {
    let mut state = alice();
    // Another member, or a member of another name, is displaced.
    for line in ["LEAVE bob displaced", "LEAVE alice displaced", "LEAVE bob displaced the owner of your name logged in"]
    {
        assert_eq!(receive(&mut state, line).len(), 1);
        assert_eq!(state.phase, ConnectionPhase::Ready, "{line}");
    }
    let shown = receive(&mut state, "LEAVE alice displaced the owner of your name logged in; write: NICK name");
    let expected =
        "you have no nickname now: its owner has logged in; log in with /login, or choose another and type: /nick name";
    assert_eq!(shown, [warn(expected)]);
    assert_eq!(state.phase, ConnectionPhase::Nameless);
    state.handle_input("/nick al");
    assert_eq!(receive(&mut state, "OK NICK al"), [note("you are al; /help lists the commands"), send("WHO")]);
    assert_eq!(state.phase, ConnectionPhase::CatchingUp);
}
