//! A run: a minute or two of a cluster, step by step, and what goes wrong in it.

use chinwag::cluster::Genesis;
use chinwag::protocol::Token;
use chinwag::state::{SessionId, StateLimits};
use fastrand::Rng;

use super::engine::{Engine, Link, Process};
use super::node::Node;
use super::reference::Reference;
use super::{Coverage, Outcomes};

/// Virtual time of a run with failures.
const RUN_MS: u64 = 60_000;

/// Virtual time after which a healed cluster must be up to date: two leases, and time to join.
const HEALED_MS: u64 = 20_000;

/// Most clients of a node.
const CLIENTS_MAX: usize = 4;

/// Most lines of a client without a reply.
const DUE_MAX: usize = 6;

/// Nicknames that all clients want.
const NAMES: [&str; 8] = ["alice", "bob", "carol", "dave", "eve", "mallory", "peggy", "trent"];

/// Rooms besides the lobby.
const ROOMS: [&str; 3] = ["#ops", "#dev", "#war"];

/// Runs a cluster from a seed.
pub(crate) fn run(seed: u64) -> Coverage {
    let mut run = Run::new(seed);
    while run.engine.now_ms < RUN_MS {
        run.fail_something();
        run.act();
        run.step();
    }
    run.heal();
    run.finish();
    run.coverage.acknowledged = run.outcomes.acknowledged;
    run.coverage
}

/// A place for a node.
struct Slot {
    name: String,
    /// `None`: it was killed.
    node: Option<Node>,
    /// When it is started.
    starts_at: u64,
}

