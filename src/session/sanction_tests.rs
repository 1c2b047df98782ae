//! Tests of bans and mutes: whom they concern, every way around them, and when they end.

use super::login_tests::{ELSEWHERE, HOME, Server, peer};
use super::moderation_tests::{log_in, name, reply, server};
use super::{InputKind, Output};
use crate::command::ServerLine;
use crate::protocol::{SanctionTarget, Secret, Timestamp};
use crate::session::tests::resumable;
use crate::state::{AccountUpdate, Moderation, SharedState};

/// A connection from this address takes a nickname.
fn join_from(server: &mut Server, session: u64, address: [u8; 4], nick: &str) -> Vec<String> {
    server.connect(session, address);
    server.send(session, &format!("NICK {nick}"))
}

/// The code of the last reply.
fn code(server: &mut Server, session: u64, line: &str) -> String {
    let reply = reply(server, session, line);
    reply.split(" ERR ").nth(1).and_then(|error| error.split(' ').nth(1)).map_or(reply.clone(), str::to_owned)
}

#[test]
fn banned_nickname_cannot_be_taken_in_any_way() {
    let mut server = server();
    let out = server.send(2, "BAN bob 1h spam");
    assert_eq!(out.last().unwrap(), "2< OK BAN 1 bob");
    assert!(out.contains(&"3< ERR - banned you were banned from the server by olga: spam".to_owned()), "{out:?}");
    assert!(out.contains(&"*- LEAVE bob banned by olga: spam in 1".to_owned()), "{out:?}");
    let refused = "5< ERR NICK banned you are banned from this server until 1970-01-01 01:00 UTC: spam";
    // Case-folded, in another width, and a look-alike.
    for nick in ["bob", "BOB", "ｂｏｂ", "b\u{43e}b"] {
        server.connect(5, HOME);
        assert_eq!(server.send(5, &format!("NICK {nick}")), [refused], "{nick}");
        server.apply(5, InputKind::EndOfInput);
        server.apply(5, InputKind::Disconnected(crate::protocol::LeaveReason::Eof));
    }
    assert_eq!(code(&mut server, 4, "NICK bob"), "banned", "by a rename");
    assert!(join_from(&mut server, 6, HOME, "rob")[0].starts_with("*- JOIN rob"));
    server.tick(3600);
    assert!(
        server.send(4, "NICK bob").contains(&"*- RENAME carol bob, for 4 OK NICK bob".to_owned()),
        "it ends by itself"
    );
}

#[test]
fn banned_account_cannot_log_in_or_resume() {
    let mut server = server();
    server.add_account("mia", "hunter44");
    server.connect(5, HOME);
    server.apply(5, resumable(Secret::new([7; 16])));
    server.run(5, "LOGIN mia hunter44");
    server.apply(5, InputKind::Disconnected(crate::protocol::LeaveReason::Lost));
    let out = server.send(2, "BAN mia");
    assert!(out.contains(&"*- LEAVE mia banned by olga".to_owned()), "a detached member, too: {out:?}");
    server.connect(6, ELSEWHERE);
    assert_eq!(server.run(6, "LOGIN mia hunter44"), ["6< ERR LOGIN banned you are banned from this server"]);
    let token = crate::protocol::ResumeToken { id: 5, secret: Secret::new([7; 16]) };
    assert_eq!(code(&mut server, 6, &format!("RESUME {token}")), "token-unknown");
    assert_eq!(reply(&mut server, 2, "UNBAN mia"), "2< OK UNBAN 1 mia");
    assert!(server.run(6, "LOGIN mia hunter44").contains(&"6< OK LOGIN mia".to_owned()));
}

#[test]
fn ban_of_a_connection_ends_all_of_its_sessions() {
    let mut server = server();
    server.connect(5, ELSEWHERE);
    server.send(5, "NICK eve");
    server.connect(6, ELSEWHERE);
    server.send(6, "WATCH");
    server.connect(7, ELSEWHERE);
    let out = server.send(2, "BAN @eve flooding");
    assert_eq!(out.last().unwrap(), "2< OK BAN 1 @eve");
    for session in 5..=7 {
        assert!(out.contains(&format!("{session} removed")), "{session}: {out:?}");
    }
    let farewell = "7< ERR - banned your address is banned from this server: flooding";
    assert!(out.contains(&farewell.to_owned()), "{out:?}");
    assert!(!out.iter().any(|line| line.contains("10.0.0.2")), "nobody learns the address: {out:?}");
    // A connection that was admitted before the ban.
    let late = server.apply(8, InputKind::Connect(peer(ELSEWHERE)));
    assert_eq!(late[0], "8< ERR - banned your address is banned from this server: flooding");
    assert_eq!(&late[1..], ["8 closed", "8 removed"]);
    server.send(2, "UNBAN @eve");
    assert!(join_from(&mut server, 9, ELSEWHERE, "eve")[0].starts_with("*- JOIN eve"));
}

