//! The commands for scripts, and the chat without a terminal. Each function is one command: it connects, enters a room, prints, and returns
//! the reason for its end. `send` and the chat take a nickname; the commands that only read watch the room, unless the user chose a
//! nickname, logs in, or the server has no `WATCH`. `send`, `who`, `history`, `search` and `rooms` use one connection; `tail`, `wait` and the chat
//! reconnect.

mod enter;

use std::time::{Duration, Instant};

use chrono::Local;
use futures_lite::{StreamExt as _, stream};
use regex_lite::Regex;

use self::enter::{Intent, enter, join, read};
pub(super) use self::enter::{connection_of, output_of};
use super::arguments::{ClientOptions, SendOptions, WatchFilter};
use super::chat_state::DisplayItem;
use super::connection::{ConnectionEvent, ServerConnection};
use super::input;
use super::membership::{Membership, MembershipEvent};
use super::output::CommandOutput;
use super::read_progress::ReadProgress;
use super::refusal::explain;
use super::rooms_progress::{RoomsProgress, is_displacement};
use super::shared_chat::SharedChat;
use super::typed::too_long;
use super::{Exit, ExitCode};
use crate::command::{
    Command, EmptyReply, ReceivedLine, Refusal, Reply, RoomListing, Rooms, RoomsReply, SECRET_SEPARATORS, ServerLine,
    Verb,
};
use crate::protocol::{ErrorCode, Event, Mode, Name, PastMessage, ROOM_MARK, RoomLock, RoomName};

/// Sends a message or, without a text, each line of standard input; with `--to`, as whispers.
pub(super) async fn send(options: &ClientOptions, send: &SendOptions) -> Result<(), Exit> {
    let is_input = send.text.is_empty();
    let lines: Vec<_> = send.text.join(" ").lines().map(|line| Ok(line.into())).collect();
    let input = if is_input { input::stdin() } else { stream::iter(lines).boxed() };
    let (output, mut connection) = (output_of(options), connection_of(options, input));
    join(options, &output, &mut connection, false).await?;
    let verb = send.to.as_ref().map_or("MSG".to_owned(), |names| format!("WHISPER {names}"));
    let (mut refused, mut number) = (false, 1_u64);
    loop {
        let unconfirmed = |Exit(code, why)| {
            let lines = format!("; line {number} and later lines may not have been sent");
            Exit(code, if is_input { why + &lines } else { why })
        };
        let line = match connection.next(true).await.map_err(unconfirmed)? {
            ConnectionEvent::Input(Some(line)) => input::decode_line(line),
            ConnectionEvent::Input(None) => return leave(connection, refused).await,
            ConnectionEvent::Line(_) => continue,
        };
        let answer = match line.and_then(|line| parse_message(&verb, &line)) {
            Ok(None) | Err(Refusal { code: ErrorCode::TextMissing, .. }) => None,
            Ok(Some(command)) => Some(connection.request_reply(&command).await.map_err(unconfirmed)?),
            Err(refusal) => Some(ReceivedLine::new(&refusal.to_string())),
        };
        if let Some(answer) = answer {
            let place = if is_input { format!("line {number}: ") } else { String::new() };
            refused |= report_refusal(&output, &place, &answer);
            if options.json {
                output.print(&answer.to_json())?;
            }
        }
        number += 1;
    }
}

/// Parses a message or a whisper; `verb` is the part of the command before the text.
fn parse_message(verb: &str, text: &str) -> Result<Option<Command>, Refusal> {
    // The server ignores NUL, too.
    let text = text.replace('\0', "");
    let line = format!("{verb} {text}");
    let parsed = Command::parse(&line, Mode::Commands);
    match too_long(&parsed, &line, &text, Mode::Commands) {
        Some(why) => {
            let verb = if verb == "MSG" { Verb::Msg } else { Verb::Whisper };
            Err(Refusal::new(verb, ErrorCode::TextTooLong, why))
        }
        None => parsed,
    }
}

