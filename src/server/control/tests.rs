//! Tests of the control socket, with a hub and without a server.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::*;
use crate::feed::Feed;
use crate::limits::BACKLOG_BYTES_MIN;
use crate::server::admission::{Admission, ConnectionLimits};
use crate::server::banned_networks::BannedNetworks;
use crate::server::clock::{Clock, SystemClock};
use crate::server::hub::{self, Hub};
use crate::server::log::RunLog;
use crate::server::{LiveRate, Rate, request_queue, tests};
use crate::session::Sessions;

/// Longest wait of a client. Nothing here takes long, unless it hangs.
const DEADLINE: Duration = Duration::from_secs(20);

/// Starts a control socket, and runs `client` with its path. `has_hub`: requests to the hub are processed.
fn serve(has_hub: bool, configure: impl FnOnce(&mut ControlServer), client: impl FnOnce(PathBuf) + Send + 'static) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let (socket, _file) = ControlSocket::bind(path.clone()).unwrap();
    let feed = Arc::new(Feed::new(BACKLOG_BYTES_MIN));
    let (to_hub, requests) = request_queue::channel();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let hub = hub::run(Hub::new(Sessions::default(), Arc::clone(&feed)), requests, Arc::clone(&clock));
    let line_rate = Rate { per_second: 0, burst: 1 };
    let log = Arc::new(RunLog::new(Arc::clone(&clock)));
    let context = ConnectionContext {
        feed,
        to_hub,
        store_reader: None,
        line_rate: LiveRate::new(line_rate),
        send_timeout: None,
        clock,
        log,
        metrics: Arc::default(),
    };
    let limits = ConnectionLimits { clients_max: 9, descriptors: 99, per_address_max: 0, per_address_rate: line_rate };
    let admission = Admission::new(limits, Arc::new(BannedNetworks::new(Arc::clone(&context.clock))));
    let listeners = vec!["tcp://127.0.0.1:9999".to_owned()];
    let status = StatusSource::new(&tests::options(), listeners, &admission, &*context.clock);
    let mut server = ControlServer::new(socket, status, Arc::new(context), 0);
    configure(&mut server);
    let running = async {
        if has_hub {
            future::or(server.run(), hub).await;
        } else {
            server.run().await;
        }
    };
    future::block_on(future::or(smol::unblock(|| client(path)), running));
}

fn connect(path: &Path) -> BufReader<UnixStream> {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    BufReader::new(stream)
}

fn line(client: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    client.read_line(&mut line).unwrap();
    line.trim_end_matches('\n').to_owned()
}

/// A client that has read the greeting.
fn greeted(path: &Path) -> BufReader<UnixStream> {
    let mut client = connect(path);
    assert_eq!(line(&mut client), GREETING);
    client
}

/// Sends these bytes, ends the input, and reads up to the end.
fn ask(path: &Path, request: &[u8]) -> String {
    let mut client = greeted(path);
    client.get_mut().write_all(request).unwrap();
    client.get_mut().shutdown(std::net::Shutdown::Write).unwrap();
    let mut reply = String::new();
    client.read_to_string(&mut reply).unwrap();
    reply
}

#[test]
fn status_has_last_line_in_every_form_of_the_request() {
    serve(
        true,
        |_| {},
        |path| {
            for request in ["status\n", "status\r\n", "status", "status \n"] {
                let reply = ask(&path, request.as_bytes());
                assert!(reply.contains("\nclients      0 of 9\n") && reply.ends_with("\nOK status\n"), "{reply}");
            }
            let reply = ask(&path, b"status json\n");
            assert!(reply.starts_with('{') && reply.ends_with("}\nOK status\n"), "{reply}");
        },
    );
}

/// The client need not end its input.
#[test]
fn connection_ends_after_one_reply() {
    serve(
        true,
        |_| {},
        |path| {
            let mut client = greeted(&path);
            client.get_mut().write_all(b"status json\n").unwrap();
            let mut reply = String::new();
            client.read_to_string(&mut reply).unwrap();
            assert!(reply.ends_with("OK status\n"), "{reply}");
        },
    );
}

