//! Checks that the store stays in its layer: it must not use the wire format, nor connections.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Modules of the crate that the store may use.
const MODULES: [&str; 4] = ["limits", "process", "protocol", "store"];

/// Items of `protocol` that it may use: values, and the words of a search.
const VALUES: [&str; 32] = [
    "AccountId",
    "AccountTokenId",
    "AuditAct",
    "AuditActor",
    "AuditEntry",
    "AuditNumber",
    "AuditQuery",
    "AuditRecord",
    "Day",
    "MessageId",
    "ModerationRecord",
    "Name",
    "OwnDeletion",
    "PasswordHash",
    "PastMessage",
    "Role",
    "RoomId",
    "RoomLock",
    "RoomName",
    "RoomRules",
    "SanctionTarget",
    "Sanction",
    "SanctionId",
    "SanctionKind",
    "Subject",
    "Text",
    "Timestamp",
    "Token",
    "TokenLabel",
    "Verifier",
    "fold_case",
    "words",
];

/// Words of the wire and of its types that must not be in its code or comments.
const WIRE: [&str; 10] = ["Dialect", "ERR", "Event", "MSG", "NOTICE", "Mailbox", "PAST", "Refusal", "Reply", "Verb"];

#[test]
fn store_uses_values_only() {
    let mut checked = BTreeSet::new();
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/store"));
    let mut entries: Vec<_> = fs::read_dir(root).unwrap().collect();
    while let Some(entry) = entries.pop() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            entries.extend(fs::read_dir(&path).unwrap());
            continue;
        }
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        if name == "layers.rs" {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        for used in source.split("crate::").skip(1) {
            let module = words(used).next().unwrap_or_default();
            assert!(MODULES.contains(&module) && used.starts_with(module), "{name} uses crate::{module}");
            for item in used.strip_prefix("protocol::").into_iter().flat_map(items) {
                assert!(VALUES.contains(&item), "{name} uses crate::protocol::{item}");
            }
        }
        // Tests may name commands.
        let is_test = name.split('/').any(|part| part == "tests" || part == "tests.rs");
        let code = if is_test { "" } else { source.split("\n#[cfg(test)]\nmod tests {").next().unwrap() };
        let word = words(code).find(|word| WIRE.contains(word));
        assert_eq!(word, None, "{name} has a word of the wire");
        checked.insert(name);
    }
    let some = ["mod.rs", "page.rs", "query.rs", "tests/mod.rs", "writer.rs", "writer/tests.rs"];
    assert!(some.iter().all(|name| checked.contains(*name)), "{checked:?}");
}

/// The first name of each item in a path: `A` and `b` for `{A, b::{C, D}}`, and `A` for `A::new()`.
fn items(path: &str) -> Vec<&str> {
    let Some(list) = path.strip_prefix('{') else { return words(path).take(1).collect() };
    let mut depth = 0;
    let split = list.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        depth < 0 || (depth == 0 && c == ',')
    });
    split.map_while(|item| words(item).next()).collect()
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

#[test]
fn items_of_a_path_are_found() {
    assert_eq!(items("Text::truncated(x)"), ["Text"]);
    assert_eq!(items("{MessageId, Text};\nfn f() {}"), ["MessageId", "Text"]);
    assert_eq!(items("{\n    A, words::{B, C},\n    D,\n};\n"), ["A", "words", "D"]);
}