/// Lists the other members.
pub(super) async fn who(options: &ClientOptions) -> Result<(), Exit> {
    let (output, (mut connection, own)) = (output_of(options), read(options).await?);
    let answer = connection.request(b"WHO", |received| match &received.known {
        Some(ServerLine::User(user)) if Some(&user.name) != own.as_ref() => {
            output.print(&if options.json { received.to_json() } else { received.words().replacen("USER ", "", 1) })
        }
        _ => Ok(()),
    });
    let answer = answer.await?;
    leave(connection, report_refusal(&output, "", &answer)).await
}

/// Lists the rooms whose names begin with `prefix`.
pub(super) async fn rooms(options: &ClientOptions, prefix: Option<&RoomName>) -> Result<(), Exit> {
    let (output, mut connection) = (output_of(options), connection_of(options, stream::pending().boxed()));
    if options.account.is_some() {
        // A server for accounts only lists its rooms to members.
        join(options, &output, &mut connection, false).await?;
    } else {
        connection.connect_with_password(&options.address).await?;
    }
    let mut after = None;
    loop {
        let prefix = prefix.map_or_else(String::new, |prefix| prefix.name().to_string());
        let command: Command = Rooms::All { prefix, after }.into();
        let line = command.to_line(Mode::Commands);
        let answer = connection.request(line.as_bytes(), |received| match &received.known {
            Some(ServerLine::Room(RoomListing { name, members, topic, .. })) => {
                let topic = topic.as_ref().map_or_else(String::new, |topic| format!(" {topic}"));
                output.print(&if options.json { received.to_json() } else { format!("{name} {members}{topic}") })
            }
            _ => Ok(()),
        });
        let answer = answer.await?;
        match answer.known {
            Some(ServerLine::Ok(Reply::Rooms(RoomsReply { next: Some(next), .. }))) => after = Some(next),
            _ => return leave(connection, report_refusal(&output, "", &answer)).await,
        }
    }
}

/// Prints past messages: the reply to `HISTORY` or `SEARCH`, with at most `messages` messages.
pub(super) async fn print_past(options: &ClientOptions, command: &Command, messages: u64) -> Result<(), Exit> {
    let (output, (mut connection, _)) = (output_of(options), read(options).await?);
    let line = command.to_line(Mode::Commands);
    let mut left = messages;
    let answer = connection.request_messages(line.as_bytes(), messages, |received| match received.known {
        Some(ServerLine::PastMessage(_)) if left == 0 => {
            Err(Exit(ExitCode::Lost, format!("the server sent more than the {messages} messages that were requested")))
        }
        Some(ServerLine::PastMessage(_)) if options.json => {
            left -= 1;
            output.print(&received.to_json())
        }
        Some(ServerLine::PastMessage(past)) => {
            left -= 1;
            let PastMessage { at, name, text, .. } = past.clone();
            let shown = match text {
                Some(text) => DisplayItem::Event(Some(at), Event::Msg(name, text), false),
                None => DisplayItem::PastMessage(past, false),
            };
            output.print(&options.format.format_line(&shown, &Local::now()))
        }
        _ => Ok(()),
    });
    let answer = answer.await?;
    leave(connection, report_refusal(&output, "", &answer)).await
}

/// Prints messages and events or, with a regular expression, the messages that match it.
pub(super) async fn watch(
    options: &ClientOptions,
    filter: &WatchFilter<'_>,
    regex: Option<&Regex>,
) -> Result<(), Exit> {
    let deadline = filter.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let progress = filter.since.map_or_else(ReadProgress::default, |id| ReadProgress::since(id, filter.epoch.cloned()));
    let rooms = RoomsProgress::of_one(options.room.clone(), progress);
    let (mut membership, output) =
        enter(options, stream::pending().boxed(), deadline, rooms, (filter.retry, Intent::Read)).await?;
    let watched = print_watched(&mut membership, &output, options, filter, regex).await;
    membership.quit().await;
    watched
}

