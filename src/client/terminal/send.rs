//! The thread `send`: reads keys and signals, runs the line editor, and sends typed lines. It owns the terminal's settings, and decides
//! when the client ends.

use std::collections::VecDeque;
use std::io::{self, Stdin};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use async_channel::Receiver;
use async_signal::{Signal, Signals};
use futures_lite::future::{or, pending};
use futures_lite::{FutureExt as _, StreamExt as _};
use rustix::process::kill_current_process_group;
use smol::{Async, Task, Timer};

use super::display::Prompt;
use super::tty::{self, TerminalSettings};
use super::{ENDING_SIGNALS, OTHER_SIGNALS, Shared, after, farewell_ms, has_shell};
use crate::client::ExitCode;
use crate::client::account_input::{DialogStep, SecretDialog};
use crate::client::editor::{HistoryFile, InputHistory, Key, KeyDecoder, KeyOutcome};
use crate::client::typed::{completions, history_entry};
use crate::limits::{BACKGROUND_MS_MAX, FAREWELL_AT_SIGNAL_MS_MAX, KEY_SEQUENCE_MS_MAX};
use crate::process::{catch_signals, end_by};

/// An event that the thread waits for.
enum Wakeup {
    /// The user typed these bytes; `None`: the terminal is gone.
    Typed(Option<Vec<u8>>),
    Signal(Signal),
    /// The chat has started. From now on, typed lines are messages and commands, not answers to a prompt.
    ChatStarted,
    HistoryLoaded(HistoryFile, io::Result<InputHistory>),
    /// A key sequence was not completed in time.
    SequenceEnd,
    /// The client has been in the background for a while without a signal.
    Background,
}

/// The state of the thread `send`.
pub(super) struct Keyboard {
    shared: Arc<Shared>,
    settings: TerminalSettings,
    stdin: Async<Stdin>,
    signals: Signals,
    decoder: KeyDecoder,
    /// When the user typed the last key.
    typed_at: Instant,
    /// Typed keys that are not carried out yet.
    keys: VecDeque<Key>,
    /// How often typed text had been discarded when the user typed these keys.
    discards: usize,
    /// `None` if the file cannot be used.
    history: Option<HistoryFile>,
    loading: Option<Task<(HistoryFile, io::Result<InputHistory>)>>,
    is_chatting: bool,
    /// The questions for passwords that the user is answering.
    dialog: Option<SecretDialog>,
    /// The signal to send to the process group, if the user left by its key.
    key_signal: Option<rustix::process::Signal>,
}

impl Keyboard {
    pub(super) fn open(shared: Arc<Shared>) -> io::Result<Self> {
        let load = |mut file: HistoryFile| {
            smol::unblock(move || {
                let history = file.load();
                (file, history)
            })
        };
        Ok(Self {
            shared,
            settings: TerminalSettings::default(),
            // Leaves the terminal in blocking mode, which other programs share.
            stdin: Async::new_nonblocking(io::stdin())?,
            signals: catch_signals(&[&ENDING_SIGNALS[..], &OTHER_SIGNALS].concat())?,
            decoder: KeyDecoder::default(),
            typed_at: Instant::now(),
            keys: VecDeque::new(),
            discards: 0,
            history: None,
            loading: HistoryFile::of_user().map(load),
            is_chatting: false,
            dialog: None,
            key_signal: None,
        })
    }

    /// Runs until the user leaves or the thread `receive` ends, which closes `received`. Then restores the terminal. Returns how the
    /// user left, and the signal to send to the process group.
    pub(super) async fn run(mut self, received: Receiver<()>) -> (Option<ExitCode>, Option<rustix::process::Signal>) {
        let shared = Arc::clone(&self.shared);
        let mut sending = pin!(shared.chat.send_waiting(|item| shared.display.printer.print(item)));
        let over = || async {
            // Nothing is ever sent: this returns when the channel is closed.
            let _ = received.recv().await;
        };
        let left = async { Some(self.edit().await) };
        let left = left.or(async { match sending.as_mut().await {} }).or(async {
            over().await;
            None
        });
        let left = left.await;
        let wait_ms = farewell_ms(left.unwrap_or(ExitCode::Success));
        if left.is_some() {
            shared.leave(self.is_chatting);
            let sending = async { match sending.await {} };
            over().or(sending).or(after(wait_ms)).await;
        }
        self.close(wait_ms).await;
        (left, self.key_signal)
    }

