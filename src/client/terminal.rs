//! The client at a terminal. The conversation ([`talk`]) and the line editor run side by side on one thread, and neither waits for
//! the other. Calls that can block (reading keys, writing to the terminal, the history file) run on other threads.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _};
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use async_channel::{Receiver, Sender};
use async_signal::{Signal, Signals};
use futures_lite::future::{or, pending};
use futures_lite::{FutureExt as _, StreamExt as _};
use rustix::process::{getpgrp, kill_current_process_group};
use smol::{Task, Timer};

use super::arguments::Options;
use super::editor::{Editor, HistoryFile, Key, KeyDecoder, Outcome, Screen};
use super::link::Link;
use super::printer::Printer;
use super::reading::Reading;
use super::session::DisplayItem;
use super::stop::end_by;
use super::talk::{self, SharedSession};
use super::tty::{self, Settings, size, write};
use super::typed::{completions, history_entry, is_message};
use super::wire::Wire;
use super::{Code, End};
use crate::command_line::{parse_server, quoted};
use crate::limits::{
    BACKGROUND_MS_MAX, FAREWELL_AT_SIGNAL_MS_MAX, FAREWELL_MS_MAX, HISTORY_REPLAYED_DEFAULT, KEY_SEQUENCE_MS_MAX,
    LINES_WAITING_MAX,
};
use crate::process::catch;
use crate::protocol::Name;

