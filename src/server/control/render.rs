//! Renders the figures of the server: as text for people, and as JSON for programs. `docs/operating.md` describes both.

use std::fmt::Display;
use std::time::Duration;

use super::status::{ServerStatus, StoreStatus};
use crate::server::CertificateStatus;
use crate::server::log::{push_json_string, push_shown};

/// The version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Width of the first column.
const LABEL_CHARS: usize = 13;

/// Aligned lines: a label, then a value. In a line that continues the one before, the label is empty.
pub(super) fn text(status: &ServerStatus) -> String {
    let ServerStatus { hub, clients, clients_max, .. } = status;
    let mut lines = TextLines::default();
    lines.push("version", VERSION);
    lines.push("pid", status.pid);
    lines.push("uptime", rough_duration(status.uptime));
    lines.push("epoch", hub.epoch.as_ref().map_or("none".to_owned(), ToString::to_string));
    for (index, listener) in status.listeners.iter().enumerate() {
        lines.push(if index == 0 { "listening" } else { "" }, listener);
    }
    lines.push("clients", format!("{clients} of {clients_max}"));
    lines.push("members", format!("{}, {} of them detached", hub.members, hub.detached));
    lines.push("no nickname", format!("{}, {} of them watching", hub.unnamed, hub.watching));
    if let Some((accounts, logged_in)) = hub.accounts {
        lines.push("accounts", format!("{accounts}, {logged_in} of them logged in"));
    }
    lines.push(
        "rooms",
        format!("{}, {} of {} with members besides #lobby", hub.rooms, hub.occupied_rooms, hub.rooms_max),
    );
    lines.push("messages", format!("{} since the start, newest id in #lobby {}", hub.messages, hub.newest_id.0));
    lines.push("deliveries", format!("{} since the start", hub.deliveries));
    lines.push("waiting", format!("{} changes for the store, {} passwords", hub.store_queue, hub.password_queue));
    let [used, max] = [hub.backlog_bytes, hub.backlog_bytes_max].map(|bytes| rough_size(bytes as u64));
    lines.push("backlog", format!("{used} of {max}"));
    if let Some(bytes) = status.memory_bytes {
        lines.push("memory", rough_size(bytes));
    }
    if let Some(StoreStatus { path, bytes }) = &status.store {
        let bytes = bytes.as_ref().map_or_else(Clone::clone, |bytes| rough_size(*bytes));
        lines.push("store", format!("{path}, {bytes}"));
    }
    if let Some(failure) = &hub.store_failure {
        lines.push("store error", failure);
    }
    for CertificateStatus { path, fingerprint, expires_at } in &status.certificates {
        let expires = expires_at.map_or("an unknown time".to_owned(), |at| at.utc().format("%Y-%m-%d").to_string());
        lines.push("certificate", format!("{}, valid until {expires}", path.display()));
        lines.push("", fingerprint);
    }
    lines.0
}

/// One JSON object, in one line. Always the same keys; `null` stands for a value that does not exist.
pub(super) fn json(status: &ServerStatus) -> String {
    let ServerStatus { hub, .. } = status;
    let store = status.store.as_ref().map(|store| {
        let error = hub.store_failure.as_ref().or(store.bytes.as_ref().err());
        let fields = [
            ("path", string(&store.path)),
            ("bytes", or_null(store.bytes.as_ref().ok())),
            ("error", or_null(error.map(|error| string(error)))),
        ];
        object(&fields)
    });
    let certificate = |certificate: &CertificateStatus| {
        let CertificateStatus { path, fingerprint, expires_at } = certificate;
        let fields = [
            ("path", string(&path.to_string_lossy())),
            ("fingerprint", string(fingerprint)),
            ("expires", or_null(expires_at.map(|at| string(&at.to_string())))),
        ];
        object(&fields)
    };
    let fields = [
        ("version", string(VERSION)),
        ("pid", status.pid.to_string()),
        ("uptime_seconds", status.uptime.as_secs().to_string()),
        ("epoch", or_null(hub.epoch.as_ref().map(|epoch| string(&epoch.to_string())))),
        ("listeners", array(status.listeners.iter().map(|listener| string(listener)))),
        ("clients", status.clients.to_string()),
        ("max_clients", status.clients_max.to_string()),
        ("members", hub.members.to_string()),
        ("detached", hub.detached.to_string()),
        ("unnamed", hub.unnamed.to_string()),
        ("watching", hub.watching.to_string()),
        ("accounts", or_null(hub.accounts.map(|(accounts, _)| accounts))),
        ("logged_in", or_null(hub.accounts.map(|(_, logged_in)| logged_in))),
        ("rooms", hub.rooms.to_string()),
        ("occupied_rooms", hub.occupied_rooms.to_string()),
        ("max_rooms", hub.rooms_max.to_string()),
        ("messages", hub.messages.to_string()),
        ("deliveries", hub.deliveries.to_string()),
        ("newest_id", hub.newest_id.0.to_string()),
        ("backlog_bytes", hub.backlog_bytes.to_string()),
        ("max_backlog_bytes", hub.backlog_bytes_max.to_string()),
        ("store_queue", hub.store_queue.to_string()),
        ("password_queue", hub.password_queue.to_string()),
        ("memory_bytes", or_null(status.memory_bytes)),
        ("store", or_null(store)),
        ("certificates", array(status.certificates.iter().map(certificate))),
    ];
    object(&fields) + "\n"
}

