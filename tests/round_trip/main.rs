//! Checks that parsing is the inverse of formatting, for all commands and server lines, and that any bytes from a client keep the rules:
//! no panic, one reply to each line.

#[path = "../common/corpus.rs"]
mod corpus;
mod lines;
mod moderation;
#[cfg(feature = "web")]
mod web;

use std::net::IpAddr;

use arbtest::arbitrary::{Result, Unstructured};
use arbtest::arbtest;
use chinwag::command::{
    AccessTokens, Canvas, Chat, ChatReply, ClientLine, Command, Draw, EmptyReply, Features, Help, Hint, History,
    HistoryReply, Join, Login, Msg, Nick, NickReply, Part, Pass, Ping, Pong, Quit, Refusal, Register, Reply, Resume,
    RoomLine, RoomListing, RoomPosition, RoomUse, Rooms, RoomsReply, Search, ServerLine, Set, SetPassword, SetReply,
    Setting, Since, Status, Takeover, TokenListing, TokenReply, Topic, Unregister, Verb, Watch, Whisper, Who, WhoReply,
};
use chinwag::limits::{
    ACCESS_TOKEN_DAYS_MAX, COORDINATE_MAX, LINE_BYTES_MAX, SERVER_LINE_BYTES_MAX, STROKE_POINTS_MAX, STROKE_WIDTH_MAX,
    TOKEN_LABEL_BYTES_MAX, TOPIC_BYTES_MAX,
};
use chinwag::protocol::{
    AccessToken, AccountPassword, AccountTokenId, Credential, Day, DecoderOutput, Details, Dialect, Drawing,
    DrawnStroke, ErrorCode, Event, LeaveReason, LineDecoder, MessageId, Mode, Name, Password, PastMessage, PeerAddress,
    Rank, ResumeToken, RoomId, RoomLock, RoomName, Secret, Stroke, Tag, Text, Timestamp, Token, TokenLabel, User,
};

#[test]
fn command_reads_back_as_written() {
    arbtest(|u| {
        let command = command(u)?;
        for mode in [Mode::Commands, Mode::Chat] {
            let line = command.to_line(mode);
            if line.len() <= LINE_BYTES_MAX {
                assert_eq!(Command::parse(&line, mode), Ok(Some(command.clone())), "{line:?}");
                let room = option(u, room_name)?.filter(|_| command.verb().specification().room == RoomUse::Prefix);
                let line = ClientLine::write(room.as_ref(), &command, mode);
                let expected = ClientLine { room, content: Ok(Some(command.clone())) };
                assert_eq!(ClientLine::parse(&line, mode), expected, "{line:?}");
            }
        }
        Ok(())
    });
}

#[test]
fn server_line_reads_back_as_written() {
    arbtest(|u| {
        let line = server_line(u)?;
        for mode in [Mode::Commands, Mode::Chat] {
            let written = line.in_mode(mode).to_string();
            assert_eq!(ServerLine::parse(&written).as_ref(), Some(&line), "{written:?}");
            let named = RoomLine { room: option(u, room_name)?, line: line.clone() };
            let in_room = named.in_mode(mode).to_string();
            assert_eq!(RoomLine::parse(&in_room).as_ref(), Some(&named), "{in_room:?}");
            assert!(written.len() + 2 <= SERVER_LINE_BYTES_MAX);
        }
        Ok(())
    });
}

/// A client that reads events with the same decoder as the server gets the same lines.
#[test]
fn event_reads_back_in_every_dialect() {
    arbtest(|u| {
        let (event, tag) = (event(u)?, tag(u)?);
        for dialect in Dialect::ALL {
            let mut bytes = Vec::new();
            dialect.write_event(&mut bytes, tag, &event);
            let mut decoder = LineDecoder::new();
            let Some(DecoderOutput::Line(Ok(line))) = decoder.next(&mut &bytes[..]) else {
                panic!("not a line: {bytes:?}")
            };
            let expected = ServerLine::Event(dialect.tags.then_some(tag), event.clone());
            assert_eq!(ServerLine::parse(&line), Some(expected), "{line:?}");
            assert_eq!(decoder.ending(), Some(dialect.ending));
        }
        Ok(())
    });
}

/// Checks lines that begin with a verb. `scripts/fuzz lines` uses the same checks.
#[test]
fn any_line_keeps_the_rules() {
    arbtest(|u| {
        let line: String = u.arbitrary()?;
        for verb in Verb::ALL.iter().map(|verb| verb.as_str()).chain(["", "/"]) {
            lines::check(format!("\0{verb} {line}\n/{verb} {line}").as_bytes());
        }
        Ok(())
    });
}

