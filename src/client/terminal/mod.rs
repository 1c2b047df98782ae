//! The client at a terminal. Two threads share a [`SharedChat`] and a [`Display`]: `send` reads keys, runs the line
//! editor and sends typed lines; `receive` reads the connection and prints. Neither waits for the other: while the line
//! editor is busy, `receive` still reads lines and replies to the server, and prints later. Calls that can block
//! (writing to the terminal, the history file) run on other threads.
//!
//! [`run`] starts the threads, and ends when the user leaves or the connection is lost for good.

mod display;
mod enter;
mod printer;
mod receive;
mod secret_prompt;
mod send;
mod tty;

use std::io::{self, IsTerminal as _};
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, fs, thread};

use async_channel::{Receiver, Sender};
use async_signal::Signal;
use rustix::process::{getpgrp, kill_current_process_group};
use smol::{Timer, block_on};

use self::display::{Display, Prompt};
pub(super) use self::secret_prompt::ask_secret;
use self::send::Keyboard;
use super::arguments::ClientOptions;
use super::render::LineFormat;
use super::shared_chat::SharedChat;
use super::{Exit, ExitCode};
use crate::limits::{FAREWELL_AT_SIGNAL_MS_MAX, FAREWELL_MS_MAX};

/// The signals that end the client: all signals of [`Signal`] that end a program by default, except faults. The client catches them to
/// restore the terminal's settings.
const ENDING_SIGNALS: [Signal; 14] = [
    Signal::Hup,
    Signal::Int,
    Signal::Quit,
    Signal::Term,
    Signal::Trap,
    Signal::Abort,
    Signal::Usr1,
    Signal::Usr2,
    Signal::Alarm,
    Signal::Xcpu,
    Signal::Vtalarm,
    Signal::Prof,
    Signal::Io,
    Signal::Sys,
];

/// The signals that the client catches without ending. SIGXFSZ arrives when the history file reaches a limit of file sizes; the write also
/// fails, and the user is warned.
const OTHER_SIGNALS: [Signal; 4] = [Signal::Tstp, Signal::Cont, Signal::Winch, Signal::Xfsz];

/// Whether standard input and output are a terminal that supports line editing.
pub(super) fn is_available() -> bool {
    let edits = env::var("TERM").is_ok_and(|term| !["", "dumb", "cons25", "emacs"].contains(&term.as_str()));
    edits && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// The state that the two threads share.
struct Shared {
    chat: SharedChat,
    display: Display,
    /// Lines that were typed before the chat began.
    answers: (Sender<String>, Receiver<String>),
    /// How often typed text was discarded. Changes only while the editor is locked.
    discards: AtomicUsize,
    /// Closed when the chat begins. Nothing is ever sent on it.
    started: (Sender<()>, Receiver<()>),
}

impl Shared {
    fn new(format: LineFormat) -> Self {
        let (answers, started) = (async_channel::unbounded(), async_channel::bounded(1));
        let discards = AtomicUsize::new(0);
        Self { chat: SharedChat::default(), display: Display::new(format), answers, discards, started }
    }

    /// Shows a prompt, and waits for one line.
    async fn ask(&self, prompt: &str) -> String {
        self.show(Prompt::Question(prompt.to_owned())).await;
        // This cannot fail: the sender is held here.
        let line = self.answers.1.recv().await.unwrap_or_default();
        self.display.set_prompt(Prompt::Question(String::new()));
        let answer = line.trim().to_owned();
        self.display.printer.note(format!("{prompt}{answer}"));
        answer
    }

    /// Like [`Shared::ask`], but shows nothing of what the user types, which may have blanks at its ends. Until the next prompt, the
    /// screen says `then`, and what the user types is not shown and then discarded: it may be the secret once more.
    async fn ask_secret(&self, prompt: &str, then: &str) -> String {
        self.show(Prompt::Secret(prompt.to_owned())).await;
        // This cannot fail: the sender is held here.
        let line = self.answers.1.recv().await.unwrap_or_default();
        self.display.set_prompt(Prompt::Secret(then.to_owned()));
        self.display.printer.note(prompt.to_owned());
        line
    }

    /// Shows a prompt. After a secret, first discards what was typed since.
    async fn show(&self, prompt: Prompt) {
        if !self.display.is_secret() {
            self.display.set_prompt(prompt);
            return;
        }
        // The thread `send` passes on a line while it locks the editor: no line is on its way now.
        let mut editor = self.display.editor.lock().await;
        let mut has_typed = editor.discard_line();
        while let Ok(line) = self.answers.1.try_recv() {
            has_typed |= !line.is_empty();
        }
        self.discards.fetch_add(1, Ordering::Relaxed);
        self.display.set_prompt(prompt);
        if has_typed {
            self.display.printer.note("discarded what you typed after the password".to_owned());
        }
    }

    /// Begins the chat.
    async fn start_chat(&self) {
        self.show(Prompt::Chat).await;
        self.started.1.close();
    }

    /// Ends the chat or, before it has started, the attempt to join.
    fn leave(&self, is_chatting: bool) {
        if is_chatting {
            self.chat.with_state(super::chat_state::ChatState::leave);
        } else {
            self.chat.leaving().close();
        }
    }
}

/// Chats until the user leaves.
pub(super) fn run(options: ClientOptions, retry: Option<Duration>) -> Result<(), Exit> {
    let failed = |error| Exit(ExitCode::Usage, format!("cannot use this terminal: {error}"));
    let shared = Arc::new(Shared::new(options.format));
    let keyboard = Keyboard::open(Arc::clone(&shared)).map_err(failed)?;
    let (receiving, received) = async_channel::bounded(1);
    let receive = thread::Builder::new().name("receive".to_owned()).spawn(move || {
        let _receiving = receiving;
        block_on(receive::run(&shared, &options, retry))
    });
    let (receive, over) = (receive.map_err(failed)?, received.clone());
    let send = thread::Builder::new().name("send".to_owned()).spawn(move || block_on(keyboard.run(received)));
    let (left, key_signal) = send.map_err(failed)?.join().unwrap_or_else(|panic| resume_unwind(panic));
    if let Some(signal) = key_signal {
        // Signals the whole process group, as the terminal would: a shell script stops only if it also gets the signal.
        let _ = kill_current_process_group(signal);
    }
    match left {
        Some(code) if code != ExitCode::Success => Err(Exit(code, String::new())),
        _ if over.is_closed() => receive.join().unwrap_or_else(|panic| resume_unwind(panic)),
        // `receive` still waits for the server.
        _ => Ok(()),
    }
}

/// Longest wait for the server, and then for the terminal, at the end.
fn farewell_ms(left: ExitCode) -> u64 {
    if left.signal().is_some() { FAREWELL_AT_SIGNAL_MS_MAX } else { FAREWELL_MS_MAX }
}

/// Whether a shell can continue this process group after it is stopped: whether the parent of its first process is in the same session.
/// Otherwise the group is orphaned, and SIGTSTP must not stop it (POSIX).
fn has_shell() -> bool {
    let parent_and_session = |pid: &str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets may have blanks. After it come state, parent, group and session.
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned).collect();
        Some((fields.get(1)?.clone(), fields.get(3)?.clone()))
    };
    let shell = || {
        let (parent, session) = parent_and_session(&getpgrp().to_string())?;
        Some(parent_and_session(&parent)?.1 == session)
    };
    shell().unwrap_or(false)
}

async fn after(ms: u64) {
    Timer::after(Duration::from_millis(ms)).await;
}
