//! A run: several simulated clients of the real hub, with its feed and cursors, beside a model of the server that gets the same inputs.
//! A script of bytes determines each action. After each step, the client's bytes must equal the model's, and the invariants must hold.
//! A client reads only after a wake-up, so a lost wake-up shows as missing bytes.
//! The hub publishes several inputs at a time, and the model has one stream of bytes for each client: so the order of the inputs alone
//! decides what happens, as when a member is banned in the turn in which it enters. In some runs, clients moderate.
//!
//! The tests generate scripts from seeds and run those of the corpus; `scripts/fuzz sessions` looks for more.

mod accounts;
mod client;
mod expected_lines;
mod members;
mod message_log;
mod model;
mod moderation_facts;
mod moderation_rules;
mod operator;
mod phrases;
mod reader;
mod resume_tokens;
mod roles;
mod rooms;
mod rules;
mod script;
mod stream;
mod timers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chinwag::command::{ClientLine, Refusal, Verb};
use chinwag::feed::Feed;
use chinwag::limits::{LONE_CR_SILENCE_MS, PRIVATE_BYTES_PAUSE, SERVER_LINE_BYTES_MAX, WHISPER_BYTES_MAX};
use chinwag::protocol::{Ending, LeaveReason, LineError, Mode, Motd, Secret, Timestamp};
use chinwag::server::hub::{Hub, HubRequest};
use chinwag::session::{InputKind, LiveOptions, Timeouts};
use chinwag::state::{Policy, SessionId, Uptime};

use self::client::{Client, Received, State};
use self::model::Model;
use self::roles::RoleCoverage;
use self::script::Script;

/// Wall time at the start: a day in 2027.
const START_MS: i64 = 1_800_000_000_000;

const CLIENTS_MAX: usize = 12;

/// Sizes of the backlog. Most are so small that slow readers are evicted now and then.
const FEED_BYTES: [usize; 4] = [4 * 1024, 8 * 1024, 16 * 1024, 1024 * 1024];

/// Timeouts of sessions, and the time for which a detached member remains.
const TIMEOUTS: [(Timeouts, u64); 3] = [
    (Timeouts { name_seconds: 0, idle_seconds: 0 }, 0),
    (Timeouts { name_seconds: 60, idle_seconds: 0 }, 20),
    (Timeouts { name_seconds: 60, idle_seconds: 90 }, 45),
];

/// Most bytes that a socket accepts at once.
const READ_BYTES_MAX: usize = 2048;

/// Line endings, by frequency.
const ENDINGS: [&str; 16] =
    ["\n", "\n", "\n", "\n", "\n", "\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\0", "\r\0", "\r", ""];

/// Most repetitions of a line in a flood.
const FLOOD_LINES_MAX: usize = 64;

/// Time by which the wall clock is set forward sometimes.
const CLOCK_STEP_MS: i64 = 20 * 24 * 3600 * 1000;

/// Counts of rare events in a run.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    /// The hub disconnected a slow consumer.
    pub(crate) slow: u32,
    /// A client received everything and was closed.
    pub(crate) flushed: u32,
    /// A socket was full.
    pub(crate) blocked: u32,
    /// The coordinator changed.
    pub(crate) handovers: u32,
    /// A session resumed a member that was connected.
    pub(crate) taken_over: u32,
    /// A session resumed a detached member.
    pub(crate) came_back: u32,
    /// A detached member expired.
    pub(crate) given_up: u32,
    /// A client received a stroke of another client.
    pub(crate) shown: u32,
    /// A client received a canvas that was not empty.
    pub(crate) canvases: u32,
    /// A client's lines turned out to end with CR alone.
    pub(crate) lone_cr: u32,
    /// A room was created.
    pub(crate) opened: u32,
    /// A room vanished.
    pub(crate) closed: u32,
    /// An event happened in a room other than the lobby.
    pub(crate) room_events: u32,
    /// A session registered an account.
    pub(crate) registered: u32,
    /// A session logged in.
    pub(crate) logins: u32,
    /// A login displaced another member of the account, or a password of the operator displaced its member.
    pub(crate) displaced: u32,
    /// A login displaced a connected guest.
    pub(crate) displaced_guests: u32,
    /// An account was deleted.
    pub(crate) deleted: u32,
    /// The operator changed an account.
    pub(crate) operator_changes: u32,
    /// Effects of moderation.
    pub(crate) roles: RoleCoverage,
}