struct Run {
    random: Rng,
    engine: Engine,
    reference: Reference,
    slots: Vec<Slot>,
    last_process: u64,
    last_text: u64,
    /// When the engine's quorum returns.
    quorum_at: u64,
    outcomes: Outcomes,
    coverage: Coverage,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let count = [3, 3, 3, 2, 5][random.usize(..5)];
        // They start at about the same time, so that several begin the log.
        let slots = (0..count).map(|nth| Slot { name: format!("n{nth}"), node: None, starts_at: random.u64(..60) });
        Self {
            slots: slots.collect(),
            engine: Engine::new(random.u64(..)),
            random,
            reference: Reference::default(),
            last_process: 0,
            last_text: 0,
            quorum_at: 0,
            outcomes: Outcomes::default(),
            coverage: Coverage::default(),
        }
    }

    /// Lets a moment pass.
    fn step(&mut self) {
        let passed_ms = self.random.u64(5..100);
        self.engine.now_ms += passed_ms;
        self.engine.has_quorum = self.engine.now_ms >= self.quorum_at;
        self.start_nodes();
        self.engine.step(&mut self.coverage);
        self.reference.catch_up(&self.engine.messages, &mut self.coverage);
        for node in self.slots.iter_mut().filter_map(|slot| slot.node.as_mut()) {
            if node.frozen_until <= self.engine.now_ms {
                node.step(passed_ms, &self.reference, &mut self.outcomes, &mut self.coverage);
            }
        }
    }

    fn start_nodes(&mut self) {
        for slot in &mut self.slots {
            if slot.node.is_none() && slot.starts_at <= self.engine.now_ms {
                self.last_process += 1;
                let process = Process(self.last_process);
                let link = Link::new(self.random.u64(..));
                let epoch = Token::new(&format!("e{}", self.last_process)).expect("a valid token");
                let limits = StateLimits { resume_seconds: 10, ..StateLimits::default() };
                self.engine.connect(process, link.clone());
                slot.node = Some(Node::start(&slot.name, process, link, Genesis { limits, epoch }));
            }
        }
    }

    /// Lets something go wrong, rarely.
    fn fail_something(&mut self) {
        let now = self.engine.now_ms;
        let nth = self.random.usize(..self.slots.len());
        match self.random.u32(..2000) {
            0..6 if self.engine.has_quorum => {
                self.coverage.outages += 1;
                self.engine.change_leader(&mut self.coverage);
                let longest_ms = [2000, 6000, 14_000][self.random.usize(..3)];
                self.quorum_at = now + self.random.u64(300..longest_ms);
            }
            6..10 => self.kill(nth),
            10..14 => {
                if let Some(node) = &mut self.slots[nth].node {
                    self.coverage.frozen += 1;
                    node.frozen_until = now + self.random.u64(500..20_000);
                }
            }
            14..18 => self.engine.change_leader(&mut self.coverage),
            _ => {}
        }
    }

    /// Kills a node. It is started again after some time.
    fn kill(&mut self, nth: usize) {
        let slot = &mut self.slots[nth];
        let Some(node) = slot.node.take() else { return };
        self.coverage.killed += 1;
        self.engine.disconnect(node.process);
        self.outcomes.tokens.extend(node.clients.into_values().filter_map(|client| client.token));
        slot.starts_at = self.engine.now_ms + self.random.u64(100..15_000);
    }

    /// Lets clients do something at a node.
    fn act(&mut self) {
        let nth = self.random.usize(..self.slots.len());
        let now = self.engine.now_ms;
        let Some(node) = self.slots[nth].node.as_mut().filter(|node| node.frozen_until <= now) else { return };
        if node.clients.len() < CLIENTS_MAX && self.random.u8(..) < 32 {
            if let Some(session) = node.connect() {
                node.send(session, "SET tags on");
            }
            return;
        }
        if node.clients.is_empty() {
            return;
        }
        let which = self.random.usize(..node.clients.len());
        let (&session, client) = node.clients.iter().nth(which).expect("which is below the number of clients");
        if client.due_count() >= DUE_MAX {
            return;
        }
        match self.random.u32(..100) {
            0..2 => node.lose(session, &mut self.outcomes),
            _ => {
                let is_named = client.is_named;
                for _ in 0..self.random.usize(1..3) {
                    let line = self.line(is_named);
                    if let Some(node) = &mut self.slots[nth].node {
                        node.send(session, &line);
                    }
                }
            }
        }
    }

    fn line(&mut self, is_named: bool) -> String {
        let name = NAMES[self.random.usize(..NAMES.len())];
        let room = ROOMS[self.random.usize(..ROOMS.len())];
        let choice = self.random.u32(..100);
        if !is_named {
            let token = if choice < 50 { self.outcomes.tokens.pop() } else { None };
            return match token {
                Some(token) => format!("RESUME {token}"),
                None if choice >= 90 => format!("WATCH {room}"),
                None => format!("NICK {name}"),
            };
        }
        match choice {
            0..50 => self.message(""),
            50..58 => self.message(&format!("{room} ")),
            58..66 => format!("JOIN {room}"),
            66..70 => format!("PART {room}"),
            70..75 => format!("WHISPER {name} psst"),
            75..80 => format!("NICK {name}"),
            80..84 => "PING".to_owned(),
            84..90 => "SET resume on".to_owned(),
            90..93 => "TOPIC tea".to_owned(),
            93..95 => "WHO".to_owned(),
            95..97 => "HISTORY 3".to_owned(),
            97 => "QUIT".to_owned(),
            _ => "DRAW #ff0000 3 1,1 2,2".to_owned(),
        }
    }

    /// A message that nobody has said before.
    fn message(&mut self, prefix: &str) -> String {
        self.last_text += 1;
        format!("{prefix}MSG text {}", self.last_text)
    }

    /// Nothing goes wrong any more, and all nodes run.
    fn heal(&mut self) {
        self.engine.is_healed = true;
        self.quorum_at = 0;
        for slot in &mut self.slots {
            slot.starts_at = 0;
            if let Some(node) = &mut slot.node {
                node.frozen_until = 0;
            }
        }
        let end = self.engine.now_ms + HEALED_MS;
        while self.engine.now_ms < end {
            self.step();
        }
    }

    /// Checks that all nodes are up to date, all lines are answered, and new clients are served.
    fn finish(&mut self) {
        let mut guests = Vec::new();
        for (nth, slot) in self.slots.iter_mut().enumerate() {
            let node = slot.node.as_mut().expect("all nodes run");
            assert!(node.accepts_clients(), "{} has not joined again", slot.name);
            for client in node.clients.values() {
                assert_eq!(client.due_count(), 0, "lines without a reply: {}", client.due());
            }
            let session = node.connect().expect("the node accepts clients");
            for line in
                ["SET tags on".to_owned(), format!("NICK guest{nth}"), format!("MSG bye from {nth}"), "PING".to_owned()]
            {
                node.send(session, &line);
            }
            guests.push(session);
        }
        let (before, acknowledged) = (self.engine.messages.len() as u64, self.outcomes.acknowledged);
        for _ in 0..60 {
            self.step();
        }
        for (slot, guest) in self.slots.iter().zip(&guests) {
            let node = slot.node.as_ref().expect("all nodes run");
            assert!(node.position() > before, "{} does not read", slot.name);
            self.check_guest(node, *guest);
        }
        assert!(self.outcomes.acknowledged >= acknowledged + u32::try_from(guests.len()).unwrap_or(u32::MAX));
        for text in &self.outcomes.refused {
            assert_eq!(self.reference.id_of(text), None, "{text:?} was refused, and is in the log");
        }
    }

    fn check_guest(&self, node: &Node, guest: SessionId) {
        let client = node.clients.get(&guest).expect("the guest stays");
        assert!(client.is_named && client.due_count() == 0, "the guest is not served: {}", client.due());
        assert!(self.reference.state.names().count() >= self.slots.len(), "the guests are members");
    }
}
