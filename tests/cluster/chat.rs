//! Whole servers as nodes of a cluster: clients of all nodes chat, while nodes and servers of the engine are killed.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Client, DEADLINE, Server};
use crate::servers::Servers;

/// Most time from a fault to the next acknowledged message, and most time for which a dead node's members stay.
const RECOVERY: Duration = Duration::from_secs(15);

const NODES: usize = 3;

/// A cluster of three servers on an engine of three servers.
struct Cluster {
    engine: Servers,
    nodes: Vec<Server>,
}

impl Cluster {
    fn start() -> Self {
        let engine = Servers::start(3);
        let address = engine.address("chat");
        // All begin at once, so they race for the first message of the log.
        let start = |number: usize| {
            let (address, node) = (address.clone(), format!("n{number}"));
            thread::spawn(move || Server::with(&["--cluster", &address, "--cluster-node", &node]))
        };
        let starting: Vec<_> = (0..NODES).map(start).collect();
        let nodes = starting.into_iter().map(|node| node.join().expect("the node joins the cluster")).collect();
        Self { engine, nodes }
    }

    /// The messages that each node has, the same ones in the same order.
    #[track_caller]
    fn history(&self, nodes: &[usize]) -> Vec<String> {
        let mut of_nodes = nodes.iter().map(|&node| {
            let mut reader = self.nodes[node].join(&format!("reader-{node}"));
            reader.sync();
            reader.send("HISTORY 1000");
            let lines = reader.sync();
            lines.into_iter().filter(|line| line.starts_with("PAST ")).collect::<Vec<_>>()
        });
        let first = of_nodes.next().expect("a node");
        of_nodes.for_each(|other| assert_eq!(other, first));
        first
    }
}

/// The texts in the lines of `HISTORY`.
fn texts(history: &[String]) -> Vec<&str> {
    history.iter().filter_map(|line| line.splitn(5, ' ').nth(4)).collect()
}

/// Sends messages, one after the other. Returns those that were acknowledged.
fn say(client: &mut Client, count: usize, name: &str) -> Vec<String> {
    let texts = (0..count).map(|number| format!("{name} {number}"));
    let acknowledged = texts.filter(|text| {
        client.send(&format!("MSG {text}"));
        loop {
            let line = client.next().expect("the node is there");
            if line.starts_with("OK MSG") || line.starts_with("ERR MSG") {
                return line.starts_with("OK");
            }
        }
    });
    acknowledged.collect()
}

#[test]
fn clients_of_all_nodes_share_names_and_one_order() {
    let cluster = Cluster::start();
    let mut racers: Vec<_> = cluster.nodes.iter().map(Server::connect).collect();
    for racer in &mut racers {
        racer.send("NICK ann");
    }
    let replies: Vec<_> =
        racers.iter_mut().map(|racer| racer.sync().into_iter().find(|line| line.contains(" NICK "))).collect();
    let taken = replies.iter().flatten().filter(|reply| **reply == "OK NICK ann").count();
    assert_eq!(taken, 1, "{replies:?}");
    let speakers: Vec<_> = (0..NODES)
        .map(|node| {
            let mut client = cluster.nodes[node].join(&format!("speaker-{node}"));
            thread::spawn(move || say(&mut client, 50, &format!("from {node}")))
        })
        .collect();
    let said: Vec<_> = speakers.into_iter().flat_map(|speaker| speaker.join().expect("it speaks")).collect();
    let history = cluster.history(&[0, 1, 2]);
    assert_eq!(said.len(), 50 * NODES);
    assert_eq!(texts(&history).into_iter().collect::<BTreeSet<_>>(), said.iter().map(String::as_str).collect());
    assert_eq!(history.len(), said.len(), "each message is there once");
}

#[test]
fn member_of_killed_node_leaves_once_and_resumable_one_continues_elsewhere() {
    let mut cluster = Cluster::start();
    let mut watcher = cluster.nodes[0].join("watcher");
    let mut plain = cluster.nodes[2].join("plain");
    let mut resumable = cluster.nodes[2].join("resumable");
    resumable.send("SET resume on");
    let token = resumable.until_start("OK SET resume on ");
    let token = token.rsplit(' ').next().expect("a token");
    assert_eq!(say(&mut resumable, 1, "before"), ["before 0"]);
    plain.sync();
    cluster.nodes.remove(2).signal("-KILL");
    let killed_at = Instant::now();
    let mut resumed = cluster.nodes[1].connect();
    resumed.send(&format!("RESUME {token}"));
    resumed.expect("OK RESUME resumable");
    assert_eq!(say(&mut resumed, 1, "after"), ["after 0"]);
    watcher.until("LEAVE plain lost");
    let elapsed = killed_at.elapsed();
    assert!(elapsed < RECOVERY, "the member left after {elapsed:?}");
    println!("a member of a killed node left after {elapsed:?}");
    assert_eq!(texts(&cluster.history(&[0, 1])), ["before 0", "after 0"]);
    let late = watcher.sync();
    assert!(
        !late.iter().any(|line| line.starts_with("LEAVE plain") || line.starts_with("LEAVE resumable")),
        "{late:?}"
    );
}

