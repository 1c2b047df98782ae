//! Turns what one peer sends into requests for the hub, no faster than its rate allows and its replies are read.

use std::io;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use futures_lite::future;
use smol::Timer;

use super::{Connection, FrameLayer, Framed};
use crate::command::{Command, Pipelining, Refusal, Verb};
use crate::limits::{
    LINE_BYTES_MAX, LINES_IN_FLIGHT_MAX, LONE_CR_SILENCE_MS, MESSAGES_IN_FLIGHT_BYTES, MESSAGES_IN_FLIGHT_MAX,
    PAST_OVERHEAD_BYTES, PRIVATE_BYTES_PAUSE, READ_BYTES_MAX, READ_COST_BYTES_MIN, ROW_BYTES_MAX,
};
use crate::protocol::{Decoded, Ending, LeaveReason, LineDecoder, LineError, Secret};
use crate::server::pace::Pace;
use crate::session::InputKind;

/// The receiving half of a connection.
pub(super) struct Reader<'a> {
    connection: &'a Connection,
    decoder: LineDecoder,
    pace: Pace,
    /// Bytes that were read and not yet paid for by a token.
    unpaid: usize,
    /// Lines for which an answer is due or was given. `answered <= handed_over`.
    handed_over: u64,
    ending_told: bool,
    /// The verb of the last lines, if the store has to answer them: a line with another verb waits for these answers.
    storing: Option<Verb>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(connection: &'a Connection) -> Self {
        let is_framed = connection.frames.is_some();
        Self {
            connection,
            decoder: if is_framed { LineDecoder::of_known_peer() } else { LineDecoder::new() },
            pace: Pace::default(),
            unpaid: 0,
            handed_over: 0,
            ending_told: false,
            storing: None,
        }
    }

    /// Reads to the end of the input, or until it shows that there is nothing in it for us.
    ///
    /// # Errors
    /// The connection broke, or the hub is gone.
    pub(super) async fn read(&mut self) -> io::Result<()> {
        let connection = self.connection;
        // What was read may have to wait for the rate; it is not to be much.
        let bytes_max = if connection.host.line_rate.is_unlimited() { READ_BYTES_MAX } else { LINE_BYTES_MAX };
        loop {
            let read = if self.decoder.may_end_lines_at_cr() {
                Box::pin(self.read_after_cr(bytes_max)).await?
            } else {
                connection.socket.read_some(bytes_max).await?
            };
            let Some(mut bytes) = read else { break };
            if Box::pin(self.digest(&mut bytes)).await?.is_break() {
                return Ok(());
            }
        }
        if connection.frames.is_some() {
            // A client that ends the connection in good order sends a close frame first.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Box::pin(self.finish()).await
    }

    /// Reads on after a CR that may be this client's line ending: if nothing follows for a while, it is.
    async fn read_after_cr(&mut self, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
        let connection = self.connection;
        let read = async { Some(connection.socket.read_some(bytes_max).await) };
        let silence = async {
            Timer::after(Duration::from_millis(LONE_CR_SILENCE_MS)).await;
            None
        };
        if let Some(read) = future::or(read, silence).await {
            return read;
        }
        self.decoder.end_lines_at_cr();
        // Another protocol would have been detected before a line ends.
        let _ = self.take_text(&[]).await?;
        connection.socket.read_some(bytes_max).await
    }

    /// Carries out the lines that end in `bytes`, and breaks off where nothing more is to be read.
    async fn digest(&mut self, bytes: &mut [u8]) -> io::Result<ControlFlow<()>> {
        let connection = self.connection;
        // Telnet's requests are answered, too; their answers can go unread like any.
        connection.until(|outbox| outbox.waiting_bytes() <= PRIVATE_BYTES_PAUSE).await;
        self.unpaid += bytes.len().max(READ_COST_BYTES_MIN);
        let flow = match &connection.frames {
            Some(frames) => self.take_frames(frames.as_ref(), bytes).await?,
            None => self.take_text(bytes).await?,
        };
        // A line without end, or nothing but telnet's bytes, or frames' headers.
        while flow.is_continue() && self.unpaid > LINE_BYTES_MAX {
            self.pay().await?;
            // Without a rate limit there is no pause, and a client that sends such bytes without end would keep others waiting.
            future::yield_now().await;
        }
        Ok(flow)
    }

    async fn take_text(&mut self, mut rest: &[u8]) -> io::Result<ControlFlow<()>> {
        let connection = self.connection;
        while let Some(decoded) = self.decoder.next(&mut rest) {
            match decoded {
                Decoded::Telnet(answer) => connection.outbox.push_urgent(&answer),
                Decoded::AreYouThere => {
                    self.pay().await?;
                    self.hand_over(InputKind::AreYouThere, 0).await?;
                }
                Decoded::Line(line) => self.take(line).await?,
                Decoded::Foreign(foreign) => return self.end_with(InputKind::Foreign(foreign)).await,
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    async fn take_frames(&mut self, frames: &dyn FrameLayer, mut rest: &mut [u8]) -> io::Result<ControlFlow<()>> {
        while let Some(framed) = frames.read(&mut rest) {
            match framed {
                Framed::Text(text) => {
                    // Text in frames is never taken for another protocol.
                    let _ = self.take_text(text).await?;
                }
                Framed::EndOfMessage => {
                    while let Some(Decoded::Line(line)) = self.decoder.finish() {
                        self.take(line).await?;
                    }
                }
                // The writer sends the control frame.
                Framed::Control => self.connection.outbox.wake(),
                Framed::EndOfInput => return self.end_with(InputKind::EndOfInput).await,
                // The lines before it are carried out first; then the member leaves.
                Framed::Invalid => return self.end_with(InputKind::Gone(LeaveReason::Errors)).await,
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Reports the end of input to the hub, after all lines before it.
    async fn end_with(&mut self, action: InputKind) -> io::Result<ControlFlow<()>> {
        self.until_stored().await;
        self.connection.tell(action)?;
        Ok(ControlFlow::Break(()))
    }

    /// Carries out what stands behind the last line's end.
    async fn finish(&mut self) -> io::Result<()> {
        while let Some(Decoded::Line(line)) = self.decoder.finish() {
            self.take(line).await?;
        }
        self.until_stored().await;
        self.connection.tell(InputKind::EndOfInput)
    }

    async fn take(&mut self, line: Result<String, LineError>) -> io::Result<()> {
        let connection = self.connection;
        self.pay().await?;
        if !std::mem::replace(&mut self.ending_told, true) && self.decoder.ending() == Some(Ending::CrLf) {
            connection.tell(InputKind::Ending(Ending::CrLf))?;
        }
        // No line is too long for that.
        let bytes = line.as_ref().map_or(0, |line| u32::try_from(line.len()).unwrap_or(u32::MAX));
        let mode = connection.outbox.mode();
        let action = match line.map_err(Refusal::from).and_then(|line| Command::parse(&line, mode)) {
            Ok(None) => InputKind::Blank,
            Ok(Some(command)) => with_secret(command),
            Err(refusal) => InputKind::Refuse(refusal),
        };
        self.hand_over(action, bytes).await
    }

    /// Hands a line of `bytes` bytes, or telnet's AYT, to the hub, and waits until more may follow.
    async fn hand_over(&mut self, action: InputKind, bytes: u32) -> io::Result<()> {
        let connection = self.connection;
        let verb = match &action {
            InputKind::Command(command) => Some(command.verb()),
            _ => None,
        };
        let pipelining = verb.map_or(Pipelining::Any, |verb| verb.specification().pipelining);
        if self.storing != verb {
            self.until_stored().await;
        }
        let is_stored = pipelining == Pipelining::SameVerb && connection.host.stored.is_some();
        self.storing = verb.filter(|_| is_stored);
        connection.tell_line(action, bytes)?;
        self.handed_over += 1;
        let in_flight_max = match pipelining {
            Pipelining::Off => 1,
            Pipelining::SameVerb if is_stored => messages_in_flight_max(bytes as usize),
            Pipelining::SameVerb | Pipelining::Any => LINES_IN_FLIGHT_MAX,
        };
        connection
            .until(|outbox| {
                self.handed_over - outbox.answered() < in_flight_max as u64
                    && outbox.waiting_bytes() <= PRIVATE_BYTES_PAUSE
                    && connection.row.bytes() <= ROW_BYTES_MAX
            })
            .await;
        Ok(())
    }

    /// Waits until the store has answered every line that it has to answer.
    async fn until_stored(&mut self) {
        if self.storing.take().is_some() {
            self.connection.until(|outbox| outbox.answered() == self.handed_over).await;
        }
    }

    /// Pays a token for a line, or for as many bytes as the longest has, once there is one.
    ///
    /// # Errors
    /// The connection broke meanwhile. Reading would show it only after all that came before.
    async fn pay(&mut self) -> io::Result<()> {
        self.unpaid = self.unpaid.saturating_sub(LINE_BYTES_MAX);
        let Connection { host, socket, .. } = self.connection;
        let wait = self.pace.take(host.line_rate, Instant::now());
        if wait.is_zero() {
            return Ok(());
        }
        socket.listen(false)?;
        Timer::after(wait).await;
        socket.listen(true)?;
        socket.get_ref().take_error()?.map_or(Ok(()), Err)
    }
}

/// How many messages as long as this one may be on their way to the store.
fn messages_in_flight_max(bytes: usize) -> usize {
    (MESSAGES_IN_FLIGHT_BYTES / (bytes + PAST_OVERHEAD_BYTES)).clamp(LINES_IN_FLIGHT_MAX, MESSAGES_IN_FLIGHT_MAX)
}

/// The command, with the secret that it needs. Without randomness from the system there is no secret, and `SET resume on` is refused.
fn with_secret(command: Command) -> InputKind {
    let mut random = [0; 16];
    if command.needs_secret() && getrandom::fill(&mut random).is_ok() {
        InputKind::CommandWithSecret(command, Secret::new(random))
    } else {
        InputKind::Command(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When it was 64 of each, ten who said as much as they could were heard four fifths as often.
    #[test]
    fn more_short_messages_are_on_their_way_to_the_store_than_long_ones() {
        assert_eq!(messages_in_flight_max(64), MESSAGES_IN_FLIGHT_MAX);
        assert_eq!(messages_in_flight_max(300), 165);
        assert_eq!(messages_in_flight_max(LINE_BYTES_MAX), LINES_IN_FLIGHT_MAX);
    }
}