/// The signals that end the client: all that end a program by default and are known to [`Signal`], except faults. None may leave the
/// terminal with the editor's settings.
const ENDING: [Signal; 14] = [
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

/// The signals that are caught and do not end the client. At a limit of file sizes, SIGXFSZ comes when the history is written, and
/// the write fails.
const OTHER: [Signal; 4] = [Signal::Tstp, Signal::Cont, Signal::Winch, Signal::Xfsz];

/// Turn bracketed paste on and off.
const PASTE_ON: &str = "\x1b[?2004h";
const PASTE_OFF: &str = "\x1b[?2004l";

/// Clear the screen.
const CLEAR: &str = "\x1b[H\x1b[J";

/// Whether standard input and output are a terminal on which a line can be edited.
pub(super) fn is_available() -> bool {
    let edits = env::var("TERM").is_ok_and(|term| !["", "dumb", "cons25", "emacs"].contains(&term.as_str()));
    edits && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Chats until the user leaves.
pub(super) fn run(options: &Options, retry: Option<Duration>) -> Result<(), End> {
    smol::block_on(converse(options, retry))
}

async fn converse(options: &Options, retry: Option<Duration>) -> Result<(), End> {
    let (session, printer) = (SharedSession::default(), Rc::new(Printer::new(options.look)));
    let (lines, typed) = async_channel::unbounded();
    let mut wire = Wire::new(typed);
    let mut terminal = Terminal::open(options, lines, SharedSession::clone(&session), Rc::clone(&printer))
        .map_err(|error| End(Code::Usage, format!("cannot use this terminal: {error}")))?;
    let mut left = None;
    let talked = match terminal.enter(&mut wire, options).await {
        Err(code) => {
            left = Some(code);
            // The server may already have given a name, and would keep it reserved.
            wire.quit().or(after(farewell_ms(code))).await;
            Ok(())
        }
        Ok((address, name)) => {
            let show = |shown: &DisplayItem| {
                printer.print(shown);
                Ok(())
            };
            let talked = async {
                let reading = Reading::from_now(HISTORY_REPLAYED_DEFAULT);
                let mut link = Link::new(wire, address, name, reading, retry).await;
                let talked = talk::run(&mut link, &session, false, show).await;
                link.quit().await;
                talked
            };
            let typed = async {
                let code = terminal.chat().await;
                left = Some(code);
                // This ends the input: the chat then sends QUIT.
                terminal.lines.close();
                after(farewell_ms(code)).await;
                Ok(())
            };
            or(talked, typed).await
        }
    };
    terminal.close(farewell_ms(left.unwrap_or(Code::Success))).await;
    if let Some(signal) = terminal.key_signal {
        // Like the terminal, signals the whole process group: a shell script stops only if it gets the signal, too.
        let _ = kill_current_process_group(signal);
    }
    match left {
        Some(code) if code != Code::Success => Err(End(code, String::new())),
        _ => talked,
    }
}

/// The end of a [`Terminal::step`].
enum StepEnd {
    /// A line was typed.
    Line(String),
    /// The user leaves: by a key, or a signal.
    Left(Code),
}

/// An event that [`Terminal::step`] waits for.
enum Wakeup {
    /// Bytes were typed; `None`: the terminal is gone.
    Typed(Option<Vec<u8>>),
    Signal(Signal),
    /// The printer has lines.
    Printed,
    /// The last write is complete.
    Written,
    /// A key sequence was not completed in time.
    SequenceEnd,
    /// The client is in the background, and no signal came.
    Background,
}

/// The terminal, with the line editor.
struct Terminal {
    settings: Settings,
    typed: Receiver<Vec<u8>>,
    signals: Signals,
    decoder: KeyDecoder,
    /// When something was typed last.
    typed_at: Instant,
    /// Keys that were pressed and not carried out yet.
    keys: VecDeque<Key>,
    /// Lines that were typed before a prompt asked for them.
    ahead: VecDeque<String>,
    editor: Editor,
    /// `None` if the file cannot be used.
    history: Option<HistoryFile>,
    /// The signal of the key by which the user left.
    key_signal: Option<rustix::process::Signal>,
    prompt: &'static str,
    session: SharedSession,
    /// Where complete lines go.
    lines: Sender<Vec<u8>>,
    /// Copies of the lines that the session has not taken yet.
    queued: VecDeque<String>,
    printer: Rc<Printer>,
    screen: Screen,
    /// The rows on the screen are out of date.
    is_stale: bool,
    /// The next redraw clears the screen first.
    is_cleared: bool,
    /// The shell has the terminal, or has not been asked for it yet.
    is_suspended: bool,
    writing: Option<Task<()>>,
}

impl Terminal {
    fn open(
        options: &Options,
        lines: Sender<Vec<u8>>,
        session: SharedSession,
        printer: Rc<Printer>,
    ) -> io::Result<Self> {
        let signals = catch(&[&ENDING[..], &OTHER].concat())?;
        let (input, typed) = async_channel::bounded(1);
        thread::Builder::new().name("terminal".to_owned()).spawn(move || tty::read(&input))?;
        Ok(Self {
            settings: Settings::default(),
            typed,
            signals,
            decoder: KeyDecoder::default(),
            typed_at: Instant::now(),
            keys: VecDeque::new(),
            ahead: VecDeque::new(),
            editor: Editor::default(),
            history: HistoryFile::of_user(),
            key_signal: None,
            prompt: "",
            session,
            lines,
            queued: VecDeque::new(),
            printer,
            screen: Screen::new(size(), options.look),
            is_stale: true,
            is_cleared: false,
            is_suspended: true,
            writing: None,
        })
    }

    /// Connects and takes a name; asks for another address or name until both are accepted, or the user leaves.
    async fn enter(&mut self, wire: &mut Wire, options: &Options) -> Result<(String, Name), Code> {
        let (mut address, mut nick) = (options.address.clone(), options.nick.clone());
        let (mut is_connected, mut is_again) = (false, false);
        self.load_history().await?;
        loop {
            if !is_connected {
                if let Err(End(_, why)) = self.during(wire.open_resumable(&address)).await? {
                    self.printer.warn(why);
                    address = self.ask_address(address).await?;
                    continue;
                }
                is_connected = true;
            }
            let raw = match nick.take() {
                Some(raw) => raw,
                None => {
                    let printer = Rc::clone(&self.printer);
                    // While the name is typed, the server's PINGs are answered.
                    let heard = async {
                        let End(_, why) = loop {
                            if let Err(end) = wire.next(false).await {
                                break end;
                            }
                        };
                        printer.warn(format!("{why}; the name you type is used on a new connection"));
                        is_connected = false;
                        pending().await
                    };
                    is_again = false;
                    self.ask("your name: ").or(heard).await?
                }
            };
            if !is_connected && !is_again {
                (nick, is_again) = (Some(raw), true);
                continue;
            }
            match self.during(wire.take_name(&raw)).await? {
                Ok(Ok(name)) => return Ok((address, name)),
                // The hint suggests a command, which this prompt does not accept.
                Ok(Err(refusal)) => self.printer.warn(refusal.what),
                Err(End(_, why)) => {
                    self.printer.warn(why);
                    is_connected = false;
                    // The nickname is tried once more, on a new connection.
                    nick = (!is_again).then_some(raw);
                    is_again = true;
                }
            }
        }
    }

    /// Asks for another address until a valid one is typed; Enter alone keeps the last one.
    async fn ask_address(&mut self, last: String) -> Result<String, Code> {
        loop {
            let raw = self.ask("another address, or Enter to try again: ").await?;
            match parse_server(&raw) {
                _ if raw.is_empty() => return Ok(last),
                Ok(address) => return Ok(address),
                Err(why) => self.printer.warn(format!("invalid server {}: {why}", quoted(&raw))),
            }
        }
    }

    /// Asks for one line.
    async fn ask(&mut self, prompt: &'static str) -> Result<String, Code> {
        (self.prompt, self.is_stale) = (prompt, true);
        let typed = match self.ahead.pop_front() {
            Some(line) => line,
            None => match self.step().await {
                StepEnd::Line(line) => line,
                StepEnd::Left(code) => return Err(code),
            },
        };
        let mut lines = typed.lines();
        let answer = lines.next().unwrap_or_default().trim().to_owned();
        lines.rev().for_each(|line| self.ahead.push_front(line.to_owned()));
        self.printer.note(format!("{prompt}{answer}"));
        Ok(answer)
    }

    /// Waits for `future`, unless the user leaves meanwhile.
    async fn during<T>(&mut self, future: impl Future<Output = T>) -> Result<T, Code> {
        (self.prompt, self.is_stale) = ("", true);
        let mut future = pin!(future);
        loop {
            match or(async { Ok(future.as_mut().await) }, async { Err(self.step().await) }).await {
                Ok(done) => return Ok(done),
                Err(StepEnd::Left(code)) => return Err(code),
                Err(StepEnd::Line(line)) => self.ahead.push_back(line),
            }
        }
    }

    /// Passes typed lines on until the user leaves.
    async fn chat(&mut self) -> Code {
        (self.prompt, self.is_stale) = ("> ", true);
        loop {
            let line = match self.ahead.pop_front() {
                Some(line) => line,
                None => match self.step().await {
                    StepEnd::Line(line) => line,
                    StepEnd::Left(code) => return code,
                },
            };
            self.submit(&line).await;
        }
    }

    /// Passes each typed line on, if it can be sent.
    async fn submit(&mut self, typed: &str) {
        for line in typed.lines().filter(|line| !line.trim().is_empty()) {
            self.drop_taken();
            let refusal = if self.queued.len() < LINES_WAITING_MAX {
                self.session.lock_blocking().refusal(line)
            } else {
                Some(format!("not sent, {LINES_WAITING_MAX} lines are already waiting to be sent: {line}"))
            };
            let is_kept = self.remember(line).await;
            if let Some(why) = refusal {
                self.printer.warn(why);
                if !is_kept {
                    self.editor.keep_refused(line);
                }
            } else {
                self.queued.push_back(line.to_owned());
                // If this fails, the conversation is over.
                let _ = self.lines.try_send(line.into());
            }
        }
    }

    async fn load_history(&mut self) -> Result<(), Code> {
        let Some(mut file) = self.history.take() else { return Ok(()) };
        let loaded = self.during(smol::unblock(move || (file.load(), file))).await?;
        match loaded {
            (Ok(history), file) => (self.editor.history, self.history) = (history, Some(file)),
            (Err(error), _) => self.printer.warn(error.to_string()),
        }
        Ok(())
    }

    /// Adds a line to the history, without whispered text; returns whether the history has all of it.
    async fn remember(&mut self, line: &str) -> bool {
        let kept = history_entry(line);
        let is_whole = kept == line.trim_end();
        if self.editor.history.add(&kept)
            && let Some(mut file) = self.history.take()
        {
            match smol::unblock(move || (file.append(&kept), file)).await {
                (Ok(()), file) => self.history = Some(file),
                (Err(error), _) => self.printer.warn(error.to_string()),
            }
        }
        is_whole
    }

    /// Runs the editor until a line is complete or the user leaves. Dropping this before it is done loses nothing.
    async fn step(&mut self) -> StepEnd {
        if self.is_suspended {
            self.resume();
        }
        loop {
            while let Some(key) = self.keys.pop_front() {
                self.is_stale = true;
                let session = &self.session;
                let complete = |before: &str| completions(before, session.lock_blocking().others());
                match self.editor.press(key, complete) {
                    None => {}
                    Some(Outcome::Line(line)) => return StepEnd::Line(line),
                    Some(Outcome::Leave) => return StepEnd::Left(Code::Success),
                    Some(Outcome::Signal(signal)) => {
                        self.key_signal = rustix::process::Signal::from_named_raw(signal as i32);
                        return StepEnd::Left(Code::Signal(signal));
                    }
                    // Stops the whole process group, as a shell's job control expects. Only a shell can continue it.
                    Some(Outcome::Suspend) if has_shell() => {
                        let _ = kill_current_process_group(rustix::process::Signal::TSTP);
                    }
                    Some(Outcome::Suspend) => {}
                    Some(Outcome::Clear) => self.is_cleared = true,
                    Some(Outcome::Warning(why)) => self.printer.warn(why),
                }
            }
            self.redraw();
            match self.wait().await {
                Wakeup::Typed(Some(bytes)) => {
                    self.keys.extend(self.decoder.decode(&bytes));
                    self.typed_at = Instant::now();
                }
                Wakeup::Typed(None) => return StepEnd::Left(Code::Signal(Signal::Hup)),
                Wakeup::Signal(Signal::Winch) => self.is_stale = true,
                Wakeup::Signal(Signal::Tstp) => self.suspend().await,
                // The client was stopped, and the shell has used the terminal since.
                Wakeup::Signal(Signal::Cont) => self.resume(),
                Wakeup::Signal(Signal::Xfsz) => {}
                Wakeup::Signal(signal) => return StepEnd::Left(Code::Signal(signal)),
                Wakeup::Printed | Wakeup::Written => {}
                Wakeup::SequenceEnd => self.decoder.end_sequence(),
                Wakeup::Background if has_shell() => {
                    end_by(Signal::Tstp);
                    self.resume();
                }
                Wakeup::Background => return StepEnd::Left(Code::Signal(Signal::Hup)),
            }
        }
    }

    async fn wait(&mut self) -> Wakeup {
        let Self { typed, signals, printer, writing, decoder, typed_at, is_suspended, .. } = self;
        let written = async {
            let Some(task) = writing else { return pending().await };
            task.await;
            *writing = None;
            Wakeup::Written
        };
        let signal = async {
            match signals.next().await {
                Some(Ok(signal)) => Wakeup::Signal(signal),
                _ => pending().await,
            }
        };
        let typed = async { Wakeup::Typed(typed.recv().await.ok()) };
        let printed = async {
            printer.wait().await;
            Wakeup::Printed
        };
        let late = async {
            if !decoder.is_in_sequence() {
                return pending().await;
            }
            Timer::at(*typed_at + Duration::from_millis(KEY_SEQUENCE_MS_MAX)).await;
            Wakeup::SequenceEnd
        };
        let background = async {
            if !*is_suspended {
                return pending().await;
            }
            after(BACKGROUND_MS_MAX).await;
            Wakeup::Background
        };
        signal.or(written).or(typed).or(printed).or(late).or(background).await
    }

    /// Starts to write the changed lines and rows. If the last write is not complete, they are written after it.
    fn redraw(&mut self) {
        if self.is_suspended || self.writing.is_some() || !(self.is_stale || self.printer.has_lines()) {
            return;
        }
        // The size may have changed before its signal arrives.
        self.screen.resize(size());
        let mut text = self.screen.erase();
        if std::mem::take(&mut self.is_cleared) {
            CLEAR.clone_into(&mut text);
        }
        self.printer.take_batch(&mut text);
        self.drop_taken();
        let session = self.session.lock_blocking();
        let queued = self.queued.iter().map(String::as_str).filter(|line| is_message(line));
        let sending: Vec<_> = session.sending().chain(queued).collect();
        text += &self.screen.draw(&sending, &self.editor.input(self.prompt));
        drop(session);
        self.is_stale = false;
        self.writing = Some(write(text));
    }

    /// Forgets the queued lines that the session has taken.
    fn drop_taken(&mut self) {
        self.queued.drain(..self.queued.len().saturating_sub(self.lines.len()));
    }

    async fn finish_writing(&mut self) {
        if let Some(writing) = self.writing.take() {
            writing.await;
        }
    }

    /// Gives the terminal to the shell until the shell continues the client.
    async fn suspend(&mut self) {
        if !self.is_suspended {
            let last = async {
                self.finish_writing().await;
                write(self.screen.erase() + PASTE_OFF).await;
            };
            // Does not wait for a terminal that accepts no output: no signals are handled during the wait.
            last.or(after(FAREWELL_AT_SIGNAL_MS_MAX)).await;
            self.settings.restore();
            self.is_suspended = true;
        }
        // This stops the process until it is continued.
        end_by(Signal::Tstp);
        self.resume();
    }

    /// Takes the terminal, unless the shell has it.
    fn resume(&mut self) {
        self.is_suspended = !tty::is_foreground();
        if self.is_suspended {
            return;
        }
        self.settings.change();
        self.screen.forget();
        self.is_stale = true;
        self.writing = Some(write(PASTE_ON.to_owned()));
    }

    /// Prints the remaining lines, reports typed lines that were not sent, and restores the terminal.
    async fn close(&mut self, wait_ms: u64) {
        self.drop_taken();
        let unanswered: Vec<_> = self.session.lock_blocking().sending().map(ToOwned::to_owned).collect();
        for line in unanswered {
            self.printer.warn(format!("perhaps not sent: {line}"));
        }
        let half = self.editor.input("").text.to_owned();
        for line in self.queued.drain(..).chain([half]).filter(|line| !line.trim().is_empty()) {
            self.printer.warn(format!("not sent: {}", line.replace('\n', " ")));
        }
        let is_ours = !self.is_suspended && tty::is_foreground();
        let last = async {
            self.finish_writing().await;
            if !is_ours {
                return;
            }
            let mut text = self.screen.erase();
            while self.printer.has_lines() {
                self.printer.take_batch(&mut text);
            }
            write(text + PASTE_OFF).await;
        };
        // Does not wait for a terminal that accepts no output.
        last.or(after(wait_ms)).await;
        self.settings.restore();
    }
}

/// How long to wait for the server, and for the terminal, at the end.
fn farewell_ms(left: Code) -> u64 {
    if left.signal().is_some() { FAREWELL_AT_SIGNAL_MS_MAX } else { FAREWELL_MS_MAX }
}

/// Whether something can continue this process group after it was stopped: the parent of its first process, in the same session.
/// Otherwise the group is orphaned, and SIGTSTP must not stop it (POSIX).
fn has_shell() -> bool {
    let parent_and_session = |pid: &str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name before the last bracket may have blanks; then state, parent, group and session follow.
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
