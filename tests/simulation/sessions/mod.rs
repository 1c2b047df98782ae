//! A run: several peers, the real hub with its feed and cursors, and the obvious server beside it with the same inputs. A
//! script of bytes says who does what. At every step the streams must be the same bytes, and what anybody could check is
//! checked; peers are polled only when they were woken, so a lost wake-up is a missing byte.
//!
//! The seeded simulation makes up scripts, the kept seeds are scripts, and `scripts/fuzz sessions` looks for more.

mod claims;
mod history;
mod model;
mod peer;
mod phrases;
mod reader;
mod rules;
mod said;
mod script;
mod times;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use chinwag::command::{Command, Refusal, Verb};
use chinwag::feed::Feed;
use chinwag::limits::{LONE_CR_SILENCE_MS, PRIVATE_BYTES_PAUSE, SERVER_LINE_BYTES_MAX, WHISPER_BYTES_MAX};
use chinwag::protocol::{Ending, LeaveReason, LineError, Mode, Secret, Timestamp};
use chinwag::room::{SessionId, Uptime};
use chinwag::server::hub::{Hub, HubRequest};
use chinwag::session::{InputKind, Timeouts};

use self::model::Model;
use self::peer::{Heard, Peer, State};
use self::script::Script;

/// Some day in 2027.
const START_MS: i64 = 1_800_000_000_000;

const PEERS_MAX: usize = 12;

/// So little, mostly, that readers fall off now and then.
const FEED_BYTES: [usize; 4] = [4 * 1024, 8 * 1024, 16 * 1024, 1024 * 1024];

/// Timeouts of sessions, and the time for which a detached member remains.
const TIMEOUTS: [(Timeouts, u64); 3] = [
    (Timeouts { name_seconds: 0, idle_seconds: 0 }, 0),
    (Timeouts { name_seconds: 60, idle_seconds: 0 }, 20),
    (Timeouts { name_seconds: 60, idle_seconds: 90 }, 45),
];

/// Most bytes a socket takes at once.
const READ_BYTES_MAX: usize = 2048;

/// Line endings, by frequency.
const ENDINGS: [&str; 16] =
    ["\n", "\n", "\n", "\n", "\n", "\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\0", "\r\0", "\r", ""];

/// How often a line is sent at once by somebody who floods.
const FLOOD_LINES_MAX: usize = 64;

/// How often what is rare happened.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The hub let go of somebody who did not read.
    pub(crate) slow: u32,
    /// Somebody got everything and was closed.
    pub(crate) flushed: u32,
    /// Somebody's socket was full.
    pub(crate) blocked: u32,
    /// There was another coordinator.
    pub(crate) handovers: u32,
    /// A name was taken back from a connection that was there.
    pub(crate) taken_over: u32,
    /// A name was taken back that had no connection.
    pub(crate) came_back: u32,
    /// Nobody came for a name.
    pub(crate) given_up: u32,
    /// Somebody was told of a stroke as it was drawn.
    pub(crate) shown: u32,
    /// Somebody asked for the canvas, and something was on it.
    pub(crate) canvases: u32,
    /// A client's lines turned out to end with CR alone.
    pub(crate) lone_cr: u32,
}

/// Does all that the script says, then lets everybody read to the end, and checks at every step.
pub(crate) fn run(script: &[u8]) -> Seen {
    let mut run = Run::new(Script::new(script));
    let stops = run.script.below(2) == 1;
    while !run.script.is_at_end() {
        run.step();
        run.check();
    }
    run.finish(stops);
    run.seen
}

struct Run<'a> {
    script: Script<'a>,
    now: Timestamp,
    feed: Arc<Feed>,
    hub: Hub,
    model: Model,
    peers: BTreeMap<SessionId, Peer>,
    last_session: u64,
    last_secret: u128,
    /// Things done and bytes read: as long as it grows, something goes on.
    progress: usize,
    seen: Seen,
}

impl<'a> Run<'a> {
    fn new(mut script: Script<'a>) -> Self {
        let feed = Arc::new(Feed::new(script.one_of(&FEED_BYTES)));
        let (timeouts, resume_seconds) = script.one_of(&TIMEOUTS);
        Self {
            script,
            now: Timestamp(START_MS),
            hub: Hub::new(model::room(timeouts, resume_seconds), Arc::clone(&feed)),
            feed,
            model: Model::new(timeouts, resume_seconds),
            peers: BTreeMap::new(),
            last_session: 0,
            last_secret: 0,
            progress: 0,
            seen: Seen::default(),
        }
    }