#[test]
fn unknown_request_is_refused() {
    serve(
        true,
        |_| {},
        |path| {
            let expected = "ERR - unknown-request unknown request \"reload\": expected status, status json, account \
                            list|add|password|role|remove, moderate COMMAND or audit\n";
            assert_eq!(ask(&path, b"reload\n"), expected);
            assert!(ask(&path, b"\xff\xfe\n").starts_with("ERR - unknown-request "));
            assert!(ask(&path, b"").starts_with("ERR - unknown-request "));
        },
    );
}

#[test]
fn endless_line_is_refused() {
    serve(
        true,
        |_| {},
        |path| {
            let longest = [b'x'; CONTROL_REQUEST_BYTES_MAX];
            assert!(ask(&path, &longest).starts_with("ERR - unknown-request "));
            for end in ["x", "\n"] {
                let mut client = greeted(&path);
                client.get_mut().write_all(&[&longest[..], b"x", end.as_bytes()].concat()).unwrap();
                let expected = format!("ERR - too-long a request has at most {CONTROL_REQUEST_BYTES_MAX} bytes");
                assert_eq!(line(&mut client), expected);
            }
        },
    );
}

#[test]
fn silent_client_is_disconnected() {
    serve(
        true,
        |server| server.request_timeout = Duration::from_millis(20),
        |path| {
            let mut client = greeted(&path);
            assert_eq!(line(&mut client), "ERR - timeout no request arrived within 0 s");
            assert_eq!(line(&mut client), "");
        },
    );
}

#[test]
fn hub_that_hangs_gets_error() {
    serve(
        false,
        |server| server.reply_timeout = Duration::from_millis(20),
        |path| {
            let error = "ERR status timeout the server is overloaded or hangs: it found no reply within 0 s\n";
            assert_eq!(ask(&path, b"status\n"), error);
        },
    );
}

/// The server has no store.
#[test]
fn audit_log_without_entries_has_only_the_last_line() {
    serve(
        true,
        |_| {},
        |path| {
            assert_eq!(ask(&path, b"audit\n"), "OK audit\n");
            assert_eq!(ask(&path, b"audit before=9 limit=0 room=#ops by=ann\r\n"), "OK audit\n");
            assert!(ask(&path, b"audit all\n").starts_with("ERR audit unknown-argument "));
        },
    );
}

/// The change may be carried out later.
#[test]
fn change_that_hangs_gets_error_with_a_hint() {
    serve(
        false,
        |server| server.change_timeout = Duration::from_millis(20),
        |path| {
            let error = "ERR account timeout the server or its disk is overloaded or hangs: it did not confirm the change within 0 \
                         s, and may still carry it out; look at account list before you try again\n";
            assert_eq!(ask(&path, b"account remove ann\n"), error);
        },
    );
}

#[test]
fn account_requests_are_answered() {
    serve(
        true,
        |_| {},
        |path| {
            for request in ["account list", "account remove ann\r\n", "account  list  7 \n"] {
                let reply = ask(&path, request.as_bytes());
                assert!(reply.starts_with("ERR account accounts-off this server has no accounts: "), "{reply}");
            }
            let reply = ask(&path, b"account add ann hunter22\n");
            assert!(reply.starts_with("ERR account unknown-argument ") && !reply.contains("hunter"), "{reply}");
        },
    );
}

#[test]
fn connection_beyond_limit_is_refused() {
    serve(
        true,
        |_| {},
        |path| {
            let mut clients: Vec<_> = (0..CONTROL_CONNECTIONS_MAX).map(|_| greeted(&path)).collect();
            let busy = ControlError::busy(CONTROL_CONNECTIONS_MAX).to_string();
            for _ in 0..3 {
                assert_eq!(line(&mut connect(&path)), busy);
            }
            clients.pop();
            let start = Instant::now();
            while line(&mut connect(&path)) != GREETING {
                assert!(start.elapsed() < DEADLINE, "the place is not free again");
            }
        },
    );
}

#[test]
fn only_root_and_owner_may_control() {
    for (user, expected) in
        [(Some(0), true), (Some(1000), true), (Some(1001), false), (Some(65_534), false), (None, false)]
    {
        assert_eq!(may_control(user, 1000), expected, "{user:?}");
    }
    assert!(!may_control(Some(1000), 0));
}

#[test]
fn peer_user_is_that_of_the_process() {
    let (one, other) = UnixStream::pair().unwrap();
    assert_eq!([peer_user(&one), peer_user(&other)], [Some(geteuid().as_raw()); 2]);
}
