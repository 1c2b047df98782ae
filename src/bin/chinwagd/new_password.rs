//! The new password of an account, for `chinwagd account`: from a file, made here, or typed at the terminal. Never from the command line, which
//! other users of the machine can see.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use chinwag::command_line::print_error;
use chinwag::password_file::PasswordFile;
use chinwag::process::{error_text, exposed_file_text, read_hidden_line};
use chinwag::protocol::{AccountPassword, Name};

use super::PROGRAM;

/// Where the password comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PasswordSource {
    File(PathBuf),
    Made,
    Terminal,
}

/// Why there is no password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoPassword {
    /// The user has cancelled the question.
    Cancelled,
    Failed(String),
}

/// Letters and digits that look different from each other. There are no vowels, so that no words appear.
const LETTERS: &[u8; 28] = b"bcdfghjkmnpqrstvwxyz23456789";

impl PasswordSource {
    /// Reads, makes or asks for the password of this account.
    pub(super) fn password(&self, name: &Name) -> Result<AccountPassword, NoPassword> {
        match self {
            Self::File(path) => {
                let file = PasswordFile::read(path).map_err(|error| NoPassword::Failed(error.to_string()))?;
                if file.is_exposed {
                    print_error(PROGRAM, &exposed_file_text("the password", path));
                }
                Ok(file.password)
            }
            Self::Made => {
                let mut random = [0; 16];
                let filled = getrandom::fill(&mut random).map_err(|error| error.to_string());
                filled.and_then(|()| parse(&generate(u128::from_ne_bytes(random)))).map_err(NoPassword::Failed)
            }
            Self::Terminal => ask(name),
        }
    }
}

fn parse(text: &str) -> Result<AccountPassword, String> {
    AccountPassword::new(text).map_err(|error| error.to_string())
}

/// A password that can be read out and typed: 20 characters with 96 random bits.
fn generate(mut random: u128) -> String {
    let mut letter = || {
        let index = (random % 28) as usize;
        random /= 28;
        char::from(LETTERS[index])
    };
    let groups: Vec<String> = (0..4).map(|_| (0..5).map(|_| letter()).collect()).collect();
    groups.join("-")
}

/// Asks at the terminal, twice, without showing what is typed.
fn ask(name: &Name) -> Result<AccountPassword, NoPassword> {
    if !io::stdin().is_terminal() {
        let what =
            "standard input is not a terminal, so nobody can type the password: use --password-file PATH or --generate";
        return Err(NoPassword::Failed(what.to_owned()));
    }
    let read = |prompt: String| match read_hidden_line(&prompt) {
        Ok(line) => line.ok_or(NoPassword::Cancelled),
        Err(error) => Err(NoPassword::Failed(format!("cannot read the password: {}", error_text(&error)))),
    };
    let password = parse(&read(format!("new password of {name}: "))?).map_err(NoPassword::Failed)?;
    // In the composed form, in which passwords are compared.
    let repeated = parse(&read("the same again: ".to_owned())?);
    if repeated != Ok(password.clone()) {
        return Err(NoPassword::Failed("the two passwords differ; nothing was changed".to_owned()));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn generated_password_has_four_groups_of_five_letters() {
        assert_eq!(generate(0), "bbbbb-bbbbb-bbbbb-bbbbb");
        assert_eq!(generate(1 + 27 * 28), "c9bbb-bbbbb-bbbbb-bbbbb");
        let password = generate(u128::MAX);
        assert_eq!(password.split('-').map(str::len).collect::<Vec<_>>(), [5; 4]);
        assert!(parse(&password).is_ok());
        let letters: BTreeSet<_> = LETTERS.iter().collect();
        assert_eq!(letters.len(), LETTERS.len());
    }

    /// All of 28^20 passwords can occur, nearly equally often.
    #[test]
    fn random_bits_suffice_for_a_generated_password() {
        assert!(u128::MAX / 28_u128.pow(20) > 1 << 30);
    }

    #[test]
    fn each_generated_password_is_new() {
        let name = Name::new("ann").unwrap();
        let passwords: Vec<_> = (0..10).map(|_| PasswordSource::Made.password(&name).unwrap().to_string()).collect();
        assert_eq!(passwords.iter().collect::<BTreeSet<_>>().len(), passwords.len());
    }
}