    fn step(&mut self) {
        let choice = self.script.below(100);
        if choice < 15 {
            return self.publish();
        }
        if choice < 25 || self.peers.is_empty() {
            return self.connect();
        }
        let nth = self.script.below(PEERS_MAX) % self.peers.len();
        let session = self.peers.keys().copied().nth(nth).expect("fewer than there are");
        match choice {
            25..70 => self.say(session, 1),
            70..88 => self.read(session),
            88..91 => self.send_raw(session),
            91..92 => self.half_close(session),
            92..93 => self.vanish(session),
            93..96 => {
                let times = 1 + self.script.below(FLOOD_LINES_MAX);
                self.say(session, times);
            }
            _ => self.wait(),
        }
        self.bury();
    }

    fn connect(&mut self) {
        if self.peers.len() == PEERS_MAX {
            return;
        }
        let patience = if self.script.below(4) == 3 { self.script.below(READ_BYTES_MAX) } else { usize::MAX };
        self.last_session += 1;
        let session = SessionId(self.last_session);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1024));
        let mut peer = Peer::new(patience, &self.feed);
        self.make_room();
        self.hub.process(self.now, HubRequest::Connect(session, address, Arc::clone(&peer.mailbox)));
        self.model.apply(self.now, session, &InputKind::Connect(address));
        let claims = &self.model.claims;
        peer.send(&phrases::first_line(session.0, claims.held(), claims.given.last().copied()));
        self.peers.insert(session, peer);
        self.hear(session);
    }

    /// Sends one line so many times, with any of the endings or none.
    fn say(&mut self, session: SessionId, times: usize) {
        let mut line = phrases::line(&mut self.script, &self.model.claims.given);
        let ending = self.script.one_of(&ENDINGS);
        let Some(peer) = self.peers.get_mut(&session) else { return };
        if peer.mailbox.mode() == Mode::Chat && self.script.below(2) == 1 {
            line.insert(0, b'/');
        }
        line.extend(ending.as_bytes());
        peer.send(&line.repeat(times));
        self.hear(session);
    }

    fn send_raw(&mut self, session: SessionId) {
        let count = self.script.below(64);
        let bytes = self.script.bytes(count);
        if let Some(peer) = self.peers.get_mut(&session) {
            peer.send(bytes);
        }
        self.hear(session);
    }

    fn half_close(&mut self, session: SessionId) {
        if let Some(peer) = self.peers.get_mut(&session) {
            peer.half_close();
        }
        self.hear(session);
    }

    fn vanish(&mut self, session: SessionId) {
        if let Some(peer) = self.peers.get_mut(&session) {
            peer.vanish();
        }
        self.act(session, &InputKind::Disconnected(LeaveReason::Lost));
    }

    /// Time passes, up to half a minute, and the room is told.
    fn wait(&mut self) {
        let ms = self.script.one_of(&[1, 900, 1000, 7000, 30_000]);
        self.pass(ms);
    }

    fn pass(&mut self, ms: i64) {
        self.now.0 += ms;
        let uptime = Uptime((self.now.0 - START_MS).unsigned_abs() / 1000);
        self.act(SessionId::SERVER, &InputKind::Tick(uptime));
        if ms.unsigned_abs() >= LONE_CR_SILENCE_MS {
            self.seen.lone_cr += self.peers.values_mut().map(|peer| u32::from(peer.fall_silent())).sum::<u32>();
            for session in self.peers.keys().copied().collect::<Vec<_>>() {
                self.hear(session);
            }
        }
    }

    /// The connection reads what was sent, as far as it does.
    fn hear(&mut self, session: SessionId) {
        while let Some(heard) = self.peers.get_mut(&session).and_then(Peer::hear) {
            match heard {
                Heard::Telnet(answer) => self.refuse_option(session, answer),
                Heard::AreYouThere => self.count_answered(session, &InputKind::AreYouThere),
                Heard::OtherProtocol(foreign) => self.act(session, &InputKind::OtherProtocol(foreign)),
                Heard::EndOfInput => self.act(session, &InputKind::EndOfInput),
                Heard::Line(line, ending) => {
                    if ending == Some(Ending::CrLf) {
                        self.act(session, &InputKind::Ending(Ending::CrLf));
                    }
                    self.line(session, line);
                }
            }
        }
    }

    fn refuse_option(&mut self, session: SessionId, answer: [u8; 3]) {
        if let Some(peer) = self.peers.get_mut(&session) {
            peer.mailbox.push_urgent(&answer);
            peer.reader.expect_refusal(answer);
        }
    }

    fn line(&mut self, session: SessionId, line: Result<String, LineError>) {
        self.make_room();
        let Some(peer) = self.peers.get_mut(&session) else { return };
        let mode = peer.mailbox.mode();
        let action = match line.map_err(Refusal::from).and_then(|line| Command::parse(&line, mode)) {
            Ok(None) => InputKind::Blank,
            Ok(Some(command)) if command.needs_secret() => {
                self.last_secret += 1;
                InputKind::CommandWithSecret(command, Secret::new(self.last_secret.to_be_bytes()))
            }
            Ok(Some(command)) => InputKind::Command(command),
            Err(refusal) => InputKind::Refuse(refusal),
        };
        let is_known = !peer.mailbox.lifecycle().is_closed();
        match &action {
            // Whom the room has forgotten it does not answer.
            _ if !is_known => {}
            InputKind::Command(command) if command.verb() == Verb::Pong => {}
            InputKind::Command(command) => peer.reader.expect(Some(command.verb())),
            InputKind::CommandWithSecret(..) => peer.reader.expect(Some(Verb::Set)),
            InputKind::Refuse(refusal) => peer.reader.expect(refusal.verb),
            _ => {}
        }
        self.count_answered(session, &action);
    }

    /// Handles a line or AYT, which counts as answered once.
    fn count_answered(&mut self, session: SessionId, action: &InputKind) {
        let mailbox = Arc::clone(&self.peers[&session].mailbox);
        let (before, is_known) = (mailbox.answered(), !mailbox.lifecycle().is_closed());
        self.act(session, action);
        // A line that ends its session needs no count: the connection reads no more.
        let is_left = is_known && !mailbox.lifecycle().is_closed();
        assert_eq!(mailbox.answered() - before, u64::from(is_left), "every line is counted as answered once");
    }

    fn act(&mut self, session: SessionId, action: &InputKind) {
        self.make_room();
        self.hub.process(self.now, HubRequest::Input(session, action.clone()));
        self.model.apply(self.now, session, action);
        self.progress += 1;
    }

    /// What the hub's task does before it takes more.
    fn make_room(&mut self) {
        while self.hub.must_publish() {
            self.publish();
        }
    }

    fn publish(&mut self) {
        self.hub.publish(self.now);
        for (&session, peer) in self.peers.iter().filter(|(_, peer)| peer.is_up_to_date()) {
            assert_eq!(peer.reader.text.len(), self.model.stream(session).len(), "{session:?} was not woken");
        }
        // The hub lets go of slow readers by itself: the youngest first.
        let slow = self.peers.iter().rev().filter(|(_, peer)| peer.mailbox.lifecycle().is_slow());
        let slow: Vec<_> = slow.map(|(&session, _)| session).filter(|&slow| self.model.is_connected(slow)).collect();
        for session in slow {
            self.model.apply(self.now, session, &InputKind::Disconnected(LeaveReason::Slow));
        }
    }

    fn read(&mut self, session: SessionId) {
        let bytes = self.script.below(READ_BYTES_MAX);
        let Some(peer) = self.peers.get_mut(&session) else { return };
        peer.read(&self.feed, bytes);
        self.seen.blocked += u32::from(peer.state == State::Blocked);
        self.check_stream(session);
        self.hear(session);
    }

    /// What the connection does once its writer came to the end.
    fn bury(&mut self) {
        let done = |peer: &Peer| matches!(peer.state, State::Done | State::Slow);
        let ended: Vec<_> = self.peers.iter().filter(|(_, peer)| done(peer)).map(|(&session, _)| session).collect();
        for session in ended {
            let state = self.peers[&session].state;
            if state == State::Done {
                self.seen.flushed += 1;
                self.check_end(session);
            } else {
                self.seen.slow += 1;
            }
            if !self.peers[&session].mailbox.lifecycle().is_closed() {
                let reason = if state == State::Done { LeaveReason::Eof } else { LeaveReason::Slow };
                self.act(session, &InputKind::Disconnected(reason));
            }
            self.peers.remove(&session);
            self.model.bury(session);
        }
    }
}

