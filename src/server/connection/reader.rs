//! Turns what one peer sends into requests for the hub, no faster than its rate allows and its replies are read.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use futures_lite::future;
use smol::Timer;

use super::Connection;
use crate::command::{Command, Pipelining, Refusal, Verb};
use crate::limits::{
    LINE_BYTES_MAX, LINES_IN_FLIGHT_MAX, LONE_CR_SILENCE_MS, MESSAGES_IN_FLIGHT_BYTES, MESSAGES_IN_FLIGHT_MAX,
    PAST_OVERHEAD_BYTES, PRIVATE_BYTES_PAUSE, QUEUE_BYTES_MAX, READ_BYTES_MAX, READ_COST_BYTES_MIN,
};
use crate::protocol::{DecoderOutput, Ending, LeaveReason, LineDecoder, LineError, Secret};
use crate::server::token_bucket::TokenBucket;
use crate::server::transport::{Input, Transport, read};
use crate::session::InputKind;

/// The receiving half of a connection.
pub(super) struct Reader<'a, T: Transport> {
    connection: &'a Connection<T>,
    decoder: LineDecoder,
    bucket: TokenBucket,
    /// Bytes that were read and not yet paid for by a token.
    uncharged_bytes: usize,
    /// Lines for which an answer is due or was given. `answered <= lines_sent`.
    lines_sent: u64,
    is_ending_sent: bool,
    /// The verb of the last lines, if the store has to answer them: a line with another verb waits for these answers.
    has_unstored: Option<Verb>,
}

impl<'a, T: Transport> Reader<'a, T> {
    pub(super) fn new(connection: &'a Connection<T>) -> Self {
        Self {
            connection,
            decoder: connection.transport.decoder(),
            bucket: TokenBucket::default(),
            uncharged_bytes: 0,
            lines_sent: 0,
            is_ending_sent: false,
            has_unstored: None,
        }
    }

    /// Reads to the end of the input, or until it shows that there is nothing in it for us.
    ///
    /// # Errors
    /// The connection broke, or the hub is gone.
    pub(super) async fn read(&mut self) -> io::Result<()> {
        let connection = self.connection;
        // What was read may have to wait for the rate; it is not to be much.
        let bytes_max = if connection.context.line_rate.is_unlimited() { READ_BYTES_MAX } else { LINE_BYTES_MAX };
        loop {
            let input = if self.decoder.may_end_lines_at_cr() {
                Box::pin(self.read_after_cr(bytes_max)).await
            } else {
                read(&connection.transport, bytes_max).await
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
                    return Box::pin(self.end_with(InputKind::Disconnected(LeaveReason::Errors))).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads on after a CR that may be this client's line ending: if nothing follows for a while, it is.
    async fn read_after_cr(&mut self, bytes_max: usize) -> io::Result<Option<Input>> {
        let connection = self.connection;
        let input = async { Some(read(&connection.transport, bytes_max).await) };
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
        read(&connection.transport, bytes_max).await
    }

    /// Processes the lines that end in `input`. Breaks if nothing more is to be read.
    async fn process_input(&mut self, input: Input) -> io::Result<ControlFlow<()>> {
        let connection = self.connection;
        // Telnet's requests are answered, too; their answers can go unread like any.
        connection.until(|mailbox| mailbox.waiting_bytes() <= PRIVATE_BYTES_PAUSE).await;
        self.uncharged_bytes += input.wire_bytes.max(READ_COST_BYTES_MIN);
        let flow = self.process_text(&input.bytes).await?;
        // A line without end, or nothing but telnet's bytes, or frames' headers.
        while flow.is_continue() && self.uncharged_bytes > LINE_BYTES_MAX {
            self.spend_token().await?;
            // Without a rate limit there is no pause, and a client that sends such bytes without end would keep others waiting.
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
                    self.end_with(InputKind::OtherProtocol(protocol)).await?;
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Reports the end of input to the hub, after all lines before it.
    async fn end_with(&mut self, action: InputKind) -> io::Result<()> {
        self.wait_until_stored().await;
        self.connection.tell(action)
    }

    /// Carries out what stands behind the last line's end.
    async fn finish(&mut self) -> io::Result<()> {
        while let Some(DecoderOutput::Line(line)) = self.decoder.finish() {
            self.process_line(line).await?;
        }
        self.end_with(InputKind::EndOfInput).await
    }

    async fn process_line(&mut self, line: Result<String, LineError>) -> io::Result<()> {
        let connection = self.connection;
        self.spend_token().await?;
        if !std::mem::replace(&mut self.is_ending_sent, true) && self.decoder.ending() == Some(Ending::CrLf) {
            connection.tell(InputKind::Ending(Ending::CrLf))?;
        }
        // No line is too long for that.
        let bytes = line.as_ref().map_or(0, |line| u32::try_from(line.len()).unwrap_or(u32::MAX));
        let mode = connection.mailbox.mode();
        let action = match line.map_err(Refusal::from).and_then(|line| Command::parse(&line, mode)) {
            Ok(None) => InputKind::Blank,
            Ok(Some(command)) => with_secret(command),
            Err(refusal) => InputKind::Refuse(refusal),
        };
        self.send_line(action, bytes).await
    }

    /// Hands a line of `bytes` bytes, or telnet's AYT, to the hub, and waits until more may follow.
    async fn send_line(&mut self, action: InputKind, bytes: u32) -> io::Result<()> {
        let connection = self.connection;
        let verb = match &action {
            InputKind::Command(command) => Some(command.verb()),
            _ => None,
        };
        let pipelining = verb.map_or(Pipelining::Any, |verb| verb.specification().pipelining);
        if self.has_unstored != verb {
            self.wait_until_stored().await;
        }
        let is_stored = pipelining == Pipelining::SameVerb && connection.context.stored.is_some();
        self.has_unstored = verb.filter(|_| is_stored);
        connection.tell_line(action, bytes)?;
        self.lines_sent += 1;
        let in_flight_max = match pipelining {
            Pipelining::Off => 1,
            Pipelining::SameVerb if is_stored => messages_in_flight_max(bytes as usize),
            Pipelining::SameVerb | Pipelining::Any => LINES_IN_FLIGHT_MAX,
        };
        connection
            .until(|mailbox| {
                self.lines_sent - mailbox.answered() < in_flight_max as u64
                    && mailbox.waiting_bytes() <= PRIVATE_BYTES_PAUSE
                    && connection.queue.bytes() <= QUEUE_BYTES_MAX
            })
            .await;
        Ok(())
    }

    /// Waits until the store has answered every line that it has to answer.
    async fn wait_until_stored(&mut self) {
        if self.has_unstored.take().is_some() {
            self.connection.until(|mailbox| mailbox.answered() == self.lines_sent).await;
        }
    }

    /// Pays a token for a line, or for as many bytes as the longest has, once there is one.
    ///
    /// # Errors
    /// The connection broke meanwhile. Reading would show it only after all that came before.
    async fn spend_token(&mut self) -> io::Result<()> {
        self.uncharged_bytes = self.uncharged_bytes.saturating_sub(LINE_BYTES_MAX);
        let Connection { context, transport, .. } = self.connection;
        let wait = self.bucket.take(context.line_rate, context.clock.steady());
        if wait.is_zero() {
            return Ok(());
        }
        transport.watch_input(false)?;
        Timer::after(wait).await;
        transport.watch_input(true)?;
        transport.take_error()
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
