//! `chinwagd account`: adds, lists and removes accounts, and sets their passwords: on a running server, by its control socket, or in the
//! store of a stopped server.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};
use chinwag::command_line::{print_error, print_output, print_usage_error, quoted, shown_lines};
use chinwag::control::{AccountReply, AccountRequest, AccountSummary, ControlCode, ControlRequest};
use chinwag::process::{error_text, quoted_path, write_line};
use chinwag::protocol::{AccountId, AccountPassword, Name, PasswordHash, Role};
use chinwag::server::{AccountFile, AccountFileError, hash_password};
use chinwag::store::OpenError;

use super::account_list;
use super::control_client::{AskError, ask};
use super::new_password::{NoPassword, PasswordSource};
use super::values::parse_path;
use super::{PROGRAM, control};

/// The exit code if the names of the accounts do not allow the request.
const EXIT_NAME: u8 = 3;

/// The exit code after Ctrl-C.
const EXIT_CANCELLED: u8 = 130;

/// add, list and remove accounts, and set their passwords and roles. A running server must have a control socket and a store. If no server runs, --data names
/// the store.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "account",
    help_triggers("-h", "--help"),
    example = "{command_name} add alice\n{command_name} add bob --generate\n{command_name} password bob --password-file bob.txt\n{command_name} role alice operator\n{command_name} list\n{command_name} remove bob\n{command_name} list --json --data /var/lib/chinwag/chat.db",
    note = "add and password ask for the password at the terminal, twice, unless an option says where it comes from. A password has 8 \
            to 512 bytes. It is never shown, except with --generate.",
    note = "password disconnects a client that is logged in with the old password, and ends its resume token. Access tokens remain valid, \
            and logins with them: to end these, too, remove the account and add it again with --end-rest.",
    note = "An operator moderates every room and the server: see docs/operating.md, Moderation. role NAME user takes the role back.",
    note = "remove deletes the account with its access tokens. Its name rests: nobody can take it for 30 days, so that nobody passes \
            for its former owner.",
    note = "Only root and the user who runs the server may ask a server.",
    error_code(0, "done"),
    error_code(
        1,
        "no server has a control socket there, or it refused or did not reply; or the store or the password cannot be used"
    ),
    error_code(2, "invalid command line"),
    error_code(
        3,
        "add: the name belongs to an account, looks like one, or rests; password, role, remove: there is no such account"
    ),
    error_code(130, "cancelled with Ctrl-C; nothing was changed")
)]
pub(super) struct Account {
    /// add, list, password (set another password), role or remove
    #[argh(positional, from_str_fn(parse_action))]
    action: Action,

    /// the nickname of the account, and after role also operator or user (default: none, for list)
    #[argh(positional, arg_name = "name")]
    words: Vec<String>,

    /// add, password: read the password from this file, which has one line (default: ask at the terminal)
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    password_file: Option<PathBuf>,

    /// add, password: make a password of 20 random characters, and print it and nothing else (default: ask at the terminal)
    #[argh(switch)]
    generate: bool,

    /// add: also if the name, or a similar one, rests after its account was removed (default: refuse it)
    #[argh(switch)]
    end_rest: bool,

    /// list: print one JSON object for each account, in one line each (default: text)
    #[argh(switch)]
    json: bool,

    /// path of the server's control socket (default: control.sock in the first directory of `$RUNTIME_DIRECTORY` or, without that,
    /// /run/chinwag/control.sock)
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    control: Option<PathBuf>,

    /// the store of a stopped server, in place of a control socket (default: ask a running server)
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    data: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Add,
    List,
    Password,
    Role,
    Remove,
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::List => "list",
            Self::Password => "password",
            Self::Role => "role",
            Self::Remove => "remove",
        }
    }
}

fn parse_action(raw: &str) -> Result<Action, String> {
    let actions = [Action::Add, Action::List, Action::Password, Action::Role, Action::Remove];
    let action = actions.into_iter().find(|action| action.as_str() == raw);
    action.ok_or_else(|| "expected add, list, password, role or remove".to_owned())
}

fn parse_name(raw: &str) -> Result<Name, String> {
    Name::new(raw).map_err(|error| format!("invalid argument {} after account: {error}", quoted(raw)))
}

fn parse_role(raw: &str) -> Result<Role, String> {
    let expected = || format!("invalid argument {} after account: expected operator or user", quoted(raw));
    Role::parse(raw).ok_or_else(expected)
}

/// The task, if the command line is valid.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    List,
    /// `true`: also if the name rests.
    Add(Name, PasswordSource, bool),
    SetPassword(Name, PasswordSource),
    SetRole(Name, Role),
    Remove(Name),
}

