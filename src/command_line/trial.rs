//! A program for the tests of the configuration file.

use argh::{ArgsInfo, FromArgs};

use super::{CommandLine, Feature, OptionGroup, RenamedOption};

/// Options of a program with a configuration file.
#[derive(FromArgs, ArgsInfo, Debug, Default, PartialEq, Eq)]
pub(super) struct Trial {
    /// addresses (default: 127.0.0.1:9, which is here)
    #[argh(option, arg_name = "uri")]
    pub(super) listen: Vec<String>,

    /// clients (default:
    /// 10)
    #[argh(option, arg_name = "n")]
    pub(super) max_clients: Option<u32>,

    /// no watching (default: anybody may)
    #[argh(switch)]
    pub(super) no_watch: bool,

    /// time, in seconds (default: as many as it takes)
    #[argh(option, arg_name = "duration")]
    pub(super) idle_timeout: Option<u8>,

    /// a file (default: none; a command makes one)
    #[argh(option, arg_name = "path")]
    pub(super) data: Option<String>,

    /// the configuration file (default: none)
    #[argh(option, arg_name = "path")]
    pub(super) config: Option<String>,

    /// check
    #[argh(switch)]
    pub(super) check: bool,

    /// print the version
    #[argh(switch, short = 'V')]
    pub(super) version: bool,

    #[argh(subcommand)]
    pub(super) command: Option<TrialCommand>,
}

#[derive(FromArgs, ArgsInfo, Debug, PartialEq, Eq)]
#[argh(subcommand)]
pub(super) enum TrialCommand {
    Status(TrialStatus),
}

/// print the status
#[derive(FromArgs, ArgsInfo, Debug, PartialEq, Eq)]
#[argh(subcommand, name = "status")]
pub(super) struct TrialStatus {
    /// print JSON
    #[argh(switch)]
    pub(super) json: bool,
}

pub(super) const COMMAND_LINE: CommandLine = CommandLine {
    program: "trial",
    usage: "[options]",
    example: "--listen 127.0.0.1:9",
    features: &[Feature { name: "tls", is_built: false, options: &["--tls-key", "--out"] }],
    renamed: &[
        RenamedOption { old: "--port", new: "--listen HOST:PORT" },
        RenamedOption { old: "--clients", new: "--max-clients" },
    ],
    groups: &[
        OptionGroup { heading: "Listeners", options: &["--listen", "--tls-key"] },
        OptionGroup { heading: "Limits", options: &["--max-clients", "--no-watch", "--idle-timeout"] },
        OptionGroup { heading: "Control socket", options: &["--data", "--json"] },
        OptionGroup { heading: "Other", options: &["--config", "--check", "--version", "--help", "--out"] },
    ],
    config_sections: &["Listeners", "Limits", "Control socket"],
};
