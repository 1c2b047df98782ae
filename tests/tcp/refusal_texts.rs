//! The bytes of each refusal, in both modes. Only the commands in the hint differ between the modes.

use std::collections::BTreeSet;

use chinwag::command::ServerLine;
use chinwag::protocol::{ErrorCode, ErrorField, MessageId};

use crate::common::{Client, EPOCH, Server};

/// Codes that a member cannot cause by a line on a server without a store, and the tests that check their bytes.
const ELSEWHERE: [ErrorCode; 50] = [
    // session::shared_log_tests
    ErrorCode::ClusterUnavailable,
    ErrorCode::IdleTimeout,   // session::tests
    ErrorCode::NameTimeout,   // transports::timeouts
    ErrorCode::NotStored,     // store::faults, store::waiting
    ErrorCode::ProxyExpected, // proxy
    ErrorCode::Resumed,       // transcripts: RESUME
    ErrorCode::SearchTimeout, // server::store_pages::tests
    ErrorCode::ServerFull,    // tcp::admission
    ErrorCode::Slow,          // transports::slow_consumers
    ErrorCode::StoreFailed,   // store::faults
    ErrorCode::TooManyErrors, // transports::endings
    ErrorCode::TlsExpected,   // tls
    ErrorCode::WrongProtocol, // tcp::other_protocols
    // session::login_tests
    ErrorCode::AccountsTooFast,
    ErrorCode::LoginRequired,
    ErrorCode::LoginTooOld,
    ErrorCode::RegistrationClosed,
    ErrorCode::TakenOver,
    // command::rejection
    ErrorCode::AccountInUse,
    ErrorCode::AccountsFull,
    ErrorCode::AlreadyLoggedIn,
    ErrorCode::NameRegistered,
    ErrorCode::NameResting,
    ErrorCode::TokensTooMany,
    // accounts::limits
    ErrorCode::Busy,
    // transcripts: PASSWORD
    ErrorCode::NotLoggedIn,
    // session::password_tests
    ErrorCode::Insecure,
    ErrorCode::PasswordInvalid,
    ErrorCode::PasswordRequired,
    ErrorCode::SecretRefused,
    ErrorCode::TooManyAttempts,
    // session::moderation_tests, session::sanction_tests
    ErrorCode::Banned,
    ErrorCode::Kicked,
    ErrorCode::Muted,
    ErrorCode::TargetProtected,
    // state::moderation_tests, transcripts: MODERATOR, UNMUTE
    ErrorCode::AccountUnknown,
    ErrorCode::BanUnknown,
    ErrorCode::BansTooMany,
    ErrorCode::InvitationsTooMany,
    ErrorCode::ModeratorsTooMany,
    // session::lock_tests
    ErrorCode::RoomLocked,
    // session::chat_tests
    ErrorCode::RoomAmbiguous,
    // session::room_tests
    ErrorCode::NotInRoom,
    ErrorCode::RoomAlike,
    ErrorCode::RoomUnexpected,
    ErrorCode::RoomsFull,
    ErrorCode::RoomsTooFast,
    ErrorCode::RoomsTooMany,
    ErrorCode::VerbMissing,
    ErrorCode::WatchOff,
];

const WHISPER: [&str; 2] = ["WHISPER name[,name...] text", "/msg name[,name...] text"];

