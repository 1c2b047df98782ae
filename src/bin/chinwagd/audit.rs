//! `chinwagd audit`: prints who has moderated whom, when and why, as a running server says on its control socket.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};
use chinwag::command_line::{parse_number, print_error, print_output, shown_lines};
use chinwag::control::{AuditLine, ControlRequest};
use chinwag::limits::{AUDIT_IN_MEMORY_MAX, AUDIT_STORED_MAX, CONTROL_AUDIT_LISTED_MAX};
use chinwag::process::quoted_path;
use chinwag::protocol::{
    AccountId, AuditActor, AuditEntry, AuditNumber, AuditQuery, AuditRecord, MessageId, Name, RoomName, SanctionId,
};
use chinwag::server::log::push_json_string;

use super::control_client::{AskError, ask};
use super::values::parse_path;
use super::{PROGRAM, control};

/// print the audit log of a running server: who has removed, muted, banned or appointed whom, when and why, and what operators have done
/// with accounts. The newest entry is the last. The server must have a control socket.
#[derive(FromArgs, ArgsInfo, Debug)]
#[argh(
    subcommand,
    name = "audit",
    help_triggers("-h", "--help"),
    example = "{command_name}\n{command_name} --limit 1000 --room \"#ops\"\n{command_name} --by alice --json",
    note = "A line has the number, the time (UTC), the moderator, the action, the room and the target; then key=value words, if they have a value, \
            and the reason as the last one. The moderator - is the operator at the control socket; the room server is the whole server.",
    note = "A line with stored=no: the disk does not have the entry yet, or the server has no store.",
    note = "Without a running server, read the table audit of the store with sqlite3: see docs/operating.md, Moderation.",
    note = "Only root and the user who runs the server may ask.",
    error_code(0, "the entries were printed, or there are none"),
    error_code(1, "no server has a control socket there, or it refused or did not reply, or its store cannot be read"),
    error_code(2, "invalid command line")
)]
pub(super) struct Audit {
    /// print at most this number of entries, the newest ones (default: 100)
    #[argh(option, arg_name = "n", default = "100", from_str_fn(parse_limit))]
    limit: usize,

    /// only entries about this room (default: all rooms, and the server)
    #[argh(option, arg_name = "room", from_str_fn(parse_room))]
    room: Option<RoomName>,

    /// only entries by the moderator with this nickname or account (default: all)
    #[argh(option, arg_name = "name", from_str_fn(parse_name))]
    by: Option<Name>,

    /// print one JSON object for each entry, in one line each (default: text)
    #[argh(switch)]
    json: bool,

    /// path of the server's control socket (default: control.sock in the first directory of `$RUNTIME_DIRECTORY` or, without that,
    /// /run/chinwag/control.sock)
    #[argh(option, arg_name = "path", from_str_fn(parse_path))]
    control: Option<PathBuf>,
}

fn parse_limit(raw: &str) -> Result<usize, String> {
    parse_number(raw, 1..=AUDIT_IN_MEMORY_MAX + 2 * AUDIT_STORED_MAX, "a number of entries")
}

fn parse_room(raw: &str) -> Result<RoomName, String> {
    RoomName::new(raw).map_err(|error| error.to_string())
}

fn parse_name(raw: &str) -> Result<Name, String> {
    Name::new(raw).map_err(|error| error.to_string())
}

pub(super) fn run(arguments: Audit) -> ExitCode {
    let Audit { limit, room, by, json, control } = arguments;
    let path = control.unwrap_or_else(control::default_path);
    let lines = match read(&path, &AuditQuery { before: None, limit, room, by }) {
        Ok(lines) => lines,
        Err(what) => {
            print_error(PROGRAM, &what);
            return ExitCode::FAILURE;
        }
    };
    if lines.is_empty() {
        if !json {
            print_error(PROGRAM, "the audit log has no such entries");
        }
        return ExitCode::SUCCESS;
    }
    let shown = |line: &AuditLine| if json { json_object(line) } else { shown_lines(&line.to_string()) };
    print_output(PROGRAM, &lines.iter().map(shown).collect::<Vec<_>>().join("\n"))
}