#[derive(Default)]
struct TextLines(String);

impl TextLines {
    fn push(&mut self, label: &str, value: impl Display) {
        self.0 += &format!("{label:LABEL_CHARS$}");
        push_shown(&mut self.0, &value.to_string());
        self.0.push('\n');
    }
}

fn string(text: &str) -> String {
    let mut json = String::new();
    push_json_string(&mut json, text);
    json
}

fn or_null(value: Option<impl Display>) -> String {
    value.map_or("null".to_owned(), |value| value.to_string())
}

fn array(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.collect::<Vec<_>>().join(","))
}

fn object(fields: &[(&str, String)]) -> String {
    let fields: Vec<_> = fields.iter().map(|(key, value)| format!("{}:{value}", string(key))).collect();
    format!("{{{}}}", fields.join(","))
}

/// A duration in its two largest units: `3d 4h`, `12s`.
fn rough_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let first = units.iter().position(|(count, _)| *count > 0).unwrap_or(units.len() - 1);
    let shown: Vec<_> = units[first..].iter().take(2).map(|(count, unit)| format!("{count}{unit}")).collect();
    shown.join(" ")
}

/// A size with one decimal: `17.6 MiB`.
fn rough_size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    // The largest unit of which there is at least one.
    let unit = (0..units.len() - 1).take_while(|power| bytes >> (10 * (power + 1)) > 0).count();
    if unit == 0 {
        return format!("{bytes} B");
    }
    let tenths = (u128::from(bytes) * 10) >> (10 * unit);
    format!("{}.{} {}", tenths / 10, tenths % 10, units[unit])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::protocol::{MessageId, Timestamp, Token};
    use crate::server::hub::HubStatus;

    fn hub() -> HubStatus {
        HubStatus {
            epoch: Some(Token::truncated("k7qd")),
            members: 15,
            detached: 2,
            unnamed: 4,
            watching: 1,
            accounts: None,
            rooms: 6,
            occupied_rooms: 5,
            rooms_max: 10_000,
            messages: 1234,
            deliveries: 12_345,
            newest_id: MessageId(5678),
            backlog_bytes: 1_300_000,
            backlog_bytes_max: 16 << 20,
            store_queue: 3,
            password_queue: 2,
            store_failure: None,
        }
    }

    fn status() -> ServerStatus {
        ServerStatus {
            pid: 4711,
            uptime: Duration::from_secs(7510),
            listeners: vec!["tcp://127.0.0.1:9999".to_owned(), "unix:///run/a\u{202e}b".to_owned()],
            clients: 17,
            clients_max: 2000,
            hub: hub(),
            memory_bytes: Some(18_460_672),
            store: None,
            certificates: Vec::new(),
        }
    }

    /// A server with everything that may be missing.
    fn full_status() -> ServerStatus {
        let store = StoreStatus { path: "/var/lib/chinwag/\"chat\n.db".to_owned(), bytes: Ok(12 << 20) };
        let certificate = CertificateStatus {
            path: "/etc/chinwag/cert.pem".into(),
            fingerprint: "sha256:00ff".to_owned(),
            expires_at: Some(Timestamp(2_079_561_600_000)),
        };
        let hub = HubStatus { store_failure: Some("disk full".to_owned()), accounts: Some((5, 3)), ..hub() };
        ServerStatus { hub, store: Some(store), certificates: vec![certificate], ..status() }
    }

    #[test]
    fn text_is_aligned_in_stable_order() {
        let expected = format!(
            "\
version      {VERSION}
pid          4711
uptime       2h 5m
epoch        k7qd
listening    tcp://127.0.0.1:9999
             unix:///run/a\\u{{202e}}b
clients      17 of 2000
members      15, 2 of them detached
no nickname  4, 1 of them watching
rooms        6, 5 of 10000 with members besides #lobby
messages     1234 since the start, newest id in #lobby 5678
deliveries   12345 since the start
waiting      3 changes for the store, 2 passwords
backlog      1.2 MiB of 16.0 MiB
memory       17.6 MiB
"
        );
        assert_eq!(text(&status()), expected);
        let expected = "\
store        /var/lib/chinwag/\"chat\\n.db, 12.0 MiB
store error  disk full
certificate  /etc/chinwag/cert.pem, valid until 2035-11-25
             sha256:00ff
";
        assert!(text(&full_status()).ends_with(expected), "{}", text(&full_status()));
        assert!(text(&full_status()).contains("\naccounts     5, 3 of them logged in\nrooms "));
    }

    #[test]
    fn json_is_one_line_with_the_same_keys() {
        let read = |status: &ServerStatus| {
            let line = json(status);
            assert_eq!(line.find('\n'), Some(line.len() - 1), "{line}");
            serde_json::from_str::<Value>(&line).unwrap_or_else(|error| panic!("{error} in {line}"))
        };
        let (small, full) = (read(&status()), read(&full_status()));
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&small), keys(&full));
        assert_eq!((&small["store"], &small["certificates"]), (&Value::Null, &json!([])));
        assert_eq!(small["listeners"], json!(["tcp://127.0.0.1:9999", "unix:///run/a\u{202e}b"]));
        let store = json!({"path": "/var/lib/chinwag/\"chat\n.db", "bytes": 12 << 20, "error": "disk full"});
        assert_eq!(full["store"], store);
        let certificate = json!({"path": "/etc/chinwag/cert.pem", "fingerprint": "sha256:00ff", "expires": "2035-11-25T00:00:00.000Z"});
        assert_eq!(full["certificates"], json!([certificate]));
        assert_eq!((&full["accounts"], &full["logged_in"]), (&json!(5), &json!(3)));
        assert_eq!((&small["accounts"], &small["logged_in"]), (&Value::Null, &Value::Null));
        for (key, number) in [
            ("pid", 4711),
            ("uptime_seconds", 7510),
            ("clients", 17),
            ("max_clients", 2000),
            ("members", 15),
            ("detached", 2),
            ("unnamed", 4),
            ("watching", 1),
            ("rooms", 6),
            ("occupied_rooms", 5),
            ("max_rooms", 10_000),
            ("messages", 1234),
            ("deliveries", 12_345),
            ("store_queue", 3),
            ("password_queue", 2),
            ("newest_id", 5678),
            ("backlog_bytes", 1_300_000),
            ("max_backlog_bytes", 16 << 20),
            ("memory_bytes", 18_460_672),
        ] {
            assert_eq!(small[key], number, "{key}");
        }
    }

    /// The file was deleted: no commit has failed yet.
    #[test]
    fn missing_store_is_an_error() {
        let store = StoreStatus { path: "/chat.db".to_owned(), bytes: Err("No such file or directory".to_owned()) };
        let status = ServerStatus { store: Some(store), ..status() };
        assert!(text(&status).ends_with("store        /chat.db, No such file or directory\n"));
        assert!(
            json(&status).contains(r#""store":{"path":"/chat.db","bytes":null,"error":"No such file or directory"}"#)
        );
    }

    #[test]
    fn durations_have_two_units() {
        for (seconds, shown) in
            [(0, "0s"), (59, "59s"), (60, "1m 0s"), (7510, "2h 5m"), (86_399, "23h 59m"), (90_000, "1d 1h")]
        {
            assert_eq!(rough_duration(Duration::from_secs(seconds)), shown);
        }
    }

    #[test]
    fn sizes_have_one_decimal() {
        for (bytes, shown) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_300_000, "1.2 MiB"), (u64::MAX, "16777215.9 TiB")]
        {
            assert_eq!(rough_size(bytes), shown);
        }
    }
}
