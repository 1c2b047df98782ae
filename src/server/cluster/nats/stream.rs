//! The stream that has the log: creates and inspects it.

use std::collections::HashMap;
use std::sync::Arc;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{CreateStreamErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, Info, StorageType};
use tokio::time::Instant;

use super::{Shared, pause_after_failure};
use crate::cluster::{EngineReport, LogPosition, StreamInfo};
use crate::limits::{LOG_HEADER_BYTES_MAX, LOG_MESSAGE_BYTES_MAX};

/// The key of the stream's identity in its metadata.
const IDENTITY: &str = "chinwag-identity";

/// Creates the stream if there is none, and reports its state.
pub(super) async fn inspect_and_report(shared: Arc<Shared>) {
    let began_at = Instant::now();
    let inspected = inspect(&shared).await;
    if inspected.is_err() {
        pause_after_failure(began_at).await;
    }
    shared.report(EngineReport::Inspected(inspected)).await;
}

async fn inspect(shared: &Shared) -> Result<StreamInfo, String> {
    shared.connected().await?;
    let payload = shared.client.max_payload();
    if payload < LOG_MESSAGE_BYTES_MAX + LOG_HEADER_BYTES_MAX {
        return Err(format!(
            "the engine accepts messages of at most {payload} bytes: expected max_payload: 1MB in its configuration"
        ));
    }
    let info = match find(shared).await? {
        Some(info) => info,
        None => create(shared).await?,
    };
    check(&info.config, shared)?;
    let (first, last) = (LogPosition(info.state.first_sequence), LogPosition(info.state.last_sequence));
    Ok(StreamInfo {
        identity: info.config.metadata.get(IDENTITY).cloned().unwrap_or_default(),
        // A stream that never had a message says that its first one is 0.
        first: if info.state.messages == 0 { last.next() } else { first },
        last,
    })
}

async fn find(shared: &Shared) -> Result<Option<Info>, String> {
    match shared.context.get_stream(shared.cluster.stream()).await {
        Ok(stream) => Ok(Some(stream.cached_info().clone())),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(None),
            _ => Err(format!("cannot inspect the log: {error}")),
        },
    }
}

async fn create(shared: &Shared) -> Result<Info, String> {
    let config = config(shared, format!("{:016x}", fastrand::u64(..)));
    let error = match shared.context.create_stream(config).await {
        Ok(stream) => return Ok(stream.cached_info().clone()),
        Err(error) => error,
    };
    match error.kind() {
        // Another node has just created it, with another identity.
        CreateStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NAME_EXIST => {
            find(shared).await?.ok_or_else(|| "another node has just created the log, and it is gone".to_owned())
        }
        _ => Err(format!("cannot create the log with {} copies: {error}", shared.replicas)),
    }
}

/// The stream of a new log.
fn config(shared: &Shared, identity: String) -> Config {
    Config {
        name: shared.cluster.stream(),
        subjects: vec![shared.cluster.subjects()],
        storage: StorageType::File,
        num_replicas: shared.replicas,
        max_age: shared.retention,
        // A full engine refuses a message rather than to drop the oldest ones, which nodes may not have read.
        discard: DiscardPolicy::New,
        deny_delete: true,
        allow_direct: true,
        metadata: HashMap::from([(IDENTITY.to_owned(), identity)]),
        ..Config::default()
    }
}

/// Checks what nodes rely on: somebody else may have created the stream.
fn check(found: &Config, shared: &Shared) -> Result<(), String> {
    let fail =
        |what: &str| Err(format!("the stream {} {what}; delete it or choose another name for the cluster", found.name));
    if found.metadata.get(IDENTITY).is_none_or(String::is_empty) {
        return fail("was not created by chinwagd");
    }
    if found.subjects != [shared.cluster.subjects()] {
        return fail("has other subjects than those of the cluster");
    }
    if found.storage != StorageType::File {
        return fail("is not on disk");
    }
    Ok(())
}
