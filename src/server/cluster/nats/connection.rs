//! The connection to one of the engine's servers. async-nats connects, and connects again when the connection is lost.

use std::future;
use std::io;
use std::time::Duration;

use async_nats::{Client, ConnectError, ConnectOptions, Event};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::NatsOptions;
use crate::limits::{ENGINE_ANSWER_MS_MAX, ENGINE_CONNECT_MS_MAX, ENGINE_PING_MS, ENGINE_RECONNECT_MS};
use crate::server::cluster::EngineCredentials;
use crate::server::log::{EngineLog, engine_version};

/// The client's options, without the callback for events.
pub(super) fn options(options: &NatsOptions) -> io::Result<ConnectOptions> {
    let connect = ConnectOptions::new()
        .name(format!("chinwagd {}", options.node))
        .ping_interval(Duration::from_millis(ENGINE_PING_MS))
        .connection_timeout(Duration::from_millis(ENGINE_CONNECT_MS_MAX))
        .request_timeout(Some(Duration::from_millis(ENGINE_ANSWER_MS_MAX)))
        .reconnect_delay_callback(|attempts| match attempts {
            0 | 1 => Duration::ZERO,
            _ => Duration::from_millis(ENGINE_RECONNECT_MS),
        })
        .max_reconnects(None)
        .retry_on_initial_connect()
        // The operator names the servers: the addresses that they announce may be those of another network, and not those in their
        // certificates.
        .ignore_discovered_servers()
        .require_tls(options.address.is_tls);
    let connect = match &options.tls_ca {
        Some(path) => connect.add_root_certificates(path.clone()),
        None => connect,
    };
    match options.credentials.as_ref().or(options.address.credentials.as_ref()) {
        None => Ok(connect),
        Some(EngineCredentials::Password(user, password)) => {
            Ok(connect.user_and_password(user.clone(), password.reveal().to_owned()))
        }
        Some(EngineCredentials::Token(token)) => Ok(connect.token(token.reveal().to_owned())),
        Some(EngineCredentials::NkeySeed(seed)) => Ok(connect.nkey(seed.reveal().to_owned())),
        Some(EngineCredentials::CredentialsFile(content)) => connect.credentials(content.reveal()),
    }
}

pub(super) fn log_start_error(error: &ConnectError) {
    EngineLog::default().failed(std::time::Instant::now(), &error.to_string());
}

/// Follows the connection, and logs its changes.
pub(super) struct ConnectionMonitor {
    client: Client,
    /// The number of the last connection.
    number: u64,
    connection: watch::Sender<Option<u64>>,
    log: EngineLog,
}

impl ConnectionMonitor {
    /// Returns also the number of the connection.
    pub(super) fn new(client: Client) -> (Self, watch::Receiver<Option<u64>>) {
        let (connection, receiver) = watch::channel(None);
        (Self { client, number: 0, connection, log: EngineLog::default() }, receiver)
    }

    pub(super) fn handle(&mut self, event: &Event) {
        let now = std::time::Instant::now();
        match event {
            Event::Connected => {
                self.number += 1;
                self.connection.send_replace(Some(self.number));
                let server = self.client.server_info();
                self.log.connected(now, &server.server_name, &format!("{}:{}", server.host, server.port));
                // Whether the server writes each message to its disk before it acknowledges it (`sync_interval: always`) cannot be
                // read over this connection: neither the information about the server nor JetStream's API has it, and the monitoring
                // port is not a part of the address. The operator has to set it.
                if !has_sync_option(&server.version) {
                    engine_version(&server.server_name, &server.version);
                }
            }
            Event::Disconnected => {
                self.connection.send_replace(None);
                self.log.lost(now);
            }
            Event::ServerError(error) => self.log.failed(now, &error.to_string()),
            Event::ClientError(error) => self.log.failed(now, &error.to_string()),
            // Never: no subscription has more messages than its queue has room for.
            Event::SlowConsumer(_) => self.log.failed(now, "the client dropped messages"),
            Event::LameDuckMode | Event::Draining | Event::Closed => {}
        }
    }

    /// Waits until [`ConnectionMonitor::log_due`] has something to log.
    pub(super) async fn wait_due(&self) {
        match self.log.due() {
            Some(at) => sleep_until(Instant::from_std(at)).await,
            None => future::pending().await,
        }
    }

    pub(super) fn log_due(&mut self) {
        self.log.log_due(std::time::Instant::now());
    }
}

/// Whether a server of this version has the option `sync_interval: always`: since 2.10. 2.10.20 to 2.10.22 can lose a stream when they are
/// killed.
fn has_sync_option(version: &str) -> bool {
    let mut numbers = version.split(['.', '-']).map(|number| number.parse().unwrap_or(0_u32));
    let mut next = || numbers.next().unwrap_or_default();
    let version = (next(), next(), next());
    version >= (2, 10, 0) && !((2, 10, 20)..(2, 10, 23)).contains(&version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_are_known() {
        for (version, expected) in [
            ("2.9.25", false),
            ("2.10.0", true),
            ("2.10.19", true),
            ("2.10.20", false),
            ("2.10.22", false),
            ("2.10.23", true),
            ("2.15.1", true),
            ("2.12.0-beta.1", true),
            ("3.0.0", true),
            ("", false),
        ] {
            assert_eq!(has_sync_option(version), expected, "{version:?}");
        }
    }
}