#[test]
fn any_bytes_keep_the_rules() {
    arbtest(|u| {
        lines::check(u.bytes(u.len())?);
        Ok(())
    });
}

#[test]
#[cfg(feature = "web")]
fn any_frames_keep_the_rules() {
    arbtest(|u| {
        web::check(u.bytes(u.len())?);
        Ok(())
    });
}

/// The corpus of `scripts/fuzz`.
#[test]
fn corpus_of_lines_keeps_the_rules() {
    corpus::each("lines", lines::check);
}

#[test]
#[cfg(feature = "web")]
fn corpus_of_frames_keeps_the_rules() {
    corpus::each("web", web::check);
}

fn command(u: &mut Unstructured<'_>) -> Result<Command> {
    Ok(match u.int_in_range(0..=29)? {
        29 => moderation::command(u)?,
        23 => login(u)?.into(),
        24 => Takeover(login(u)?).into(),
        25 => Register(account_password(u)?.into()).into(),
        26 => SetPassword(account_password(u)?.into()).into(),
        27 => Unregister(account_password(u)?.into()).into(),
        28 => access_tokens(u)?.into(),
        0 => Nick { name: name(u)?, room: option(u, room_name)? }.into(),
        1 => Msg(text(u)?).into(),
        2 => Whisper { to: distinct(names(u)?), text: text(u)? }.into(),
        3 => Who.into(),
        4 => Status.into(),
        5 => Ping(option(u, token)?).into(),
        6 => Pong(option(u, trimmed)?).into(),
        7 => Help(option(u, verb)?).into(),
        8 => Set { setting: setting(u)?, on: u.arbitrary()? }.into(),
        9 => Chat(option(u, room_name)?).into(),
        10 => History(u.arbitrary()?).into(),
        11 => Since { after: MessageId(u.arbitrary()?), epoch: option(u, token)? }.into(),
        12 => Search(text(u)?).into(),
        13 => Resume(resume_token(u)?).into(),
        14 => Draw(drawing(u)?).into(),
        15 => Canvas.into(),
        16 => Join(distinct_rooms(u)?).into(),
        17 => Part { room: room_name(u)?, reason: option(u, trimmed)? }.into(),
        18 if u.arbitrary()? => Rooms::Own.into(),
        18 => Rooms::All { prefix: room_prefix(u)?, after: option(u, room_name)? }.into(),
        19 => topic(u)?.into(),
        20 => Watch(option(u, room_name)?).into(),
        21 => Pass(password(u)?).into(),
        _ => Quit(option(u, trimmed)?).into(),
    })
}

fn server_line(u: &mut Unstructured<'_>) -> Result<ServerLine> {
    Ok(match u.int_in_range(0..=10)? {
        10 => ServerLine::Sanction(moderation::listing(u)?),
        9 => ServerLine::Token(TokenListing {
            number: AccountTokenId(u.arbitrary()?),
            created_at: time(u)?,
            expires_at: time(u)?,
            last_used_on: option(u, |u| Ok(Day::from(time(u)?)))?,
            label: token_label(u)?,
        }),
        0 => ServerLine::Hello(Some(token(u)?), features(u)?, text(u)?),
        8 => ServerLine::Room(RoomListing {
            name: room_name(u)?,
            members: u.arbitrary()?,
            is_in: u.arbitrary()?,
            topic: listed_topic(u)?,
            lock: *u.choose(&RoomLock::ALL)?,
        }),
        1 => ServerLine::Ok(reply(u)?),
        2 => ServerLine::Err(refusal(u)?),
        5 => ServerLine::PastMessage(PastMessage {
            id: MessageId(u.arbitrary()?),
            at: time(u)?,
            name: name(u)?,
            text: option(u, text)?,
        }),
        3 => ServerLine::User(user(u)?),
        6 => ServerLine::DrawnStroke(DrawnStroke { name: name(u)?, stroke: stroke(u)? }),
        4 => ServerLine::Event(None, event(u)?),
        _ => ServerLine::Event(Some(tag(u)?), event(u)?),
    })
}

/// A topic in the list of rooms. Some end like the lock of a room.
fn listed_topic(u: &mut Unstructured<'_>) -> Result<Option<Text>> {
    let ends = ["lock=accounts", "x lock=open", "lock=nobody"].map(|topic| Text::new(topic).expect("a topic"));
    if u.arbitrary()? { Ok(Some(u.choose(&ends)?.clone())) } else { option(u, topic_text) }
}