/// Lines, and the text after `ERR`. `~` stands for the slash of chat mode, `{whisper}` for the usage of `WHISPER`. In chat mode, the text
/// of `MSG` is sent without the verb.
const REFUSALS: [(&str, &str); 75] = [
    ("PASS", "PASS password-missing the password is missing¦; write: ~PASS password"),
    ("PASS hunter2", "PASS password-unexpected this server needs no password"),
    ("PASS {longest token}", "PASS password-wrong the password is wrong¦; write: ~PASS password"),
    ("NICK", "NICK name-missing the name is missing¦; write: ~NICK name"),
    ("NICK a,b", "NICK name-invalid a name cannot contain a comma¦; write: ~NICK name"),
    (
        "NICK abcdefghijklmnopqrstuvwxyz0123456",
        "NICK name-too-long the name has 33 characters: expected at most 32¦; write: ~NICK name",
    ),
    ("NICK alice", "NICK name-taken alice is taken¦; choose another and write: ~NICK name"),
    (
        "NICK ALICE",
        "NICK name-taken ALICE is the same name as alice, which is taken¦; choose another and write: ~NICK name",
    ),
    (
        "NICK аlice",
        "NICK name-alike аlice looks too much like alice, which is taken¦; choose another and write: ~NICK name",
    ),
    ("RESUME", "RESUME token-missing the token is missing¦; write: ~RESUME token"),
    ("RESUME a b", "RESUME argument-unexpected unexpected argument after the token¦; write: ~RESUME token"),
    ("RESUME 1-0a", "RESUME token-unknown the resume token is invalid or has expired¦; write: ~NICK name"),
    (
        "RESUME cwt_0123456789abcdef0123456789abcdef",
        "RESUME token-unknown this is an access token, not one from SET resume on¦; write: ~LOGIN name password",
    ),
    (
        "RESUME 1-00000000000000000000000000000000",
        "RESUME already-named you are already carol¦; to resume a session, send RESUME on a new connection, instead of NICK",
    ),
    ("LOGIN", "LOGIN name-missing the name is missing¦; write: ~LOGIN name password"),
    ("LOGIN alice", "LOGIN password-missing the password is missing¦; write: ~LOGIN name password"),
    (
        "LOGIN a,b hunter22",
        "LOGIN name-invalid the name is not one that a member can have¦; write: ~LOGIN name password",
    ),
    (
        "LOGIN alice hunter22",
        "LOGIN accounts-off this server has no accounts¦ (to enable them, start chinwagd with --data PATH)",
    ),
    (
        "REGISTER short",
        "REGISTER accounts-off this server has no accounts¦ (to enable them, start chinwagd with --data PATH)",
    ),
    (
        "TOKEN cwt",
        "TOKEN option-unknown expected new, list or revoke after TOKEN¦; write: ~TOKEN new [days=count] label, or ~TOKEN list, or ~TOKEN revoke number",
    ),
    ("TOKEN revoke x", "TOKEN number-invalid the number of the token is not valid¦; ~TOKEN list shows the numbers"),
    (
        "TOKEN new days=400 build",
        "TOKEN number-invalid invalid number of days: expected 1 to 366 after days=¦; write: ~TOKEN new [days=count] label, or ~TOKEN list, or ~TOKEN revoke number",
    ),
    (
        "TOKEN revoke 4294967296",
        "TOKEN number-invalid the number of the token is not valid¦; ~TOKEN list shows the numbers",
    ),
    (
        "TOKEN new build Days=30",
        "TOKEN argument-unexpected days= comes before the label, and once¦; write: ~TOKEN new [days=count] label, or ~TOKEN list, or ~TOKEN revoke number",
    ),
    ("JOIN", "JOIN room-missing the name of a room is missing¦; write: ~JOIN #room[,#room...]"),
    ("PART ops", "PART room-invalid a room's name begins with '#'¦; write: ~PART #room [reason]"),
    (
        "WATCH",
        "WATCH already-named you are already carol: WATCH is for clients without a name¦; write: ~JOIN #room[,#room...]",
    ),
    ("WHISPER", "WHISPER target-missing a name is missing¦; write: {whisper}, with no space in the list"),
    ("WHISPER alice, psst", "WHISPER target-missing a name is missing¦; write: {whisper}, with no space in the list"),
    ("WHISPER alice", "WHISPER text-missing the text is missing¦; write: {whisper}"),
    ("WHISPER carol psst", "WHISPER target-self carol is your own name; nothing was delivered"),
    ("WHISPER dave psst", "WHISPER target-absent dave is not here; nothing was delivered¦; ~WHO lists names"),
    ("WHISPER @dave psst", "WHISPER target-absent @dave is not here; nothing was delivered¦; ~WHO lists names"),
    (
        "WHISPER a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a psst",
        "WHISPER targets-too-many 33 names: expected at most 32; nothing was delivered",
    ),
    ("WHO else", "WHO argument-unexpected unexpected argument 'else'¦; write: ~WHO"),
    ("HISTORY some", "HISTORY number-invalid invalid number 'some'¦; write: ~HISTORY [count]"),
    ("HISTORY 1 2", "HISTORY argument-unexpected unexpected argument '2'¦; write: ~HISTORY [count]"),
    ("SINCE", "SINCE number-invalid the number is missing¦; write: ~SINCE id [epoch]"),
    ("SINCE 1 a b", "SINCE argument-unexpected unexpected argument 'b'¦; write: ~SINCE id [epoch]"),
    (
        "SINCE 1 zzzz",
        "SINCE epoch-changed the epoch is k7qd, not zzzz: ids of another epoch are not valid¦; write: ~HISTORY [count]",
    ),
    (
        "SINCE 99",
        "SINCE id-ahead the last id is 4¦; if your id is from another epoch (HELLO has the current one), write: ~HISTORY [count]",
    ),
    (
        "SINCE 1",
        "SINCE too-old the oldest message that is kept has id 3¦; to get all messages from there on, write: ~SINCE 2",
    ),
    ("SEARCH", "SEARCH text-missing the text is missing¦; write: ~SEARCH words"),
    (
        "SEARCH tea",
        "SEARCH no-store search is disabled on this server¦ (to enable it, start chinwagd with --data PATH)",
    ),
    (
        "SEARCH a b c d e f g h i j k l m n o p q r s t u v w x y z 1 2 3 4 5 6 7",
        "SEARCH words-too-many 33 words: expected at most 32",
    ),
    (
        "DRAW red",
        "DRAW colour-invalid invalid colour 'red': expected #rrggbb, such as #1e90ff¦; write: ~DRAW #rrggbb width x,y..., or ~DRAW clear",
    ),
    (
        "DRAW #1e90ff 0",
        "DRAW width-invalid invalid width '0': expected 1 to 999¦; write: ~DRAW #rrggbb width x,y..., or ~DRAW clear",
    ),
    (
        "DRAW #1e90ff 4",
        "DRAW point-invalid the point is missing: expected x,y, both from 0 to 9999¦; write: ~DRAW #rrggbb width x,y..., or ~DRAW clear",
    ),
    (
        "DRAW clear all",
        "DRAW argument-unexpected unexpected argument 'all'¦; write: ~DRAW #rrggbb width x,y..., or ~DRAW clear",
    ),
    ("CANVAS 5", "CANVAS argument-unexpected unexpected argument '5'¦; write: ~CANVAS"),
    ("STATUS", "STATUS not-coordinator only the coordinator (alice) may see addresses"),
    ("STATUS all", "STATUS argument-unexpected unexpected argument 'all'¦; write: ~STATUS"),
    ("PING a b", "PING argument-unexpected unexpected argument 'b'¦; write: ~PING [token]"),
    ("HELP me", "HELP verb-unknown unknown command 'me'¦; ~HELP lists the commands"),
    (
        "SET",
        "SET option-unknown the option is missing: expected echo, tags, draw, resume or rooms¦; write: ~SET echo|tags|draw|resume|rooms on|off",
    ),
    (
        "SET echo",
        "SET value-invalid the value is missing: expected on or off¦; write: ~SET echo|tags|draw|resume|rooms on|off",
    ),
    (
        "SET sound on",
        "SET option-unknown unknown option 'sound': expected echo, tags, draw, resume or rooms¦; write: ~SET echo|tags|draw|resume|rooms on|off",
    ),
    (
        "SET echo maybe",
        "SET value-invalid invalid value 'maybe': expected on or off¦; write: ~SET echo|tags|draw|resume|rooms on|off",
    ),
    (
        "HISTORY 99999999999999999999",
        "HISTORY number-invalid the number 99999999999999999999 is too large: expected at most 18446744073709551615¦; \
         write: ~HISTORY [count]",
    ),
    ("KICK bob", "KICK not-moderator only the owner, moderators and operators may do this"),
    (
        "BAN bob 7x",
        "BAN duration-invalid invalid duration '7x': expected a number and s, m, h, d or w, at most 3660 days; then the \
         reason¦; write: ~BAN name|@name|address [duration] [reason]",
    ),
    ("DELETE 9", "DELETE message-unknown there is no message 9¦; write: ~HISTORY [count]"),
    ("DELETE 4", "DELETE not-author message 4 is not yours; its author and the moderators of the room can delete it"),
    ("BAN 127.0.0.1", "BAN address-refused '127.0.0.1' cannot be banned: it has addresses of the server's own machine"),
    (
        "SET echo on now",
        "SET argument-unexpected unexpected argument 'now'¦; write: ~SET echo|tags|draw|resume|rooms on|off",
    ),
    ("CHAT on", "CHAT argument-unexpected unexpected argument 'on'¦; write: ~CHAT [#room]"),
    ("MSG \u{200b}", "MSG text-missing the text is missing¦; write: {message}"),
    (
        "QUIT {long}",
        "QUIT text-too-long the text is too long: expected at most 4096 bytes, after control characters are replaced",
    ),
    (
        "MSG {long}",
        "MSG text-too-long the text is too long: expected at most 4096 bytes, after control characters are replaced",
    ),
    ("PING {longest token}", "PING token-too-long the token is too long: expected at most 256 bytes"),
    ("DRAW #1e90ff 4{points}", "DRAW points-too-many 401 points: expected at most 400¦; send the rest in another DRAW"),
    (
        "MSG {longest}",
        "- line-too-long the line is too long and was discarded: expected at most 4096 bytes¦; send it in parts",
    ),
    ("WHO {tail}", "WHO argument-unexpected unexpected argument 'abcdefghijklmnopqrstuvwxyz012345…'¦; write: ~WHO"),
    ("WHO {tab}", "WHO argument-unexpected unexpected argument '{replaced}'¦; write: ~WHO"),
    (
        "SET resume on",
        "SET resume-off this server does not resume sessions¦; if your connection breaks, join again with NICK",
    ),
];

