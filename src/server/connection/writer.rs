//! Sends the feed and the mailbox of one connection, as fast as its socket accepts them.

use std::io;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_lite::{FutureExt as _, ready};
use smol::Timer;

use super::{Connection, ConnectionEnd};
use crate::feed::{Cursor, MissedMessages, Progress};
use crate::limits::{BACKLOG_FEEDS, FLUSH_MS_MAX, WHISPER_BYTES_MAX, WRITE_BYTES_MAX};
use crate::protocol::{Event, Tag, Text};
use crate::server::log;
use crate::server::transport::Transport;
use crate::session::InputKind;

/// The sending half of a connection.
pub(super) struct OutputWriter<'a, T: Transport> {
    connection: &'a Connection<T>,
    cursor: Cursor,
    stall: Stall,
    /// Limits the time in which the client must read the rest of a closed output. Boxed, because most connections never need it.
    flush_timer: Option<Box<Timer>>,
}

impl<'a, T: Transport> OutputWriter<'a, T> {
    pub(super) fn new(connection: &'a Connection<T>) -> Self {
        Self { connection, cursor: Cursor::new(), stall: Stall::default(), flush_timer: None }
    }

    /// Writes available output. Ready when the output has ended, or no more can be written.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionEnd> {
        if let Poll::Ready(end) = self.write(cx) {
            return Poll::Ready(end);
        }
        if self.cursor.is_closed() {
            // The output is closed, and the client has not read the rest yet.
            let flush_timer = || Box::new(Timer::after(Duration::from_millis(FLUSH_MS_MAX)));
            ready!(self.flush_timer.get_or_insert_with(flush_timer).poll(cx));
            return Poll::Ready(ConnectionEnd::Closed { is_sent: false });
        }
        Poll::Pending
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Poll<ConnectionEnd> {
        let mut line_bytes = 0;
        let result = self.write_some(cx, &mut line_bytes);
        if line_bytes > 0 {
            self.connection.context.metrics.count_sent(T::NAME, line_bytes);
        }
        result
    }

