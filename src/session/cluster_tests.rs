//! Sessions on the nodes of a cluster: changes come back from the shared log when the test says so.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::shared_log_tests::expected_verb;
use super::tests::format_output;
use super::*;
use crate::command::ClientLine;
use crate::protocol::AuditEntry;
use crate::sequencer::{Change, Sequenced};
use crate::state::{Action, Entry, Incarnation, NodeJoin, StateLimits};

/// The sequencer of a node. Its changes wait until the test appends them to the log.
#[derive(Debug, Default)]
struct DelayingSequencer(Arc<Mutex<NodeLog>>);

/// The log as one node sees it.
#[derive(Debug, Default)]
pub(super) struct NodeLog {
    run: u64,
    incarnation: Incarnation,
    pub(super) waiting: VecDeque<Change>,
    ready: VecDeque<Sequenced>,
    pub(super) audit: Vec<AuditEntry>,
}

impl Sequencer for DelayingSequencer {
    fn submit(&mut self, mut change: Change) {
        let mut log = self.0.lock().unwrap();
        let has_heartbeat = log.waiting.iter().any(|change| matches!(change.action, Action::Heartbeat));
        match change.action {
            Action::Tick if has_heartbeat || log.incarnation == Incarnation::NONE => return,
            Action::Tick => change.action = Action::Heartbeat,
            Action::Stop => change.action = Action::LeaveCluster,
            _ => {}
        }
        log.waiting.push_back(change);
    }

    fn next(&mut self) -> Option<Sequenced> {
        self.0.lock().unwrap().ready.pop_front()
    }

    fn has_next(&self) -> bool {
        !self.0.lock().unwrap().ready.is_empty()
    }

    fn has_shared_log(&self) -> bool {
        true
    }

    fn note_joined(&mut self, run: u64, incarnation: Incarnation) -> bool {
        let mut log = self.0.lock().unwrap();
        let is_own = run == log.run;
        if is_own {
            log.incarnation = incarnation;
        }
        is_own
    }

    fn note_expired(&mut self, incarnation: Incarnation) {
        let mut log = self.0.lock().unwrap();
        if incarnation == log.incarnation {
            (log.incarnation, log.waiting) = (Incarnation::NONE, VecDeque::new());
        }
    }

    fn keep_audit(&mut self, entry: AuditEntry) {
        self.0.lock().unwrap().audit.push(entry);
    }
}

/// Nodes that apply one log.
pub(super) struct Cluster {
    pub(super) nodes: Vec<(Sessions, Arc<Mutex<NodeLog>>)>,
    seq: u64,
    pub(super) uptime: u64,
}

impl Cluster {
    /// Nodes that have joined. Those of the first one have the incarnation 1, and so on.
    pub(super) fn new(count: u64) -> Self {
        let mut cluster = Self::not_joined(count);
        for node in 0..count {
            cluster.join(usize::try_from(node).unwrap(), node + 1);
        }
        cluster
    }

    pub(super) fn not_joined(count: u64) -> Self {
        let node = |_| {
            let log: Arc<Mutex<NodeLog>> = Arc::default();
            let limits = StateLimits { resume_seconds: 60, ..StateLimits::default() };
            let sequencer = Box::new(DelayingSequencer(Arc::clone(&log)));
            let sessions = Sessions::new(SharedState::new(limits), Timeouts { name_seconds: 60, idle_seconds: 0 });
            (sessions.with_shared_log(sequencer), log)
        };
        Self { nodes: (0..count).map(node).collect(), seq: 0, uptime: 0 }
    }

    /// A run of the node joins.
    pub(super) fn join(&mut self, node: usize, run: u64) -> Vec<String> {
        self.nodes[node].1.lock().unwrap().run = run;
        let join = NodeJoin { node: crate::protocol::Token::truncated(&format!("node-{node}")), run };
        self.append(Origin::SERVER, Action::JoinCluster(join))
    }