async fn print_watched(
    membership: &mut Membership,
    output: &CommandOutput,
    options: &ClientOptions,
    filter: &WatchFilter<'_>,
    regex: Option<&Regex>,
) -> Result<(), Exit> {
    let mut left = filter.count.or(regex.map(|_| 1));
    // The number of lines that still belong to the last ROSTER.
    let mut users = 0;
    while left != Some(0) || users > 0 {
        let received = match membership.next(false, false).await? {
            // The only reply that the membership passes on is the refusal of --since.
            MembershipEvent::Line(received) if received.is_reply() => {
                return Err(Exit(
                    ExitCode::Refused,
                    received.refusal().map_or(received.line, |refusal| explain(&refusal)),
                ));
            }
            MembershipEvent::Line(received) => received,
            MembershipEvent::Lost(why) => {
                users = 0;
                output.report(&format!("{why}; reconnecting to {}", membership.address()));
                continue;
            }
            MembershipEvent::Gap(_, what) => {
                output.report(&what);
                continue;
            }
            MembershipEvent::RoomLost(room, why) => {
                return Err(Exit(ExitCode::Refused, format!("you are no longer in {room}: {why}")));
            }
            _ => continue,
        };
        if is_displacement(&received, membership.name()) {
            let what = "the owner of your nickname has logged in: choose another with --nick, or log in with --login";
            return Err(Exit(ExitCode::TakenOver, what.to_owned()));
        }
        if membership.name().is_none() && is_lock(&received) {
            let what = format!(
                "{} is locked: only members can read it; choose a nickname with --nick, or log in with --login",
                options.room
            );
            return Err(Exit(ExitCode::Refused, what));
        }
        let is_user = users > 0 && matches!(received.known, Some(ServerLine::User(_)));
        let item = match &received.known {
            Some(ServerLine::Event(tag, event)) if is_watched(event, regex, filter.from) => {
                users = if let Event::Roster(count) = event { *count } else { users };
                DisplayItem::Event(tag.map(|tag| tag.at), event.clone(), false)
            }
            _ if is_user => DisplayItem::Note(received.words().replacen("USER ", "", 1)),
            None if regex.is_none() && filter.from.is_none() && !received.is_refusal() => {
                DisplayItem::Note(received.line.clone())
            }
            _ => continue,
        };
        output.print(&if options.json {
            received.to_json()
        } else {
            options.format.format_line(&item, &Local::now())
        })?;
        if is_user {
            users -= 1;
        } else {
            left = left.map(|left| left.saturating_sub(1));
        }
    }
    Ok(())
}

/// Whether the line says that a moderator has locked the room, which ends watching.
fn is_lock(received: &ReceivedLine) -> bool {
    matches!(&received.known, Some(ServerLine::Event(_, Event::Lock { lock, .. })) if *lock != RoomLock::Open)
}

/// Whether to print an event: a message or whisper of `from` that matches `regex`, or without both filters every event except `PING`.
fn is_watched(event: &Event, regex: Option<&Regex>, from: Option<&Name>) -> bool {
    match event {
        Event::Msg(name, text) | Event::Whisper(name, text) => {
            from.is_none_or(|from| from.key() == name.key()) && regex.is_none_or(|regex| regex.is_match(text.as_str()))
        }
        event => regex.is_none() && from.is_none() && !matches!(event, Event::Ping(_)),
    }
}

/// The commands of `raw` whose secret is sent only if nobody else can read it on the way.
const SECRET_VERBS: [Verb; 6] =
    [Verb::Pass, Verb::Register, Verb::Login, Verb::Takeover, Verb::SetPassword, Verb::Unregister];

/// The verb of a line that begins with one of [`SECRET_VERBS`], as in `LOGIN alice hunter22`, `/login …`, `#room LOGIN …` or `LOGIN: …`.
fn secret_verb(line: &[u8]) -> Option<Verb> {
    let line = String::from_utf8_lossy(line);
    let separates = |c: char| c.is_whitespace() || c.is_control() || SECRET_SEPARATORS.contains(&c);
    let mut words = line.split(separates).filter(|word| !word.is_empty());
    let word = words.find(|word| !word.starts_with(ROOM_MARK))?;
    Verb::from_word(word.trim_start_matches('/')).filter(|verb| SECRET_VERBS.contains(verb))
}

