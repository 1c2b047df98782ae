//! The client at a terminal: the line editor. Two threads: this one reads what is typed, the other (`talk`) sends it and
//! prints what comes, above the line being typed. (A third only waits for SIGTERM.)

use std::fs::DirBuilder;
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::sync::mpsc;
use std::time::Duration;
use std::{env, process, thread};

use async_channel::Sender;
use async_signal::Signal;
use chrono::Local;
use futures_lite::StreamExt as _;
use futures_lite::future::or;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::completion::Completer;
use rustyline::config::BellStyle;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Context, Editor, ExternalPrinter as _, GraphemeClusterMode};
use rustyline::{Helper, Highlighter, Hinter, Validator};
use smol::Timer;

use super::link::Link;
use super::options::Options;
use super::reading::Reading;
use super::script::tell;
use super::session::Shown;
use super::talk::{self, Shared};
use super::typed::{Typed, completions, remembered};
use super::wire::Wire;
use super::{Code, End};
use crate::command_line::with_port;
use crate::limits::{FAREWELL_MS_MAX, HISTORY_LINES_MAX, HISTORY_REPLAYED_DEFAULT};
use crate::process::catch;
use crate::protocol::{Command, Name};

/// Whether there is a person at a terminal, and one on which a line can be edited.
pub(super) fn is_one() -> bool {
    let edits = env::var("TERM").is_ok_and(|term| !["", "dumb", "cons25", "emacs"].contains(&term.as_str()));
    edits && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Talks until the user leaves.
pub(super) fn run(options: &Options) -> Result<(), End> {
    start(options).map_err(|error| End(Code::Usage, format!("cannot use this terminal: {error}")))
}

fn start(options: &Options) -> rustyline::Result<()> {
    let (session, look, retry) = (Shared::default(), options.look(), options.retry);
    let mut editor = editor(&session)?;
    let (typed, lines) = async_channel::unbounded();
    let mut wire = Wire::new(lines);
    let terminal = Terminal(tcgetattr(io::stdin()).ok());
    leave_at_signals(&terminal, &typed);
    let Some((address, name)) = enter(&mut editor, &mut wire, options) else { return Ok(()) };
    let mut printer = editor.create_external_printer()?;
    let (ended, end) = mpsc::channel::<()>();
    thread::spawn(move || {
        let show = |shown: &Shown| {
            // If this fails, the editor is gone, and soon the whole program.
            let _ = printer.print(look.draw(shown, &Local::now()) + "\n");
            Ok(())
        };
        let reading = Reading::from_now(HISTORY_REPLAYED_DEFAULT);
        let talked = smol::block_on(async {
            let mut link = Link::new(wire, address, name, reading, retry).await;
            let talked = talk::talk(&mut link, &session, false, show).await;
            link.quit().await;
            talked
        });
        if let Err(end) = talked {
            terminal.leave(&end);
        }
        drop(ended);
    });
    pass_on(&mut editor, &typed);
    typed.close();
    // The other thread may be waiting for the editor to print something.
    drop(editor);
    // It ends when the server has let go, or that takes too long.
    let _ = end.recv_timeout(Duration::from_millis(FAREWELL_MS_MAX));
    Ok(())
}

type LineEditor = Editor<Completion, FileHistory>;

fn editor(session: &Shared) -> rustyline::Result<LineEditor> {
    // tmux joins an emoji of several parts into one; the editor knows that of other terminals only.
    let joins = env::var_os("TERM_PROGRAM").is_some_and(|program| program == "tmux");
    let config = Config::builder()
        .grapheme_cluster_mode(if joins { GraphemeClusterMode::Unicode } else { GraphemeClusterMode::from_env() })
        .max_history_size(HISTORY_LINES_MAX)?
        .completion_type(CompletionType::List)
        .completion_show_all_if_ambiguous(true)
        .bell_style(BellStyle::None);
    let mut editor = Editor::with_config(config.build())?;
    editor.set_helper(Some(Completion(Shared::clone(session))));
    Ok(editor)
}

/// Connects and takes a name; asks for another address or name until both are accepted, or the user leaves.
fn enter(editor: &mut LineEditor, wire: &mut Wire, options: &Options) -> Option<(String, Name)> {
    // If the terminal is gone, the next line that is read says so.
    let warn =
        |why: &str| drop(writeln!(io::stdout(), "{}", options.look().draw(&Shown::Warning(why.into()), &Local::now())));
    let mut ask = |prompt| editor.readline(prompt).ok().map(|line| line.trim().to_owned());
    let (mut address, mut nick, mut connected) = (options.address(), options.nick.clone(), false);
    loop {
        if !connected && let Err(End(_, why)) = smol::block_on(wire.open_to_stay(&address)) {
            warn(&why);
            let raw = ask("another address, or Enter to try again: ")?;
            address = if raw.is_empty() { address } else { with_port(&raw) };
            continue;
        }
        let raw = nick.take().or_else(|| ask("your name: "))?;
        let taken = smol::block_on(wire.take_name(&raw));
        connected = taken.is_ok();
        match taken {
            Ok(Ok(name)) => return Some((address, name)),
            // After the semicolon it says which command to write; this is no place for commands.
            Ok(Err(why)) => warn(why.split(';').next().unwrap_or_default()),
            Err(End(_, why)) => warn(&why),
        }
    }
}

/// Passes on what is typed until the user leaves.
fn pass_on(editor: &mut LineEditor, typed: &Sender<Vec<u8>>) {
    let history = dirs::state_dir().map(|state| state.join("chinwag/history"));
    if let Some(path) = &history {
        // The history is a comfort: without it, everything else works. At the first run there is none.
        let _ = DirBuilder::new().recursive(true).mode(0o700).create(path.with_file_name(""));
        let _ = editor.load_history(path);
    }
    loop {
        let lines = match editor.readline("> ") {
            Ok(lines) => lines,
            Err(ReadlineError::Signal(_)) => continue,
            Err(_) => return,
        };
        // What is pasted may have several.
        for line in lines.lines() {
            if let (Ok(true), Some(path)) = (editor.add_history_entry(remembered(line)), &history) {
                let _ = editor.append_history(path);
            }
            // If this fails, the other thread has left already.
            let _ = typed.try_send(line.into());
            if matches!(Typed::parse(line, None), Typed::Command(Command::Quit(_))) {
                return;
            }
        }
    }
}

/// What Tab does.
#[derive(Helper, Highlighter, Hinter, Validator)]
struct Completion(Shared);

impl Completer for Completion {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(completions(&line[..at], self.0.lock_blocking().others()))
    }
}

