//! The level of the log, which a reload may change. An event below the level costs what it costs without this: each place in the code that
//! logs an event keeps whether it is logged, and only a change of the level asks all of them again.
//!
//! Only events of chinwag are logged: those of a library may have a client's text, and their messages are not constant.

use std::sync::{Mutex, PoisonError};

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;

/// Changes the level of a subscriber.
pub(super) type SetLevel = Box<dyn Fn(LevelFilter) + Send>;

/// Changes the level of the process' log; `None` before its start.
static SET_LEVEL: Mutex<Option<SetLevel>> = Mutex::new(None);

/// Limits a subscriber to events of this level and above. Returns also how to change the level.
pub(super) fn limit<S>(subscriber: S, level: LevelFilter) -> (impl Subscriber + Send + Sync, SetLevel)
where
    S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(of_chinwag(level));
    let set_level = move |level: LevelFilter| {
        // Fails only once the subscriber is dropped, and with it the log.
        let _ = handle.reload(of_chinwag(level));
    };
    (subscriber.with(filter), Box::new(set_level))
}

/// The events of this level and above whose modules are chinwag's.
fn of_chinwag(level: LevelFilter) -> Targets {
    Targets::new().with_target(env!("CARGO_CRATE_NAME"), level)
}

/// Keeps how to change the level of the process' log.
pub(super) fn keep(set_level: SetLevel) {
    *SET_LEVEL.lock().unwrap_or_else(PoisonError::into_inner) = Some(set_level);
}

/// Changes the level of the process' log.
pub(in crate::server) fn set_level(level: LevelFilter) {
    if let Some(set_level) = &*SET_LEVEL.lock().unwrap_or_else(PoisonError::into_inner) {
        set_level(level);
    }
}

#[cfg(test)]
mod tests {
    use tracing::{debug, error, info, warn};

    use super::*;
    use crate::server::log::tests::Buffer;
    use crate::server::log::{LogFormat, line::LineStyle, subscriber};

    /// One event for each place in the code, as in the server: the place remembers whether it is logged.
    #[test]
    fn level_changes_while_the_log_runs() {
        let buffer = Buffer::default();
        let output = buffer.clone();
        let style = LineStyle::default();
        let (subscriber, set_level) = subscriber(LevelFilter::WARN, style, move || output.clone());
        tracing::subscriber::with_default(subscriber, || {
            for (level, expected) in [
                (LevelFilter::WARN, &["WARN three"][..]),
                (LevelFilter::DEBUG, &["DEBUG one", "INFO two", "WARN three"]),
                (LevelFilter::OFF, &[]),
                (LevelFilter::INFO, &["INFO two", "WARN three"]),
            ] {
                set_level(level);
                debug!("one");
                info!("two");
                warn!("three");
                assert_eq!(buffer.take_lines(LogFormat::Text), expected, "{level}");
            }
        });
    }

    #[test]
    fn events_of_libraries_are_not_logged() {
        let log = || {
            error!(target: "async_nats::connector", "received status message: a client's text");
            debug!("own");
        };
        assert_eq!(crate::server::log::tests::logged(LogFormat::Text, log), ["DEBUG own"]);
    }
}
