//! The commands of accounts as users type them, without passwords: the client asks for these, and does not show what the user types.
//! Pure. [`super::chat_state`] decides whether a command can be sent now; [`super::terminal`] asks.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::fmt;

use super::offered_commands::usage_of;
use super::refusal::explain_at_terminal;
use crate::command::{AccessTokens, Command, Login, Register, SetPassword, Takeover, Unregister, Verb};
use crate::protocol::{AccountPassword, Credential, Mode, Name};

/// A typed command that needs a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AccountInput {
    /// Make the nickname an account.
    Register,
    /// Log in, also to the account with this name.
    Login(Option<Name>),
    /// Log in, and close the other connection that uses the account.
    Takeover(Option<Name>),
    /// Set a new password.
    SetPassword,
    /// Delete the account.
    Unregister,
    /// Make or revoke an access token.
    Token(AccessTokens),
}

impl AccountInput {
    /// Parses a typed command with this verb. `Ok(None)`: it needs no password.
    ///
    /// # Errors
    /// The text says what to type. It has no part of `rest`, which may be a password.
    pub(super) fn parse(verb: Verb, rest: &str) -> Result<Option<Self>, String> {
        let rest = rest.trim();
        let without_arguments = |input| if rest.is_empty() { Ok(Some(input)) } else { Err(unneeded_password(verb)) };
        match verb {
            Verb::Register => without_arguments(Self::Register),
            Verb::SetPassword => without_arguments(Self::SetPassword),
            Verb::Unregister => without_arguments(Self::Unregister),
            Verb::Login => parse_name(verb, rest).map(|name| Some(Self::Login(name))),
            Verb::Takeover => parse_name(verb, rest).map(|name| Some(Self::Takeover(name))),
            Verb::AccessTokens => {
                let parsed = Command::parse(&format!("{} {rest}", verb.as_str()), Mode::Commands);
                match parsed.map_err(|refusal| explain_at_terminal(&refusal.into()))? {
                    Some(Command::AccessTokens(command @ (AccessTokens::New { .. } | AccessTokens::Revoke(_)))) => {
                        Ok(Some(Self::Token(command)))
                    }
                    _ => Ok(None),
                }
            }
            _ => Ok(None),
        }
    }

    /// The account that the user named.
    pub(super) fn named(&self) -> Option<&Name> {
        if let Self::Login(name) | Self::Takeover(name) = self { name.as_ref() } else { None }
    }

    /// The questions to ask, in this order.
    fn questions(&self) -> &'static [Question] {
        match self {
            Self::Register => &[Question::New, Question::Repeated],
            Self::SetPassword => &[Question::Current, Question::New, Question::Repeated],
            Self::Login(_) | Self::Takeover(_) | Self::Unregister | Self::Token(_) => &[Question::Current],
        }
    }
}

fn parse_name(verb: Verb, rest: &str) -> Result<Option<Name>, String> {
    if rest.contains(char::is_whitespace) {
        return Err(unneeded_password(verb));
    }
    let name = Some(rest).filter(|rest| !rest.is_empty()).map(Name::new).transpose();
    name.map_err(|_| format!("not a nickname; type: {}", usage_of(verb).unwrap_or_default()))
}

/// The error about a password in the line, which others may have seen on the screen.
fn unneeded_password(verb: Verb) -> String {
    let usage = usage_of(verb).unwrap_or_default();
    format!("not sent: type {usage} without the password; the client then asks for it, and does not show it")
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// The password of the account.
    Current,
    /// A new one.
    New,
    /// The new one once more.
    Repeated,
}

/// The questions for the passwords of a typed command, and the answers so far. `Debug` does not reveal them.
#[derive(Clone)]
pub(super) struct SecretDialog {
    /// The command as typed.
    line: String,
    input: AccountInput,
    /// The account.
    name: Name,
    answers: Vec<String>,
}

/// The result of an answer.
#[derive(Clone, Debug)]
pub(super) enum DialogStep {
    /// Ask the next question.
    Ask(SecretDialog),
    /// Send this.
    Send(AccountRequest),
    /// Send nothing; the reason.
    End(String),
}

