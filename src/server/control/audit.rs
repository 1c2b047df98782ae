//! Reads the audit log for `chinwagd audit`: the stored entries from the store, the others from the hub.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ControlServer;
use crate::control::{AuditLine, ControlError};
use crate::protocol::{AuditNumber, AuditQuery, AuditRecord};
use crate::server::hub::HubRequest;

impl ControlServer {
    /// The lines of the reply. `None` if the hub has ended.
    pub(super) async fn read_audit(&self, query: &AuditQuery) -> Option<Result<String, ControlError>> {
        // The hub first: entries that are stored meanwhile are found twice, and none is missed.
        let (asking, answer) = async_channel::bounded(1);
        self.context.to_hub.send(&Arc::default(), HubRequest::Audit(asking), 0).ok()?;
        let unstored = answer.recv().await.ok()?;
        let stored = match self.context.store_reader.clone() {
            Some(store) => {
                let query = query.clone();
                // In another thread, so that no task waits for a disk.
                let read = smol::unblock(move || store.read_audit(&query));
                match read.await {
                    Ok(stored) => stored,
                    Err(why) => return Some(Err(ControlError::audit_unreadable(&why))),
                }
            }
            None => Vec::new(),
        };
        Some(Ok(newest(query, unstored, stored).map(|line| format!("{line}\n")).collect()))
    }
}

/// The newest entries that the query asks for, by number. The store has selected its own.
fn newest(query: &AuditQuery, unstored: Vec<AuditRecord>, stored: Vec<AuditRecord>) -> impl Iterator<Item = AuditLine> {
    let line = |record: AuditRecord, is_stored| (record.number, AuditLine { record, is_stored });
    let unstored = unstored.into_iter().filter(|record| query.accepts(record)).map(|record| line(record, false));
    let stored = stored.into_iter().map(|record| line(record, true));
    let lines: BTreeMap<AuditNumber, AuditLine> = unstored.chain(stored).collect();
    let surplus = lines.len().saturating_sub(query.limit);
    lines.into_values().skip(surplus)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{AuditAct, AuditEntry, Timestamp};

    fn record(number: u64) -> AuditRecord {
        AuditRecord { number: AuditNumber(number), entry: AuditEntry::new(Timestamp(0), AuditAct::Kick) }
    }

    #[test]
    fn entry_that_is_stored_meanwhile_is_listed_once() {
        let listed = |before: Option<u64>, limit| {
            let query = AuditQuery { before: before.map(AuditNumber), limit, room: None, by: None };
            let stored = [1, 2, 4].map(record).into_iter().filter(|record| query.accepts(record)).collect();
            let lines = newest(&query, [4, 5].map(record).into(), stored);
            lines.map(|line| (line.record.number.0, line.is_stored)).collect::<Vec<_>>()
        };
        assert_eq!(listed(None, 9), [(1, true), (2, true), (4, true), (5, false)]);
        assert_eq!(listed(None, 2), [(4, true), (5, false)]);
        assert_eq!(listed(Some(5), 2), [(2, true), (4, true)]);
        assert_eq!(listed(Some(1), 2), []);
    }
}
