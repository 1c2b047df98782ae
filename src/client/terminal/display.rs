//! The contents of the terminal: printed lines and, below them, pending messages and the input line. The thread `send` edits the input
//! line. The thread `receive` runs [`Display::run`], which prints lines and redraws the rows below them. [`Screen`] computes the escape
//! sequences.

use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex as SyncMutex, PoisonError};

use smol::Task;
use smol::lock::Mutex;

use super::printer::Printer;
use super::tty::{self, size, write};
use crate::client::editor::{Editor, InputLine, Screen};
use crate::client::render::LineFormat;
use crate::client::shared_chat::SharedChat;
use crate::client::typed::is_message;

/// The sequences that turn bracketed paste on and off.
const PASTE_ON: &str = "\x1b[?2004h";
const PASTE_OFF: &str = "\x1b[?2004l";

/// The sequence that clears the screen.
const CLEAR: &str = "\x1b[H\x1b[J";

/// The screen, shared by the two threads.
pub(super) struct Display {
    pub(super) printer: Printer,
    /// Locked while `send` carries out a key. Only printing waits for it.
    pub(super) editor: Mutex<Editor>,
    prompt: SyncMutex<Prompt>,
    /// Locked during a write, which may never end.
    output: Mutex<ScreenOutput>,
    /// Whether the shell has the terminal: initially, and while the client is stopped or in the background.
    is_suspended: AtomicBool,
    /// Whether another program may have changed the screen, so that the rows drawn last cannot be erased.
    is_reset: AtomicBool,
    /// Whether to clear the screen before the next drawing.
    is_cleared: AtomicBool,
}

/// The text before the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Prompt {
    /// A question of the client.
    Question(String),
    /// A question whose answer is not shown.
    Secret(String),
    /// `>` in the home, or `#room>`.
    Chat,
}

struct ScreenOutput {
    screen: Screen,
    writing: Option<Task<()>>,
}

impl Display {
    pub(super) fn new(format: LineFormat) -> Self {
        let screen = Screen::new(size(), format);
        Self {
            printer: Printer::new(format),
            editor: Mutex::default(),
            prompt: SyncMutex::new(Prompt::Question(String::new())),
            output: Mutex::new(ScreenOutput { screen, writing: None }),
            is_suspended: AtomicBool::new(true),
            is_reset: AtomicBool::new(true),
            is_cleared: AtomicBool::new(false),
        }
    }

    pub(super) fn set_prompt(&self, prompt: Prompt) {
        *self.prompt.lock().unwrap_or_else(PoisonError::into_inner) = prompt;
        self.printer.wake();
    }

    /// Clears the screen at the next drawing.
    pub(super) fn clear(&self) {
        self.is_cleared.store(true, Ordering::Relaxed);
        self.printer.wake();
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.is_suspended.load(Ordering::Relaxed)
    }

    /// Begins to draw below other text on the screen, unless the shell has the terminal.
    pub(super) fn resume(&self, is_foreground: bool) {
        self.is_reset.store(true, Ordering::Relaxed);
        self.is_suspended.store(!is_foreground, Ordering::Relaxed);
        self.printer.wake();
    }

    /// Erases the rows, and stops drawing.
    pub(super) async fn suspend(&self) {
        self.is_suspended.store(true, Ordering::Relaxed);
        let mut output = self.output.lock().await;
        output.finish_writing().await;
        let text = output.screen.erase() + PASTE_OFF;
        output.write(text).await;
    }

    /// Prints the remaining lines, erases the rows, and stops drawing.
    pub(super) async fn close(&self) {
        let was_suspended = self.is_suspended.swap(true, Ordering::Relaxed);
        let mut output = self.output.lock().await;
        output.finish_writing().await;
        if was_suspended || !tty::is_foreground() {
            return;
        }
        let mut text = output.screen.erase();
        while self.printer.has_lines() {
            self.printer.take_batch(&mut text);
        }
        output.write(text + PASTE_OFF).await;
    }

    /// After each change, prints new lines and redraws the rows below them.
    pub(super) async fn run(&self, chat: &SharedChat) -> Infallible {
        loop {
            self.printer.wait().await;
            let mut output = self.output.lock().await;
            output.finish_writing().await;
            // Checked again: the thread `send` may not have noticed yet that the shell has the terminal.
            if !self.is_suspended() && tty::is_foreground() {
                let text = self.next_text(&mut output.screen, chat).await;
                output.write(text).await;
            }
        }
    }

    /// The next text to write.
    pub(super) async fn next_text(&self, screen: &mut Screen, chat: &SharedChat) -> String {
        let editor = self.editor.lock().await;
        // The size may have changed before its signal arrives.
        screen.resize(size());
        let mut text = String::new();
        if self.is_reset.swap(false, Ordering::Relaxed) {
            screen.forget();
            text += PASTE_ON;
        }
        let erased = screen.erase();
        text += if self.is_cleared.swap(false, Ordering::Relaxed) { CLEAR } else { &erased };
        self.printer.take_batch(&mut text);
        let (sending, room) = chat.with_state(|state| {
            let waiting = state.waiting().filter(|line| is_message(line));
            let sending = state.sending().chain(waiting).map(str::to_owned).collect::<Vec<_>>();
            (sending, state.current_elsewhere().cloned())
        });
        let input = match (self.prompt(), room) {
            // Also during a search, or with completions.
            (Prompt::Secret(question), _) => InputLine { prompt: question, text: "", cursor: 0, choices: &[] },
            (Prompt::Question(question), _) => editor.input(&question),
            (Prompt::Chat, None) => editor.input("> "),
            (Prompt::Chat, Some(room)) => editor.input(&format!("{room}> ")),
        };
        text + &screen.draw(&sending, &input)
    }

    /// The text that the user is typing; empty if it is secret.
    pub(super) async fn unfinished(&self) -> String {
        let editor = self.editor.lock().await;
        if self.is_secret() { String::new() } else { editor.input("").text.to_owned() }
    }

    /// Whether what the user types is not shown.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self.prompt(), Prompt::Secret(_))
    }

    fn prompt(&self) -> Prompt {
        self.prompt.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ScreenOutput {
    /// Writes the text. If the future is dropped, the write still completes.
    async fn write(&mut self, text: String) {
        if !text.is_empty() {
            self.writing = Some(write(text));
            self.finish_writing().await;
        }
    }

    async fn finish_writing(&mut self) {
        if let Some(writing) = &mut self.writing {
            writing.await;
            self.writing = None;
        }
    }
}