/// Sends standard input as protocol lines, each after the reply to the one before, and prints every line received. Stops at a line with a
/// secret that others could read on the way.
pub(super) async fn raw(options: &ClientOptions) -> Result<(), Exit> {
    let input = input::stdin().map(|line| line.map(|line| input::with_doubled_iac(&line))).boxed();
    let (output, mut connection, mut refused) = (CommandOutput::default(), ServerConnection::with_input(input), false);
    let mut show = |received: ReceivedLine| {
        refused |= received.is_refusal();
        output.print(&if options.json { received.to_json() } else { received.line })
    };
    show(connection.connect(&options.address).await?)?;
    connection.watch_output();
    loop {
        let event = connection.next(true).await?;
        if let ConnectionEvent::Input(Some(line)) = &event
            && let Some(verb) = secret_verb(line)
            && !connection.accepts_secrets()
        {
            let what = format!(
                "did not send a line that begins with {verb}, because others may read this connection: connect with --tls, through a \
                 Unix socket, or through an SSH tunnel"
            );
            return Err(Exit(ExitCode::Refused, what));
        }
        match event {
            ConnectionEvent::Line(received) => show(received)?,
            ConnectionEvent::Input(None) => break,
            ConnectionEvent::Input(Some(line)) if !Command::has_reply(&line, connection.mode) => {
                connection.send(&line).await;
            }
            ConnectionEvent::Input(Some(line)) => {
                let answer = connection.request(&line, &mut show).await?;
                let quit = answer.known == Some(ServerLine::Ok(Reply::Quit(EmptyReply)));
                show(answer)?;
                if quit {
                    break;
                }
            }
        }
    }
    connection.close_write().await;
    connection.read_rest(show).await?;
    connection.check_input()?;
    done(refused)
}

/// Chats without a terminal: standard input has the typed lines.
pub(super) async fn chat(options: &ClientOptions, retry: Option<Duration>) -> Result<(), Exit> {
    let rooms = RoomsProgress::from_now(options.room.clone(), 0);
    let (mut membership, output) = enter(options, input::stdin(), None, rooms, (retry, Intent::Chat)).await?;
    let mut refused = false;
    let show = |item: &DisplayItem| {
        refused |= matches!(item, DisplayItem::Warning(_));
        output.print(&options.format.format_line(item, &Local::now()))
    };
    let chat = SharedChat::default();
    chat.with_state(|state| state.set_account(membership.account().cloned()));
    let talked = chat.run(&mut membership, true, show).await;
    let read = membership.check_input();
    membership.quit().await;
    talked.and(read).and_then(|()| done(refused))
}

/// Sends `QUIT`, after the replies to all commands.
async fn leave(mut connection: ServerConnection, refused: bool) -> Result<(), Exit> {
    connection.quit().await;
    connection.check_input()?;
    done(refused)
}

fn done(refused: bool) -> Result<(), Exit> {
    if refused { Err(Exit(ExitCode::Refused, String::new())) } else { Ok(()) }
}

/// Reports a refusal on standard error, with `place` before it. Returns whether `answer` is a refusal.
fn report_refusal(output: &CommandOutput, place: &str, answer: &ReceivedLine) -> bool {
    let refused = answer.refusal();
    refused.inspect(|refusal| output.report(&format!("{place}{}", explain(refusal)))).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watch_filters_by_regex_and_sender() {
        let check = |regex: &str, from: Option<&str>, line: &str, expected| {
            let (regex, from) = (Regex::new(regex).ok(), from.map(|name| Name::new(name).unwrap()));
            let event = Event::parse(line).unwrap();
            assert_eq!(is_watched(&event, regex.as_ref(), from.as_ref()), expected, "{line:?}");
        };
        check("^build [0-9]+ is green$", None, "MSG ci build 41 is green", true);
        check("green", None, "WHISPER ci green", true);
        check("red", None, "MSG ci green", false);
        check("green", Some("CI"), "MSG ci green", true);
        check("green", Some("eve"), "MSG ci green", false);
        check("green", None, "JOIN green", false);
        check("green", None, "NOTICE green", false);
    }

    #[test]
    fn lock_ends_watching() {
        let is_lock = |line: &str| is_lock(&ReceivedLine::new(line));
        assert!(is_lock("LOCK alice accounts") && is_lock("@- 2026-11-20T12:44:29.138Z LOCK - invited"));
        assert!(!is_lock("LOCK alice open") && !is_lock("MSG alice LOCK alice accounts"));
    }
}