#[test]
fn operator_bans_a_network_and_moderators_do_not_learn_it() {
    let mut server = server();
    server.connect(5, ELSEWHERE);
    server.send(5, "NICK eve");
    server.send(5, "JOIN #ops");
    for (line, expected) in [
        ("BAN 127.0.0.0/8", "address-refused"),
        ("BAN ::1", "address-refused"),
        ("BAN 0.0.0.0/0", "address-refused"),
        ("BAN 10.0.0.2/24", "address-refused"),
        // That of the operator.
        ("BAN 10.0.0.0/24", "target-self"),
        ("BAN bob 7x", "duration-invalid"),
        ("BAN bob 99999w", "duration-invalid"),
        ("BAN @olga", "target-self"),
        ("UNBAN 7", "ban-unknown"),
        ("UNBAN bob", "ban-unknown"),
    ] {
        assert_eq!(code(&mut server, 2, line), expected, "{line}");
    }
    assert_eq!(code(&mut server, 1, "#ops BAN 10.0.0.2"), "not-moderator");
    let out = server.send(2, "#ops BAN 10.0.0.2");
    assert!(out.contains(&"*- BAN olga - until=never in 1".to_owned()), "{out:?}");
    assert!(out.contains(&"5 follows no more in 1".to_owned()), "{out:?}");
    assert_eq!(code(&mut server, 5, "JOIN #ops"), "banned");
    assert_eq!(code(&mut server, 5, "MSG hi"), "*1 MSG eve hi, for 5 OK MSG 1", "only from the room");
    let listed = |server: &mut Server, session| server.send(session, "#ops BANS");
    let created = "created=1970-01-01T00:00:00.000Z until=never";
    assert_eq!(listed(&mut server, 2)[0], format!("2< #ops SANCTION 1 ban 10.0.0.2 by=olga {created}"));
    assert_eq!(
        listed(&mut server, 1),
        [format!("1< #ops SANCTION 1 ban - by=olga {created}"), "1< #ops OK BANS 1".to_owned()]
    );
    assert_eq!(code(&mut server, 3, "#ops BANS"), "not-moderator");
    // A moderator may lift it by its number.
    assert_eq!(reply(&mut server, 1, "#ops UNBAN 1"), "1< #ops OK UNBAN 1 -");
}

#[test]
fn ban_from_a_room_concerns_that_room_only() {
    let mut server = server();
    let out = server.send(1, "#ops BAN bob 10m");
    let until = "until=1970-01-01T00:10:00.000Z";
    assert_eq!(out[0], format!("*- BAN alice bob {until} in 1"));
    assert_eq!(out.last().unwrap(), "1< #ops OK BAN 1 bob");
    let refused = "3< ERR JOIN banned you are banned from #ops until 1970-01-01 00:10 UTC";
    assert_eq!(server.send(3, "JOIN #ops"), [refused]);
    assert!(server.send(3, "MSG still here")[0].starts_with("*1 MSG bob"));
    // A renamed guest is another one, but may not take the name in the room.
    server.send(3, "NICK robert");
    assert!(server.send(3, "JOIN #ops")[0].starts_with("3< OK JOIN"));
    assert_eq!(code(&mut server, 3, "NICK bob"), "banned");
    // As the first room.
    server.connect(5, HOME);
    assert_eq!(code(&mut server, 5, "NICK bob #ops"), "banned");
}

#[test]
fn higher_ranks_are_neither_banned_nor_muted() {
    let mut server = server();
    for (session, line, expected) in [
        (1, "#ops BAN olga", "target-protected"),
        (1, "#ops MUTE olga", "target-protected"),
        (1, "#ops BAN alice", "target-self"),
        (3, "#ops BAN carol", "not-moderator"),
        (3, "#ops MUTE carol", "not-moderator"),
        (1, "BAN bob", "not-moderator"),
    ] {
        assert_eq!(code(&mut server, session, line), expected, "{line}");
    }
    // The owner may be named in a ban of the server, and is exempt in its room.
    assert_eq!(reply(&mut server, 2, "#ops BAN alice"), "2< #ops OK BAN 1 alice");
    assert!(server.send(1, "#ops MSG still here")[0].starts_with("*1 MSG alice"));
    assert_eq!(reply(&mut server, 2, "#ops MUTE alice"), "2< #ops OK MUTE 2 alice");
    assert!(server.send(1, "#ops MSG and heard")[0].starts_with("*2 MSG alice"));
}