fn refusal(u: &mut Unstructured<'_>) -> Result<Refusal> {
    Ok(match *u.choose(&ErrorCode::ALL)? {
        // The text of these codes begins with a field.
        ErrorCode::TooOld => Refusal::too_old(verb(u)?, MessageId(u.arbitrary()?)),
        ErrorCode::IdAhead => Refusal::id_ahead(RoomId(u.int_in_range(0..=1)?), MessageId(u.arbitrary()?)),
        code => {
            // The parser reads a text that looks like a hint as a hint.
            let what = text(u)?;
            let refusal = Refusal::new(option(u, verb)?, code, Hint::split(what.as_str()).0);
            if u.arbitrary()? { refusal.with_hint(hint(u)?) } else { refusal }
        }
    })
}

fn hint(u: &mut Unstructured<'_>) -> Result<Hint> {
    let plain: Vec<_> = Hint::plain().collect();
    let words = |u: &mut Unstructured<'_>| {
        // Text from users; some looks like a hint.
        let looks = [
            "; try again later",
            "; write: NICK name",
            "x",
            "//",
            "; to get all messages from there on, write: SINCE 5",
        ];
        Ok(Text::new(&format!("{}{}", u.choose(&looks)?, name(u)?)).expect("a text"))
    };
    let hint = match u.int_in_range(0..=6)? {
        0 => Hint::Say(words(u)?),
        1 => Hint::DoubleSlash(words(u)?),
        2 => Hint::Since(MessageId(u.arbitrary()?)),
        3 => Hint::Join(room_name(u)?),
        _ => u.choose(&plain)?.clone(),
    };
    Ok(if u.arbitrary()? { hint.in_room(room_name(u)?) } else { hint })
}

fn reply(u: &mut Unstructured<'_>) -> Result<Reply> {
    Ok(match u.int_in_range(0..=29)? {
        29 => moderation::reply(u)?,
        23 => Reply::Login(name(u)?),
        24 => Reply::Takeover(name(u)?),
        25 => Reply::Register(name(u)?),
        26 => Reply::SetPassword(EmptyReply),
        27 => Reply::Unregister(name(u)?),
        28 => Reply::AccessTokens(token_reply(u)?),
        0 => Reply::Nick(NickReply { name: name(u)?, room: option(u, position)? }),
        16 => Reply::Join((0..u.int_in_range(1..=3)?).map(|_| position(u)).collect::<Result<_>>()?),
        17 => Reply::Part(room_name(u)?),
        18 => Reply::Rooms(RoomsReply { count: u.arbitrary()?, next: option(u, room_name)? }),
        19 => Reply::Topic(option(u, topic_text)?),
        20 => Reply::Watch(position(u)?),
        21 => Reply::Pass(EmptyReply),
        1 => Reply::Msg(MessageId(u.arbitrary()?)),
        2 => Reply::Whisper(names(u)?),
        3 => Reply::Who(WhoReply { count: u.arbitrary()?, watching: u.arbitrary()? }),
        4 => Reply::Status(u.arbitrary()?),
        5 => Reply::Ping(option(u, token)?),
        6 => Reply::Help(EmptyReply),
        7 => Reply::Set(SetReply::Set(setting(u)?, u.arbitrary()?)),
        9 => Reply::History(HistoryReply { count: u.arbitrary()?, last: MessageId(u.arbitrary()?) }),
        10 => Reply::Since(HistoryReply { count: u.arbitrary()?, last: MessageId(u.arbitrary()?) }),
        11 => Reply::Search(u.arbitrary()?),
        8 if u.arbitrary()? => Reply::Chat(ChatReply::Off),
        8 => Reply::Chat(ChatReply::On(option(u, room_name)?)),
        12 => Reply::Resume(name(u)?),
        13 => Reply::Set(SetReply::Resumable(resume_token(u)?)),
        14 => Reply::Draw(EmptyReply),
        15 => Reply::Canvas(u.arbitrary()?),
        _ => Reply::Quit(EmptyReply),
    })
}

fn event(u: &mut Unstructured<'_>) -> Result<Event> {
    Ok(match u.int_in_range(0..=11)? {
        11 => moderation::event(u)?,
        9 => Event::Topic(name(u)?, option(u, topic_text)?),
        0 => Event::Join(name(u)?),
        1 => Event::Leave(name(u)?, *u.choose(&LeaveReason::ALL)?, option(u, text)?),
        2 => Event::Rename { from: name(u)?, to: name(u)? },
        3 => Event::Msg(name(u)?, text(u)?),
        4 => Event::Whisper(name(u)?, text(u)?),
        5 => Event::Coordinator(name(u)?),
        6 => Event::Notice(text(u)?),
        7 => Event::Roster(u.arbitrary()?),
        8 => Event::Draw(name(u)?, drawing(u)?),
        _ => Event::Ping(token(u)?),
    })
}

