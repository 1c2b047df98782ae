//! A seeded simulation of many peers against one hub: room, feed, outboxes and cursors, without sockets or clocks.
//!
//! Beside the hub runs a second room with the same inputs, whose outputs go to the most obvious thing there is: a queue of
//! bytes for each peer. At every step the peers' streams must be the same bytes. Peers read in pieces of any size, get
//! stuck, and are polled only when they were woken, so a lost wake-up is a missing byte.
//!
//! `CHINWAG_SEED=n cargo test --test simulation` runs one seed again; a failure prints its seed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use chinwag::feed::{Cursor, Feed, Outbox, Progress, Standing};
use chinwag::protocol::{
    Command, Dialect, Ending, Event, EventId, LeaveReason, Mode, Name, ServerLine, Tag, Timestamp,
};
use chinwag::room::{Action, Input, Output, Room, SessionId};
use chinwag::server::hub::{Hub, Request};

const SEEDS: u64 = 40;
const STEPS: usize = 1500;
const PEERS_MAX: usize = 12;

/// So little that readers fall off now and then.
const FEED_BYTES: usize = 16 * 1024;

/// Names that collide in every way there is, and some that do not.
const NAMES: [&str; 12] =
    ["alice", "ALICE", "Ａlice", "аlice", "mia", "rnia", "bob", "Bob", "b0b", "carol", "Δέλτα", "dave"];

#[test]
fn every_stream_is_as_the_obvious_server_would_send_it() {
    match std::env::var("CHINWAG_SEED") {
        Ok(seed) => println!("{:?}", simulate(seed.parse().expect("CHINWAG_SEED is a number"))),
        Err(_) => {
            let seen: Vec<_> = (0..SEEDS).map(simulate).collect();
            let total = |what: fn(&Seen) -> u32| seen.iter().map(what).sum::<u32>();
            let least = total(|seen| seen.slow).min(total(|seen| seen.flushed)).min(total(|seen| seen.blocked));
            assert!(least > 50, "the simulation misses what it is for: {seen:?}");
        }
    }
}

/// How often what is rare happened.
#[derive(Debug, Default)]
struct Seen {
    /// The hub found that somebody fell off the feed.
    slow: u32,
    /// Somebody got everything and was closed.
    flushed: u32,
    /// Somebody's socket was full.
    blocked: u32,
}

fn simulate(seed: u64) -> Seen {
    let told = TellSeed(seed);
    let mut simulation = Simulation::new(seed);
    for _ in 0..STEPS {
        simulation.step();
        simulation.check();
    }
    simulation.finish();
    drop(told);
    simulation.seen
}

struct TellSeed(u64);

impl Drop for TellSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the simulation failed with CHINWAG_SEED={}", self.0);
        }
    }
}

struct Simulation {
    random: fastrand::Rng,
    now: Timestamp,
    feed: Arc<Feed>,
    hub: Hub,
    model: Model,
    peers: BTreeMap<SessionId, Peer>,
    last_session: u64,
    whispers: u64,
    /// Reads everything at once, with tags; its stream tells what happened, slow readers leaving included.
    observer: SessionId,
    /// How much of the observer's stream was looked at.
    observed: usize,
    seen: Seen,
}

/// Somebody at the other end of a connection that can take a few bytes at a time.
struct Peer {
    outbox: Arc<Outbox>,
    cursor: Cursor,
    woken: Arc<Woken>,
    got: Vec<u8>,
    state: State,
    /// Takes so many bytes, ever.
    patience: usize,
    ended_input: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Waits to be woken.
    Waiting,
    /// Has taken what was new, and not yet written it: other things can happen between.
    Taken,
    /// Its socket takes no more.
    Blocked,
    /// Got all it was to get.
    Done,
    /// Closed for not reading.
    Slow,
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Peer {
    fn new(patience: usize) -> Self {
        Self {
            outbox: Arc::default(),
            cursor: Cursor::new(),
            woken: Arc::new(Woken(AtomicBool::new(true))),
            got: Vec::new(),
            state: State::Waiting,
            patience,
            ended_input: false,
        }
    }

    /// The first thing a connection does when it was woken.
    fn take_new(&mut self, feed: &Feed) {
        self.cursor.take_new(feed, &self.outbox, &Waker::from(Arc::clone(&self.woken)));
        self.state = if self.outbox.standing() == Standing::Slow { State::Slow } else { State::Taken };
    }

    /// The second, with a socket that takes `bytes` more.
    fn write(&mut self, feed: &Feed, bytes: usize) {
        let mut bytes = bytes.min(self.patience);
        self.patience -= bytes;
        while !matches!(self.state, State::Done | State::Slow) {
            let got = &mut self.got;
            let progress = self.cursor.write(feed, &self.outbox, |slices| take(slices, &mut bytes, got));
            self.state = match progress {
                Ok(Progress::Wrote(_)) => continue,
                Ok(Progress::Idle) => State::Waiting,
                Ok(Progress::Done) => State::Done,
                Ok(Progress::FellOff) => State::Slow,
                Err(_) => State::Blocked,
            };
            break;
        }
    }
}

fn take(slices: &[IoSlice<'_>], room: &mut usize, got: &mut Vec<u8>) -> io::Result<usize> {
    let before = *room;
    for slice in slices {
        let part = &slice[..slice.len().min(*room)];
        got.extend_from_slice(part);
        *room -= part.len();
    }
    if before == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(before - *room) }
}

/// The obvious server: a queue of bytes for each peer.
#[derive(Default)]
struct Model {
    room: Room,
    streams: BTreeMap<SessionId, Stream>,
    events: Vec<Event>,
}

#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    dialect: Dialect,
    follows: bool,
    closed: bool,
}

