//! The rules about the nodes of a cluster, checked after each entry: which nodes are joined follows from the entries alone, and entries of
//! others have no effect.

use std::collections::BTreeMap;

use chinwag::state::{Action, Entry, Incarnation, Origin, SessionId, SharedState, StateLimits, StateOutput, Uptime};

/// The nodes as they follow from the entries.
#[derive(Default)]
pub(super) struct NodeObserver {
    /// The name of each node, and its last sign of life.
    joined: BTreeMap<u32, (String, Uptime)>,
    last: u32,
    /// Number of nodes that have joined and expired, and of entries that had no effect.
    pub(super) joins: u32,
    pub(super) expiries: u32,
    pub(super) fenced: u32,
}

impl NodeObserver {
    /// Whether the entry must have no effect: its node is not joined, or another session has resumed its member.
    pub(super) fn is_fenced(&self, state: &SharedState, origin: Origin) -> bool {
        let incarnation = origin.session.incarnation();
        let is_outdated = || state.session_of(origin.member).is_some_and(|session| session != origin.session);
        incarnation != Incarnation::NONE && (!self.joined.contains_key(&incarnation.0) || is_outdated())
    }

    pub(super) fn check(
        &mut self,
        is_fenced: bool,
        entry: &Entry,
        limits: &StateLimits,
        state: &SharedState,
        outputs: &[StateOutput],
    ) {
        let (now, incarnation) = (state.now(), entry.origin.session.incarnation().0);
        if is_fenced {
            assert_eq!(outputs, [], "{entry:?} is of a node that has expired, or of a former session");
            self.fenced += 1;
        }
        let mut gone = Vec::new();
        match &entry.action {
            _ if is_fenced => {}
            Action::JoinCluster(join) => {
                let node = join.node.to_string();
                gone.extend(self.joined.iter().filter(|(_, (name, _))| *name == node).map(|(number, _)| *number));
                self.last += 1;
                self.joins += 1;
                assert!(outputs.iter().any(|output| matches!(output,
                    StateOutput::NodeJoined { incarnation, run, .. } if (incarnation.0, *run) == (self.last, join.run))));
                self.joined.insert(self.last, (node, now));
            }
            Action::LeaveCluster => gone.extend(self.joined.contains_key(&incarnation).then_some(incarnation)),
            Action::Heartbeat => {
                if let Some((_, alive_at)) = self.joined.get_mut(&incarnation) {
                    *alive_at = now;
                }
                let is_silent = |alive_at: Uptime| now.0 - alive_at.0 > limits.lease_seconds;
                gone.extend(self.joined.iter().filter(|(_, (_, at))| is_silent(*at)).map(|(number, _)| *number));
            }
            _ => {}
        }
        let expired = outputs.iter().filter_map(|output| match output {
            StateOutput::NodeExpired { incarnation, .. } => Some(incarnation.0),
            _ => None,
        });
        assert_eq!(expired.collect::<Vec<_>>(), gone, "after {entry:?}");
        for number in gone {
            self.joined.remove(&number);
            self.expiries += 1;
            let sessions = (1..9).map(|session| SessionId(SessionId::of_node(Incarnation(number)).0 + session));
            assert!(
                sessions.into_iter().all(|session| state.watched_room(session).is_none()),
                "{number} still watches"
            );
        }
        let joined: Vec<_> = state.nodes().iter().map(|(number, node)| (number.0, node.name.to_string())).collect();
        assert!(
            joined.iter().map(|(number, name)| (number, name)).eq(self.joined.iter().map(|(n, (name, _))| (n, name)))
        );
    }
}