/// A command of an account with its passwords.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AccountRequest {
    /// The command as typed, without passwords.
    pub(super) line: String,
    pub(super) command: Command,
    /// The command to send if the server accepts `command`.
    pub(super) then: Option<Command>,
}

impl fmt::Debug for SecretDialog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDialog")
    }
}

impl SecretDialog {
    /// The dialog for a command as typed. `name`: the account.
    pub(super) fn new(line: &str, input: AccountInput, name: Name) -> Self {
        Self { line: line.to_owned(), input, name, answers: Vec::new() }
    }

    /// The question to ask now.
    pub(super) fn question(&self) -> String {
        match self.input.questions().get(self.answers.len()) {
            Some(Question::Current) | None => format!("password of {}: ", self.name),
            Some(Question::New) => format!("new password of {}: ", self.name),
            Some(Question::Repeated) => "the new password once more: ".to_owned(),
        }
    }

    /// Handles an answer. No answer ends the dialog.
    pub(super) fn answer(mut self, typed: &str) -> DialogStep {
        if typed.is_empty() {
            return DialogStep::End(format!("not sent: {}", self.line));
        }
        let refused = match self.input.questions().get(self.answers.len()) {
            Some(Question::New) => AccountPassword::new(typed).err().map(|why| why.to_string()),
            Some(Question::Repeated) if self.answers.last().is_none_or(|new| new != typed) => {
                Some("the two passwords differ".to_owned())
            }
            Some(Question::Current) => Credential::new(typed).err().map(|why| why.to_string()),
            _ => None,
        };
        if let Some(why) = refused {
            return DialogStep::End(format!("not sent: {why}"));
        }
        self.answers.push(typed.to_owned());
        if self.answers.len() < self.input.questions().len() {
            return DialogStep::Ask(self);
        }
        self.request().map_or_else(|| DialogStep::End("not sent: that is not a password".to_owned()), DialogStep::Send)
    }