impl Model {
    fn apply(&mut self, at: Timestamp, session: SessionId, action: Action) {
        let mut outputs = Vec::new();
        self.room.apply(Input { at, session, action }, &mut outputs);
        for output in outputs {
            self.deliver(output);
        }
    }

    fn deliver(&mut self, output: Output) {
        let mut with = |session: SessionId, act: &mut dyn FnMut(&mut Stream)| {
            act(self.streams.entry(session).or_default());
        };
        match output {
            Output::Tell(session, line) => with(session, &mut |stream| stream.say(&line)),
            Output::List(session, users) => {
                with(session, &mut |stream| {
                    users.iter().for_each(|user| stream.say(&ServerLine::User(user.clone())));
                });
            }
            Output::Speak(session, dialect) => with(session, &mut |stream| stream.dialect = dialect),
            Output::Follow(session) => with(session, &mut |stream| stream.follows = true),
            Output::Close(session) => with(session, &mut |stream| stream.closed = true),
            Output::Read(..) | Output::Release(_) => {}
            Output::Publish { id, at, session, event, own } => {
                assert_eq!(id, EventId(self.events.len() as u64 + 1), "ids have no gaps");
                for (reader, stream) in &mut self.streams {
                    match &own {
                        Some(reply) if session == *reader => stream.say(&ServerLine::Ok(reply.clone())),
                        _ if stream.follows => {
                            let tag = stream.dialect.tags.then_some(Tag { id: Some(id), at });
                            stream.say(&ServerLine::Event(tag, event.clone()));
                        }
                        _ => {}
                    }
                }
                self.events.push(event);
            }
        }
    }
}

