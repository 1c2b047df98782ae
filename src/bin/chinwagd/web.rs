//! The options of the feature `web`.

use std::sync::Arc;
use std::time::Duration;

use chinwag::command_line::parse_number;
use chinwag::limits::{HEAD_TIMEOUT_SECONDS_DEFAULT, TIMEOUT_SECONDS_MAX, WEB_PING_SECONDS_DEFAULT};
use chinwag::server::{Listener, ServerOptions, WebOptions};
use chinwag::web::{AllowedOrigins, WebOrigin};

use super::{Arguments, OptionGroup, seconds};

pub(super) const OPTION_GROUP: OptionGroup = OptionGroup { find_missing, apply };

fn find_missing(arguments: &Arguments) -> Option<String> {
    let given = [
        (!arguments.web_origin.is_empty(), "--web-origin"),
        (arguments.web_head_timeout.is_some(), "--web-head-timeout"),
        (arguments.web_ping.is_some(), "--web-ping"),
    ];
    let (_, option) = given.into_iter().find(|(is_given, _)| *is_given && arguments.web.is_empty())?;
    Some(format!("{option} without --web: expected --web ADDR, where browsers connect, such as --web 127.0.0.1:8080"))
}

/// Adds the listeners for browsers.
fn apply(arguments: &mut Arguments, options: &mut ServerOptions) {
    let web_options = Arc::new(WebOptions {
        origins: AllowedOrigins::new(std::mem::take(&mut arguments.web_origin)),
        head_timeout: Duration::from_secs(arguments.web_head_timeout.unwrap_or(HEAD_TIMEOUT_SECONDS_DEFAULT)),
        ping_interval: seconds(arguments.web_ping.unwrap_or(WEB_PING_SECONDS_DEFAULT)),
    });
    options.listen.extend(arguments.web.iter().flatten().map(|&address| Listener::web(address, &web_options)));
}

pub(super) fn parse_origin(raw: &str) -> Result<WebOrigin, String> {
    raw.parse()
}

pub(super) fn parse_head_timeout(raw: &str) -> Result<u64, String> {
    parse_number(raw, 1..=TIMEOUT_SECONDS_MAX, "a number of seconds")
}
