//! The program `chinwag`, the bundled client.

use std::process::ExitCode;

fn main() -> ExitCode {
    chinwag::client::main()
}