    /// Carries out keys and signals until the user leaves.
    async fn edit(&mut self) -> ExitCode {
        self.resume();
        loop {
            while let Some(key) = self.keys.pop_front() {
                if let Some(code) = self.press(key).await {
                    return code;
                }
            }
            self.shared.display.printer.wake();
            match self.wait().await {
                Wakeup::Typed(Some(bytes)) => {
                    self.discards = self.shared.discards.load(Ordering::Relaxed);
                    self.keys.extend(self.decoder.decode(&bytes));
                    self.typed_at = Instant::now();
                }
                Wakeup::Typed(None) => return ExitCode::Signal(Signal::Hup),
                Wakeup::Signal(Signal::Winch | Signal::Xfsz) => {}
                Wakeup::Signal(Signal::Tstp) => self.suspend().await,
                // The client was stopped; the shell has used the terminal meanwhile.
                Wakeup::Signal(Signal::Cont) => self.resume(),
                Wakeup::Signal(signal) => return ExitCode::Signal(signal),
                Wakeup::ChatStarted => {
                    self.is_chatting = true;
                    // Sends lines that were typed ahead of the chat, and were no answers to a prompt.
                    while let Ok(line) = self.shared.answers.1.try_recv() {
                        self.submit(&line).await;
                    }
                }
                Wakeup::HistoryLoaded(file, Ok(history)) => {
                    self.shared.display.editor.lock().await.history = history;
                    self.history = Some(file);
                }
                Wakeup::HistoryLoaded(_, Err(error)) => self.shared.display.printer.warn(error.to_string()),
                Wakeup::SequenceEnd => self.decoder.end_sequence(),
                // In the foreground again without SIGCONT, which was ignored at the start.
                Wakeup::Background if tty::is_foreground() => self.resume(),
                Wakeup::Background if has_shell() => end_by(Signal::Tstp),
                Wakeup::Background => return ExitCode::Signal(Signal::Hup),
            }
        }
    }

    /// Carries out a key. Returns the exit code if the user leaves by this key.
    async fn press(&mut self, key: Key) -> Option<ExitCode> {
        let display = &self.shared.display;
        let complete = |before: &str| {
            // Copied, so that a long list does not lock the chat.
            let (names, rooms, rank) = self.shared.chat.with_state(|state| {
                let names: Vec<_> = state.other_members().map(str::to_owned).collect();
                (names, state.room_names().collect::<Vec<_>>(), state.rank_for(before))
            });
            completions(before, names.iter().map(String::as_str), rooms.iter().map(String::as_str), rank)
        };
        let outcome = {
            let mut editor = display.editor.lock().await;
            let is_discarded = self.discards != self.shared.discards.load(Ordering::Relaxed);
            if is_discarded && !matches!(key, Key::Ctrl('c' | 'z' | '\\')) {
                return None;
            }
            match editor.press(key, complete) {
                Some(KeyOutcome::Line(line)) if !self.is_chatting => {
                    self.answer(&line);
                    return None;
                }
                outcome => outcome,
            }
        };
        match outcome? {
            KeyOutcome::Line(lines) if lines.is_empty() => self.submit("").await,
            KeyOutcome::Line(lines) => {
                for line in lines.lines() {
                    self.submit(line).await;
                }
            }
            KeyOutcome::Leave => return Some(ExitCode::Success),
            KeyOutcome::Signal(signal) => {
                self.key_signal = rustix::process::Signal::from_named_raw(signal as i32);
                return Some(ExitCode::Signal(signal));
            }
            // Stops the whole process group, as job control expects. Only a shell can continue it.
            KeyOutcome::Suspend if has_shell() => {
                let _ = kill_current_process_group(rustix::process::Signal::TSTP);
            }
            KeyOutcome::Suspend => {}
            KeyOutcome::Clear => display.clear(),
            KeyOutcome::Warning(why) => display.printer.warn(why),
        }
        None
    }

    /// Passes on a complete input, which can have several lines, as answers to prompts. The editor is locked meanwhile.
    fn answer(&self, typed: &str) {
        // An empty line is an answer, too.
        let lines = typed.lines().chain(typed.is_empty().then_some(""));
        for line in lines {
            // This cannot fail: the channel is unbounded, and its receiver is held here.
            let _ = self.shared.answers.0.try_send(line.to_owned());
        }
    }

    /// Queues a line, if it can be sent, and adds it to the history.
    async fn submit(&mut self, line: &str) {
        if let Some(dialog) = self.dialog.take() {
            return self.answer_dialog(dialog, line).await;
        }
        if line.trim().is_empty() {
            return;
        }
        let refusal = match self.shared.chat.with_state(|state| state.secret_dialog(line)) {
            Some(Ok(dialog)) => {
                self.ask(dialog);
                None
            }
            Some(Err(why)) => Some(why),
            None => self.shared.chat.with_state(|state| state.queue(line)),
        };
        let is_kept = self.remember(line).await;
        if let Some(why) = refusal {
            self.shared.display.printer.warn(why);
            if !is_kept {
                self.shared.display.editor.lock().await.keep_refused(line);
            }
        }
    }