    /// The command, once all questions are answered.
    fn request(self) -> Option<AccountRequest> {
        let Self { line, input, name, answers } = self;
        let [first, last] = [answers.first()?, answers.last()?];
        let login = Login { name, credential: Credential::new(first).ok()? };
        let new = || AccountPassword::new(last).ok();
        let (command, then) = match input {
            AccountInput::Register => (Register(new()?.into()).into(), None),
            AccountInput::Login(_) => (login.into(), None),
            AccountInput::Takeover(_) => (Takeover(login).into(), None),
            AccountInput::Unregister => (Unregister(new()?.into()).into(), None),
            // The server makes these changes only shortly after a login with the password.
            AccountInput::SetPassword => (login.into(), Some(SetPassword(new()?.into()).into())),
            AccountInput::Token(command) => (login.into(), Some(command.into())),
        };
        Some(AccountRequest { line, command, then })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(verb: Verb, rest: &str) -> Result<Option<AccountInput>, String> {
        AccountInput::parse(verb, rest)
    }

    fn dialog(input: AccountInput) -> SecretDialog {
        SecretDialog::new("/typed", input, Name::new("alice").unwrap())
    }

    /// The questions, and the lines to send or the reason why not.
    fn run(input: AccountInput, answers: &[&str]) -> (Vec<String>, Result<Vec<String>, String>) {
        let (mut dialog, mut questions) = (dialog(input), Vec::new());
        for answer in answers {
            questions.push(dialog.question());
            match dialog.answer(answer) {
                DialogStep::Ask(next) => dialog = next,
                DialogStep::End(why) => return (questions, Err(why)),
                DialogStep::Send(AccountRequest { line, command, then }) => {
                    assert_eq!(line, "/typed");
                    let lines = [Some(command), then].into_iter().flatten();
                    return (questions, Ok(lines.map(|command| command.to_line(Mode::Commands)).collect()));
                }
            }
        }
        panic!("more questions: {}", dialog.question());
    }

    #[test]
    fn account_command_is_typed_without_passwords() {
        let alice = Name::new("alice").unwrap();
        assert_eq!(parse(Verb::Register, ""), Ok(Some(AccountInput::Register)));
        assert_eq!(parse(Verb::Login, " "), Ok(Some(AccountInput::Login(None))));
        assert_eq!(parse(Verb::Login, "alice "), Ok(Some(AccountInput::Login(Some(alice.clone())))));
        assert_eq!(parse(Verb::Takeover, "alice"), Ok(Some(AccountInput::Takeover(Some(alice)))));
        assert_eq!(parse(Verb::AccessTokens, "list"), Ok(None));
        assert!(matches!(parse(Verb::AccessTokens, "new days=30 build"), Ok(Some(AccountInput::Token(_)))));
        assert!(matches!(parse(Verb::AccessTokens, "revoke 1"), Ok(Some(AccountInput::Token(_)))));
        for (verb, rest) in [
            (Verb::Register, "hunter22"),
            (Verb::Login, "alice hunter22"),
            (Verb::Takeover, "alice hunter22"),
            (Verb::SetPassword, "hunter22"),
            (Verb::Unregister, "hunter22"),
        ] {
            let why = parse(verb, rest).unwrap_err();
            assert!(why.starts_with("not sent: type /") && why.contains("without the password"), "{why}");
            assert!(!why.contains("hunter"), "{why}");
        }
        for (verb, rest) in [(Verb::Login, "hunter,22"), (Verb::AccessTokens, "hunter22"), (Verb::AccessTokens, "")] {
            let why = parse(verb, rest).unwrap_err();
            assert!(why.contains("; type: /") && !why.contains("hunter"), "{why}");
        }
    }

    #[test]
    fn dialog_asks_for_each_password() {
        let questions = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let sent = |lines: &[&str]| Ok(lines.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(
            run(AccountInput::Register, &["correct horse", "correct horse"]),
            (
                questions(&["new password of alice: ", "the new password once more: "]),
                sent(&["REGISTER correct horse"])
            )
        );
        assert_eq!(
            run(AccountInput::Login(None), &[" correct horse"]),
            (questions(&["password of alice: "]), sent(&["LOGIN alice  correct horse"]))
        );
        assert_eq!(run(AccountInput::Takeover(None), &["correct horse"]).1, sent(&["TAKEOVER alice correct horse"]));
        assert_eq!(run(AccountInput::Unregister, &["correct horse"]).1, sent(&["UNREGISTER correct horse"]));
        assert_eq!(
            run(AccountInput::SetPassword, &["correct horse", "staple staple", "staple staple"]),
            (
                questions(&["password of alice: ", "new password of alice: ", "the new password once more: "]),
                sent(&["LOGIN alice correct horse", "PASSWORD staple staple"])
            )
        );
        let token = parse(Verb::AccessTokens, "new days=30 build server").unwrap().unwrap();
        let expected = sent(&["LOGIN alice correct horse", "TOKEN new days=30 build server"]);
        assert_eq!(run(token, &["correct horse"]).1, expected);
    }

    #[test]
    fn dialog_ends_without_a_valid_password() {
        let check =
            |input, answers: &[&str], expected: &str| assert_eq!(run(input, answers).1, Err(expected.to_owned()));
        check(AccountInput::Login(None), &[""], "not sent: /typed");
        check(AccountInput::Login(None), &["short"], "not sent: the password has 5 bytes: expected 8 to 512");
        check(AccountInput::Register, &["short"], "not sent: the password has 5 bytes: expected 8 to 512");
        check(AccountInput::Register, &["correct horse", "correct hors"], "not sent: the two passwords differ");
        check(AccountInput::Register, &["correct horse", ""], "not sent: /typed");
        check(
            AccountInput::SetPassword,
            &["correct horse", "staple staple", "staple stable"],
            "not sent: the two passwords differ",
        );
        let token = "cwt_0123456789abcdef0123456789abcdef";
        check(AccountInput::Unregister, &[token], "not sent: that is not a password");
        check(AccountInput::Register, &[token], "not sent: the password has the form of an access token");
    }
}
