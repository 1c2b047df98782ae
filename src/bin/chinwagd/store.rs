//! The options of the feature `store`.

use std::sync::Arc;
use std::time::Duration;

use chinwag::command_line::{count_with_unit, duration_with_unit, size_with_unit};
use chinwag::limits::{KEEP_AGE_SECONDS_MAX, KEEP_BYTES_MAX};
use chinwag::server::StoreOpener;
use chinwag::store::{self, Durability, Retention};

use super::Arguments;

/// Explains an option that needs `--data`, if that is missing.
pub(super) fn find_missing(arguments: &Arguments) -> Option<String> {
    let given = [(arguments.durability.is_some(), "--durability"), (arguments.keep.is_some(), "--keep")];
    let (_, option) = given.into_iter().find(|(is_given, _)| *is_given && arguments.data.is_none())?;
    Some(format!("{option} without --data: expected --data PATH, the file to store messages in"))
}

/// The store, if the server has one.
pub(super) fn opener(arguments: &mut Arguments) -> Option<Arc<dyn StoreOpener>> {
    let path = arguments.data.take()?;
    let (durability, keep) = (arguments.durability.unwrap_or_default(), arguments.keep.unwrap_or_default());
    Some(Arc::new(store::Options { path, durability, keep }))
}

pub(super) fn parse_durability(raw: &str) -> Result<Durability, String> {
    match raw {
        "full" => Ok(Durability::Full),
        "relaxed" => Ok(Durability::Relaxed),
        _ => Err("expected full or relaxed".to_owned()),
    }
}

/// The smallest age. A smaller one is a typing error, which would delete everything.
const AGE_MIN: Duration = Duration::from_secs(1);

/// Parses an age, a size or a number of messages, which must have a unit, or `all`.
pub(super) fn parse_keep(raw: &str) -> Result<Retention, String> {
    if raw == "all" {
        return Ok(Retention::All);
    }
    let age_max = Duration::from_secs(KEEP_AGE_SECONDS_MAX);
    let age = || duration_with_unit(raw).filter(|age| (AGE_MIN..=age_max).contains(age)).map(Retention::Age);
    let bytes = || size_with_unit(raw).filter(|bytes| (1..=KEEP_BYTES_MAX).contains(bytes)).map(Retention::Bytes);
    let count = || count_with_unit(raw, "message", "messages").filter(|&count| count > 0).map(Retention::Count);
    age().or_else(bytes).or_else(count).ok_or_else(|| {
        "expected an age (30d), a size (1GiB), a number of messages (\"100000 messages\") or all".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keep_is_an_age_a_size_or_a_count() {
        let seconds = |seconds| Some(Retention::Age(Duration::from_secs(seconds)));
        for (raw, expected) in [
            ("all", Some(Retention::All)),
            ("30d", seconds(30 * 24 * 3600)),
            ("12h", seconds(12 * 3600)),
            // Not minutes: who writes this means megabytes.
            ("500M", None),
            ("500ms", None),
            ("0.0000001s", None),
            ("1.5d", seconds(36 * 3600)),
            ("5m", seconds(300)),
            ("9s", seconds(9)),
            ("1GiB", Some(Retention::Bytes(1 << 30))),
            ("1gb", Some(Retention::Bytes(1 << 30))),
            ("500MB", Some(Retention::Bytes(500 << 20))),
            ("64kb", Some(Retention::Bytes(64 << 10))),
            ("100000 messages", Some(Retention::Count(100_000))),
            ("100000messages", Some(Retention::Count(100_000))),
            ("1 message", Some(Retention::Count(1))),
            ("100000", None),
            ("0", None),
            ("0d", None),
            ("0GiB", None),
            ("0 messages", None),
            ("", None),
            ("d", None),
            ("messages", None),
            ("-1", None),
            ("-1d", None),
            ("9x", None),
            ("3 weeks", None),
            ("ALL", None),
            ("99999999999999999999d", None),
            ("13031248922d", None),
            ("1025TiB", None),
            ("18446744073709551615gb", None),
        ] {
            assert_eq!(parse_keep(raw).ok(), expected, "{raw:?}");
        }
    }
}