    /// Appends an entry to the log. Returns the outputs of all nodes.
    pub(super) fn append(&mut self, origin: Origin, action: Action) -> Vec<String> {
        self.seq += 1;
        let (at, uptime) = (Timestamp(5_000), Uptime(self.uptime));
        let entry = Entry { seq: self.seq, at, uptime, origin, action };
        for (_, log) in &self.nodes {
            log.lock().unwrap().ready.push_back(Sequenced::Entry(entry.clone()));
        }
        self.advance()
    }

    /// Returns to the nodes what waits in their sequencers.
    pub(super) fn advance(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for (sessions, _) in &mut self.nodes {
            let mut out = Vec::new();
            while sessions.advance(&mut out) {}
            lines.extend(shown(sessions, &out));
        }
        lines
    }

    /// Appends the oldest waiting change of a node. Returns the outputs of all nodes.
    pub(super) fn commit(&mut self, node: usize) -> Vec<String> {
        let Some(change) = self.nodes[node].1.lock().unwrap().waiting.pop_front() else { return Vec::new() };
        self.append(change.origin, change.action)
    }

    /// Appends all changes, and those that follow from them.
    pub(super) fn commit_all(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(node) = (0..self.nodes.len()).find(|node| self.waiting(*node) > 0) {
            lines.extend(self.commit(node));
        }
        lines
    }

    /// Refuses the oldest waiting change of a node.
    pub(super) fn refuse(&mut self, node: usize) -> Vec<String> {
        let log = Arc::clone(&self.nodes[node].1);
        let change = log.lock().unwrap().waiting.pop_front().unwrap();
        let why = "the cluster does not accept changes at the moment".into();
        log.lock().unwrap().ready.push_back(Sequenced::Refused(Box::new(change), why));
        self.advance()
    }

    /// Number of changes of a node that are not in the log yet.
    pub(super) fn waiting(&self, node: usize) -> usize {
        self.nodes[node].1.lock().unwrap().waiting.len()
    }

    pub(super) fn apply(&mut self, node: usize, session: SessionId, kind: InputKind) -> Vec<String> {
        let (sessions, mut out) = (&mut self.nodes[node].0, Vec::new());
        sessions.apply(Input { at: Timestamp(5_000), session, kind }, &mut out);
        shown(sessions, &out)
    }

    pub(super) fn connect(&mut self, node: usize, number: u64) -> Vec<String> {
        let kind = InputKind::Connect(([127, 0, 0, 1], 1024).into());
        self.apply(node, self.session(node, number), kind)
    }

    /// A session of the node's present incarnation.
    pub(super) fn session(&self, node: usize, number: u64) -> SessionId {
        SessionId(SessionId::of_node(self.nodes[node].0.incarnation()).0 + number)
    }

    pub(super) fn send(&mut self, node: usize, number: u64, line: &str) -> Vec<String> {
        let kind = ClientLine::parse(line, Mode::Commands).into();
        self.apply(node, self.session(node, number), kind)
    }

    /// Connects a session, which takes this nickname.
    pub(super) fn enter(&mut self, node: usize, number: u64, name: &str) {
        self.connect(node, number);
        self.send(node, number, &format!("NICK {name}"));
        let out = self.commit_all();
        let session = format!("{}.{number}", node + 1);
        assert_eq!(replies(&out, &session), [format!("OK NICK {name}")]);
    }

    pub(super) fn lose(&mut self, node: usize, number: u64) -> Vec<String> {
        self.apply(node, self.session(node, number), InputKind::Disconnected(LeaveReason::Lost))
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.nodes[0].0.names().map(Name::as_str).collect()
    }
}

/// Outputs, with the numbers of sessions as `incarnation.number`.
fn shown(sessions: &Sessions, out: &[Output]) -> Vec<String> {
    let labels: Vec<_> = (1..=9u32)
        .flat_map(|incarnation| (1..=9).map(move |number| (incarnation, number)))
        .map(|(incarnation, number)| {
            let id = SessionId::of_node(Incarnation(incarnation)).0 + number;
            (id.to_string(), format!("{incarnation}.{number}"))
        })
        .collect();
    let shown = out
        .iter()
        .filter(|output| !matches!(output, Output::Log(_)))
        .map(|output| labels.iter().fold(format_output(sessions, output), |line, (id, label)| line.replace(id, label)));
    shown.collect()
}