    /// Writes until nothing is left, the socket is full, or a share of bytes is written. Adds the bytes of lines to `line_bytes`: the
    /// transport accepts each once, however it sends them.
    fn write_some(&mut self, cx: &mut Context<'_>, line_bytes: &mut usize) -> Poll<ConnectionEnd> {
        let Connection { transport, context, mailbox, .. } = self.connection;
        if self.cursor.fetch_new(&context.feed, mailbox, cx.waker()).is_slow() {
            return Poll::Ready(ConnectionEnd::Slow(self.fell_behind_text()));
        }
        let mut written = 0;
        loop {
            let progress = match self.cursor.write(&context.feed, mailbox, |source| transport.write(&[], source)) {
                Ok(no_lines @ (Progress::Idle | Progress::Done)) => match transport.poll_control(cx) {
                    Poll::Ready(sent) => sent.map(Progress::Wrote),
                    Poll::Pending => Ok(no_lines),
                },
                Ok(Progress::Wrote(bytes)) => {
                    *line_bytes += bytes;
                    Ok(Progress::Wrote(bytes))
                }
                progress => progress,
            };
            match progress {
                Ok(Progress::Idle) => return Poll::Pending,
                Ok(Progress::Done) => return Poll::Ready(ConnectionEnd::Closed { is_sent: true }),
                Ok(Progress::Evicted) if self.catch_up() => {}
                Ok(Progress::Evicted | Progress::Unreadable) => {
                    return Poll::Ready(ConnectionEnd::Slow(self.fell_behind_text()));
                }
                // Fails only if the hub has ended, and the server with it.
                Ok(Progress::CaughtUp(room)) => drop(self.connection.send_to_hub(InputKind::CaughtUp(room))),
                Ok(Progress::Wrote(bytes)) => {
                    self.stall.note_progress();
                    written += bytes;
                    if written >= WRITE_BYTES_MAX {
                        // Lets other tasks run: under constant load, this loop would never end.
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if let Some(timeout) = context.send_timeout
                        && self.stall.poll(cx, timeout, context.clock.steady()).is_ready()
                    {
                        return Poll::Ready(ConnectionEnd::Slow(self.stalled_text()));
                    }
                    ready!(transport.poll_writable(cx));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Poll::Ready(ConnectionEnd::Lost),
            }
        }
    }

    fn fell_behind_text(&self) -> String {
        let feed = self.connection.context.feed.bytes_max();
        let all = BACKLOG_FEEDS * feed;
        format!(
            "you read too slowly: the server keeps at most {feed} bytes of events, {WHISPER_BYTES_MAX} bytes of whispers to you, \
             and {all} bytes of unread output of all clients"
        )
    }

    fn stalled_text(&self) -> String {
        let seconds = self.connection.context.send_timeout.unwrap_or_default().as_secs_f64();
        format!("you read nothing for {seconds} s while output was waiting")
    }

    /// Makes the cursor catch up from the store. Returns false without a store.
    fn catch_up(&mut self) -> bool {
        let Connection { context, mailbox, session, .. } = self.connection;
        let Some(reader) = &context.store_reader else { return false };
        let notice = |missed: &MissedMessages, text: &mut Vec<u8>| {
            log::fell_behind(*session);
            context.metrics.count_catch_up();
            let tag = Tag { id: None, at: context.clock.wall() };
            missed.dialect.write_room_event(text, tag, &missed.room_name, &Event::Notice(Text::truncated(FELL_BEHIND)));
        };
        let messages = |missed| reader.start_catch_up(missed, mailbox);
        self.cursor.catch_up(&context.feed, mailbox, notice, messages);
        true
    }
}

/// The notice to a client that catches up from the store.
const FELL_BEHIND: &str =
    "you fell behind: joins, leaves and other events are skipped; the missed messages follow, then ROSTER";

/// Measures for how long the socket has accepted nothing. `None` until the socket is first full: most never are.
#[derive(Debug, Default)]
struct Stall(Option<Box<StallTimer>>);

#[derive(Debug)]
struct StallTimer {
    since: Option<Instant>,
    /// Started at the first stall. Progress does not move it: when it expires early, it is set again.
    timer: Timer,
}

impl Stall {
    /// The socket has accepted some bytes.
    fn note_progress(&mut self) {
        if let Some(full) = &mut self.0 {
            full.since = None;
        }
    }

    /// The socket is full at the time `now`. Ready if it has been full for `timeout`.
    fn poll(&mut self, cx: &mut Context<'_>, timeout: Duration, now: Instant) -> Poll<()> {
        let StallTimer { since, timer } =
            &mut **self.0.get_or_insert_with(|| Box::new(StallTimer { since: None, timer: Timer::after(timeout) }));
        let deadline = *since.get_or_insert(now) + timeout;
        if now >= deadline {
            return Poll::Ready(());
        }
        while timer.poll(cx).is_ready() {
            timer.set_after(deadline.saturating_duration_since(now));
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Timestamp;
    use crate::server::clock::Clock as _;
    use crate::server::clock::tests::ManualClock;

    /// The test moves the clock; no timer expires.
    #[test]
    fn stall_is_ready_after_timeout_without_progress() {
        let timeout = Duration::from_hours(1);
        let clock = ManualClock::new(Timestamp(0));
        let mut stall = Stall::default();
        let mut is_stalled_after = |seconds, progress: bool| {
            clock.advance(Duration::from_secs(seconds));
            if progress {
                stall.note_progress();
            }
            stall.poll(&mut Context::from_waker(std::task::Waker::noop()), timeout, clock.steady()).is_ready()
        };
        assert!(!is_stalled_after(0, false) && !is_stalled_after(3599, false));
        assert!(!is_stalled_after(1, true), "the client has read something");
        assert!(!is_stalled_after(3599, false) && is_stalled_after(1, false));
    }
}