/// Runs the script, then lets all clients read to the end. Checks everything after each step.
pub(crate) fn run(script: &[u8]) -> Coverage {
    let mut run = Run::new(Script::new(script));
    // Moderators remove others, who then do less: so only some runs have them.
    let choice = run.script.below(4);
    let stops = choice % 2 == 1;
    run.has_roles = choice >= 2;
    while !run.script.is_at_end() {
        run.step();
        run.check();
    }
    run.finish(stops);
    run.coverage
}

struct Run<'a> {
    script: Script<'a>,
    now: Timestamp,
    /// How far the wall clock was set forward.
    clock_step_ms: i64,
    feed: Arc<Feed>,
    hub: Hub,
    model: Model,
    clients: BTreeMap<SessionId, Client>,
    /// Clients moderate, and the operator makes them operators.
    has_roles: bool,
    last_session: u64,
    last_secret: u128,
    /// Number of inputs and bytes read. The run is at its end when this no longer grows.
    progress: usize,
    coverage: Coverage,
}

impl<'a> Run<'a> {
    fn new(mut script: Script<'a>) -> Self {
        let feed = Arc::new(Feed::new(script.one_of(&FEED_BYTES)));
        let (timeouts, resume_seconds) = script.one_of(&TIMEOUTS);
        Self {
            script,
            now: Timestamp(START_MS),
            clock_step_ms: 0,
            hub: Hub::new(model::room(timeouts, resume_seconds), Arc::clone(&feed)),
            feed,
            model: Model::new(timeouts, resume_seconds),
            clients: BTreeMap::new(),
            has_roles: false,
            last_session: 0,
            last_secret: 0,
            progress: 0,
            coverage: Coverage::default(),
        }
    }

    fn step(&mut self) {
        let choice = self.script.below(100);
        if choice < 15 {
            return self.publish();
        }
        if choice < 25 || self.clients.is_empty() {
            return self.connect();
        }
        let nth = self.script.below(CLIENTS_MAX) % self.clients.len();
        let session = self.clients.keys().copied().nth(nth).expect("nth is below the number of clients");
        match choice {
            25..46 if self.has_roles => self.moderate(session),
            46..50 if self.has_roles => self.speak_muted(session),
            25..66 => self.send_lines(session, 1),
            66..70 => {
                let nth = self.script.below(CLIENTS_MAX);
                self.process_password(nth);
            }
            70..88 => self.read(session),
            88..90 => self.send_raw(session),
            90 => self.change_account(),
            91..92 => self.half_close(session),
            92..93 => self.lose_connection(session),
            93..96 => {
                let times = 1 + self.script.below(FLOOD_LINES_MAX);
                self.send_lines(session, times);
            }
            _ => self.wait(),
        }
        self.remove_ended();
    }

    fn connect(&mut self) {
        if self.clients.len() == CLIENTS_MAX {
            return;
        }
        let patience = if self.script.below(4) == 3 { self.script.below(READ_BYTES_MAX) } else { usize::MAX };
        self.last_session += 1;
        let session = SessionId(self.last_session);
        let address = roles::peer_of(session);
        let mut client = Client::new(patience, &self.feed);
        self.publish_if_due();
        self.hub.process(self.wall(), HubRequest::Connect(session, address, Arc::clone(&client.mailbox)));
        self.model.apply(self.wall(), session, &InputKind::Connect(address));
        let resume_tokens = &self.model.resume_tokens;
        client.send(&phrases::first_line(
            session.0,
            resume_tokens.oldest_detached(),
            resume_tokens.issued.last().copied(),
            &self.model.account_names(),
        ));
        self.clients.insert(session, client);
        self.receive(session);
    }

    /// Sends a line `times` times, with one of the endings or none.
    fn send_lines(&mut self, session: SessionId, times: usize) {
        let accounts = self.model.account_names();
        let secrets = phrases::Secrets {
            resume_tokens: &self.model.resume_tokens.issued,
            access_tokens: &self.model.accounts.issued,
            accounts: &accounts,
        };
        let line = phrases::line(&mut self.script, secrets);
        self.send_line(session, line, times);
    }

    fn send_line(&mut self, session: SessionId, mut line: Vec<u8>, times: usize) {
        let ending = self.script.one_of(&ENDINGS);
        let Some(client) = self.clients.get_mut(&session) else { return };
        if client.mailbox.mode() == Mode::Chat && self.script.below(2) == 1 {
            line.insert(0, b'/');
        }
        line.extend(ending.as_bytes());
        client.send(&line.repeat(times));
        self.receive(session);
    }

