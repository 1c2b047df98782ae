//! The options of the feature `web`.

use std::sync::Arc;
use std::time::Duration;

use chinwag::command_line::parse_seconds;
use chinwag::limits::{HTTP_HEADER_TIMEOUT_SECONDS_DEFAULT, HTTP_PING_INTERVAL_SECONDS_DEFAULT, TIMEOUT_SECONDS_MAX};
use chinwag::server::WebOptions;
use chinwag::web::{AllowedOrigins, WebOrigin};

use super::Arguments;
use super::configuration::seconds;
use super::listen::ListenUri;

/// Explains an option that needs a listener for browsers, if there is none.
pub(super) fn find_missing(arguments: &Arguments) -> Option<String> {
    let given = [
        (!arguments.http_origin.is_empty(), "--http-origin"),
        (arguments.http_header_timeout.is_some(), "--http-header-timeout"),
        (arguments.http_ping_interval.is_some(), "--http-ping-interval"),
    ];
    let (_, option) =
        given.into_iter().find(|(is_given, _)| *is_given && !arguments.listen.iter().any(ListenUri::is_http))?;
    Some(format!(
        "{option} without an http:// or https:// listener: expected one, such as --listen http://127.0.0.1:8080"
    ))
}

/// The configuration of the listeners for browsers.
pub(super) fn options(arguments: &mut Arguments) -> Arc<WebOptions> {
    Arc::new(WebOptions {
        origins: AllowedOrigins::new(std::mem::take(&mut arguments.http_origin)),
        header_timeout: Duration::from_secs(
            arguments.http_header_timeout.unwrap_or(HTTP_HEADER_TIMEOUT_SECONDS_DEFAULT),
        ),
        ping_interval: seconds(arguments.http_ping_interval.unwrap_or(HTTP_PING_INTERVAL_SECONDS_DEFAULT)),
        forwarding: None,
    })
}

pub(super) fn parse_origin(raw: &str) -> Result<WebOrigin, String> {
    raw.parse()
}

pub(super) fn parse_header_timeout(raw: &str) -> Result<u64, String> {
    parse_seconds(raw, 1..=TIMEOUT_SECONDS_MAX)
}
