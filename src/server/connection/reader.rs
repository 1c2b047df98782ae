//! Turns the input of one client into requests for the hub. Applies the rate limit, and backpressure while the client does not read its
//! replies.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use futures_lite::future;
use smol::Timer;

use super::Connection;
use crate::command::{ClientLine, Command, Pipelining, Refusal, Verb};
use crate::limits::{
    LINE_BYTES_MAX, LINES_IN_FLIGHT_MAX, LONE_CR_SILENCE_MS, MESSAGES_IN_FLIGHT_BYTES, MESSAGES_IN_FLIGHT_MAX,
    PAST_OVERHEAD_BYTES, PRIVATE_BYTES_PAUSE, QUEUE_BYTES_MAX, READ_BYTES_MAX, READ_COST_BYTES_MIN,
};
use crate::protocol::{DecoderOutput, Ending, LeaveReason, LineDecoder, LineError, RoomName, Secret};
use crate::server::token_bucket::TokenBucket;
use crate::server::transport::{ReceivedBytes, Transport, read_input};
use crate::session::InputKind;

/// The receiving half of a connection.
pub(super) struct InputReader<'a, T: Transport> {
    connection: &'a Connection<T>,
    decoder: LineDecoder,
    bucket: TokenBucket,
    /// Bytes that were read and for which no token was spent yet.
    uncharged_bytes: usize,
    /// Lines sent to the hub, answered or not.
    lines_sent: u64,
    is_ending_sent: bool,
    /// The verb of the last lines, if their replies wait for the store. A line with another verb, or about another room, is sent only after
    /// these replies: it may be answered at once.
    unstored_verb: Option<Verb>,
    /// The room that these lines name. Boxed, because most lines name none.
    unstored_room: Option<Box<RoomName>>,
}

impl<'a, T: Transport> InputReader<'a, T> {
    pub(super) fn new(connection: &'a Connection<T>) -> Self {
        Self {
            connection,
            decoder: connection.transport.decoder(),
            bucket: TokenBucket::default(),
            uncharged_bytes: 0,
            lines_sent: 0,
            is_ending_sent: false,
            unstored_verb: None,
            unstored_room: None,
        }
    }

