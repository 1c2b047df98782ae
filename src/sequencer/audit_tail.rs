//! The entries of the audit log that no store has.

use std::collections::VecDeque;

use crate::limits::AUDIT_IN_MEMORY_MAX;
use crate::protocol::{AuditEntry, AuditNumber, AuditRecord};

/// Numbers the entries of the audit log. Keeps the newest ones that a store has refused so far or, without a store, the newest of all.
#[derive(Debug, Default)]
pub struct AuditTail {
    /// By number. At most [`AUDIT_IN_MEMORY_MAX`].
    records: VecDeque<AuditRecord>,
    /// The number that was given last.
    last: AuditNumber,
    /// How many entries have left the memory without being stored, since [`AuditTail::clear`].
    lost: u64,
}

impl AuditTail {
    /// For a store that has entries up to this number.
    pub fn after(last: AuditNumber) -> Self {
        Self { last, ..Self::default() }
    }

    /// Gives an entry the next number.
    pub fn number(&mut self, entry: AuditEntry) -> AuditRecord {
        self.last.0 += 1;
        AuditRecord { number: self.last, entry }
    }

    /// Keeps an entry, in place of the oldest one if there are too many. Returns whether it is the first that displaces another one.
    pub fn push(&mut self, record: AuditRecord) -> bool {
        let is_full = self.records.len() >= AUDIT_IN_MEMORY_MAX;
        if is_full {
            self.records.pop_front();
            self.lost += 1;
        }
        self.records.push_back(record);
        is_full && self.lost == 1
    }

    /// The entries, by number.
    pub fn records(&self) -> impl Iterator<Item = &AuditRecord> {
        self.records.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The entries are stored. Returns how many others were lost before.
    pub fn clear(&mut self) -> u64 {
        self.records.clear();
        std::mem::take(&mut self.lost)
    }

    /// Number of entries that are lost if nothing stores them any more.
    pub fn unstored_count(&self) -> u64 {
        self.lost + self.records.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{AuditAct, Timestamp};

    fn entry() -> AuditEntry {
        AuditEntry::new(Timestamp(0), AuditAct::Kick)
    }

    #[test]
    fn newest_entries_win_and_the_loss_is_counted() {
        let mut tail = AuditTail::after(AuditNumber(7));
        let mut firsts = 0;
        for _ in 0..AUDIT_IN_MEMORY_MAX + 3 {
            let record = tail.number(entry());
            firsts += u32::from(tail.push(record));
        }
        let numbers: Vec<_> = tail.records().map(|record| record.number.0).collect();
        assert_eq!(numbers.len(), AUDIT_IN_MEMORY_MAX);
        assert_eq!((numbers[0], numbers[numbers.len() - 1]), (11, 10 + AUDIT_IN_MEMORY_MAX as u64));
        assert_eq!((firsts, tail.unstored_count()), (1, 3 + AUDIT_IN_MEMORY_MAX as u64));
        assert_eq!((tail.clear(), tail.is_empty(), tail.unstored_count()), (3, true, 0));
        assert_eq!(tail.number(entry()).number.0, 11 + AUDIT_IN_MEMORY_MAX as u64, "no number is given twice");
    }
}
