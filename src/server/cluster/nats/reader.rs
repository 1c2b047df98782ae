//! Readers of the log. A reader is a consumer in the memory of one server of the engine: if that server fails, the reader ends, and the node
//! begins another one.
//!
//! Not async-nats' ordered consumer: it stalls when its server fails, and can begin again at the first message of the log.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::pull::{Config, Stream as Messages};
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use futures_util::StreamExt as _;
use tokio::time::{Instant, sleep, timeout};

use super::Shared;
use crate::cluster::{EngineReport, LogMessage, LogPosition, ReaderId};
use crate::limits::{
    READER_EXPIRY_MS, READER_HEARTBEAT_MS, READER_MESSAGES_MAX, READER_PAUSE_MS, READER_SILENCE_MS_MAX,
};

/// Reports the messages of a reader, and its end, after a pause.
pub(super) async fn read_and_report(shared: Arc<Shared>, reader: ReaderId, first: LogPosition) {
    let began_at = Instant::now();
    let why = match begin(&shared, first).await {
        Ok((connection, messages)) => tokio::select! {
            why = follow(&shared, reader, first, messages) => why,
            // The engine may have sent messages that did not arrive, and does not send them again.
            () = shared.lost(connection) => "the connection to the engine was lost".to_owned(),
        },
        Err(why) => why,
    };
    if began_at.elapsed() > Duration::from_millis(READER_EXPIRY_MS) {
        shared.failed_readers.store(0, Ordering::Relaxed);
    }
    sleep(pause_after(shared.failed_readers.fetch_add(1, Ordering::Relaxed))).await;
    shared.report(EngineReport::ReaderLost { reader, why }).await;
}

/// The pause after the end of a reader that follows this number of readers without a message.
fn pause_after(failed: u32) -> Duration {
    let [shortest, longest] = READER_PAUSE_MS;
    Duration::from_millis(shortest.saturating_mul(1 << failed.min(16)).min(longest))
}

/// Returns also the number of the connection.
async fn begin(shared: &Shared, first: LogPosition) -> Result<(u64, Messages), String> {
    let connection = shared.connected().await?;
    let config = Config {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: first.0.max(1) },
        ack_policy: AckPolicy::None,
        memory_storage: true,
        num_replicas: 1,
        inactive_threshold: Duration::from_millis(READER_EXPIRY_MS),
        ..Config::default()
    };
    let stream = shared.cluster.stream();
    let consumer = shared.context.create_consumer_on_stream(config, stream).await.map_err(|error| error.to_string())?;
    let messages = consumer.stream().max_messages_per_batch(READER_MESSAGES_MAX);
    let messages = messages.heartbeat(Duration::from_millis(READER_HEARTBEAT_MS)).messages().await;
    Ok((connection, messages.map_err(|error| error.to_string())?))
}

/// Reports messages until the reader ends. Returns why.
///
/// The client notices if the consumer is silent, but not if it is alive and has stopped to return messages. So a reader ends, too, if it
/// has nothing for some time although the node's own last append is still to come.
async fn follow(shared: &Shared, reader: ReaderId, first: LogPosition, mut messages: Messages) -> String {
    let mut next = first;
    loop {
        match timeout(Duration::from_millis(READER_SILENCE_MS_MAX), messages.next()).await {
            Ok(Some(Ok(message))) => match to_log_message(shared, &message) {
                Ok(message) => {
                    next = message.position.next();
                    shared.failed_readers.store(0, Ordering::Relaxed);
                    shared.report(EngineReport::Read { reader, message }).await;
                }
                Err(why) => return why,
            },
            Ok(Some(Err(error))) => return error.to_string(),
            Ok(None) => return "the client has ended the reader".to_owned(),
            Err(_) if *shared.appended.borrow() >= next => {
                return "the engine does not return the node's own last append".to_owned();
            }
            Err(_) => {}
        }
    }
}

fn to_log_message(shared: &Shared, message: &Message) -> Result<LogMessage, String> {
    let info = message.info().map_err(|error| format!("a message has no position: {error}"))?;
    let engine_ms = info.published.unix_timestamp_nanos() / 1_000_000;
    Ok(LogMessage {
        position: LogPosition(info.stream_sequence),
        engine_ms: u64::try_from(engine_ms).unwrap_or_default(),
        // A message that no node appended has its position, too.
        run: shared.cluster.run_of(&message.subject).unwrap_or_default(),
        body: Arc::from(&*message.payload),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pause_grows_to_a_second() {
        let pauses = [0, 1, 2, 3, 4, 5, u32::MAX].map(|failed| pause_after(failed).as_millis());
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000, 1000]);
    }
}
