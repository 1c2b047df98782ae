//! The options of the feature `store`.

use std::sync::Arc;

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

pub(super) fn parse_keep(raw: &str) -> Result<Retention, String> {
    raw.parse().map_err(|_| "expected an age (30d, 12h), a size (1gb, 500mb), a number of messages, or all".to_owned())
}