fn drawing(u: &mut Unstructured<'_>) -> Result<Drawing> {
    if u.arbitrary()? { Ok(Drawing::Clear) } else { stroke(u).map(Drawing::Stroke) }
}

fn stroke(u: &mut Unstructured<'_>) -> Result<Stroke> {
    let colour = u.int_in_range(0..=0xff_ffff_u32)?;
    let mut raw = format!("#{colour:06X} {}", u.int_in_range(1..=STROKE_WIDTH_MAX)?);
    for _ in 0..u.int_in_range(1..=STROKE_POINTS_MAX)? {
        let [x, y] = [u.int_in_range(0..=COORDINATE_MAX)?, u.int_in_range(0..=COORDINATE_MAX)?];
        raw += &format!(" {x},{y}");
    }
    Ok(Stroke::new(&raw).expect("a stroke"))
}

fn user(u: &mut Unstructured<'_>) -> Result<User> {
    let details = |u: &mut Unstructured<'_>| {
        Ok(Details {
            id: u.arbitrary()?,
            address: option(u, peer_address)?,
            idle_seconds: u.arbitrary()?,
            online_seconds: u.arbitrary()?,
        })
    };
    let rank = u.choose(&[Rank::Member, Rank::Moderator, Rank::Owner, Rank::Operator])?;
    Ok(User { name: name(u)?, coordinator: u.arbitrary()?, details: option(u, details)?, rank: *rank })
}

fn peer_address(u: &mut Unstructured<'_>) -> Result<PeerAddress> {
    if u.ratio(1, 4)? { Ok(PeerAddress::Unix) } else { Ok((u.arbitrary::<IpAddr>()?, u.arbitrary()?).into()) }
}

fn tag(u: &mut Unstructured<'_>) -> Result<Tag> {
    let at = time(u)?;
    Ok(Tag { id: option(u, |u| u.arbitrary().map(MessageId))?, at })
}

/// A time from 1970 to 9999, the range of RFC 3339.
fn time(u: &mut Unstructured<'_>) -> Result<Timestamp> {
    u.int_in_range(0..=253_402_300_799_999).map(Timestamp)
}

fn name(u: &mut Unstructured<'_>) -> Result<Name> {
    let alphabet: Vec<char> = "abcXYZ019-_.'!éßжΩאب李\u{301}Ａﬁǆ".chars().collect();
    let length = u.int_in_range(1..=40)?;
    let raw = (0..length).map(|_| u.choose(&alphabet).copied()).collect::<Result<String>>()?;
    let name = Name::new(&raw).or_else(|_| Name::new("fallback")).expect("a name");
    assert_eq!(Name::new(name.as_str()).as_ref().map(Name::key), Ok(name.key()), "a name is stable: {raw:?}");
    Ok(name)
}

fn names(u: &mut Unstructured<'_>) -> Result<Vec<Name>> {
    (0..u.int_in_range(1..=4)?).map(|_| name(u)).collect()
}

fn room_name(u: &mut Unstructured<'_>) -> Result<RoomName> {
    Ok(RoomName::new(&format!("#{}", name(u)?)).expect("a room"))
}

fn distinct_rooms(u: &mut Unstructured<'_>) -> Result<Vec<RoomName>> {
    let names = distinct(names(u)?);
    Ok(names.iter().map(|name| RoomName::new(&format!("#{name}")).expect("a room")).collect())
}

/// The beginning of a room's name, without `#`.
fn room_prefix(u: &mut Unstructured<'_>) -> Result<String> {
    Ok(name(u)?.as_str().chars().take(u.int_in_range(0..=3)?).collect())
}

fn position(u: &mut Unstructured<'_>) -> Result<RoomPosition> {
    Ok(RoomPosition { room: room_name(u)?, epoch: option(u, token)?, last: MessageId(u.arbitrary()?) })
}

fn features(u: &mut Unstructured<'_>) -> Result<Features> {
    Ok(Features {
        rooms: u.arbitrary()?,
        watch: u.arbitrary()?,
        search: u.arbitrary()?,
        secure: u.arbitrary()?,
        password: u.arbitrary()?,
        accounts: u.arbitrary()?,
        accounts_only: u.arbitrary()?,
    })
}

fn topic(u: &mut Unstructured<'_>) -> Result<Topic> {
    let text = topic_text(u)?;
    Ok(match u.int_in_range(0..=2)? {
        0 => Topic::Show,
        1 => Topic::Clear,
        _ if text.as_str() == "-" => Topic::Clear,
        _ => Topic::Set(text),
    })
}