    /// Reads until the end of the input, or until the client turns out to speak another protocol.
    ///
    /// # Errors
    /// The connection broke, or the hub has ended.
    pub(super) async fn read(&mut self) -> io::Result<()> {
        let connection = self.connection;
        loop {
            // With a rate limit, lines that were read may have to wait, so little is read at once.
            let is_unlimited = connection.context.line_rate.get().is_unlimited();
            let bytes_max = if is_unlimited { READ_BYTES_MAX } else { LINE_BYTES_MAX };
            let input = if self.decoder.may_end_lines_at_cr() {
                Box::pin(self.read_after_cr(bytes_max)).await
            } else {
                read_input(&connection.transport, bytes_max).await
            };
            match input {
                Ok(Some(input)) => {
                    if Box::pin(self.process_input(input)).await?.is_break() {
                        return Ok(());
                    }
                }
                Ok(None) => return Box::pin(self.finish()).await,
                // The client leaves after the lines before the error.
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    return Box::pin(self.report_end(InputKind::Disconnected(LeaveReason::Errors))).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads on after a CR. If nothing follows for [`LONE_CR_SILENCE_MS`], this client ends its lines with CR.
    async fn read_after_cr(&mut self, bytes_max: usize) -> io::Result<Option<ReceivedBytes>> {
        let connection = self.connection;
        let input = async { Some(read_input(&connection.transport, bytes_max).await) };
        let silence = async {
            Timer::after(Duration::from_millis(LONE_CR_SILENCE_MS)).await;
            None
        };
        if let Some(input) = future::or(input, silence).await {
            return input;
        }
        self.decoder.end_lines_at_cr();
        // Another protocol would have been detected before a line ends.
        let _ = self.process_text(&[]).await?;
        read_input(&connection.transport, bytes_max).await
    }

    /// Processes the lines that end in `input`. Breaks if the rest of the input is ignored.
    async fn process_input(&mut self, input: ReceivedBytes) -> io::Result<ControlFlow<()>> {
        let connection = self.connection;
        connection.context.metrics.count_received(T::NAME, input.wire_bytes);
        // Backpressure also for telnet's requests: a client may leave the answers unread.
        connection.wait_for_mailbox(|mailbox| mailbox.waiting_bytes() <= PRIVATE_BYTES_PAUSE).await;
        self.uncharged_bytes += input.wire_bytes.max(READ_COST_BYTES_MIN);
        let flow = self.process_text(&input.bytes).await?;
        // Bytes without a complete line: part of a long line, telnet commands, frame headers.
        while flow.is_continue() && self.uncharged_bytes > LINE_BYTES_MAX {
            self.spend_token().await?;
            // Without a rate limit, spending a token does not wait; an endless stream of such bytes would keep other tasks from running.
            future::yield_now().await;
        }
        Ok(flow)
    }

    async fn process_text(&mut self, mut rest: &[u8]) -> io::Result<ControlFlow<()>> {
        let connection = self.connection;
        while let Some(decoded) = self.decoder.next(&mut rest) {
            match decoded {
                DecoderOutput::Telnet(answer) => connection.mailbox.push_urgent(&answer),
                DecoderOutput::AreYouThere => {
                    self.spend_token().await?;
                    self.send_line(InputKind::AreYouThere, 0).await?;
                }
                DecoderOutput::Line(line) => self.process_line(line).await?,
                DecoderOutput::OtherProtocol(protocol) => {
                    self.report_end(InputKind::OtherProtocol(protocol)).await?;
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Reports the end of the input to the hub, after the store's replies to all lines before it.
    async fn report_end(&mut self, kind: InputKind) -> io::Result<()> {
        self.wait_until_stored().await;
        self.connection.send_to_hub(kind)
    }

    /// Processes the remaining lines, of which the last may lack its ending. Then reports the end of the input.
    async fn finish(&mut self) -> io::Result<()> {
        while let Some(DecoderOutput::Line(line)) = self.decoder.finish() {
            self.process_line(line).await?;
        }
        self.report_end(InputKind::EndOfInput).await
    }

    async fn process_line(&mut self, line: Result<String, LineError>) -> io::Result<()> {
        let connection = self.connection;
        self.spend_token().await?;
        if !std::mem::replace(&mut self.is_ending_sent, true) && self.decoder.ending() == Some(Ending::CrLf) {
            connection.send_to_hub(InputKind::Ending(Ending::CrLf))?;
        }
        // The conversion cannot fail: the length of a line is limited.
        let bytes = line.as_ref().map_or(0, |line| u32::try_from(line.len()).unwrap_or(u32::MAX));
        let mode = connection.mailbox.mode();
        let kind = line.map_or_else(
            |error| InputKind::Refuse(Refusal::from(error)),
            |line| add_secret(InputKind::from(ClientLine::parse(&line, mode))),
        );
        self.send_line(kind, bytes).await
    }

    /// Sends a line of `bytes` bytes, or telnet's AYT, to the hub. Then waits until the next line may be sent.
    async fn send_line(&mut self, kind: InputKind, bytes: u32) -> io::Result<()> {
        let connection = self.connection;
        let command = match &kind {
            InputKind::Command(command)
            | InputKind::CommandIn(_, command)
            | InputKind::CommandWithSecret(command, _) => Some(command),
            _ => None,
        };
        let verb = command.map(Command::verb);
        if matches!(verb, Some(Verb::Nick | Verb::Login | Verb::Takeover)) {
            // Other clients read a rename once for each room. Earlier lines may enter rooms.
            connection.wait_for_mailbox(|mailbox| mailbox.answered() == self.lines_sent).await;
            for _ in 1..connection.mailbox.rooms() {
                self.spend_token().await?;
            }
        }
        let pipelining = verb.map_or(Pipelining::Any, |verb| verb.specification().pipelining);
        let room = if let InputKind::CommandIn(room, _) = &kind { Some(room) } else { None };
        let is_stored = connection.context.store_reader.is_some() && command.is_some_and(Command::waits_for_store);
        if !is_stored || self.unstored_verb != verb || self.unstored_room.as_deref() != room {
            self.wait_until_stored().await;
            self.unstored_room = room.filter(|_| is_stored).cloned().map(Box::new);
        }
        self.unstored_verb = verb.filter(|_| is_stored);
        connection.send_line_to_hub(kind, bytes)?;
        self.lines_sent += 1;
        let in_flight_max = match pipelining {
            Pipelining::Off => 1,
            Pipelining::SameVerb if is_stored => messages_in_flight_max(bytes as usize),
            Pipelining::SameVerb | Pipelining::Any => LINES_IN_FLIGHT_MAX,
        };
        connection
            .wait_for_mailbox(|mailbox| {
                self.lines_sent - mailbox.answered() < in_flight_max as u64
                    && mailbox.waiting_bytes() <= PRIVATE_BYTES_PAUSE
                    && connection.queue.bytes() <= QUEUE_BYTES_MAX
            })
            .await;
        Ok(())
    }

    /// Waits until all replies that wait for the store are sent.
    async fn wait_until_stored(&mut self) {
        if self.unstored_verb.take().is_some() {
            self.connection.wait_for_mailbox(|mailbox| mailbox.answered() == self.lines_sent).await;
        }
    }

    /// Spends a token for one line, or for [`LINE_BYTES_MAX`] bytes without a line. Waits if the bucket is empty.
    ///
    /// # Errors
    /// The connection broke during the wait. A read would report that only after all input before it.
    async fn spend_token(&mut self) -> io::Result<()> {
        self.uncharged_bytes = self.uncharged_bytes.saturating_sub(LINE_BYTES_MAX);
        let Connection { context, transport, .. } = self.connection;
        let wait = self.bucket.spend(context.line_rate.get(), context.clock.steady());
        if wait.is_zero() {
            return Ok(());
        }
        transport.watch_input(false)?;
        Timer::after(wait).await;
        transport.watch_input(true)?;
        transport.take_error()
    }
}

/// The number of messages of this length that may be in flight to the store.
fn messages_in_flight_max(bytes: usize) -> usize {
    (MESSAGES_IN_FLIGHT_BYTES / (bytes + PAST_OVERHEAD_BYTES)).clamp(LINES_IN_FLIGHT_MAX, MESSAGES_IN_FLIGHT_MAX)
}

/// Adds a random secret to a command that needs one. If the system has no randomness, the command gets no secret, and `SET resume on` is
/// refused.
fn add_secret(kind: InputKind) -> InputKind {
    let mut random = [0; 16];
    match kind {
        InputKind::Command(command) if command.needs_secret() && getrandom::fill(&mut random).is_ok() => {
            InputKind::CommandWithSecret(command, Secret::new(random))
        }
        kind => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With a fixed limit of 64 messages, ten clients that sent as fast as they could reached four fifths of the throughput.
    #[test]
    fn messages_in_flight_max_is_higher_for_short_messages() {
        assert_eq!(messages_in_flight_max(64), MESSAGES_IN_FLIGHT_MAX);
        assert_eq!(messages_in_flight_max(300), 165);
        assert_eq!(messages_in_flight_max(LINE_BYTES_MAX), LINES_IN_FLIGHT_MAX);
    }
}
