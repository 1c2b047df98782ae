//! How the servers are configured. Limits that the workloads would reach are off.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use crate::common::certificate::Certificate;

/// The server's limit for the backlog of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BacklogLimit {
    /// The highest that it can be configured to, so that a slow moment of the load generator disconnects no client.
    Highest,
    Default,
}

/// The feed of chinwag with [`BacklogLimit::Highest`]: as much as [`Log`](crate::common::log::Log) can compare, less the sockets'
/// buffers. The default, 8 MiB, is what chinwag delivers to 100 readers in a quarter of a second. A load generator that shares
/// its processor may be suspended for longer.
const CHINWAG_BACKLOG_BYTES: &str = "50331648";

/// The values that differ from one start of a server to the next.
pub(crate) struct Settings<'a> {
    limit: BacklogLimit,
    /// The server's own directory.
    directory: &'a Path,
    /// Where it listens for plain text.
    plain: SocketAddr,
    /// Where it listens for TLS, and the certificate.
    tls: Option<(SocketAddr, &'a Certificate)>,
}

impl<'a> Settings<'a> {
    pub(crate) fn new(limit: BacklogLimit, directory: &'a Path, certificate: Option<&'a Certificate>) -> Self {
        // Both listen until both have an address, so that these differ.
        let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
        let [plain, encrypted] = listeners.each_ref().map(|listener| listener.local_addr().expect("an address"));
        Self { limit, directory, plain, tls: certificate.map(|certificate| (encrypted, certificate)) }
    }

    /// Where clients connect.
    pub(crate) fn address(&self) -> SocketAddr {
        self.tls.map_or(self.plain, |(address, _)| address)
    }

    /// Writes a configuration. Returns the file.
    pub(crate) fn write(&self, configuration: &str) -> PathBuf {
        let path = self.directory.join("server.conf");
        fs::write(&path, configuration).expect("a file in its own directory");
        path
    }
}

/// The options of chinwagd.
pub(crate) fn chinwag(limit: BacklogLimit, certificate: Option<&Certificate>) -> Vec<String> {
    let mut options = certificate.map(Certificate::listener_options).unwrap_or_default();
    options.extend(["--line-rate", "0", "--connect-rate", "0"].map(str::to_owned));
    if limit == BacklogLimit::Highest {
        options.extend(["--backlog", CHINWAG_BACKLOG_BYTES].map(str::to_owned));
    }
    options
}

/// The options of Redis.
pub(crate) fn redis(settings: &Settings<'_>) -> Vec<String> {
    let ports = match settings.tls {
        None => format!("--port {}", settings.plain.port()),
        Some((address, certificate)) => format!(
            "--port 0 --tls-port {} --tls-auth-clients no --tls-cert-file {} --tls-key-file {}",
            address.port(),
            certificate.path().display(),
            certificate.key_path().display()
        ),
    };
    let mut arguments = format!(
        "{ports} --bind 127.0.0.1 --protected-mode no --daemonize no --appendonly no --maxclients 15000 --tcp-backlog 4096 --timeout 0 \
         --loglevel warning"
    );
    if settings.limit == BacklogLimit::Highest {
        arguments += " --client-output-buffer-limit pubsub 0 0 0";
    }
    let mut arguments: Vec<_> = arguments.split(' ').map(str::to_owned).collect();
    arguments.extend(["--save".to_owned(), String::new()]);
    arguments
}

pub(crate) fn nats(settings: &Settings<'_>) -> String {
    let address = settings.plain;
    let mut configuration = format!("listen: \"{address}\"\nmax_connections: 65536\nping_interval: \"1h\"\n");
    if settings.limit == BacklogLimit::Highest {
        configuration += "max_pending: 1GB\nwrite_deadline: \"60s\"\n";
    }
    configuration
}

/// Its limit for the backlog of a client is compiled in.
pub(crate) fn ngircd(settings: &Settings<'_>) -> String {
    let tls = settings.tls.map_or(String::new(), |(address, certificate)| {
        format!(
            "[SSL]
            CertFile = {}
            KeyFile = {}
            Ports = {}
            ",
            certificate.path().display(),
            certificate.key_path().display(),
            address.port()
        )
    });
    format!(
        "[Global]
            Name = irc.bench
            Info = bench
            Listen = 127.0.0.1
            Ports = {}
            MotdPhrase = bench
        [Limits]
            MaxConnections = 0
            MaxConnectionsIP = 0
            MaxJoins = 0
            MaxPenaltyTime = 0
            PingTimeout = 36000
            PongTimeout = 3600
        [Options]
            DNS = no
            Ident = no
            PAM = no
            MorePrivacy = no
        {tls}",
        settings.plain.port()
    )
}

pub(crate) fn inspircd(settings: &Settings<'_>) -> String {
    let queues = match settings.limit {
        BacklogLimit::Highest => "softsendq=\"1073741824\" hardsendq=\"1073741824\"",
        // The hard limit of its example configuration. With a soft limit below that, it stopped serving the senders.
        BacklogLimit::Default => "softsendq=\"1048576\" hardsendq=\"1048576\"",
    };
    let (module, profile) = settings.tls.map_or((String::new(), ""), |(_, certificate)| {
        let module = format!(
            "<module name=\"ssl_gnutls\">
        <sslprofile name=\"bench\" provider=\"gnutls\" certfile=\"{}\" keyfile=\"{}\" hash=\"sha256\">",
            certificate.path().display(),
            certificate.key_path().display()
        );
        (module, "sslprofile=\"bench\"")
    });
    format!(
        "<server name=\"irc.bench\" description=\"bench\" network=\"bench\">
        <admin name=\"bench\" nick=\"bench\" email=\"bench@localhost\">
        {module}
        <bind address=\"127.0.0.1\" port=\"{}\" type=\"clients\" {profile}>
        <path configdir=\"{directory}\" datadir=\"{directory}\" logdir=\"{directory}\" runtimedir=\"{directory}\">
        <connect name=\"all\" allow=\"*\" timeout=\"60\" pingfreq=\"36000\" {queues} recvq=\"1048576\" fakelag=\"no\"
            threshold=\"1000000000\" commandrate=\"1000000000\" localmax=\"100000\" globalmax=\"100000\" limit=\"100000\"
            maxconnwarn=\"no\" resolvehostnames=\"no\" useident=\"no\">
        <performance somaxconn=\"4096\" softlimit=\"100000\" netbuffersize=\"65534\">
        ",
        settings.address().port(),
        directory = settings.directory.display()
    )
}