impl Stream {
    fn say(&mut self, line: &ServerLine) {
        if !self.closed {
            self.bytes.extend_from_slice(line.to_string().as_bytes());
            self.bytes.extend_from_slice(self.dialect.ending.as_bytes());
        }
    }
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let feed = Arc::new(Feed::new(FEED_BYTES));
        let mut simulation = Self {
            random: fastrand::Rng::with_seed(seed),
            now: Timestamp(1_800_000_000_000),
            hub: Hub::new(Room::default(), Arc::clone(&feed)),
            feed,
            model: Model::default(),
            peers: BTreeMap::new(),
            last_session: 0,
            whispers: 0,
            observer: SessionId(1),
            observed: 0,
            seen: Seen::default(),
        };
        simulation.connect(usize::MAX);
        simulation.line(SessionId(1), "SET tags on");
        simulation.line(SessionId(1), "NICK observer");
        simulation.publish();
        simulation
    }

    fn step(&mut self) {
        self.now.0 += self.random.i64(0..50);
        let Some(session) = self.random.choice(self.peers.keys().copied().collect::<Vec<_>>()) else { return };
        match self.random.u32(0..100) {
            0..8 if self.peers.len() < PEERS_MAX => {
                let patience = if self.random.u32(0..6) == 0 { 2000 } else { usize::MAX };
                self.connect(patience);
            }
            0..60 => self.some_line(session),
            60..75 => self.publish(),
            75..95 => self.read(session),
            95..97 => self.end_input(session),
            97..98 if session != self.observer => self.act(session, Action::Gone(LeaveReason::Lost)),
            _ => {}
        }
        self.bury();
    }

    fn connect(&mut self, patience: usize) {
        self.last_session += 1;
        let session = SessionId(self.last_session);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1024));
        let peer = Peer::new(patience);
        self.hub.take(self.now, Request::Connect(session, address, Arc::clone(&peer.outbox)));
        self.model.apply(self.now, session, Action::Connect(address));
        self.peers.insert(session, peer);
        if self.random.bool() {
            self.act(session, Action::Ending(Ending::CrLf));
        }
    }

    fn act(&mut self, session: SessionId, action: Action) {
        self.hub.take(self.now, Request::Act(session, action.clone()));
        self.model.apply(self.now, session, action);
    }

    fn line(&mut self, session: SessionId, line: &str) {
        let peer = &self.peers[&session];
        if peer.ended_input || peer.outbox.standing() != Standing::Present {
            return;
        }
        let action = match Command::parse(line, peer.outbox.mode()) {
            Ok(None) => return,
            Ok(Some(command)) => Action::Command(command),
            Err(refusal) => Action::Refuse(refusal),
        };
        let before = peer.outbox.answered();
        self.act(session, action);
        assert_eq!(self.peers[&session].outbox.answered(), before + 1, "every line is answered once: {line:?}");
    }

    fn some_line(&mut self, session: SessionId) {
        let name = *self.random.choice(&NAMES).expect("there are names");
        let mut line = match self.random.u32(0..20) {
            0..3 if session != self.observer => format!("NICK {name}"),
            0..9 => format!("MSG {}", "blah ".repeat(self.random.usize(1..60))),
            9..12 => {
                self.whispers += 1;
                format!("WHISPER {name},{} secret-{}.", self.random.choice(&NAMES).expect("names"), self.whispers)
            }
            12 => "WHO".to_owned(),
            13 => "STATUS".to_owned(),
            14 => "PING sync".to_owned(),
            15 if session != self.observer => format!("SET tags {}", self.random.choice(["on", "off"]).expect("two")),
            16 if session != self.observer => format!("SET echo {}", self.random.choice(["on", "off"]).expect("two")),
            17 if self.random.bool() => "CHAT".to_owned(),
            18 if self.random.bool() && session != self.observer => "QUIT so long".to_owned(),
            _ => "what is this".to_owned(),
        };
        if self.peers[&session].outbox.mode() == Mode::Chat && self.random.bool() {
            line.insert(0, '/');
        }
        self.line(session, &line);
    }

    fn end_input(&mut self, session: SessionId) {
        let Some(peer) = self.peers.get_mut(&session).filter(|_| session != self.observer) else { return };
        if !std::mem::replace(&mut peer.ended_input, true) {
            self.act(session, Action::EndOfInput);
        }
    }

    /// What `connection` does once its writer came to the end.
    fn bury(&mut self) {
        let done = |peer: &Peer| matches!(peer.state, State::Done | State::Slow);
        let ended: Vec<_> = self.peers.iter().filter(|(_, peer)| done(peer)).map(|(&session, _)| session).collect();
        for session in ended {
            match self.peers[&session].outbox.standing() {
                Standing::Present => self.act(session, Action::Gone(LeaveReason::Eof)),
                Standing::Released => self.seen.flushed += 1,
                Standing::Slow => self.seen.slow += 1,
            }
            self.check_stream(session, true);
            self.peers.remove(&session);
            self.model.streams.remove(&session);
        }
    }

    fn publish(&mut self) {
        self.hub.publish(self.now);
        self.read_all(self.observer);
        // The hub let go of slow readers by itself; the observer sees in which order.
        while self.hub.is_behind() {
            self.hub.publish(self.now);
            self.read_all(self.observer);
        }
        let news = String::from_utf8(self.peers[&self.observer].got[self.observed..].to_vec()).expect("UTF-8");
        self.observed += news.len();
        for line in news.lines() {
            if let Some(ServerLine::Event(_, Event::Leave(name, LeaveReason::Slow, _))) = ServerLine::parse(line) {
                let whose = |&session: &SessionId| self.model.room.name(session) == Some(&name);
                let session = self.peers.keys().copied().find(whose).expect("who leaves was there");
                self.model.apply(self.now, session, Action::Gone(LeaveReason::Slow));
            }
        }
        // Nameless ones leave unseen.
        let slow = |peer: &Peer| peer.outbox.standing() == Standing::Slow;
        let slow: Vec<_> = self.peers.iter().filter(|(_, peer)| slow(peer)).map(|(&session, _)| session).collect();
        for session in slow {
            self.model.apply(self.now, session, Action::Gone(LeaveReason::Slow));
        }
    }

    /// The peer's socket takes some bytes.
    fn read(&mut self, session: SessionId) {
        let bytes = self.random.usize(0..2000);
        let Some(peer) = self.peers.get_mut(&session) else { return };
        // A socket may be found full and at once be ready again.
        if peer.state == State::Taken || peer.state == State::Blocked && bytes.is_multiple_of(2) {
            peer.write(&self.feed, bytes);
            self.seen.blocked += u32::from(peer.state == State::Blocked);
        } else if peer.woken.0.swap(false, Ordering::Relaxed) || peer.state == State::Blocked {
            peer.take_new(&self.feed);
        }
    }

    /// The peer's socket takes everything.
    fn read_all(&mut self, session: SessionId) {
        let Some(peer) = self.peers.get_mut(&session) else { return };
        if peer.state == State::Taken {
            peer.write(&self.feed, usize::MAX / 1_000_000);
        }
        while peer.woken.0.swap(false, Ordering::Relaxed) || peer.state == State::Blocked && peer.patience > 0 {
            peer.take_new(&self.feed);
            peer.write(&self.feed, usize::MAX / 1_000_000);
        }
    }

    fn check(&self) {
        let names: Vec<_> = self.hub.room().names().collect();
        let keys: BTreeSet<_> = names.iter().map(|name| name.key()).collect();
        assert_eq!(keys.len(), names.len(), "two of the same name: {names:?}");
        for which in [0, 1] {
            let skeletons: BTreeSet<_> = names.iter().map(|name| name.skeletons()[which].to_owned()).collect();
            assert_eq!(skeletons.len(), names.len(), "two names too alike: {names:?}");
        }
        assert!(names.iter().copied().eq(self.model.room.names()), "the same inputs give the same room");
        for &session in self.peers.keys() {
            self.check_stream(session, false);
        }
    }

    /// What the peer got is what it was to get: the begin of it, or if it is `whole`, all.
    fn check_stream(&self, session: SessionId, whole: bool) {
        let (peer, stream) = (&self.peers[&session], &self.model.streams[&session]);
        let whole = whole && peer.state == State::Done;
        let same = if whole { stream.bytes == peer.got } else { stream.bytes.starts_with(&peer.got) };
        assert!(
            same,
            "{session:?} got\n{}\ninstead of\n{}",
            String::from_utf8_lossy(&peer.got),
            String::from_utf8_lossy(&stream.bytes)
        );
    }

    /// Everybody who still reads gets everything; then all leave.
    fn finish(&mut self) {
        self.publish();
        let sessions: Vec<_> = self.peers.keys().copied().collect();
        for &session in &sessions {
            self.read_all(session);
            let state = self.peers[&session].state;
            if state == State::Waiting {
                assert_eq!(self.peers[&session].got, self.model.streams[&session].bytes, "{session:?} misses the end");
            }
        }
        self.bury();
        self.check_history();
        let left: Vec<_> = self.peers.keys().copied().filter(|&session| session != self.observer).collect();
        for session in left {
            self.act(session, Action::Gone(LeaveReason::Lost));
        }
        assert_eq!(self.hub.room().names().count(), 1, "only the observer is left");
        assert!(self.whispers > 0);
    }

    /// The events themselves make sense: nobody joins who is there, or does anything who is not.
    fn check_history(&self) {
        let mut present = BTreeSet::new();
        for event in &self.model.events {
            let sensible = match event {
                Event::Join(name) => present.insert(name.as_str()),
                Event::Leave(name, ..) => present.remove(name.as_str()),
                Event::Rename { from, to } => present.remove(from.as_str()) && present.insert(to.as_str()),
                Event::Msg(name, _) | Event::Coordinator(name) => present.contains(name.as_str()),
                Event::Notice(_) => true,
                Event::Whisper(..) | Event::Ping(_) => false,
            };
            assert!(sensible, "{event:?} with {present:?}");
        }
        let names: BTreeSet<_> = self.hub.room().names().map(Name::as_str).collect();
        assert_eq!(present, names, "every join has one leave");
    }
}

