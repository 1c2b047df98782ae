//! A simulated client with a fast connection. It checks that each of its lines gets one final reply, in order, and that the messages of
//! its home come with consecutive ids.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};

use chinwag::feed::{Cursor, Feed, Mailbox, Progress};

use super::reference::Reference;
use super::{Coverage, Outcomes};

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A line that was sent and has no reply yet.
#[derive(Debug)]
struct DueReply {
    verb: String,
    /// The text of a `MSG`, or the name that a `NICK` asks for.
    text: String,
}

pub(crate) struct Client {
    pub(crate) mailbox: Arc<Mailbox>,
    cursor: Cursor,
    woken: Arc<Woken>,
    text: Vec<u8>,
    due: VecDeque<DueReply>,
    /// The client has a nickname, as it knows.
    pub(crate) is_named: bool,
    /// The resume token that it was given.
    pub(crate) token: Option<String>,
    /// The id of the last message of its home that it read.
    last_id: Option<u64>,
    /// It has read its last line.
    pub(crate) is_done: bool,
}

impl Client {
    pub(crate) fn new(feed: &Feed) -> Self {
        Self {
            mailbox: Arc::new(Mailbox::new(feed.backlog())),
            cursor: Cursor::new(),
            woken: Arc::new(Woken(AtomicBool::new(true))),
            text: Vec::new(),
            due: VecDeque::new(),
            is_named: false,
            token: None,
            last_id: None,
            is_done: false,
        }
    }

    /// Notes that a line was sent.
    pub(crate) fn note_sent(&mut self, line: &str) {
        let line = if line.starts_with('#') { line.split_once(' ').map_or("", |(_, rest)| rest) } else { line };
        let (verb, text) = line.split_once(' ').unwrap_or((line, ""));
        self.due.push_back(DueReply { verb: verb.to_owned(), text: text.to_owned() });
    }

    /// Number of lines without a reply.
    pub(crate) fn due_count(&self) -> usize {
        self.due.len()
    }

    /// The lines without a reply.
    pub(crate) fn due(&self) -> String {
        format!("{:?}", self.due)
    }

    /// Reads everything that waits, and checks it.
    pub(crate) fn read(
        &mut self,
        feed: &Feed,
        reference: &Reference,
        outcomes: &mut Outcomes,
        coverage: &mut Coverage,
    ) {
        while !self.is_done && self.woken.0.swap(false, Ordering::Relaxed) {
            self.cursor.fetch_new(feed, &self.mailbox, &Waker::from(Arc::clone(&self.woken)));
            loop {
                let text = &mut self.text;
                let progress = self.cursor.write(feed, &self.mailbox, |source| {
                    let bytes = source.to_vec()?;
                    text.extend_from_slice(&bytes);
                    Ok(bytes.len())
                });
                match progress {
                    Ok(Progress::Wrote(_)) => {}
                    Ok(Progress::Idle) => break,
                    Ok(Progress::Done) => {
                        self.is_done = true;
                        break;
                    }
                    other => panic!("unexpected progress of a writer: {other:?}"),
                }
            }
        }
        let text = std::mem::take(&mut self.text);
        for line in std::str::from_utf8(&text).expect("the output is UTF-8").lines() {
            self.check_line(line, reference, outcomes, coverage);
        }
    }

    fn check_line(&mut self, line: &str, reference: &Reference, outcomes: &mut Outcomes, coverage: &mut Coverage) {
        let mut words = line.split(' ');
        let mut word = || words.next().unwrap_or_default();
        let mut first = word();
        let id = first.strip_prefix('@').map(str::to_owned);
        if id.is_some() {
            word();
            first = word();
        }
        let is_home = !first.starts_with('#');
        if !is_home {
            first = word();
        }
        let (second, third) = (word(), word());
        match (first, second) {
            ("ERR", "-") => {
                coverage.ended += 1;
                coverage.lost_nodes += u32::from(third == "cluster-unavailable");
            }
            ("OK" | "ERR", verb) => {
                let due = self.due.pop_front().unwrap_or_else(|| panic!("a reply without a line: {line}"));
                assert_eq!(due.verb, verb, "replies keep the order of the lines: {line}");
                if first == "OK" {
                    self.note_success(&due, is_home, third, line, reference, outcomes, coverage);
                } else {
                    coverage.refused += u32::from(third == "cluster-unavailable");
                    coverage.name_races += u32::from(verb == "NICK" && third == "name-taken");
                    if third == "cluster-unavailable" && verb == "MSG" {
                        outcomes.refused.push(due.text);
                    }
                }
            }
            ("MSG", _) if is_home => {
                let id = id.and_then(|id| id.parse().ok());
                self.note_id(id.unwrap_or_else(|| panic!("a message without an id: {line}")));
            }
            _ => {}
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a line, and what it is compared with")]
    fn note_success(
        &mut self,
        due: &DueReply,
        is_home: bool,
        third: &str,
        line: &str,
        reference: &Reference,
        outcomes: &mut Outcomes,
        coverage: &mut Coverage,
    ) {
        match due.verb.as_str() {
            "NICK" => self.is_named = true,
            "RESUME" => {
                (self.is_named, self.last_id) = (true, None);
                coverage.resumed += 1;
            }
            // Lines about the watched room look like lines about the home, and so do those about another home later.
            "WATCH" | "JOIN" | "PART" => self.last_id = None,
            "SET" if due.text == "resume on" => {
                self.token = line.rsplit(' ').next().map(str::to_owned);
            }
            "MSG" => {
                let id = third.parse().unwrap_or_else(|_| panic!("an acknowledgement without an id: {line}"));
                let stored = reference.id_of(&due.text).map(|id| id.0);
                assert_eq!(stored, Some(id), "{:?} was acknowledged and is not in the log", due.text);
                if is_home {
                    self.note_id(id);
                }
                outcomes.acknowledged += 1;
            }
            _ => {}
        }
    }

    /// The client has read a message of its home with this id.
    fn note_id(&mut self, id: u64) {
        if let Some(last) = self.last_id.replace(id) {
            assert_eq!(id, last + 1, "a member reads each message of its home once, in order");
        }
    }
}