fn topic_text(u: &mut Unstructured<'_>) -> Result<Text> {
    let text = trimmed(u)?;
    let short = &text.as_str()[..text.as_str().floor_char_boundary(TOPIC_BYTES_MAX)];
    Ok(Text::new(short.trim()).or_else(|_| Text::new("fallback")).expect("a text"))
}

fn distinct(names: Vec<Name>) -> Vec<Name> {
    let mut distinct: Vec<Name> = Vec::new();
    for name in names {
        if distinct.iter().all(|other| other.key() != name.key()) {
            distinct.push(name);
        }
    }
    distinct
}

fn text(u: &mut Unstructured<'_>) -> Result<Text> {
    let raw: String = u.arbitrary()?;
    Ok(Text::new(&raw).or_else(|_| Text::new("fallback")).expect("a text"))
}

/// A text without white space at its ends.
fn trimmed(u: &mut Unstructured<'_>) -> Result<Text> {
    Ok(Text::new(text(u)?.as_str().trim()).expect("a text is not blank"))
}

fn token(u: &mut Unstructured<'_>) -> Result<Token> {
    let raw: String = u.arbitrary()?;
    Ok(Token::new(&raw).or_else(|_| Token::new("fallback")).expect("a token"))
}

/// A password in its composed form.
fn password(u: &mut Unstructured<'_>) -> Result<Password> {
    let raw: String = u.arbitrary::<&str>()?.chars().filter(|c| !c.is_control()).take(40).collect();
    // Composed, it may be longer than the limit.
    Ok(Password::new(&raw).or_else(|_| Password::new("hunter2")).expect("a password"))
}

fn account_password(u: &mut Unstructured<'_>) -> Result<AccountPassword> {
    let raw: String = u.arbitrary::<&str>()?.chars().filter(|c| !c.is_control()).take(40).collect();
    // It may be too short.
    Ok(AccountPassword::new(&raw).or_else(|_| AccountPassword::new("hunter22")).expect("a password"))
}

fn login(u: &mut Unstructured<'_>) -> Result<Login> {
    let token = AccessToken(Secret::new(u.arbitrary()?));
    let password = Credential::Password(account_password(u)?);
    Ok(Login { name: name(u)?, credential: if u.arbitrary()? { Credential::Token(token) } else { password } })
}

fn token_label(u: &mut Unstructured<'_>) -> Result<TokenLabel> {
    let raw: String = text(u)?.as_str().trim().chars().take(TOKEN_LABEL_BYTES_MAX / 4).collect();
    let label = Text::new(raw.trim()).or_else(|_| Text::new("label")).expect("a text");
    Ok(TokenLabel::new(label).expect("it is short"))
}

fn access_tokens(u: &mut Unstructured<'_>) -> Result<AccessTokens> {
    Ok(match u.int_in_range(0..=2)? {
        0 => {
            let (days, label) = (u.int_in_range(1..=ACCESS_TOKEN_DAYS_MAX)?, token_label(u)?);
            let begins_alike = label.as_str().starts_with("days=");
            AccessTokens::New { days: Some(days).filter(|days| begins_alike || days % 2 == 0), label }
        }
        1 => AccessTokens::List,
        _ => AccessTokens::Revoke(AccountTokenId(u.arbitrary()?)),
    })
}

fn token_reply(u: &mut Unstructured<'_>) -> Result<TokenReply> {
    let number = AccountTokenId(u.arbitrary()?);
    Ok(match u.int_in_range(0..=2)? {
        0 => TokenReply::New { number, token: AccessToken(Secret::new(u.arbitrary()?)), expires_at: time(u)? },
        1 => TokenReply::List(u.arbitrary()?),
        _ => TokenReply::Revoke(number),
    })
}

fn resume_token(u: &mut Unstructured<'_>) -> Result<ResumeToken> {
    Ok(ResumeToken { id: u.arbitrary()?, secret: Secret::new(u.arbitrary()?) })
}

fn verb(u: &mut Unstructured<'_>) -> Result<Verb> {
    u.choose(Verb::ALL).copied()
}

fn setting(u: &mut Unstructured<'_>) -> Result<Setting> {
    u.choose(&Setting::ALL).copied()
}

fn option<'a, T>(u: &mut Unstructured<'a>, some: impl FnOnce(&mut Unstructured<'a>) -> Result<T>) -> Result<Option<T>> {
    if u.arbitrary()? { some(u).map(Some) } else { Ok(None) }
}
