//! The start of a command: it connects, and enters its room with a login, under a nickname or as a watcher.

use std::time::{Duration, Instant};

use futures_lite::future::or;
use futures_lite::{StreamExt as _, stream};

use crate::client::arguments::ClientOptions;
use crate::client::connection::{self, ServerConnection};
use crate::client::input::InputLines;
use crate::client::membership::Membership;
use crate::client::output::CommandOutput;
use crate::client::refusal::explain;
use crate::client::rooms_progress::RoomsProgress;
use crate::client::stop::StopSignal;
use crate::client::{Exit, ExitCode};
use crate::command_line::quoted;
use crate::limits::{NAMES_TRIED_MAX, RETRY_SECONDS_DEFAULT};
use crate::process::error_text;
use crate::protocol::{ErrorCode, Name};

/// Whether a command only reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    Read,
    Chat,
}

/// The output of a command that uses one connection.
pub(in crate::client) fn output_of(options: &ClientOptions) -> CommandOutput {
    CommandOutput { stop: options.stop.clone(), deadline: None }
}

/// The connection of a command, not connected yet.
pub(in crate::client) fn connection_of(options: &ClientOptions, input: InputLines) -> ServerConnection {
    let mut connection = ServerConnection::with_input(input);
    connection.password.clone_from(&options.password);
    connection.stop.clone_from(&options.stop);
    connection
}

/// Enters the room with a membership, which reconnects. If a signal arrives meanwhile, sends `QUIT`: otherwise the server would keep the
/// nickname reserved.
pub(super) async fn enter(
    options: &ClientOptions,
    input: InputLines,
    deadline: Option<Instant>,
    rooms: RoomsProgress,
    (retry, intent): (Option<Duration>, Intent),
) -> Result<(Membership, CommandOutput), Exit> {
    let stop = options.stop.clone().map_or_else(StopSignal::new, Ok);
    let stop =
        stop.map_err(|error| Exit(ExitCode::Refused, format!("cannot catch signals: {}", error_text(&error))))?;
    let (mut connection, output) =
        (connection_of(options, input), CommandOutput { stop: Some(stop.clone()), deadline });
    connection.stop = Some(stop);
    connection.watch_output();
    let enter = async {
        if intent == Intent::Read && watch_if_possible(options, &mut connection).await? {
            return Ok(None);
        }
        join(options, &output, &mut connection, true).await.map(Some)
    };
    let entered = or(enter, connection::time_out(deadline)).await;
    if let Err(Exit(code, _)) = &entered
        && code.is_requested()
    {
        // The server may have granted the nickname already.
        connection.quit().await;
    }
    let name = entered?;
    connection.deadline = deadline;
    let retry = retry.unwrap_or(Duration::from_secs(RETRY_SECONDS_DEFAULT));
    Ok((Membership::new(connection, options.address.clone(), name, rooms, Some(retry)).await, output))
}

/// Connects to read the room: as a watcher or, if that is not possible, under the returned nickname.
pub(super) async fn read(options: &ClientOptions) -> Result<(ServerConnection, Option<Name>), Exit> {
    let mut connection = connection_of(options, stream::pending().boxed());
    if watch_if_possible(options, &mut connection).await? {
        return Ok((connection, None));
    }
    let name = join(options, &output_of(options), &mut connection, false).await?;
    Ok((connection, Some(name)))
}

/// Connects and watches the room, unless the user has asked to be a member, or the server has no watchers. Returns whether it watches.
async fn watch_if_possible(options: &ClientOptions, connection: &mut ServerConnection) -> Result<bool, Exit> {
    if options.nick.is_some() || options.account.is_some() {
        return Ok(false);
    }
    connection.open(&options.address).await?;
    if !connection.features.watch {
        return Ok(false);
    }
    let watching = connection.watch(&options.room).await?;
    watching.map(|()| true).map_err(|refusal| Exit(ExitCode::Refused, explain(&refusal)))
}

/// Enters the room with the account of the user, or else under a nickname; connects, unless that is done already. `is_resumable`: with a
/// resume token.
pub(super) async fn join(
    options: &ClientOptions,
    output: &CommandOutput,
    connection: &mut ServerConnection,
    is_resumable: bool,
) -> Result<Name, Exit> {
    if let Some(account) = options.login() {
        let (address, room) = (&options.address, &options.room);
        return connection.open_account(address, &account, room, is_resumable, |what| output.report(what)).await;
    }
    if connection.outgoing().is_none() {
        connection.open(&options.address).await?;
    }
    if is_resumable {
        connection.request_token().await?;
    }
    take_name(options, output, connection).await
}

/// Enters the room under the nickname of `--nick` or, without it, the login name or `guest`, with a number if that is taken.
async fn take_name(
    options: &ClientOptions,
    output: &CommandOutput,
    connection: &mut ServerConnection,
) -> Result<Name, Exit> {
    let user = options.nick.clone().unwrap_or_else(user_name);
    let (mut raw, mut attempt) = (user.clone(), 1);
    loop {
        match connection.take_name(&raw, &options.room).await? {
            Ok(name) if raw == user => return Ok(name),
            Ok(name) => {
                output.report(&format!("nickname {user} is taken: using {name}"));
                return Ok(name);
            }
            Err(why) if options.nick.is_some() || attempt == NAMES_TRIED_MAX || !may_be_free(&why.code) => {
                // The server's texts about invalid nicknames do not repeat them.
                let is_invalid = ErrorCode::from_word(&why.code) == Some(ErrorCode::NameInvalid);
                let what = if is_invalid { format!("invalid nickname {}: ", quoted(&raw)) } else { String::new() };
                return Err(Exit(ExitCode::Refused, what + &explain(&why)));
            }
            Err(_) => attempt += 1,
        }
        // The first number is 2. The range then grows with each attempt, so that 100 clients that start together all find a name.
        raw = Name::with_number(&user, fastrand::u32(attempt..=attempt.pow(4) / 8));
    }
}

/// Whether another nickname may be accepted after a refusal with this code: not on a server for accounts only.
fn may_be_free(code: &str) -> bool {
    ErrorCode::from_word(code) != Some(ErrorCode::LoginRequired)
}

/// The user's login name if it is a valid nickname, otherwise `guest`.
fn user_name() -> String {
    let names = ["USER", "LOGNAME"].into_iter().filter_map(|variable| std::env::var(variable).ok());
    names.into_iter().find(|name| Name::new(name).is_ok()).unwrap_or_else(|| "guest".to_owned())
}