/// The newest entries that the query asks for, by number. May take several requests.
fn read(path: &Path, query: &AuditQuery) -> Result<Vec<AuditLine>, String> {
    // The newest first.
    let mut lines: Vec<AuditLine> = Vec::new();
    while lines.len() < query.limit {
        let before = lines.last().map(|line| line.record.number);
        let limit = (query.limit - lines.len()).min(CONTROL_AUDIT_LISTED_MAX);
        let request = ControlRequest::Audit(AuditQuery { before, limit, ..query.clone() });
        let reply = ask(path, &request).map_err(|error| match error {
            AskError::NoServer => no_server(path),
            AskError::Refused(_, what) | AskError::Failed(what) => what,
        })?;
        let parse =
            |line| AuditLine::parse(line).filter(|line| before.is_none_or(|before| line.record.number < before));
        let page: Option<Vec<_>> = reply.lines().map(parse).collect();
        let page = page.ok_or_else(|| {
            format!("the server lists the audit log in another form; use the {PROGRAM} of its version")
        })?;
        if page.is_empty() {
            break;
        }
        lines.extend(page.into_iter().rev());
    }
    lines.reverse();
    Ok(lines)
}

fn no_server(path: &Path) -> String {
    format!(
        "no server listens at {}; start {PROGRAM} with --control PATH, and give that path to audit, or, if no server runs, read the table \
         audit of its store with sqlite3",
        quoted_path(path)
    )
}

/// One JSON object. Always the same keys; `null` stands for a value that does not exist.
fn json_object(AuditLine { record, is_stored }: &AuditLine) -> String {
    let AuditRecord { number: AuditNumber(number), entry } = record;
    let AuditEntry { at, by, act, room, target, target_account, sanction, message, until, reason } = entry;
    let account = by.as_ref().and_then(|AuditActor { account, .. }| account.as_ref());
    let fields = [
        ("number", Some(number.to_string())),
        ("time", Some(string(&at.to_string()))),
        ("by", by.as_ref().map(|by| string(by.name.as_str()))),
        ("by_account", account.map(|(AccountId(id), _)| id.to_string())),
        ("by_account_name", account.map(|(_, name)| string(name.as_str()))),
        ("act", Some(string(act.as_str()))),
        ("room", room.as_ref().map(|room| string(&room.to_string()))),
        ("target", target.as_ref().map(|target| string(&target.to_string()))),
        ("account", target_account.map(|AccountId(id)| id.to_string())),
        ("sanction", sanction.map(|SanctionId(id)| id.to_string())),
        ("message", message.map(|MessageId(id)| id.to_string())),
        ("until", until.map(|until| string(&until.to_string()))),
        ("stored", Some(is_stored.to_string())),
        ("reason", reason.as_ref().map(|reason| string(reason.as_str()))),
    ];
    let fields = fields.map(|(key, value)| format!("\"{key}\":{}", value.unwrap_or_else(|| "null".to_owned())));
    format!("{{{}}}", fields.join(","))
}

fn string(text: &str) -> String {
    let mut shown = String::new();
    push_json_string(&mut shown, text);
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn json_has_the_same_keys_in_each_line() {
        let read = |line: &str| {
            let line = json_object(&AuditLine::parse(line).expect(line));
            serde_json::from_str::<Value>(&line).unwrap_or_else(|error| panic!("{error} in {line}"))
        };
        let ban = read(
            "17 2026-11-30T13:42:00.000Z ann ban #ops @bob by_account=1:ann account=5 sanction=4 until=2026-12-30T13:42:00.000Z stored=no \
             reason=\"spam\" \\",
        );
        let expected = json!({
            "number": 17, "time": "2026-11-30T13:42:00.000Z", "by": "ann", "by_account": 1, "by_account_name": "ann", "act": "ban",
            "room": "#ops", "target": "@bob", "account": 5, "sanction": 4, "message": null, "until": "2026-12-30T13:42:00.000Z",
            "stored": false, "reason": "\"spam\" \\"
        });
        assert_eq!(ban, expected);
        let role = read("18 2026-11-30T13:42:00.000Z - account-role-user server ann account=1");
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&role), keys(&ban));
        assert_eq!((&role["by"], &role["room"], &role["stored"]), (&Value::Null, &Value::Null, &json!(true)));
    }

    #[test]
    fn values_are_explained() {
        assert_eq!(parse_limit("0"), Err("expected a number of entries from 1 to 201000".to_owned()));
        assert_eq!(parse_limit("201000"), Ok(201_000));
        assert!(parse_room("ops").is_err() && parse_name("a,b").is_err());
    }
}