/// What must hold.
impl Run<'_> {
    fn check(&self) {
        let names: Vec<_> = self.hub.sessions().names().collect();
        let keys: BTreeSet<_> = names.iter().map(|name| name.key()).collect();
        assert_eq!(keys.len(), names.len(), "two of the same name: {names:?}");
        for which in [0, 1] {
            let skeletons: BTreeSet<_> = names.iter().map(|name| name.skeletons()[which]).collect();
            assert_eq!(skeletons.len(), names.len(), "two names too alike: {names:?}");
        }
        assert!(names.iter().copied().eq(self.model.room.names()), "the same inputs give the same room");
        assert_eq!(self.hub.sessions().connected_count(), self.model.room.connected_count());
        for peer in self.peers.values() {
            let (waiting, unasked) = (peer.mailbox.waiting_bytes(), peer.mailbox.whisper_bytes());
            assert!(unasked <= WHISPER_BYTES_MAX + 2 * SERVER_LINE_BYTES_MAX, "{unasked} bytes of whispers wait");
            let asked = PRIVATE_BYTES_PAUSE + (2 + said::KEPT) * SERVER_LINE_BYTES_MAX;
            assert!(waiting <= unasked + asked, "{waiting} bytes wait");
        }
    }

    /// What the peer got is the begin of what it was to get.
    fn check_stream(&mut self, session: SessionId) {
        let Some(Peer { reader, .. }) = self.peers.get_mut(&session) else { return };
        let (got, expected) = (&reader.text[reader.compared..], &self.model.stream(session)[reader.compared..]);
        assert!(
            expected.starts_with(got),
            "{session:?} got\n{}\ninstead of\n{}",
            String::from_utf8_lossy(got),
            String::from_utf8_lossy(expected)
        );
        self.progress += got.len();
        reader.compared = reader.text.len();
    }

    /// It got all of it.
    fn check_end(&self, session: SessionId) {
        let reader = &self.peers[&session].reader;
        assert_eq!(reader.text.len(), self.model.stream(session).len(), "{session:?} misses the end");
        reader.check_answered();
    }

    /// Everybody who still reads gets everything; then all leave.
    fn finish(&mut self, stops: bool) {
        if stops {
            self.act(SessionId::SERVER, &InputKind::Shutdown);
            self.connect();
        }
        self.read_to_the_end();
        for (&session, peer) in &self.peers {
            assert!(!stops || peer.state == State::Blocked, "the end of the server closes {session:?}");
            if peer.state == State::Waiting {
                self.check_end(session);
                peer.reader.check_refused();
                let (waiting, unasked) = (peer.mailbox.waiting_bytes(), peer.mailbox.whisper_bytes());
                assert_eq!((waiting, unasked), (0, 0), "nothing waits for {session:?}");
            }
        }
        for session in self.peers.keys().copied().collect::<Vec<_>>() {
            self.act(session, &InputKind::Disconnected(LeaveReason::Lost));
        }
        // Names are held for a while yet.
        self.pass(3_600_000);
        assert_eq!(
            (self.hub.sessions().names().count(), self.hub.sessions().connected_count()),
            (0, 0),
            "all have left"
        );
        self.publish();
        self.peers.clear();
        assert_eq!(self.feed.backlog().bytes(), self.feed.bytes(), "only the feed is left of the backlog");
        let claims = &self.model.claims;
        self.seen.handovers = self.model.history.handovers;
        [self.seen.taken_over, self.seen.came_back] = claims.taken_back;
        self.seen.given_up = claims.given_up;
        self.seen.shown = self.model.shown;
        self.seen.canvases = self.model.said.canvases;
    }

    /// Until nobody has anything to read that they would take.
    fn read_to_the_end(&mut self) {
        let mut before = None;
        while before.replace(self.progress) != Some(self.progress) || self.hub.is_turn_due() {
            self.publish();
            for session in self.peers.keys().copied().collect::<Vec<_>>() {
                if let Some(peer) = self.peers.get_mut(&session) {
                    peer.read_all(&self.feed);
                }
                self.check_stream(session);
                self.hear(session);
            }
            self.bury();
        }
    }
}