    fn send_raw(&mut self, session: SessionId) {
        let count = self.script.below(64);
        let bytes = self.script.bytes(count);
        if let Some(client) = self.clients.get_mut(&session) {
            client.send(bytes);
        }
        self.receive(session);
    }

    fn half_close(&mut self, session: SessionId) {
        if let Some(client) = self.clients.get_mut(&session) {
            client.half_close();
        }
        self.receive(session);
    }

    fn lose_connection(&mut self, session: SessionId) {
        if let Some(client) = self.clients.get_mut(&session) {
            client.lose_connection();
        }
        self.act(session, &InputKind::Disconnected(LeaveReason::Lost));
    }

    /// The wall clock.
    fn wall(&self) -> Timestamp {
        Timestamp(self.now.0 + self.clock_step_ms)
    }

    /// Lets up to half a minute pass.
    fn wait(&mut self) {
        match self.script.below(16) {
            15 => self.clock_step_ms += CLOCK_STEP_MS,
            14 => self.configure(),
            _ => {}
        }
        let ms = self.script.one_of(&[1, 900, 1000, 7000, 30_000]);
        self.pass(ms);
    }

    /// The operator changes the timeouts. Whether members can be resumed stays as it is.
    fn configure(&mut self) {
        let (timeouts, resume_seconds) = self.script.one_of(&TIMEOUTS);
        if (resume_seconds > 0) != self.model.resume_tokens.are_on() {
            return;
        }
        let options = LiveOptions {
            timeouts,
            has_watch: true,
            allows_insecure_passwords: true,
            is_registration_open: true,
            motd: Motd::default(),
            policy: Policy { resume_seconds, ..self.model.room.state().policy() },
        };
        self.act(SessionId::SERVER, &InputKind::Configure(Box::new(options)));
        self.model.set_timeouts(timeouts, resume_seconds);
    }

    fn pass(&mut self, ms: i64) {
        self.now.0 += ms;
        let uptime = Uptime((self.now.0 - START_MS).unsigned_abs() / 1000);
        self.act(SessionId::SERVER, &InputKind::Tick(uptime));
        if ms.unsigned_abs() >= LONE_CR_SILENCE_MS {
            self.coverage.lone_cr +=
                self.clients.values_mut().map(|client| u32::from(client.fall_silent())).sum::<u32>();
            for session in self.clients.keys().copied().collect::<Vec<_>>() {
                self.receive(session);
            }
        }
    }

    /// Lets the connection read what its client sent, up to the point where it would apply backpressure.
    fn receive(&mut self, session: SessionId) {
        // While a password is checked, the client's later lines wait.
        while !self.model.accounts.is_pending(session)
            && let Some(received) = self.clients.get_mut(&session).and_then(Client::receive)
        {
            match received {
                Received::Telnet(answer) => self.refuse_option(session, answer),
                Received::AreYouThere => self.count_answered(session, &InputKind::AreYouThere),
                Received::OtherProtocol(foreign) => self.act(session, &InputKind::OtherProtocol(foreign)),
                Received::EndOfInput => self.act(session, &InputKind::EndOfInput),
                Received::Line(line, ending) => {
                    if ending == Some(Ending::CrLf) {
                        self.act(session, &InputKind::Ending(Ending::CrLf));
                    }
                    self.line(session, line);
                }
            }
        }
    }

    fn refuse_option(&mut self, session: SessionId, answer: [u8; 3]) {
        if let Some(client) = self.clients.get_mut(&session) {
            client.mailbox.push_urgent(&answer);
            client.reader.expect_refusal(answer);
        }
    }

    fn line(&mut self, session: SessionId, line: Result<String, LineError>) {
        self.publish_if_due();
        let Some(client) = self.clients.get_mut(&session) else { return };
        let mode = client.mailbox.mode();
        let action = match line.map_or_else(
            |error| InputKind::Refuse(Refusal::from(error)),
            |line| InputKind::from(ClientLine::parse(&line, mode)),
        ) {
            InputKind::Command(command) if command.needs_secret() => {
                self.last_secret += 1;
                InputKind::CommandWithSecret(command, Secret::new(self.last_secret.to_be_bytes()))
            }
            action => action,
        };
        let is_known = !client.mailbox.lifecycle().is_closed();
        match &action {
            // A removed session gets no reply.
            _ if !is_known => {}
            InputKind::Command(command) if command.verb() == Verb::Pong => {}
            InputKind::Command(command) | InputKind::CommandIn(_, command) => {
                client.reader.expect(Some(command.verb()));
            }
            InputKind::CommandWithSecret(command, _) => client.reader.expect(Some(command.verb())),
            InputKind::Refuse(refusal) | InputKind::RefuseIn(_, refusal) => client.reader.expect(refusal.verb),
            _ => {}
        }
        self.count_answered(session, &action);
    }