/// The result of a task, for standard output.
enum Outcome {
    Text(String),
    /// A new password that was made.
    Password(AccountPassword),
}

/// A failure, with its exit code and its text.
#[derive(Debug)]
struct Failure(u8, String);

impl Failure {
    fn new(what: impl Into<String>) -> Self {
        Self(1, what.into())
    }
}

pub(super) fn run(arguments: Account) -> ExitCode {
    let task = match task(&arguments) {
        Ok(task) => task,
        Err(what) => return print_usage_error(PROGRAM, "account", &what),
    };
    match carry_out(arguments, task) {
        Ok(Outcome::Text(text)) if text.is_empty() => ExitCode::SUCCESS,
        Ok(Outcome::Text(text)) => print_output(PROGRAM, text.trim_end()),
        Ok(Outcome::Password(password)) => print_password(&password),
        Err(Failure(code, what)) => {
            print_error(PROGRAM, &what);
            ExitCode::from(code)
        }
    }
}

/// Prints a password that an account has since. A reader that has closed the pipe has not got it either.
fn print_password(password: &AccountPassword) -> ExitCode {
    let Err(error) = write_line(io::stdout(), &password.to_string(), None) else { return ExitCode::SUCCESS };
    let what = format!(
        "the new password was set, but cannot be written to standard output: {}; set another one with account password",
        error_text(&error)
    );
    print_error(PROGRAM, &what);
    ExitCode::FAILURE
}

/// Checks that the options fit the action.
fn task(arguments: &Account) -> Result<Task, String> {
    let Account { action, words, password_file, generate, end_rest, json, control, data } = arguments;
    let (action, sets_password) = (*action, matches!(action, Action::Add | Action::Password));
    let unexpected = [
        (password_file.is_some() && !sets_password, "--password-file", "add or password"),
        (*generate && !sets_password, "--generate", "add or password"),
        (*end_rest && action != Action::Add, "--end-rest", "add"),
        (*json && action != Action::List, "--json", "list"),
    ];
    if let Some((_, option, actions)) = unexpected.into_iter().find(|(is_unexpected, ..)| *is_unexpected) {
        return Err(format!("unexpected {option} after account {}: expected it with {actions}", action.as_str()));
    }
    if control.is_some() && data.is_some() {
        return Err(
            "--control and --data: expected the socket of a running server, or the store of a stopped one".to_owned()
        );
    }
    let source = match password_file {
        Some(_) if *generate => return Err("--password-file and --generate: expected one of them".to_owned()),
        Some(path) => PasswordSource::File(path.clone()),
        None if *generate => PasswordSource::Made,
        None => PasswordSource::Terminal,
    };
    let words_max = match action {
        Action::List => 0,
        Action::Role => 2,
        Action::Add | Action::Password | Action::Remove => 1,
    };
    match words.get(words_max) {
        None => {}
        Some(surplus) if action == Action::List => {
            return Err(format!("unexpected argument {} after account list: it lists all", quoted(surplus)));
        }
        // It may be the password.
        Some(_) => {
            let hint = "the program asks for a password, or reads it from a file, and never takes it here";
            return Err(format!("unexpected argument after account: {hint}"));
        }
    }
    let name = words.first().map(|word| parse_name(word)).transpose()?;
    let missing = || format!("missing <name>: expected account {} <name>", action.as_str());
    Ok(match (action, name) {
        (Action::List, _) => Task::List,
        (Action::Add, name) => Task::Add(name.ok_or_else(missing)?, source, *end_rest),
        (Action::Password, name) => Task::SetPassword(name.ok_or_else(missing)?, source),
        (Action::Role, name) => {
            let name = name.ok_or_else(missing)?;
            let role = words.get(1).ok_or("missing role: expected account role <name> operator, or user");
            Task::SetRole(name, parse_role(role?)?)
        }
        (Action::Remove, name) => Task::Remove(name.ok_or_else(missing)?),
    })
}