/// The settings of the terminal before the editor changed them, which it restores whenever it returns.
#[derive(Clone)]
struct Terminal(Option<Termios>);

impl Terminal {
    /// Ends the program where the editor does not return.
    fn leave(&self, end: &End) -> ! {
        // What cannot be restored stays as it is.
        let _ = self.0.as_ref().map(|settings| tcsetattr(io::stdin(), OptionalActions::Now, settings));
        // Bracketed paste, which the editor turned on, is turned off.
        let _ = io::stdout().write_all(b"\x1b[?2004l\r\n");
        end.1.lines().for_each(tell);
        process::exit(end.0 as i32);
    }
}

/// At SIGTERM and SIGHUP, says good-bye to the server as if that had been typed: or the name would be held.
fn leave_at_signals(terminal: &Terminal, typed: &Sender<Vec<u8>>) {
    let Ok(mut signals) = catch(&[Signal::Hup, Signal::Term]) else { return };
    let (terminal, typed) = (terminal.clone(), typed.clone());
    thread::spawn(move || {
        let signal = smol::block_on(signals.next());
        // If this fails, the other thread has left already.
        let _ = typed.try_send(b"/quit".into());
        let late = async {
            Timer::after(Duration::from_millis(FAREWELL_MS_MAX)).await;
        };
        smol::block_on(or(typed.closed(), late));
        let code = if matches!(signal, Some(Ok(Signal::Hup))) { Code::HungUp } else { Code::Terminated };
        terminal.leave(&End(code, String::new()));
    });
}