#[test]
fn acknowledged_messages_survive_death_of_the_engines_leader() {
    let mut cluster = Cluster::start();
    let mut speakers: Vec<_> = (0..NODES).map(|node| cluster.nodes[node].join(&format!("speaker-{node}"))).collect();
    let mut said = say(&mut speakers[0], 10, "before");
    let leader = cluster.engine.leader("chat");
    cluster.engine.kill(leader);
    let killed_at = Instant::now();
    let under_load: Vec<_> = speakers
        .into_iter()
        .enumerate()
        .map(|(node, mut client)| {
            thread::spawn(move || {
                let first_at = loop {
                    assert!(killed_at.elapsed() < DEADLINE, "node {node} does not accept messages again");
                    let said = say(&mut client, 1, &format!("node {node} at {}", killed_at.elapsed().as_micros()));
                    if !said.is_empty() {
                        break (killed_at.elapsed(), said);
                    }
                };
                let mut said = first_at.1;
                said.extend(say(&mut client, 50, &format!("node {node}")));
                (first_at.0, said)
            })
        })
        .collect();
    for speaker in under_load {
        let (without_service, acknowledged) = speaker.join().expect("it speaks");
        println!("without service for {without_service:?} after the death of the engine's leader");
        assert!(without_service < RECOVERY, "{without_service:?}");
        said.extend(acknowledged);
    }
    let history = cluster.history(&[0, 1, 2]);
    let kept = texts(&history);
    assert_eq!(kept.iter().collect::<BTreeSet<_>>().len(), kept.len(), "a message is there twice");
    for text in &said {
        assert!(kept.contains(&text.as_str()), "{text:?} was acknowledged, and is lost");
    }
}

#[test]
fn without_quorum_messages_are_refused_reading_goes_on_and_nobody_leaves() {
    let mut cluster = Cluster::start();
    let mut client = cluster.nodes[0].join("ann");
    let mut other = cluster.nodes[1].join("ben");
    assert_eq!(say(&mut client, 3, "before"), ["before 0", "before 1", "before 2"]);
    other.until_start("MSG ann before 2");
    cluster.engine.kill(0);
    cluster.engine.kill(1);
    client.send("MSG handed over, perhaps");
    other.send("HISTORY 3");
    assert_eq!(other.until("OK HISTORY 3 last=3").len(), 3);
    // Each node appends a heartbeat each second, so after a few seconds the last append waits for the engine.
    let mut reader = cluster.nodes[0].connect();
    ask_for(Duration::from_secs(3), &mut reader);
    let mut late = cluster.nodes[0].connect();
    late.send("NICK late");
    let sent_at = Instant::now();
    late.expect_start("ERR NICK cluster-unavailable ");
    println!("refused after {:?}", sent_at.elapsed());
    // Longer than the lease.
    ask_for(Duration::from_secs(9), &mut reader);
    cluster.engine.restart(0);
    cluster.engine.restart(1);
    let restarted_at = Instant::now();
    let reply = loop {
        let line = client.next().expect("the node is there");
        if line.starts_with("OK MSG") || line.starts_with("ERR MSG") {
            break line;
        }
    };
    println!("the message that was sent without a quorum: {reply}");
    let mut said = Vec::new();
    while said.is_empty() {
        assert!(restarted_at.elapsed() < RECOVERY, "no service {RECOVERY:?} after the engine has a quorum again");
        said = say(&mut client, 1, "after");
    }
    println!("the first message after {:?}", restarted_at.elapsed());
    let lines = other.until("MSG ann after 0");
    assert!(!lines.iter().any(|line| line.starts_with("LEAVE")), "{lines:?}");
    // The log has an acknowledged message once, and no refused one.
    let history = cluster.history(&[0, 1, 2]);
    let handed_over = texts(&history).iter().filter(|text| **text == "handed over, perhaps").count();
    assert_eq!(handed_over, usize::from(reply.starts_with("OK")), "{reply}");
}

/// Asks a node something that it answers on its own, for this time.
fn ask_for(time: Duration, client: &mut Client) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        client.send("HELP PING");
        client.until_start("OK HELP");
    }
}
