//! Appends to the log. A guard, the position of the last message under the node's own subject, keeps a repeated append from being stored
//! twice.

use std::error::Error as _;
use std::sync::Arc;

use async_nats::jetstream::context::traits::Publisher as _;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use tokio::time::{Instant, timeout};

use super::{ANSWER, Shared, pause_after_failure};
use crate::cluster::{AppendFailure, EngineReport, LogPosition};

/// Appends a message, and reports its position or why it failed.
pub(super) async fn append_and_report(
    shared: Arc<Shared>,
    run: u64,
    attempt: u64,
    expected: LogPosition,
    body: Arc<[u8]>,
) {
    let began_at = Instant::now();
    let report = match append(&shared, run, expected, body).await {
        Ok(at) => {
            shared.appended.send_if_modified(|last| {
                let is_later = at > *last;
                *last = at.max(*last);
                is_later
            });
            EngineReport::Appended { attempt, at }
        }
        Err(failure) => {
            pause_after_failure(began_at).await;
            EngineReport::AppendFailed { attempt, failure }
        }
    };
    shared.report(report).await;
}

async fn append(
    shared: &Shared,
    run: u64,
    expected: LogPosition,
    body: Arc<[u8]>,
) -> Result<LogPosition, AppendFailure> {
    // Without a connection, the client would keep the message in memory.
    let connection = shared.connected().await.map_err(AppendFailure::Unknown)?;
    let unknown = |what: &str| Err(AppendFailure::Unknown(what.to_owned()));
    tokio::select! {
        result = timeout(ANSWER, publish(shared, run, expected, body)) => match result {
            Ok(Ok(at)) => Ok(at),
            Ok(Err(error)) => Err(failure_of(&error, expected)),
            Err(_) => unknown("the engine did not answer in time"),
        },
        // No answer can come any more.
        () = shared.lost(connection) => unknown("the connection to the engine was lost"),
    }
}

async fn publish(
    shared: &Shared,
    run: u64,
    expected: LogPosition,
    body: Arc<[u8]>,
) -> Result<LogPosition, PublishError> {
    let message = PublishMessage::build()
        .payload(Bytes::from_owner(body))
        .expected_last_subject_sequence(expected.0)
        .outbound_message(shared.cluster.subject(run));
    let acknowledgement = shared.context.publish_message(message).await?.await?;
    Ok(LogPosition(acknowledgement.sequence))
}

fn failure_of(error: &PublishError, expected: LogPosition) -> AppendFailure {
    let detail = error.source().map(ToString::to_string).unwrap_or_default();
    match error.kind() {
        PublishErrorKind::WrongLastSequence if !is_outdated(&detail, expected) => AppendFailure::WrongLastPosition,
        _ => AppendFailure::Unknown(error.to_string()),
    }
}

/// Whether a refusal has an earlier last position than the expected one. A leader that was cut off answers from an outdated log until it
/// notices.
fn is_outdated(detail: &str, expected: LogPosition) -> bool {
    let last =
        detail.split("wrong last sequence: ").nth(1).map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    last.flatten().and_then(|last| last.parse().ok()).is_some_and(|last| LogPosition(last) < expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_of_an_outdated_leader_decides_nothing() {
        let outdated = |detail: &str| is_outdated(detail, LogPosition(5));
        assert!(outdated("wrong last sequence: 4 (error code 10071)") && outdated("x: wrong last sequence: 0"));
        assert!(!outdated("wrong last sequence: 5") && !outdated("wrong last sequence: 12, code 1"));
        assert!(!outdated("") && !outdated("wrong last sequence") && !outdated("wrong last sequence: x"));
    }
}
