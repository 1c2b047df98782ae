//! Simulates a cluster: several nodes, each with its hub, sessions, feed and clients, over one log in a simulated engine (`engine`), whose
//! network, readers and leaders fail in many ways. Nodes are killed, started again and frozen.
//!
//! After each message of the log, the state of each node must equal that of `reference`, byte for byte. Acknowledged messages must be in the
//! log, and refused ones must not. Each line gets one reply, or its connection ends. In the end the engine is healed; then all nodes must be
//! up to date and serve clients.
//!
//! `CHINWAG_SEED=n cargo test --features cluster --test cluster_simulation` runs one seed again; a failure prints its seed.

mod client;
mod engine;
mod node;
mod reference;
mod run;

/// Number of runs.
const SEEDS: u64 = 10;

/// Counts of events in a run.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    /// An append came long after its node had given up waiting for it.
    pub(crate) late: u32,
    /// An acknowledgement was lost.
    pub(crate) lost_acks: u32,
    /// The network repeated an append.
    pub(crate) repeated: u32,
    /// A guard kept a message from being stored twice.
    pub(crate) guarded: u32,
    /// A reader skipped a message.
    pub(crate) skipped: u32,
    /// A reader repeated messages.
    pub(crate) reread: u32,
    /// A leader that was cut off described the log as it was before.
    pub(crate) outdated: u32,
    /// A reader ended.
    pub(crate) lost_readers: u32,
    /// The engine had no quorum for some time.
    pub(crate) outages: u32,
    /// A new leader's clock was behind.
    pub(crate) clock_back: u32,
    /// A new leader's clock was more than a second ahead.
    pub(crate) clock_forward: u32,
    /// A node began a log that another one had begun already.
    pub(crate) genesis_races: u32,
    /// A message of the log had several changes.
    pub(crate) batches: u32,
    /// A node was killed.
    pub(crate) killed: u32,
    /// A node was frozen.
    pub(crate) frozen: u32,
    /// A node expired, by its lease or because it was started again.
    pub(crate) expired: u32,
    /// A node that had been in the cluster joined it again.
    pub(crate) rejoined: u32,
    /// A change was refused, because the engine did not answer.
    pub(crate) refused: u32,
    /// A nickname was taken by another client.
    pub(crate) name_races: u32,
    /// A client resumed a member, mostly at another node.
    pub(crate) resumed: u32,
    /// A client was disconnected with a reason.
    pub(crate) ended: u32,
    /// A client was disconnected because its node had expired.
    pub(crate) lost_nodes: u32,
    /// Most members at a time.
    pub(crate) members: u32,
    /// Number of acknowledged messages.
    pub(crate) acknowledged: u32,
}

/// The results of commands, as the clients know them.
#[derive(Debug, Default)]
pub(crate) struct Outcomes {
    /// Number of messages that were acknowledged.
    pub(crate) acknowledged: u32,
    /// The texts of messages that were refused.
    pub(crate) refused: Vec<String>,
    /// The resume tokens of clients that have lost their connection.
    pub(crate) tokens: Vec<String>,
}

/// How often an event must have happened in all runs together.
type Rarity = (fn(&Coverage) -> u32, u32);

#[test]
fn nodes_agree_and_lose_nothing() {
    if let Ok(seed) = std::env::var("CHINWAG_SEED") {
        println!("{:?}", simulate(seed.parse().expect("CHINWAG_SEED is a number")));
        return;
    }
    let runs: Vec<_> = (0..SEEDS).map(simulate).collect();
    let events: [Rarity; 23] = [
        (|coverage| coverage.late, 100),
        (|coverage| coverage.lost_acks, 100),
        (|coverage| coverage.repeated, 50),
        (|coverage| coverage.guarded, 100),
        (|coverage| coverage.skipped, 20),
        (|coverage| coverage.reread, 50),
        (|coverage| coverage.lost_readers, 30),
        (|coverage| coverage.outdated, 5),
        (|coverage| coverage.outages, 15),
        (|coverage| coverage.clock_back, 10),
        (|coverage| coverage.clock_forward, 5),
        (|coverage| coverage.genesis_races, 10),
        (|coverage| coverage.batches, 500),
        (|coverage| coverage.killed, 10),
        (|coverage| coverage.frozen, 10),
        (|coverage| coverage.expired, 10),
        (|coverage| coverage.rejoined, 5),
        (|coverage| coverage.refused, 30),
        (|coverage| coverage.name_races, 500),
        (|coverage| coverage.resumed, 15),
        (|coverage| coverage.lost_nodes, 5),
        (|coverage| coverage.members, 50),
        (|coverage| coverage.acknowledged, 1000),
    ];
    let counts: Vec<_> = events.iter().map(|(count, least)| (runs.iter().map(count).sum::<u32>(), *least)).collect();
    assert!(counts.iter().all(|(count, least)| count >= least), "some events are too rare (count, least): {counts:?}");
}

fn simulate(seed: u64) -> Coverage {
    let guard = PrintSeed(seed);
    let coverage = run::run(seed);
    drop(guard);
    coverage
}

/// Prints the seed if the run panics.
struct PrintSeed(u64);

impl Drop for PrintSeed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the simulation failed with CHINWAG_SEED={}", self.0);
        }
    }
}
