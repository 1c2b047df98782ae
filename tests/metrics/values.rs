//! The values of metrics, beside clients that change them.

use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::MeasuredServer;
use crate::common::{Client, Transport as _};
#[cfg(feature = "web")]
use crate::{
    Metrics,
    common::{Site, WebSocket},
};

#[test]
fn members_rooms_and_messages_are_counted() {
    let server = MeasuredServer::start(&["--max-clients", "50"]);
    let [mut ann, mut bob, mut cat] = ["ann", "bob", "cat"].map(|nick| server.server.join(nick));
    ann.sync();
    for line in ["MSG one", "MSG two", "JOIN #tea"] {
        ann.send(line);
        ann.expect_start("OK ");
    }
    bob.send("JOIN #tea");
    bob.until_start("OK JOIN");
    ann.send("#tea MSG three");
    ann.until_start("#tea OK MSG");
    let mut watcher = server.server.connect();
    watcher.send("WATCH");
    watcher.expect_start("OK WATCH");
    let _unnamed = server.server.connect();
    for line in ["SET echo on", "MSG four"] {
        cat.send(line);
        cat.until_start("OK ");
    }
    bob.sync();
    // One and two: bob and cat. Three: bob. Four: ann, bob and the watcher, and not cat, which reads its own message.
    server.scrape().expect(
        r#"
        chinwag_connections{transport="tcp"} 5
        chinwag_connections{transport="unix"} 0
        chinwag_connections_opened_total{transport="tcp"} 5
        chinwag_clients 5
        chinwag_clients_limit 50
        chinwag_sessions{state="member"} 3
        chinwag_sessions{state="watcher"} 1
        chinwag_sessions{state="unnamed"} 1
        chinwag_members{state="connected"} 3
        chinwag_members{state="detached"} 0
        chinwag_rooms 2
        chinwag_occupied_rooms 1
        chinwag_occupied_rooms_limit 10000
        chinwag_messages_total 4
        chinwag_deliveries_total 8
        "#,
    );
}

