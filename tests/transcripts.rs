//! Runs the transcripts in the documents against the real server, each as a test of its own. The section "Transcripts" of protocol.md
//! defines the notation of the blocks `transcript` and `console`. A block `terminals`, in README.md, has two terminals side by side: see
//! [`side_by_side`].

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use common::{Client, Server};
use libtest_mimic::{Arguments, Failed, Trial};

const DOCUMENTS: [(&str, &str); 3] = [
    ("protocol.md", include_str!("../protocol.md")),
    ("README.md", include_str!("../README.md")),
    ("docs/scripting.md", include_str!("../docs/scripting.md")),
];

fn main() {
    let mut trials = Vec::new();
    for (name, document) in DOCUMENTS {
        let before = trials.len();
        for transcript in transcripts(document) {
            let title = format!("{name}: {}", transcript.title);
            let is_possible = cfg!(feature = "store") && (cfg!(feature = "accounts") || !transcript.has_accounts);
            if transcript.is_stored && !is_possible {
                continue;
            }
            let ignored = transcript.is_console && !has_netcat();
            trials.push(Trial::test(title, move || transcript.run()).with_ignored_flag(ignored));
        }
        assert!(trials.len() > before, "{name} has lost its transcripts");
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// Whether `nc` has the option -N, which the transcripts need. With CI=true they run without it, too, and fail.
fn has_netcat() -> bool {
    let help = Command::new("nc").arg("-h").output();
    std::env::var("CI").is_ok_and(|ci| ci == "true")
        || help.is_ok_and(|help| String::from_utf8_lossy(&help.stderr).contains("OpenBSD"))
}

#[expect(clippy::struct_excessive_bools, reason = "independent marks of a block")]
struct Transcript {
    title: String,
    is_console: bool,
    is_stored: bool,
    has_accounts: bool,
    has_password: bool,
    has_motd: bool,
    is_side_by_side: bool,
    lines: Vec<String>,
}

/// The marked blocks, each with the heading above it.
fn transcripts(document: &str) -> impl Iterator<Item = Transcript> {
    let mut title = String::new();
    let mut open: Option<Transcript> = None;
    // Whether it is within a block of another kind.
    let mut in_other = false;
    document.lines().filter_map(move |line| match (&mut open, line) {
        (Some(transcript), "```") => {
            if transcript.is_side_by_side {
                transcript.lines = side_by_side(&transcript.lines);
            }
            open.take()
        }
        (Some(transcript), line) => {
            transcript.lines.push(line.to_owned());
            None
        }
        (None, fence) if is_transcript(fence) => {
            let has = |mark| fence.trim_start_matches('`').split(' ').any(|word| word == mark);
            let has_accounts = has("accounts");
            let is_stored = has_accounts || has("stored");
            assert!(!in_other, "the block before {line} under {title} has no end");
            open = Some(Transcript {
                title: title.clone(),
                is_console: has("console"),
                is_stored,
                has_accounts,
                has_password: has("password"),
                has_motd: has("motd"),
                is_side_by_side: has("terminals"),
                lines: Vec::new(),
            });
            None
        }
        (None, fence) if fence.starts_with("```") => {
            in_other = !in_other;
            None
        }
        (None, line) => {
            if line.starts_with('#') {
                line.trim_start_matches(['#', ' ']).clone_into(&mut title);
            }
            None
        }
    })
}

/// Whether a transcript begins with this line.
fn is_transcript(fence: &str) -> bool {
    let (kind, marks) = fence.split_once(' ').unwrap_or((fence, ""));
    let is_known = |mark: &str| ["stored", "accounts", "password", "motd"].contains(&mark);
    match kind {
        "```transcript" => marks.is_empty() || marks.split(' ').all(is_known),
        "```console" | "```terminals" => marks.is_empty(),
        _ => false,
    }
}

/// The message of the day of a server that has one.
const MOTD: &str = "Welcome to the kitchen.\n\n  * The build room is #build.\n";

/// The column where the right terminal begins.
const RIGHT_COLUMN: usize = 40;

/// Two terminals side by side, as the lines of a block `transcript`. A line that begins with `> ` is typed, and `$ ` starts nc. A line
/// of the left terminal that is longer than its half has nothing beside it.
fn side_by_side(rows: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for row in rows {
        let halves = match row.split_at_checked(RIGHT_COLUMN) {
            Some((left, right)) if left.ends_with("  ") => [("left", left.trim_end()), ("right", right)],
            _ => [("left", row.as_str()), ("right", "")],
        };
        for (name, shown) in halves {
            match shown.strip_prefix("> ") {
                Some(typed) => lines.push(format!("{name}> {typed}")),
                None if shown.is_empty() || shown.starts_with("$ ") => {}
                None => lines.push(format!("{name}< {shown}")),
            }
            if shown == "OK QUIT" {
                lines.push(format!("{name}< (closed)"));
            }
        }
    }
    lines
}

impl Transcript {
    fn run(&self) -> Result<(), Failed> {
        let directory = tempfile::tempdir()?;
        let in_directory = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
        let file = |name: &str, content: &str| fs::write(directory.path().join(name), content);
        file("password", "hunter2\n")?;
        file("motd", MOTD)?;
        let options = [
            (self.is_stored, "--data", "chat.db"),
            (self.has_password, "--password-file", "password"),
            (self.has_motd, "--motd", "motd"),
        ];
        let given = options.into_iter().filter(|(is_given, ..)| *is_given);
        let arguments: Vec<_> = given.flat_map(|(_, option, name)| [option.to_owned(), in_directory(name)]).collect();
        let server = Server::with(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        if self.is_console { self.run_console(&server) } else { self.run_peers(&server) }
    }

    fn run_console(&self, server: &Server) -> Result<(), Failed> {
        let (typed, expected) = self.lines.split_first().ok_or("an empty transcript")?;
        let typed = typed.strip_prefix("$ ").ok_or("a console transcript begins with a command")?;
        let typed = typed.replace("9999", &server.address.port().to_string());
        let output = Command::new("timeout").args(["30", "sh", "-c", &typed]).output()?;
        let printed: Vec<_> = std::str::from_utf8(&output.stdout)?.lines().collect();
        if printed != *expected || !output.status.success() {
            return Err(format!("{typed}\nprinted {printed:#?}\nand exited with {}", output.status).into());
        }
        Ok(())
    }

    fn run_peers(&self, server: &Server) -> Result<(), Failed> {
        let mut clients: BTreeMap<&str, Option<Client>> = BTreeMap::new();
        let mut token = None;
        for line in &self.lines {
            if let Some(name) = line.strip_suffix(" (joins)") {
                clients.insert(name, Some(server.join(name)));
                continue;
            }
            let at = line.find(['<', '>']).ok_or("a line of a transcript has < or >")?;
            let (name, rest) = line.split_at(at);
            let client = clients.entry(name).or_insert_with(|| Some(server.connect_raw()));
            let open = client.as_mut().ok_or_else(|| format!("{line}: the connection is closed"))?;
            match rest.split_at(2) {
                ("> ", "(end of input)") => open.end_input(),
                ("> ", sent) => open.send(&sent.replace(TOKEN, token.as_deref().unwrap_or(TOKEN))),
                ("< ", "(closed)") => {
                    open.expect_end();
                    *client = None;
                }
                ("< ", expected) => {
                    let got = open.next();
                    if !got.as_deref().is_some_and(|got| matches(expected, got, &mut token)) {
                        return Err(format!("expected: {line}\n     got: {got:?}").into());
                    }
                }
                _ => return Err(format!("{line}: neither sent nor received").into()),
            }
        }
        for client in clients.values_mut().flatten() {
            client.expect_nothing();
        }
        Ok(())
    }
}

/// The one word that is remembered when it is received, and sent.
const TOKEN: &str = "<token>";

/// Whether a line is as the transcript has it, in which `<word>` stands for any one word. Remembers the word of `<token>`.
fn matches(pattern: &str, line: &str, token: &mut Option<String>) -> bool {
    let Some((before, rest)) = pattern.split_once('<') else { return pattern == line };
    let Some((name, after)) = rest.split_once('>') else { return pattern == line };
    let Some(line) = line.strip_prefix(before) else { return false };
    let word = line.find(' ').unwrap_or(line.len());
    if name == "token" {
        *token = Some(line[..word].to_owned());
    }
    word > 0 && matches(after, &line[word..], token)
}