#[test]
fn ban_takes_effect_with_the_end_of_the_rank() {
    let mut server = server();
    server.add_account("mia", "hunter44");
    log_in(&mut server, 5, "mia", "hunter44");
    server.send(5, "JOIN #ops");
    server.send(1, "#ops MODERATOR mia on");
    assert_eq!(server.send(2, "#ops BAN mia"), ["*- BAN olga mia until=never in 1", "2< #ops OK BAN 1 mia"]);
    let out = server.send(1, "#ops MODERATOR mia off");
    let left = "*- LEAVE mia banned by olga in 1";
    assert_eq!(
        out,
        ["*- MODERATOR alice mia off in 1", left, "5 follows no more in 1", "1< #ops OK MODERATOR mia off"]
    );
}

#[test]
fn muted_member_cannot_speak_in_any_way() {
    let mut server = server();
    let out = server.send(2, "MUTE bob 1h too loud");
    let until = "until=1970-01-01T01:00:00.000Z";
    assert!(out.contains(&format!("*- MUTE olga bob {until} too loud in 1")), "{out:?}");
    assert_eq!(out.last().unwrap(), "2< OK MUTE 1 bob");
    let why = "you are muted until 1970-01-01 01:00 UTC: too loud";
    let refusals = [
        ("MSG hi", format!("3< ERR MSG muted the message was not delivered: {why}")),
        ("#ops MSG hi", format!("3< #ops ERR MSG muted the message was not delivered: {why}")),
        ("WHISPER carol hi", format!("3< ERR WHISPER muted nothing was delivered: {why}")),
        ("NICK olga_is_bad", format!("3< ERR NICK muted your name was not changed: {why}")),
        ("TOPIC olga is bad", format!("3< ERR TOPIC muted the topic was not changed: {why}")),
        ("DRAW #ff0000 9 1,2 3,4", format!("3< ERR DRAW muted nothing was drawn: {why}")),
        ("JOIN #olga_is_bad", format!("3< ERR JOIN muted no room was created: {why}")),
    ];
    for (line, expected) in refusals {
        assert_eq!(server.send(3, line), [expected], "{line}");
    }
    assert!(server.send(3, "WHO").last().unwrap().contains("OK WHO"), "it reads");
    assert_eq!(server.send(3, "PART #ops olga is bad")[0], "*- LEAVE bob part in 1, for 3 OK PART #ops");
    let out = server.send(3, "QUIT olga is bad");
    assert!(out.contains(&"*- LEAVE bob quit".to_owned()), "{out:?}");
}

/// Otherwise a guest would only have to come back, or to take another name.
#[test]
fn mute_of_a_guest_concerns_the_guests_at_its_address() {
    let mut server = server();
    server.connect(5, ELSEWHERE);
    server.send(5, "NICK eve");
    server.send(2, "MUTE eve");
    server.send(5, "QUIT");
    join_from(&mut server, 6, ELSEWHERE, "mallory");
    assert_eq!(code(&mut server, 6, "MSG hi"), "muted");
    server.connect(9, ELSEWHERE);
    let refusal = server.send(9, "NICK mallory2 #eve_is_here");
    assert_eq!(refusal, ["9< ERR NICK muted no room was created: you are muted"]);
    join_from(&mut server, 7, HOME, "eve");
    assert_eq!(code(&mut server, 7, "MSG hi"), "muted", "the nickname");
    server.add_account("mia", "hunter44");
    server.connect(8, ELSEWHERE);
    server.run(8, "LOGIN mia hunter44");
    assert!(server.send(8, "MSG hi")[0].starts_with("*1 MSG mia hi"), "accounts may speak");
    assert_eq!(reply(&mut server, 2, "UNMUTE eve"), "2< OK UNMUTE 1 eve");
    assert!(server.send(6, "MSG hi")[0].starts_with("*2 MSG mallory hi"));
}

