//! Parses the values of the options. The errors say only what is expected; `command_line` adds the option and its value.

use std::path::PathBuf;

use chinwag::command_line::{parse_number, parse_seconds, parse_size};
use chinwag::limits::{
    BACKLOG_BYTES_MAX, BACKLOG_BYTES_MIN, DEAD_PEER_TIMEOUT_SECONDS_MAX, DEAD_PEER_TIMEOUT_SECONDS_MIN,
    EPOCH_CHARS_MAX, HISTORY_MESSAGES_MAX, RATE_MAX, ROOMS_MAX, TIMEOUT_SECONDS_MAX,
};
use chinwag::protocol::Token;
use chinwag::server::log::LogFormat;
use tracing::level_filters::LevelFilter;

pub(super) fn parse_path(raw: &str) -> Result<PathBuf, String> {
    if raw.is_empty() { Err("expected a path".to_owned()) } else { Ok(raw.into()) }
}

pub(super) fn parse_level(raw: &str) -> Result<LevelFilter, String> {
    let levels = [LevelFilter::OFF, LevelFilter::ERROR, LevelFilter::WARN, LevelFilter::INFO, LevelFilter::DEBUG];
    let level = levels.into_iter().find(|level| level.to_string() == raw);
    level.ok_or_else(|| "expected off, error, warn, info or debug".to_owned())
}

pub(super) fn parse_log_format(raw: &str) -> Result<LogFormat, String> {
    match raw {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("expected text or json".to_owned()),
    }
}

pub(super) fn parse_backlog(raw: &str) -> Result<usize, String> {
    let max = BACKLOG_BYTES_MAX.min(usize::MAX as u64);
    let bytes = parse_size(raw, BACKLOG_BYTES_MIN as u64..=max)?;
    Ok(usize::try_from(bytes).expect("within the range"))
}

pub(super) fn parse_history(raw: &str) -> Result<usize, String> {
    parse_number(raw, 0..=HISTORY_MESSAGES_MAX, "a number of messages")
}

pub(super) fn parse_rooms(raw: &str) -> Result<usize, String> {
    parse_number(raw, 1..=ROOMS_MAX, "a number of rooms")
}

pub(super) fn parse_epoch(raw: &str) -> Result<Token, String> {
    let fits = (1..=EPOCH_CHARS_MAX).contains(&raw.len()) && raw.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let epoch = Token::new(raw).ok().filter(|_| fits);
    epoch.ok_or_else(|| format!("expected 1 to {EPOCH_CHARS_MAX} letters and digits"))
}

pub(super) fn parse_clients(raw: &str) -> Result<usize, String> {
    parse_number(raw, 1.., "a number of connections")
}

pub(super) fn parse_per_address(raw: &str) -> Result<usize, String> {
    parse_number(raw, 0.., "a number of connections")
}

pub(super) fn parse_connect_rate(raw: &str) -> Result<u32, String> {
    parse_number(raw, 0..=RATE_MAX, "a number of connections per second")
}

pub(super) fn parse_line_rate(raw: &str) -> Result<u32, String> {
    parse_number(raw, 0..=RATE_MAX, "a number of lines per second")
}

pub(super) fn parse_line_burst(raw: &str) -> Result<u32, String> {
    parse_number(raw, 1..=RATE_MAX, "a number of lines")
}

pub(super) fn parse_dead_peer_timeout(raw: &str) -> Result<u64, String> {
    match parse_seconds(raw, DEAD_PEER_TIMEOUT_SECONDS_MIN..=DEAD_PEER_TIMEOUT_SECONDS_MAX) {
        Err(_) if parse_seconds(raw, 0..=0).is_ok() => Ok(0),
        Err(what) => Err(what.replacen("expected", "expected 0 or", 1)),
        Ok(seconds) => Ok(seconds),
    }
}

pub(super) fn parse_timeout(raw: &str) -> Result<u64, String> {
    parse_seconds(raw, 0..=TIMEOUT_SECONDS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_peer_timeout_is_0_or_in_range() {
        for (raw, expected) in [("0", 0), ("0s", 0), ("8", 8), ("2m", 120), ("1d", 86_400)] {
            assert_eq!(parse_dead_peer_timeout(raw), Ok(expected), "{raw:?}");
        }
        for raw in ["7", "1ms", "7999ms", "25h", "-0", ""] {
            assert!(parse_dead_peer_timeout(raw).is_err(), "{raw:?}");
        }
    }
}
