//! A state to which the engine's messages are applied as soon as they are stored. All nodes must have this state at the same position of the
//! log, and the replies to clients must agree with it.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher as _};

use chinwag::cluster::{Batch, Genesis, LogMessage, Record};
use chinwag::protocol::{Event, MessageId, Timestamp};
use chinwag::state::{Action, Entry, MemberId, SharedState, StateOutput, Uptime};

use super::Coverage;

#[derive(Default)]
pub(crate) struct Reference {
    pub(crate) state: SharedState,
    /// The hash of the state after each message.
    hashes: Vec<u64>,
    engine_ms: Option<u64>,
    log_ms: u64,
    at: i64,
    entries: u64,
    /// The text and the id of each message that was published.
    published: BTreeMap<String, MessageId>,
    /// Members that have left.
    left: BTreeSet<MemberId>,
    lease_seconds: u64,
    /// When the last message of each run was stored, by the log's clock.
    last_sign: BTreeMap<u64, u64>,
}

/// A hash of the whole state.
pub(crate) fn hash_of(state: &SharedState) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(&state.snapshot());
    hasher.finish()
}

impl Reference {
    /// Applies the messages that were stored since the last call.
    pub(crate) fn catch_up(&mut self, messages: &[LogMessage], coverage: &mut Coverage) {
        for message in &messages[self.hashes.len()..] {
            self.apply(message, coverage);
            self.hashes.push(hash_of(&self.state));
            self.check(coverage);
        }
    }

    /// The hash after the message at this position, from 1.
    pub(crate) fn hash_at(&self, position: u64) -> u64 {
        self.hashes[usize::try_from(position).expect("a small number") - 1]
    }

    /// The id of the message with this text, if it was published.
    pub(crate) fn id_of(&self, text: &str) -> Option<MessageId> {
        self.published.get(text).copied()
    }

    /// Applies a message by the rules for the log's times.
    fn apply(&mut self, message: &LogMessage, coverage: &mut Coverage) {
        let before = self.engine_ms.unwrap_or(message.engine_ms);
        self.engine_ms = Some(message.engine_ms);
        self.log_ms += message.engine_ms.saturating_sub(before).clamp(0, 1000);
        self.at = self.at.max(i64::try_from(message.engine_ms).expect("a time"));
        let uptime = Uptime(self.log_ms / 1000);
        match Record::decode(&message.body).expect("a record") {
            Record::Genesis(Genesis { limits, epoch }) if message.position.0 == 1 => {
                self.lease_seconds = limits.lease_seconds;
                self.state = SharedState::new(limits).with_epoch(epoch);
            }
            Record::Genesis(_) => coverage.genesis_races += 1,
            Record::Batch(Batch { run, changes }) => {
                assert_eq!(run, message.run);
                self.last_sign.insert(run, uptime.0);
                coverage.batches += u32::from(changes.len() > 1);
                for change in changes {
                    self.entries += 1;
                    let (at, origin, mut action) = (Timestamp(self.at), change.origin(), change.into_action());
                    match &mut action {
                        Action::Say(_, message) => message.at = at,
                        Action::SetTopic(_, topic) => topic.at = at,
                        _ => {}
                    }
                    let mut outputs = Vec::new();
                    self.state.apply(Entry { seq: self.entries, at, uptime, origin, action }, &mut outputs);
                    for output in outputs {
                        self.note(output, coverage);
                    }
                }
            }
        }
    }

    fn note(&mut self, output: StateOutput, coverage: &mut Coverage) {
        match output {
            StateOutput::Event { id: Some(id), event: Event::Msg(_, text), .. } => {
                let before = self.published.insert(text.as_str().to_owned(), id);
                assert_eq!(before, None, "{text:?} was published twice");
            }
            StateOutput::Left { member, .. } => assert!(self.left.insert(member), "{member:?} left twice"),
            StateOutput::NodeExpired { .. } => coverage.expired += 1,
            _ => {}
        }
    }

    fn check(&self, coverage: &mut Coverage) {
        let names: Vec<_> = self.state.names().collect();
        let keys: BTreeSet<_> = names.iter().map(|name| name.key()).collect();
        assert_eq!(keys.len(), names.len(), "two equal nicknames: {names:?}");
        let now = self.log_ms / 1000;
        let runs: BTreeMap<_, _> = self.state.nodes().iter().map(|(number, node)| (number, node.run)).collect();
        // The lease, a second for the heartbeat that finds it over, and one for the step of the clock at that message.
        let bound = self.lease_seconds + 2;
        for (number, run) in &runs {
            let silence = now - self.last_sign[run];
            assert!(silence <= bound, "{number:?} was silent for {silence} s, and has not expired");
        }
        for (id, member) in self.state.members().filter(|(_, member)| !member.is_resumable()) {
            let session = self.state.session_of(id).expect("the session of a member");
            let is_current = runs.contains_key(&session.incarnation());
            assert!(is_current || self.state.has_expired(), "{member:?} has not left with its node");
        }
        coverage.members = coverage.members.max(u32::try_from(names.len()).unwrap_or(u32::MAX));
    }
}