    /// Shows the next question for a password.
    fn ask(&mut self, dialog: SecretDialog) {
        self.shared.display.set_prompt(Prompt::Secret(dialog.question()));
        self.dialog = Some(dialog);
    }

    /// Handles the answer to a question for a password, which goes into no history.
    async fn answer_dialog(&mut self, dialog: SecretDialog, typed: &str) {
        let display = &self.shared.display;
        // The editor could bring back a part of it, by Ctrl-Y or undo.
        display.editor.lock().await.discard_line();
        let why = match dialog.answer(typed) {
            DialogStep::Ask(dialog) => return self.ask(dialog),
            DialogStep::Send(request) => self.shared.chat.with_state(|state| state.queue_account_request(request)),
            DialogStep::End(why) => Some(why),
        };
        display.set_prompt(Prompt::Chat);
        if let Some(why) = why {
            display.printer.warn(why);
        }
    }

    /// Adds a line to the history, without private text. Returns whether the history has the whole line.
    async fn remember(&mut self, line: &str) -> bool {
        let kept = history_entry(line);
        let is_whole = kept == line.trim_end();
        // The lock of the editor ends before the write to the file.
        let is_new = self.shared.display.editor.lock().await.history.add(&kept);
        if is_new && let Some(mut file) = self.history.take() {
            match smol::unblock(move || (file.append(&kept), file)).await {
                (Ok(()), file) => self.history = Some(file),
                (Err(error), _) => self.shared.display.printer.warn(error.to_string()),
            }
        }
        is_whole
    }

    async fn wait(&mut self) -> Wakeup {
        let Self { stdin, signals, decoder, typed_at, is_chatting, loading, shared, .. } = self;
        let signal = async {
            match signals.next().await {
                Some(Ok(signal)) => Wakeup::Signal(signal),
                _ => pending().await,
            }
        };
        let typed = async { Wakeup::Typed(tty::read(stdin).await) };
        let started = async {
            if *is_chatting {
                return pending().await;
            }
            // Nothing is ever sent: this returns when the channel is closed.
            let _ = shared.started.1.recv().await;
            Wakeup::ChatStarted
        };
        let loaded = async {
            let Some(task) = loading else { return pending().await };
            let (file, history) = task.await;
            *loading = None;
            Wakeup::HistoryLoaded(file, history)
        };
        let late = async {
            if !decoder.is_in_sequence() {
                return pending().await;
            }
            Timer::at(*typed_at + Duration::from_millis(KEY_SEQUENCE_MS_MAX)).await;
            Wakeup::SequenceEnd
        };
        let background = async {
            if !shared.display.is_suspended() {
                return pending().await;
            }
            after(BACKGROUND_MS_MAX).await;
            Wakeup::Background
        };
        signal.or(loaded).or(started).or(typed).or(late).or(background).await
    }

    /// Gives the terminal to the shell until the shell continues the client.
    async fn suspend(&mut self) {
        if !self.shared.display.is_suspended() {
            // With a time limit: the terminal may accept no output, and no signals are handled during the wait.
            or(self.shared.display.suspend(), after(FAREWELL_AT_SIGNAL_MS_MAX)).await;
            self.settings.restore();
        }
        // Stops the process. SIGCONT continues it; it is caught, too, and resumes the display.
        end_by(Signal::Tstp);
    }

    /// Changes the terminal's settings and begins to draw, unless the shell has the terminal.
    fn resume(&mut self) {
        let is_foreground = tty::is_foreground();
        if is_foreground {
            self.settings.change();
        }
        self.shared.display.resume(is_foreground);
    }

    /// Prints the remaining lines, reports typed lines that were not sent, and restores the terminal.
    async fn close(&mut self, wait_ms: u64) {
        let display = &self.shared.display;
        let (unanswered, waiting) = self.shared.chat.with_state(|state| {
            let copy = |lines: &mut dyn Iterator<Item = &str>| lines.map(str::to_owned).collect::<Vec<_>>();
            (copy(&mut state.sending()), copy(&mut state.waiting()))
        });
        for line in unanswered {
            display.printer.warn(format!("perhaps not sent: {line}"));
        }
        let unfinished = display.unfinished().await;
        for line in waiting.into_iter().chain([unfinished]).filter(|line| !line.trim().is_empty()) {
            display.printer.warn(format!("not sent: {}", line.replace('\n', " ")));
        }
        // With a time limit: the terminal may accept no output.
        or(display.close(), after(wait_ms)).await;
        self.settings.restore();
    }
}