/// A client ends its connection, breaks it, sends nonsense, is kicked, or stays as a detached member.
#[test]
fn disconnects_are_counted_by_reason() {
    let directory = tempfile::tempdir().expect("a directory");
    let control = directory.path().join("control");
    let server = MeasuredServer::start(&["--control", control.to_str().expect("UTF-8")]);
    let mut members = ["ann", "bob", "cat", "dan", "eve"].map(|nick| server.server.join(nick));
    let [ann, bob, cat, dan, eve] = &mut members;
    ann.send("QUIT");
    ann.rest();
    bob.end_input();
    bob.rest();
    cat.send_bytes("NONSENSE\n".repeat(50).as_bytes());
    cat.rest();
    let mut kick = Command::new(env!("CARGO_BIN_EXE_chinwagd"));
    kick.args(["moderate", "--control"]).arg(&control).args(["KICK", "dan"]).stdin(Stdio::null());
    assert!(kick.output().expect("it runs").status.success());
    dan.rest();
    eve.send("SET resume on");
    eve.until_start("OK SET resume on ");
    let [.., eve] = members;
    eve.reset();
    let metrics = server.until(|metrics| metrics.get(r#"chinwag_members{state="detached"}"#) == 1.0);
    metrics.expect(
        r#"
        chinwag_members{state="connected"} 0
        chinwag_disconnects_total{reason="quit"} 1
        chinwag_disconnects_total{reason="eof"} 1
        chinwag_disconnects_total{reason="errors"} 1
        chinwag_disconnects_total{reason="kicked"} 1
        chinwag_disconnects_total{reason="slow"} 0
        chinwag_refusals_total{code="too-many-errors"} 1
        chinwag_refusals_total{code="kicked"} 1
        "#,
    );
    server.until(|metrics| {
        metrics.get(r#"chinwag_disconnects_total{reason="lost"}"#) == 1.0
            && metrics.get(r#"chinwag_connections{transport="tcp"}"#) == 0.0
    });
}

/// Also those of clients that are not admitted. The server is full, and can still be scraped.
#[test]
fn refusals_are_counted_by_code() {
    let server = MeasuredServer::start(&["--max-clients", "2"]);
    let mut ann = server.server.join("ann");
    let mut bob = server.server.connect();
    for (line, code) in [("NICK ann", "name-taken"), ("NICK a\u{7}", "name-invalid"), ("MSG x", "no-name")] {
        bob.send(line);
        bob.expect_start(&format!("ERR {} {code} ", line.split(' ').next().expect("a verb")));
    }
    ann.send("DRAW red");
    ann.expect_start("ERR DRAW ");
    let mut refused = server.server.connect_raw();
    refused.expect_start("ERR - server-full ");
    let metrics = server.scrape();
    metrics.expect(
        r#"
        chinwag_refusals_total{code="name-taken"} 1
        chinwag_refusals_total{code="name-invalid"} 1
        chinwag_refusals_total{code="no-name"} 1
        chinwag_refusals_total{code="server-full"} 1
        chinwag_refusals_total{code="muted"} 0
        chinwag_clients 2
        chinwag_clients_limit 2
        "#,
    );
}

/// The bytes of each client's lines, and of all that it reads.
#[test]
fn bytes_are_counted_by_transport() {
    let server = MeasuredServer::start(&[]);
    let mut ann = server.server.connect_raw();
    let lines = "NICK ann\nPING x\n";
    ann.send_bytes(lines.as_bytes());
    let mut read = Vec::new();
    while !read.ends_with(b"OK PING x\n") {
        read.extend(ann.next_bytes().expect("open"));
    }
    let sent = r#"chinwag_sent_bytes_total{transport="tcp"}"#;
    let metrics = server.until(|metrics| metrics.get(sent) > 0.0 && metrics.get(sent) >= read.len() as f64);
    assert_eq!(metrics.get(sent), read.len() as f64);
    assert_eq!(metrics.get(r#"chinwag_received_bytes_total{transport="tcp"}"#), lines.len() as f64);
}

/// Sends messages until the member `stuck`, which reads nothing, fills its socket. Returns the lines that came.
fn fill(talker: &mut Client, bytes: usize) -> Vec<String> {
    let lines = format!("MSG {}\n", "x".repeat(1000)).repeat(50);
    let mut read = Vec::new();
    for _ in 0..bytes.div_ceil(50_000) {
        talker.send_bytes(lines.as_bytes());
        read.extend(talker.sync());
    }
    read
}

#[test]
fn slow_consumer_is_counted() {
    let server = MeasuredServer::start(&["--send-timeout", "1", "--backlog", "1MiB"]);
    let mut talker = server.server.join("talker");
    let mut stuck = server.server.join_narrow("stuck");
    talker.expect("JOIN stuck");
    let read = fill(&mut talker, 700_000);
    let backlog = server.scrape();
    assert!(backlog.get("chinwag_backlog_bytes") > 500_000.0, "{}", backlog.get("chinwag_backlog_bytes"));
    backlog.expect("chinwag_backlog_limit_bytes 2097152");
    talker.expect_after(&read, "LEAVE stuck slow");
    stuck.transport.read_last_line();
    let slow = r#"chinwag_disconnects_total{reason="slow"}"#;
    server.until(|metrics| metrics.get(slow) == 1.0).expect(
        r#"
        chinwag_refusals_total{code="slow"} 1
        chinwag_catch_ups_total 0
        "#,
    );
}

#[test]
#[cfg(feature = "store")]
fn store_is_measured() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("chat.db");
    let data = data.to_str().expect("UTF-8");
    let server = MeasuredServer::start(&["--data", data, "--backlog", "1MiB"]);
    let mut talker = server.server.join("talker");
    let mut stuck = server.server.join_narrow("stuck");
    talker.expect("JOIN stuck");
    for _ in 0..3 {
        talker.send("MSG hello");
        talker.expect_start("OK MSG ");
    }
    let metrics = server.scrape();
    let commits = metrics.get("chinwag_store_commit_seconds_count");
    assert!((3.0..100.0).contains(&commits), "{commits}");
    assert!(metrics.get("chinwag_store_commit_seconds_sum") > 0.0);
    assert_eq!(metrics.get(r#"chinwag_store_commit_seconds_bucket{le="+Inf"}"#), commits);
    assert!(metrics.get("chinwag_store_database_bytes") >= 4096.0);
    assert!(metrics.get("chinwag_store_wal_bytes") >= 4096.0);
    metrics.expect("chinwag_store_failed 0");
    metrics.expect(r#"chinwag_queue_length{queue="store"} 0"#);
    if cfg!(feature = "accounts") {
        metrics.expect("chinwag_accounts 0");
        metrics.expect("chinwag_accounts_logged_in 0");
        metrics.expect(r#"chinwag_queue_length{queue="passwords"} 0"#);
    }
    // It reads nothing while the feed evicts what it has not read, then everything.
    fill(&mut talker, 4_000_000);
    let read = stuck.sync();
    assert!(read.len() > 4000, "{}", read.len());
    let metrics = server.scrape();
    metrics.expect(r#"chinwag_disconnects_total{reason="slow"} 0"#);
    assert!(metrics.get("chinwag_catch_ups_total") >= 1.0);
}

#[test]
#[cfg(feature = "tls")]
fn handshakes_are_counted() {
    use crate::common::tls::{certificate_options, client_config, relay, shared_certificate};

    let options = certificate_options(shared_certificate());
    let options: Vec<_> =
        ["--listen", "tls://127.0.0.1:0"].into_iter().chain(options.iter().map(String::as_str)).collect();
    let mut server = MeasuredServer::start(&options);
    let address = crate::common::address_in(&server.server.stdout_line());
    let stream = crate::connect(address);
    let mut ann = Client::new(relay(stream, client_config(shared_certificate(), rustls::ALL_VERSIONS), "localhost"));
    let hello = ann.expect_start("HELLO ") + "\n";
    let mut plain = Client::new(crate::connect(address));
    plain.send("NICK bob");
    plain.expect_start("ERR - tls-expected ");
    plain.expect_end();
    let metrics = server.until(|metrics| metrics.get(r#"chinwag_tls_handshakes_total{result="failed"}"#) == 1.0);
    metrics.expect(
        r#"
        chinwag_tls_handshakes_total{result="completed"} 1
        chinwag_connections{transport="tls"} 1
        chinwag_refusals_total{code="tls-expected"} 1
        "#,
    );
    // Bytes of lines, not of records.
    metrics.expect(&format!("chinwag_sent_bytes_total{{transport=\"tls\"}} {}", hello.len()));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
    assert!(metrics.get("chinwag_tls_certificate_expiry_timestamp_seconds") > now);
}

#[test]
#[cfg(feature = "web")]
fn browsers_are_a_transport() {
    let mut site = Site::<WebSocket>::with(&["--listen", "metrics://127.0.0.1:0"]);
    let metrics = crate::common::address_in(&site.stdout_line());
    let mut ann = site.join("ann");
    ann.sync();
    let scrape = || Metrics::parse(&crate::text(metrics, "text/plain"));
    scrape().expect(
        r#"
        chinwag_connections{transport="websocket"} 1
        chinwag_connections_opened_total{transport="websocket"} 1
        chinwag_connections{transport="tcp"} 0
        "#,
    );
    assert!(scrape().get(r#"chinwag_received_bytes_total{transport="websocket"}"#) > 20.0);
}

#[test]
fn hub_and_process_are_measured() {
    let server = MeasuredServer::start(&[]);
    let mut ann = server.server.join("ann");
    ann.sync();
    let before = server.scrape().get("chinwag_hub_turn_seconds_count");
    // Each reply comes after a turn. The scrapes and the tick cause a few turns a second.
    (0..200).for_each(|_| drop(ann.sync()));
    let metrics = server.until(|metrics| metrics.get("chinwag_hub_turn_seconds_count") >= before + 200.0);
    assert!(metrics.get("chinwag_hub_turn_seconds_sum") > 0.0);
    metrics.expect(r#"chinwag_queue_length{queue="hub"} 0"#);
    metrics.expect(&format!("chinwag_build_info{{version=\"{}\"}} 1", env!("CARGO_PKG_VERSION")));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
    let age = now - metrics.get("process_start_time_seconds");
    assert!((-2.0..600.0).contains(&age), "{age}");
    assert!(metrics.get("process_cpu_seconds_total") < 60.0);
    let resident = server.server.resident_bytes() as f64;
    assert!((0.5..2.0).contains(&(metrics.get("process_resident_memory_bytes") / resident)));
    assert!(metrics.get("process_virtual_memory_bytes") >= resident);
    assert!(metrics.get("process_threads") >= 2.0);
    let descriptors = server.server.descriptors() as f64;
    assert!((metrics.get("process_open_fds") - descriptors).abs() <= 8.0, "{descriptors}");
    assert!(metrics.get("process_max_fds") >= metrics.get("process_open_fds"));
}
