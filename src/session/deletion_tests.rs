//! Tests of `DELETE`: who may delete what, and what each side reads.

use super::InputKind;
use super::login_tests::{ELSEWHERE, HOME, Server};
use super::moderation_tests::{log_in, reply, server};
use crate::protocol::{AccountId, LeaveReason, MessageId};
use crate::state::{Author, MemberId, RoomId};

/// The ids of the messages of the lobby in memory, and whether they have texts.
fn messages(server: &Server) -> Vec<(u64, bool)> {
    let history = server.sessions.state().room(RoomId::LOBBY).unwrap().history().messages();
    history.range(history.all()).map(|message| (message.past.id.0, message.past.text.is_some())).collect()
}

const NOT_AUTHOR: &str = "message 1 is not yours; its author and the moderators of the room can delete it";

#[test]
fn author_deletes_a_message() {
    let mut server = server();
    server.send(3, "MSG my number is 555-0123");
    assert_eq!(server.send(4, "DELETE 1"), [format!("4< ERR DELETE not-author {NOT_AUTHOR}")]);
    assert_eq!(messages(&server), [(1, true)]);
    assert_eq!(server.send(3, "DELETE 1"), ["*- DELETE bob 1", "3< OK DELETE 1"]);
    assert_eq!(messages(&server), [(1, false)]);
    assert_eq!(server.send(3, "DELETE 1"), ["3< OK DELETE 1"], "nothing changes");
    assert!(reply(&mut server, 4, "DELETE 1").contains(" not-author "));
    for id in ["0", "2", "18446744073709551615"] {
        let unknown = format!("3< ERR DELETE message-unknown there is no message {id}; write: HISTORY [count]");
        assert_eq!(server.send(3, &format!("DELETE {id}")), [unknown]);
    }
}

#[test]
fn next_member_with_the_nickname_is_not_the_author() {
    let mut server = server();
    server.send(3, "MSG hi");
    server.apply(3, InputKind::Disconnected(LeaveReason::Lost));
    server.connect(5, HOME);
    assert!(server.send(5, "NICK bob").contains(&"5< OK NICK bob".to_owned()));
    assert_eq!(server.send(5, "DELETE 1"), [format!("5< ERR DELETE not-author {NOT_AUTHOR}")]);
    let author = |server: &Server, id| {
        let history = server.sessions.state().room(RoomId::LOBBY).unwrap().history();
        history.get(MessageId(id)).unwrap().author
    };
    assert_eq!(author(&server, 1), Author { member: Some(MemberId(3)), account: None });
    server.send(1, "MSG hi");
    assert_eq!(author(&server, 2).account, Some(AccountId(1)));
}

#[test]
fn account_deletes_messages_of_its_earlier_connection() {
    let mut server = server();
    server.send(1, "MSG hi");
    server.apply(1, InputKind::Disconnected(LeaveReason::Lost));
    server.connect(5, ELSEWHERE);
    log_in(&mut server, 6, "alice", "hunter22");
    assert_eq!(server.send(6, "DELETE 1"), ["*- DELETE alice 1", "6< OK DELETE 1"]);
}

#[test]
fn moderators_delete_any_message_of_their_room() {
    let mut server = server();
    server.send(3, "MSG in the lobby");
    server.send(3, "#ops MSG in ops");
    // alice owns #ops, and has no rank in the lobby.
    assert!(reply(&mut server, 1, "DELETE 1").contains(" not-author "));
    assert_eq!(server.send(1, "#ops DELETE 1"), ["*- DELETE alice 1 in 1", "1< #ops OK DELETE 1"]);
    // Without a room, an operator's DELETE is about the home.
    assert_eq!(server.send(2, "DELETE 1"), ["*- DELETE olga 1", "2< OK DELETE 1"]);
    assert_eq!(messages(&server), [(1, false)]);
    server.send(3, "#ops MSG again");
    server.send(2, "PART #ops");
    assert!(reply(&mut server, 2, "#ops DELETE 2").contains(" not-in-room "));
}

#[test]
fn muted_author_deletes_a_message() {
    let mut server = server();
    server.send(3, "MSG sorry");
    server.send(2, "MUTE bob");
    assert_eq!(server.send(3, "DELETE 1"), ["*- DELETE bob 1", "3< OK DELETE 1"]);
}