/// Otherwise a muted guest would register an account, and speak.
#[test]
fn mute_of_a_guest_concerns_the_account_that_it_registers() {
    let mut server = server();
    join_from(&mut server, 5, ELSEWHERE, "eve");
    server.send(5, "JOIN #ops");
    server.send(2, "MUTE eve");
    server.send(1, "#ops MUTE eve");
    join_from(&mut server, 6, ELSEWHERE, "mallory");
    server.run(6, "REGISTER hunter88");
    assert_eq!(code(&mut server, 6, "MSG hi"), "muted");
    server.send(6, "QUIT");
    // Also from another address.
    server.connect(7, [192, 0, 2, 66]);
    server.run(7, "LOGIN mallory hunter88");
    assert_eq!(code(&mut server, 7, "MSG hi"), "muted");
    server.send(2, "UNMUTE eve");
    assert!(server.send(7, "MSG hi")[0].starts_with("*1 MSG mallory hi"));
    server.send(7, "JOIN #ops");
    assert_eq!(code(&mut server, 7, "#ops MSG hi"), "muted", "the mute in the room goes on");
    server.send(1, "#ops UNMUTE eve");
    assert!(server.send(7, "#ops MSG hi")[0].starts_with("*1 MSG mallory hi in 1"));
    // An account that is older than the mute, or that the operator adds, may speak.
    server.send(2, "MUTE eve");
    assert!(server.send(7, "MSG hi")[0].starts_with("*2 MSG mallory hi"));
    server.add_account("mia", "hunter44");
    server.connect(8, ELSEWHERE);
    server.run(8, "LOGIN mia hunter44");
    assert!(server.send(8, "MSG hi")[0].starts_with("*3 MSG mia hi"));
}

/// Otherwise it would only have to come back without its account.
#[test]
fn mute_of_an_account_concerns_the_guests_at_its_address() {
    let mut server = server();
    server.add_account("mia", "hunter44");
    server.connect(5, ELSEWHERE);
    server.run(5, "LOGIN mia hunter44");
    server.send(2, "MUTE mia");
    server.send(5, "QUIT");
    join_from(&mut server, 6, ELSEWHERE, "eve");
    assert_eq!(code(&mut server, 6, "MSG hi"), "muted");
    join_from(&mut server, 7, [192, 0, 2, 66], "zoe");
    assert!(server.send(7, "MSG hi")[0].starts_with("*1 MSG zoe hi"));
}

#[test]
fn watcher_that_a_ban_from_the_room_ends_reads_it() {
    let mut server = server();
    for session in [5, 6] {
        server.connect(session, ELSEWHERE);
        server.send(session, "WATCH #ops");
    }
    join_from(&mut server, 7, ELSEWHERE, "eve");
    server.send(7, "JOIN #ops");
    let out = server.send(1, "#ops BAN @eve spam");
    for session in [5, 6] {
        let notice = format!("{session}< NOTICE you do not watch any more: you are banned from #ops: spam");
        let at = |line: &str| out.iter().position(|other| other == line);
        assert!(at(&notice).is_some() && at(&notice) < at(&format!("{session} follows no more in 1")), "{out:?}");
    }
}

/// The store is closed then, and the operator would wait for its reply.
#[test]
fn command_of_the_operator_after_the_stop_is_refused() {
    let mut server = server();
    server.apply(0, InputKind::Shutdown);
    let kick = Moderation::Kick { room: None, name: name("bob"), reason: None };
    let refusal = "operator< ERR KICK not-stored nothing was changed: the server is shutting down";
    assert_eq!(server.apply(0, InputKind::Moderate(kick)), [refusal]);
}

/// The member had another address each time.
#[test]
fn repeated_sanction_keeps_the_former_addresses() {
    let mut server = server();
    for (session, address) in [(5, ELSEWHERE), (6, [192, 0, 2, 66])] {
        join_from(&mut server, session, address, "troll");
        assert!(reply(&mut server, 2, "BAN @troll").starts_with("2< OK BAN "));
    }
    for address in [ELSEWHERE, [192, 0, 2, 66]] {
        let network = address.map(|byte| byte.to_string()).join(".").parse().unwrap();
        assert!(server.sessions.state().ban_of_network(network, Timestamp(0)).is_some(), "{address:?}");
    }
}

/// It took the name before the account had it.
#[test]
fn guest_with_the_name_of_an_account_is_banned_and_muted() {
    let mut server = server();
    join_from(&mut server, 5, ELSEWHERE, "mia");
    server.add_account("mia", "hunter44");
    server.send(2, "MUTE mia");
    assert_eq!(code(&mut server, 5, "MSG hi"), "muted");
    let out = server.send(2, "BAN mia");
    assert!(out.iter().any(|line| line.contains("LEAVE mia banned")), "{out:?}");
}