    /// Handles a line or AYT, which counts as answered once.
    fn count_answered(&mut self, session: SessionId, action: &InputKind) {
        let mailbox = Arc::clone(&self.clients[&session].mailbox);
        let (before, is_known) = (mailbox.answered(), !mailbox.lifecycle().is_closed());
        self.act(session, action);
        // A line that ends its session needs no count: the connection reads no more.
        let is_left = is_known && !mailbox.lifecycle().is_closed() && !self.model.accounts.is_pending(session);
        assert_eq!(mailbox.answered() - before, u64::from(is_left), "every line is counted as answered once");
    }

    /// Ends the work on one of the passwords. The result answers a line, unless the session has ended.
    fn process_password(&mut self, nth: usize) {
        let Some(result) = self.model.accounts.take_result(nth) else { return };
        let session = result.session;
        let mailbox = self.clients.get(&session).map(|client| Arc::clone(&client.mailbox));
        let mailbox = mailbox.filter(|mailbox| !mailbox.lifecycle().is_closed());
        let before = mailbox.as_ref().map(|mailbox| mailbox.answered());
        self.act(SessionId::SERVER, &InputKind::PasswordProcessed(result));
        if let Some((mailbox, before)) = mailbox.zip(before) {
            // The result may end the session after the answer: an operator without an account may be banned.
            let (is_left, answered) = (!mailbox.lifecycle().is_closed(), mailbox.answered() - before);
            assert!(answered == 1 || answered == 0 && !is_left, "a line is answered by the result");
        }
        self.receive(session);
    }

    fn act(&mut self, session: SessionId, action: &InputKind) {
        self.publish_if_due();
        self.hub.process(self.wall(), HubRequest::Input(session, action.clone()));
        self.model.apply(self.wall(), session, action);
        self.progress += 1;
    }

    /// Publishes if the hub must publish before its next input, as the hub's task does.
    fn publish_if_due(&mut self) {
        while self.hub.must_publish() {
            self.publish();
        }
    }

    fn publish(&mut self) {
        self.hub.publish(self.wall());
        self.model.end_turn();
        for (&session, client) in self.clients.iter().filter(|(_, client)| client.is_up_to_date()) {
            assert_eq!(client.reader.text.len(), self.model.stream_bytes(session), "{session:?} was not woken");
        }
        // The hub has disconnected slow consumers, the newest session first.
        let slow = self.clients.iter().rev().filter(|(_, client)| client.mailbox.lifecycle().is_slow());
        let slow: Vec<_> = slow.map(|(&session, _)| session).filter(|&slow| self.model.is_connected(slow)).collect();
        for session in slow {
            self.model.apply(self.wall(), session, &InputKind::Disconnected(LeaveReason::Slow));
        }
    }

    fn read(&mut self, session: SessionId) {
        let bytes = self.script.below(READ_BYTES_MAX);
        let Some(client) = self.clients.get_mut(&session) else { return };
        client.read(&self.feed, bytes);
        self.coverage.blocked += u32::from(client.state == State::Blocked);
        self.check_stream(session);
        self.receive(session);
    }

    /// Removes clients whose writer has ended, as their connections do.
    fn remove_ended(&mut self) {
        let done = |client: &Client| matches!(client.state, State::Done | State::Slow);
        let ended: Vec<_> =
            self.clients.iter().filter(|(_, client)| done(client)).map(|(&session, _)| session).collect();
        for session in ended {
            let state = self.clients[&session].state;
            if state == State::Done {
                self.coverage.flushed += 1;
                self.check_end(session);
            } else {
                self.coverage.slow += 1;
            }
            if !self.clients[&session].mailbox.lifecycle().is_closed() {
                let reason = if state == State::Done { LeaveReason::Eof } else { LeaveReason::Slow };
                self.act(session, &InputKind::Disconnected(reason));
            }
            self.clients.remove(&session);
            self.model.remove_ended(session);
        }
    }
}

