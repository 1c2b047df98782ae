//! The source of the options at SIGHUP: the command line and the configuration file, read again.

use chinwag::command_line::{self, Parsed};
use chinwag::server::{Configuration, OptionsSource, ServiceManager};

use super::{Arguments, COMMAND_LINE, configuration};

/// Parses the arguments of the process and the file of `--config` again.
#[derive(Debug)]
pub(super) struct CommandLineSource;

impl OptionsSource for CommandLineSource {
    fn read(&self) -> Result<Configuration, String> {
        let Parsed { arguments, options, .. } = command_line::parse_again::<Arguments>(&COMMAND_LINE)?;
        let conflict = configuration::find_conflicts(&arguments).next();
        conflict.map_or_else(
            || Ok(configuration::configuration(arguments, ServiceManager::default())),
            |what| Err(options.locate(&what)),
        )
    }
}

#[cfg(test)]
mod tests {
    use argh::ArgsInfo as _;
    use chinwag::server::{live_options, restart_options};

    use super::*;

    /// Otherwise a reload would ignore the change of an option in silence.
    #[test]
    fn reload_compares_every_option() {
        let compared: Vec<_> = live_options().chain(restart_options()).collect();
        let not_of_the_server = ["--config", "--check", "--print-config", "--version", "--help"];
        for flag in Arguments::get_args_info().flags {
            let is_known = compared.contains(&flag.long) || not_of_the_server.contains(&flag.long);
            assert!(is_known, "src/server/reload/changes.rs lacks {}: does a reload change it?", flag.long);
        }
    }
}