/// Lines without a known verb outside of chat mode, and the text after `ERR - verb-unknown`.
const UNKNOWN: [(&str, &str); 6] = [
    ("PASSS hunter2", "unknown command; it resembles PASS, so it is not repeated here¦; write: PASS password"),
    ("hello everyone", "unknown command 'hello'¦ (HELP lists the commands); to say it, write: MSG hello everyone"),
    ("\u{200b}", "this line has only invisible characters¦; HELP lists the commands"),
    ("/who", "commands have no slash outside of chat mode¦; write: WHO"),
    ("/msg alice psst", "commands have no slash outside of chat mode¦; write: WHISPER name[,name...] text"),
    (
        "/tell alice psst",
        "unknown command '/tell'¦ (HELP lists the commands, without a slash); \
         to whisper, write: WHISPER name[,name...] text; to say it to everybody: MSG text",
    ),
];

/// Such lines in chat mode.
const UNKNOWN_IN_CHAT: [(&str, &str); 3] = [
    ("/pass:hunter2", "unknown command; it resembles PASS, so it is not repeated here¦; write: /PASS password"),
    (
        "/shrug hm",
        "unknown command '/shrug'¦ (/help lists the commands); to whisper: /msg name[,name...] text; \
         to begin a message with a slash, type two: //shrug",
    ),
    (
        "/",
        "unknown command '/'¦ (/help lists the commands); to whisper: /msg name[,name...] text; \
         to begin a message with a slash, type two: //",
    ),
];

