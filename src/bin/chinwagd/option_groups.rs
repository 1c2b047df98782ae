//! The features, other names and groups of the options of `chinwagd`.

use chinwag::command_line::{CommandLine, Feature, OptionGroup, RenamedOption};

use super::PROGRAM;

/// The options of the feature `cluster`, all in one group.
const CLUSTER: &[&str] = &[
    "--cluster",
    "--cluster-node",
    "--cluster-copies",
    "--cluster-ca",
    "--cluster-user",
    "--cluster-password-file",
    "--cluster-token-file",
    "--cluster-nkey-file",
    "--cluster-credentials",
];

/// The features, other names and groups of the options.
pub(super) const COMMAND_LINE: CommandLine = CommandLine {
    program: PROGRAM,
    usage: "[options]",
    example: "--listen 127.0.0.1:9999",
    features: &[
        Feature {
            name: "accounts",
            is_built: cfg!(feature = "accounts"),
            options: &["--accounts-only", "--registration", "--generate", "--end-rest"],
        },
        Feature { name: "cluster", is_built: cfg!(feature = "cluster"), options: CLUSTER },
        Feature { name: "config", is_built: cfg!(feature = "config"), options: &["--config", "--print-config"] },
        Feature { name: "metrics", is_built: cfg!(feature = "metrics"), options: &[] },
        Feature { name: "proxy", is_built: cfg!(feature = "proxy"), options: &[] },
        Feature { name: "store", is_built: cfg!(feature = "store"), options: &["--data", "--durability", "--keep"] },
        Feature { name: "systemd", is_built: cfg!(feature = "systemd"), options: &[] },
        Feature {
            name: "tls",
            is_built: cfg!(feature = "tls"),
            options: &["--tls-cert", "--tls-key", "--name", "--out"],
        },
        Feature {
            name: "web",
            is_built: cfg!(feature = "web"),
            options: &["--http-origin", "--http-header-timeout", "--http-ping-interval"],
        },
    ],
    renamed: &[
        RenamedOption {
            old: "--web",
            new: "--listen http://HOST:PORT (with --listen 127.0.0.1:9999 to keep that one)",
        },
        RenamedOption { old: "--web-origin", new: "--http-origin" },
        RenamedOption { old: "--web-head-timeout", new: "--http-header-timeout" },
        RenamedOption { old: "--web-ping", new: "--http-ping-interval" },
        RenamedOption { old: "--feed-bytes", new: "--backlog" },
        RenamedOption { old: "--write-timeout", new: "--send-timeout" },
        RenamedOption { old: "--lost-timeout", new: "--dead-peer-timeout" },
        RenamedOption { old: "--port", new: "--listen HOST:PORT, such as --listen 127.0.0.1:9999" },
    ],
    groups: &[
        OptionGroup { heading: "Listeners", options: &["--listen", "--port-file"] },
        OptionGroup { heading: "TLS", options: &["--tls-cert", "--tls-key"] },
        OptionGroup {
            heading: "Passwords",
            options: &["--password-file", "--accounts-only", "--registration", "--allow-insecure-passwords"],
        },
        OptionGroup { heading: "Cluster", options: CLUSTER },
        OptionGroup { heading: "Accounts", options: &["--generate", "--end-rest"] },
        OptionGroup { heading: "HTTP", options: &["--http-origin", "--http-header-timeout", "--http-ping-interval"] },
        OptionGroup {
            heading: "Limits",
            options: &[
                "--max-clients",
                "--max-per-address",
                "--connect-rate",
                "--line-rate",
                "--line-burst",
                "--backlog",
                "--max-rooms",
                "--no-watch",
            ],
        },
        OptionGroup {
            heading: "Messages",
            options: &["--history", "--data", "--durability", "--keep", "--epoch", "--motd"],
        },
        OptionGroup {
            heading: "Timeouts",
            options: &["--name-timeout", "--idle-timeout", "--resume-timeout", "--send-timeout", "--dead-peer-timeout"],
        },
        OptionGroup { heading: "Logging", options: &["--log", "--log-format"] },
        OptionGroup { heading: "Control socket", options: &["--control", "--json"] },
        OptionGroup { heading: "Audit log", options: &["--limit", "--room", "--by"] },
        OptionGroup { heading: "Certificate", options: &["--name", "--out"] },
        OptionGroup { heading: "Configuration", options: &["--config", "--check", "--print-config"] },
        OptionGroup { heading: "Other", options: &["--version", "--help"] },
    ],
    config_sections: &[
        "Listeners",
        "TLS",
        "Passwords",
        "HTTP",
        "Limits",
        "Messages",
        "Timeouts",
        "Logging",
        "Control socket",
    ],
};