/// A whisper is told to those named, and to nobody else: by the model, whose streams the hub's are, to the byte.
#[test]
fn no_private_line_reaches_a_third() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut model = Model::default();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1024));
    let names = ["alice", "bob", "carol", "dave", "erin"];
    let act = |model: &mut Model, session, line: String| {
        let command = Command::parse(&line, Mode::Commands).expect("a command").expect("not blank");
        model.apply(Timestamp(0), session, Action::Command(command));
    };
    for (number, name) in names.iter().enumerate() {
        let session = SessionId(number as u64 + 1);
        model.apply(Timestamp(0), session, Action::Connect(address));
        act(&mut model, session, format!("NICK {name}"));
    }
    for number in 0..500 {
        let from = random.usize(0..names.len());
        let to: BTreeSet<_> = (0..random.usize(1..4)).map(|_| random.usize(0..names.len())).collect();
        let list: Vec<_> = to.iter().map(|&to| names[to]).collect();
        let secret = format!("secret-{number}.");
        act(&mut model, SessionId(from as u64 + 1), format!("WHISPER {} {secret}", list.join(",")));
        for reader in 0..names.len() {
            let stream = String::from_utf8_lossy(&model.streams[&SessionId(reader as u64 + 1)].bytes);
            let told = stream.contains(&secret);
            let meant = to.contains(&reader) && !to.contains(&from);
            assert_eq!(told, meant, "{} whispered {secret} to {list:?}; {} reads", names[from], names[reader]);
        }
    }
}