#[test]
fn refusals_differ_between_modes_only_in_hints() {
    let server = Server::with(&["--history", "2", "--resume-timeout", "0"]);
    let mut alice = server.join("alice");
    for id in 1..=4 {
        alice.send("MSG hi");
        alice.until(&format!("OK MSG {id}"));
    }
    let mut nameless = server.connect();
    check(&mut nameless, "MSG hi", "MSG no-name you have no name yet¦; take one first: NICK name");
    let mut carol = server.join("carol");
    let mut seen: BTreeSet<_> = ELSEWHERE.map(ErrorCode::as_str).into_iter().collect();
    seen.extend(["no-name", "line-not-utf8", "verb-unknown"]);
    for (line, expected) in REFUSALS {
        check(&mut carol, &filled(line), &filled(expected).replace('~', "").replace("{whisper}", WHISPER[0]));
        seen.extend(expected.split(' ').nth(1));
    }
    for (line, expected) in UNKNOWN {
        check(&mut carol, line, &format!("- verb-unknown {expected}"));
    }
    carol.send("CHAT");
    carol.expect("OK CHAT on");
    for (line, expected) in REFUSALS {
        let line = line.strip_prefix("MSG ").map_or_else(|| format!("/{line}"), ToOwned::to_owned);
        let expected = filled(&expected.replace("{message}", "text"));
        let expected = expected.replace('~', "/").replace("{whisper}", WHISPER[1]);
        check(&mut carol, &filled(&line), &expected);
    }
    for (line, expected) in UNKNOWN_IN_CHAT {
        check(&mut carol, line, &format!("- verb-unknown {expected}"));
    }
    assert_eq!(seen, ErrorCode::ALL.map(ErrorCode::as_str).into(), "every code is in a table");
    assert_eq!(EPOCH, "k7qd");
}

/// `¦` separates the text from the hint in `expected`.
#[track_caller]
fn check(client: &mut Client, line: &str, expected: &str) {
    client.send(line);
    let read = client.next().expect("a reply");
    assert_eq!(read, format!("ERR {}", expected.replace('¦', "")), "{line:?}");
    let Some(ServerLine::Err(refusal)) = ServerLine::parse(&read) else { panic!("not a refusal: {read:?}") };
    let what = expected.split('¦').next().expect("a text").splitn(3, ' ').last();
    assert_eq!(Some(refusal.problem.as_str()), what, "{line:?}");
    let field = match refusal.code {
        ErrorCode::TooOld => Some(ErrorField::Oldest(MessageId(3))),
        ErrorCode::IdAhead => Some(ErrorField::Last(MessageId(4))),
        _ => None,
    };
    assert_eq!(refusal.field, field, "{line:?}");
    assert_eq!(refusal.hint.is_some(), expected.contains('¦'), "{line:?}");
}

fn filled(text: &str) -> String {
    text.replace("{longest token}", &"x".repeat(257))
        .replace("{longest}", &"x".repeat(5000))
        .replace("{long}", &"\x01".repeat(2000))
        .replace("{points}", &" 0,0".repeat(401))
        .replace("{tail}", "abcdefghijklmnopqrstuvwxyz0123456789")
        .replace("{tab}", "\x1b[2J")
        .replace("{replaced}", "\u{fffd}[2J")
        .replace("{message}", "MSG text")
}