/// Otherwise it would be the way out of a ban or a mute.
#[test]
fn sanction_of_a_deleted_account_concerns_its_nickname() {
    let mut server = server();
    server.add_account("mia", "hunter44");
    log_in(&mut server, 5, "mia", "hunter44");
    server.send(2, "MUTE mia");
    server.send(2, "#ops BAN mia");
    let mia = server.sessions.state().accounts().find(&name("mia")).unwrap().id;
    server.change_account(AccountUpdate::Delete { account: mia, generation: None });
    assert_eq!(code(&mut server, 5, "MSG free"), "muted");
    assert_eq!(code(&mut server, 5, "JOIN #ops"), "banned");
}

/// It looks like an address.
#[test]
fn any_nickname_can_be_muted() {
    let mut server = server();
    join_from(&mut server, 5, ELSEWHERE, "192.0.2.1/24");
    assert_eq!(reply(&mut server, 2, "MUTE 192.0.2.1/24"), "2< OK MUTE 1 192.0.2.1/24");
    assert_eq!(code(&mut server, 5, "MSG hi"), "muted");
    let snapshot = server.sessions.state().snapshot();
    assert_eq!(SharedState::restore(&snapshot).unwrap().snapshot(), snapshot);
    let listed = server.send(2, "BANS").remove(0);
    let Some(ServerLine::Sanction(listed)) = ServerLine::parse(listed.trim_start_matches("2< ")) else {
        panic!("{listed}")
    };
    assert_eq!(listed.target, Some(SanctionTarget::Name(name("192.0.2.1/24"))));
    assert_eq!(reply(&mut server, 2, "UNMUTE 192.0.2.1/24"), "2< OK UNMUTE 1 192.0.2.1/24");
}

#[test]
fn mute_in_a_room_concerns_what_its_members_read() {
    let mut server = server();
    server.send(1, "#ops MUTE bob");
    assert_eq!(code(&mut server, 3, "#ops MSG hi"), "muted");
    assert_eq!(code(&mut server, 3, "NICK robert"), "muted", "the members would read the new name");
    assert_eq!(code(&mut server, 3, "WHISPER carol hi"), "muted", "carol is in the room");
    assert!(server.send(3, "MSG hi")[0].starts_with("*1 MSG bob hi"), "the lobby is another room");
    server.send(3, "PART #ops");
    assert_eq!(code(&mut server, 3, "WHISPER carol hi"), "muted", "carol is still in the room");
    server.send(3, "JOIN #ops");
    server.send(4, "PART #ops");
    assert!(server.send(3, "WHISPER carol hi").contains(&"3< OK WHISPER carol".to_owned()));
    assert!(server.send(3, "JOIN #mine")[0].starts_with("3< OK JOIN #mine"));
    let out = server.send(1, "#ops UNMUTE bob");
    assert_eq!(out, ["*- UNMUTE alice bob in 1", "1< #ops OK UNMUTE 1 bob"]);
    assert!(server.send(3, "#ops MSG hi")[0].starts_with("*1 MSG bob hi in 1"));
}

#[test]
fn new_ban_of_the_same_target_replaces_the_old_one() {
    let mut server = server();
    server.send(2, "BAN eve 1h");
    assert_eq!(reply(&mut server, 2, "BAN EVE 2h again"), "2< OK BAN 2 EVE");
    let listed = server.send(2, "BANS");
    assert_eq!(listed.len(), 2, "{listed:?}");
    assert!(
        listed[0].contains(" SANCTION 2 ban EVE by=olga ")
            && listed[0].ends_with("until=1970-01-01T02:00:00.000Z again")
    );
    // Both end.
    server.tick(7200);
    assert_eq!(server.send(2, "BANS"), ["2< OK BANS 0"]);
    assert!(server.sessions.state().sanctions().is_empty());
}

/// The listeners refuse banned networks, and must learn of each change.
#[test]
fn listeners_learn_which_networks_are_banned() {
    let mut server = server();
    let mut changes = |line: &str| -> Vec<String> {
        let out = server.outputs(2, line);
        let change = |output: Output| match output {
            Output::BanNetwork(network, end) => Some(format!("{network} {end:?}")),
            _ => None,
        };
        out.into_iter().filter_map(change).collect()
    };
    assert_eq!(changes("BAN 192.0.2.0/24"), ["192.0.2.0/24 Some(NetworkBan { until: None, reason: None })"]);
    let until = "192.0.2.0/24 Some(NetworkBan { until: Some(Timestamp(60000)), reason: None })";
    assert_eq!(changes("BAN 192.0.2.0/24 1m"), [until, until]);
    assert_eq!(changes("UNBAN 192.0.2.0/24"), ["192.0.2.0/24 None"]);
    assert_eq!(changes("#ops BAN 192.0.2.0/24"), [""; 0], "only from a room");
    assert_eq!(changes("BAN eve"), [""; 0]);
}