fn carry_out(arguments: Account, task: Task) -> Result<Outcome, Failure> {
    // The password first: while the user types it, a server may use the store.
    let (request, made) = match task {
        Task::List => {
            let accounts = Accounts::open(arguments.control, arguments.data)?.list()?;
            if accounts.is_empty() && !arguments.json {
                print_error(PROGRAM, &format!("there are no accounts yet; add one with: {PROGRAM} account add NAME"));
            }
            let shown = if arguments.json { account_list::json(&accounts) } else { account_list::text(&accounts) };
            return Ok(Outcome::Text(shown));
        }
        Task::SetRole(name, role) => (AccountRequest::SetRole { name, role }, None),
        Task::Remove(name) => (AccountRequest::Remove { name }, None),
        Task::Add(name, source, ends_rest) => {
            let (password, made) = new_password(&name, &source)?;
            (AccountRequest::Add { name, password, ends_rest }, made)
        }
        Task::SetPassword(name, source) => {
            let (password, made) = new_password(&name, &source)?;
            (AccountRequest::SetPassword { name, password }, made)
        }
    };
    let reply = Accounts::open(arguments.control, arguments.data)?.request(request)?;
    Ok(made.map_or_else(|| Outcome::Text(shown_lines(&reply)), Outcome::Password))
}

/// The accounts of a running server, or those in a store.
enum Accounts {
    Server(PathBuf),
    File(Box<AccountFile>),
}

impl Accounts {
    fn open(control: Option<PathBuf>, data: Option<PathBuf>) -> Result<Self, Failure> {
        let Some(path) = data else { return Ok(Self::Server(control.unwrap_or_else(control::default_path))) };
        match AccountFile::open(&path) {
            Ok(file) => Ok(Self::File(Box::new(file))),
            Err(AccountFileError::Store(OpenError::Locked(path))) => Err(Failure::new(in_use(&path))),
            Err(error) => Err(Failure::new(error.to_string())),
        }
    }

    /// Lists all accounts, which may take several requests.
    fn list(&mut self) -> Result<Vec<AccountSummary>, Failure> {
        let mut accounts: Vec<AccountSummary> = Vec::new();
        loop {
            let after = accounts.last().map_or(AccountId(0), |account| account.id);
            let lines = self.request(AccountRequest::List { after })?;
            let parse = |line| AccountSummary::parse(line).filter(|account| account.id > after);
            let listed: Option<Vec<_>> = lines.lines().map(parse).collect();
            match listed {
                Some(listed) if listed.is_empty() => return Ok(accounts),
                Some(listed) => accounts.extend(listed),
                None => {
                    let what = format!("the server lists accounts in another form; use the {PROGRAM} of its version");
                    return Err(Failure::new(what));
                }
            }
        }
    }

    /// Returns the lines of the reply.
    fn request(&mut self, request: AccountRequest) -> Result<String, Failure> {
        match self {
            Self::Server(path) => ask(path, &ControlRequest::Account(request)).map_err(|error| match error {
                AskError::NoServer => Failure::new(no_server(path)),
                AskError::Refused(code, what) => {
                    let is_about_name = NAME_CODES.iter().any(|known| known.as_str() == code);
                    Failure(if is_about_name { EXIT_NAME } else { 1 }, what)
                }
                AskError::Failed(what) => Failure::new(what),
            }),
            Self::File(file) => file.run(request).map(|reply: AccountReply| reply.to_string()).map_err(|error| {
                let is_about_name =
                    matches!(&error, AccountFileError::Refused(error) if NAME_CODES.contains(&error.code()));
                Failure(if is_about_name { EXIT_NAME } else { 1 }, error.to_string())
            }),
        }
    }
}

/// Refusals that depend on the names of the accounts.
const NAME_CODES: [ControlCode; 3] =
    [ControlCode::AccountUnknown, ControlCode::NameRegistered, ControlCode::NameResting];

/// The hash of a new password; and the password itself, if it was made and must be printed.
fn new_password(name: &Name, source: &PasswordSource) -> Result<(PasswordHash, Option<AccountPassword>), Failure> {
    let password = source.password(name).map_err(|why| match why {
        NoPassword::Cancelled => Failure(EXIT_CANCELLED, "cancelled; nothing was changed".to_owned()),
        NoPassword::Failed(what) => Failure::new(what),
    })?;
    let hash = hash_password(&password).ok_or_else(|| Failure::new("the system has no memory to hash the password"))?;
    Ok((hash, Some(password).filter(|_| *source == PasswordSource::Made)))
}

fn no_server(path: &Path) -> String {
    format!(
        "no server listens at {}; start {PROGRAM} with --control PATH, and give that path to account, or, if no server runs, name \
         its store: --data PATH",
        quoted_path(path)
    )
}

/// A server uses the store: it alone may change it.
fn in_use(store: &Path) -> String {
    let path = control::default_path();
    let socket = if path.exists() {
        format!("leave out --data to ask that server, on {}", quoted_path(&path))
    } else {
        "ask that server with --control PATH in place of --data, where PATH is its control socket; if it has none, start it \
         again with --control PATH"
            .to_owned()
    };
    format!("a running {PROGRAM} uses the store {}; {socket}", quoted_path(store))
}
