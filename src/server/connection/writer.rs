//! Sends what the feed and the mailbox hold for one connection, as fast as its socket takes it.

use std::io;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_lite::{FutureExt as _, ready};
use smol::Timer;

use super::{Connection, End};
use crate::feed::{Cursor, Progress};
use crate::limits::{FLUSH_MS_MAX, WHISPER_BYTES_MAX, WRITE_BYTES_MAX};
use crate::protocol::{Dialect, Event, Tag, Text};
use crate::server::console;
use crate::server::transport::Transport;
use crate::session::InputKind;

/// The sending half of a connection.
pub(super) struct Writer<'a, T: Transport> {
    connection: &'a Connection<T>,
    cursor: Cursor,
    stall: Stall,
    /// Set when there will be nothing more. Boxed: it is not needed for waiting.
    give_up: Option<Box<Timer>>,
}

impl<'a, T: Transport> Writer<'a, T> {
    pub(super) fn new(connection: &'a Connection<T>) -> Self {
        Self { connection, cursor: Cursor::new(), stall: Stall::default(), give_up: None }
    }

    /// Writes what there is. Ready when there will be no more, or no more can be written.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        if let Poll::Ready(end) = self.write(cx) {
            return Poll::Ready(end);
        }
        if self.cursor.is_closed() {
            // It is over, but for a peer that does not read the rest.
            let give_up = || Box::new(Timer::after(Duration::from_millis(FLUSH_MS_MAX)));
            ready!(self.give_up.get_or_insert_with(give_up).poll(cx));
            return Poll::Ready(End::Closed { is_sent: false });
        }
        Poll::Pending
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let Connection { transport, context, mailbox, .. } = self.connection;
        if self.cursor.fetch_new(&context.feed, mailbox, cx.waker()).is_slow() {
            return Poll::Ready(End::Slow(self.fell_behind()));
        }
        let mut written = 0;
        loop {
            let progress = match self.cursor.write(&context.feed, mailbox, |source| transport.write(&[], source)) {
                Ok(no_lines @ (Progress::Idle | Progress::Done)) => match transport.poll_control(cx) {
                    Poll::Ready(sent) => sent.map(Progress::Wrote),
                    Poll::Pending => Ok(no_lines),
                },
                progress => progress,
            };
            match progress {
                Ok(Progress::Idle) => return Poll::Pending,
                Ok(Progress::Done) => return Poll::Ready(End::Closed { is_sent: true }),
                Ok(Progress::Evicted) if self.catch_up() => {}
                Ok(Progress::Evicted | Progress::Unreadable) => return Poll::Ready(End::Slow(self.fell_behind())),
                // Fails only if the hub is gone, and the server with it.
                Ok(Progress::CaughtUp) => drop(self.connection.tell(InputKind::CaughtUp)),
                Ok(Progress::Wrote(bytes)) => {
                    self.stall.end();
                    written += bytes;
                    if written >= WRITE_BYTES_MAX {
                        // There may be more, for as long as somebody publishes and the peer reads. Others first.
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if let Some(timeout) = context.write_timeout
                        && self.stall.poll(cx, timeout, context.clock.steady()).is_ready()
                    {
                        return Poll::Ready(End::Slow(self.stalled()));
                    }
                    ready!(transport.poll_writable(cx));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Poll::Ready(End::Lost),
            }
        }
    }

    fn fell_behind(&self) -> String {
        let kept = self.connection.context.feed.bytes_max();
        format!(
            "you read too slowly: more was waiting for you than is kept ({kept} bytes, {WHISPER_BYTES_MAX} of whispers)"
        )
    }

    fn stalled(&self) -> String {
        let seconds = self.connection.context.write_timeout.unwrap_or_default().as_secs();
        format!("you read nothing of what was waiting for you for {seconds} s")
    }

    /// Goes on from the store, if there is one.
    fn catch_up(&mut self) -> bool {
        let Connection { context, mailbox, session, .. } = self.connection;
        let Some(stored) = &context.stored else { return false };
        let notice = |dialect: Dialect, text: &mut Vec<u8>| {
            console::fell_behind(*session);
            dialect.write_event(
                text,
                Tag { id: None, at: context.clock.wall() },
                &Event::Notice(Text::truncated(FELL_BEHIND)),
            );
        };
        let messages = |missed| stored.missed(missed, mailbox);
        self.cursor.catch_up(&context.feed, mailbox, notice, messages);
        true
    }
}

/// What is told to a peer that goes on from the store.
const FELL_BEHIND: &str = "you read too slowly: joins, leaves and the like are left out here, messages are not; the list of members follows them";

/// How long the socket has been full. Nothing until it first is: most never are.
#[derive(Debug, Default)]
struct Stall(Option<Box<StallTimer>>);

#[derive(Debug)]
struct StallTimer {
    since: Option<Instant>,
    /// Set at the first stall and left alone while there is progress: it then goes off early and is set again.
    timer: Timer,
}

impl Stall {
    /// The socket took something.
    fn end(&mut self) {
        if let Some(full) = &mut self.0 {
            full.since = None;
        }
    }

    /// The socket is full at the time `now`. Ready when it has been for as long as `timeout`.
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

    /// No timer goes off in here: it is the clock that is asked.
    #[test]
    fn stall_ends_after_timeout_without_progress() {
        let timeout = Duration::from_hours(1);
        let clock = ManualClock::new(Timestamp(0));
        let mut stall = Stall::default();
        let mut is_stalled_after = |seconds, progress: bool| {
            clock.advance(Duration::from_secs(seconds));
            if progress {
                stall.end();
            }
            stall.poll(&mut Context::from_waker(std::task::Waker::noop()), timeout, clock.steady()).is_ready()
        };
        assert!(!is_stalled_after(0, false) && !is_stalled_after(3599, false));
        assert!(!is_stalled_after(1, true), "the client has read something");
        assert!(!is_stalled_after(3599, false) && is_stalled_after(1, false));
    }
}