/// The final replies of a session among outputs, without the names of rooms before them.
pub(super) fn replies(out: &[String], session: &str) -> Vec<String> {
    let (private, own) = (format!("{session}<"), format!(", for {session} "));
    let reply = |line: &String| {
        let line = line.strip_prefix(&private).or_else(|| Some(line.split_once(&own)?.1))?;
        let start = line.find("OK ").into_iter().chain(line.find("ERR ")).min()?;
        let is_room = |word: &str| word.starts_with('#') || word == "in" || word.parse::<u32>().is_ok();
        line[..start].split_whitespace().all(is_room).then(|| line[start..].to_owned())
    };
    out.iter().filter_map(reply).collect()
}

/// Number of the session's lines that were answered.
fn answered(out: &[String], session: &str) -> usize {
    out.iter().filter(|line| **line == format!("{session} answered")).count()
}

#[test]
fn lines_are_answered_in_order_when_they_are_applied() {
    let mut cluster = Cluster::new(2);
    cluster.connect(0, 1);
    let lines = ["NICK alice", "MSG one", "MSG two", "WHO", "MSG three", "nonsense", "SET echo off", "PING x", "QUIT"];
    let mut out = Vec::new();
    for line in lines {
        out.extend(cluster.send(0, 1, line));
    }
    assert_eq!(out, [""; 0], "nothing is answered before it is in the log");
    assert_eq!(cluster.waiting(0), 1, "the other lines wait for the nickname");
    out.extend(cluster.commit(0));
    assert_eq!(cluster.waiting(0), 2, "messages are submitted together");
    out.extend(cluster.commit_all());
    let expected = ["NICK", "MSG", "MSG", "WHO", "MSG", "-", "SET", "PING", "QUIT"];
    let replies = replies(&out, "1.1");
    assert_eq!(replies.iter().filter_map(|reply| reply.split(' ').nth(1)).collect::<Vec<_>>(), expected);
    assert_eq!(answered(&out, "1.1"), lines.len());
    assert_eq!((cluster.names(), cluster.nodes[0].0.connected_count()), (Vec::new(), 0));
}

/// Each session's lines, on two nodes, with any delays: one reply for each, in order. All nodes have the same state.
#[test]
fn each_line_gets_one_reply_in_order_with_any_delays() {
    const LINES: [&str; 15] = [
        "NICK ann",
        "NICK bob",
        "NICK eve",
        "MSG hi",
        "MSG ho",
        "#ops MSG x",
        "JOIN #ops",
        "PART #ops",
        "WHISPER ann psst",
        "WHO",
        "PING x",
        "nonsense",
        "SET resume off",
        "TOPIC tea",
        "WATCH #lobby",
    ];
    arbtest::arbtest(|u| {
        let mut cluster = Cluster::new(2);
        let mut sent = [const { Vec::new() }; 4];
        let mut out = Vec::new();
        for session in 0..4 {
            cluster.connect(session % 2, session as u64 + 1);
        }
        for _ in 0..u.arbitrary_len::<u16>()? {
            let session = u.int_in_range(0..=3)?;
            if u.ratio(1, 3)? {
                out.extend(cluster.commit(session % 2));
            } else {
                let line = *u.choose(&LINES)?;
                sent[session].push(expected_verb(line));
                out.extend(cluster.send(session % 2, session as u64 + 1, line));
            }
        }
        out.extend(cluster.commit_all());
        for (session, sent) in sent.iter().enumerate() {
            let name = format!("{}.{}", session % 2 + 1, session + 1);
            let replies = replies(&out, &name);
            let verbs: Vec<_> = replies.iter().filter_map(|reply| reply.split(' ').nth(1)).collect();
            assert_eq!(verbs, *sent, "{name}: {out:#?}");
            assert_eq!(answered(&out, &name), sent.len());
        }
        assert_eq!(cluster.nodes[0].0.state().snapshot(), cluster.nodes[1].0.state().snapshot());
        Ok(())
    });
}