/// The checks.
impl Run<'_> {
    fn check(&self) {
        let names: Vec<_> = self.hub.sessions().names().collect();
        let keys: BTreeSet<_> = names.iter().map(|name| name.key()).collect();
        assert_eq!(keys.len(), names.len(), "two equal nicknames: {names:?}");
        for which in [0, 1] {
            let skeletons: BTreeSet<_> = names.iter().map(|name| name.skeletons()[which]).collect();
            assert_eq!(skeletons.len(), names.len(), "two look-alike nicknames: {names:?}");
        }
        assert!(names.iter().copied().eq(self.model.room.names()), "equal inputs must give equal rooms");
        assert_eq!(self.hub.sessions().connected_count(), self.model.room.connected_count());
        for client in self.clients.values() {
            let (waiting, unasked) = (client.mailbox.waiting_bytes(), client.mailbox.whisper_bytes());
            assert!(unasked <= WHISPER_BYTES_MAX + 2 * SERVER_LINE_BYTES_MAX, "{unasked} bytes of whispers wait");
            let asked = PRIVATE_BYTES_PAUSE + (2 + message_log::KEPT) * SERVER_LINE_BYTES_MAX;
            assert!(waiting <= unasked + asked, "{waiting} bytes wait");
        }
    }

    /// Checks the lines that the client has received since the last call.
    fn check_stream(&mut self, session: SessionId) {
        let Some(Client { reader, .. }) = self.clients.get_mut(&session) else { return };
        while let Some(end) = reader.text[reader.compared..].iter().position(|&byte| byte == b'\n') {
            let line = &reader.text[reader.compared..=reader.compared + end];
            self.model.receive(session, line);
            self.progress += line.len();
            reader.compared += line.len();
        }
    }

    /// Checks that the client received all of its stream.
    fn check_end(&self, session: SessionId) {
        let reader = &self.clients[&session].reader;
        assert_eq!(reader.text.len(), self.model.stream_bytes(session), "{session:?} did not receive everything");
        reader.check_answered(self.model.accounts.lacks_reply(session));
    }

    /// Delivers everything to the clients that still read, then disconnects all.
    fn finish(&mut self, stops: bool) {
        if stops {
            self.act(SessionId::SERVER, &InputKind::Shutdown);
            self.connect();
        }
        self.read_to_the_end();
        for (&session, client) in &self.clients {
            assert!(!stops || client.state == State::Blocked, "the shutdown did not close {session:?}");
            if client.state == State::Waiting {
                self.check_end(session);
                client.reader.check_refused();
                let (waiting, unasked) = (client.mailbox.waiting_bytes(), client.mailbox.whisper_bytes());
                assert_eq!((waiting, unasked), (0, 0), "{session:?} has a backlog");
            }
        }
        for session in self.clients.keys().copied().collect::<Vec<_>>() {
            self.act(session, &InputKind::Disconnected(LeaveReason::Lost));
        }
        // Detached members expire.
        self.pass(3_600_000);
        assert_eq!(
            (self.hub.sessions().names().count(), self.hub.sessions().connected_count()),
            (0, 0),
            "all members have left"
        );
        self.publish();
        self.clients.clear();
        assert_eq!(self.feed.backlog().bytes(), self.feed.bytes(), "only the feed is left of the backlog");
        let resume_tokens = &self.model.resume_tokens;
        let rooms = self.model.rooms.total();
        assert_eq!(self.hub.sessions().state().rooms().count(), 1, "only the lobby is left");
        self.coverage.handovers = rooms.handovers;
        [self.coverage.opened, self.coverage.closed, self.coverage.room_events] =
            [rooms.opened, rooms.closed, rooms.events];
        [self.coverage.taken_over, self.coverage.came_back] = resume_tokens.resumed;
        self.coverage.given_up = resume_tokens.expired;
        self.coverage.shown = self.model.shown;
        let accounts = &self.model.accounts;
        self.coverage.registered = accounts.registered;
        self.coverage.logins = accounts.logins;
        self.coverage.displaced = accounts.displaced;
        self.coverage.displaced_guests = accounts.displaced_guests;
        self.coverage.deleted = accounts.deleted;
        self.coverage.operator_changes = accounts.operator_changes;
        self.coverage.canvases = rooms.canvases;
        self.coverage.roles = self.model.roles.coverage;
    }

    /// Lets all clients read until nothing more arrives.
    fn read_to_the_end(&mut self) {
        let mut before = None;
        while before.replace(self.progress) != Some(self.progress) || self.hub.is_turn_due() {
            self.process_password(0);
            self.publish();
            for session in self.clients.keys().copied().collect::<Vec<_>>() {
                if let Some(client) = self.clients.get_mut(&session) {
                    client.read_all(&self.feed);
                }
                self.check_stream(session);
                self.receive(session);
            }
            self.remove_ended();
        }
    }
}
