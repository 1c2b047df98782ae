//! Carries out the operator's requests about accounts. The reply to a change is sent once the store has it.

use async_channel::Sender;

use super::Hub;
use crate::control::{AccountReply, AccountRequest, ControlError};
use crate::limits::CONTROL_CHANGES_MAX;
use crate::protocol::{Name, Timestamp};
use crate::server::operator::{self, OperatorStep};
use crate::session::InputKind;
use crate::state::{AccountOutcome, AccountRejection, SessionId};

/// The result of an operator's request.
pub type OperatorResult = Result<AccountReply, ControlError>;

/// A change of an operator that is not stored yet.
#[derive(Debug)]
pub(super) struct OperatorChange {
    at: Timestamp,
    name: Name,
    to_operator: Sender<OperatorResult>,
}

impl Hub {
    /// Processes a request of an operator.
    pub(super) fn process_operator(
        &mut self,
        at: Timestamp,
        request: AccountRequest,
        to_operator: Sender<OperatorResult>,
    ) {
        let result = match self.begin_operator_request(at, request) {
            Ok(OperatorStep::Change(name, update)) => {
                // Before the change: its result may follow at once.
                self.operator_changes.push_back(OperatorChange { at, name, to_operator });
                return self.apply(at, SessionId::SERVER, InputKind::ChangeAccount(update));
            }
            Ok(OperatorStep::Reply(reply)) => Ok(reply),
            Err(error) => Err(error),
        };
        // Fails if the operator no longer waits. So does the same below.
        let _ = to_operator.try_send(result);
    }

    fn begin_operator_request(&self, at: Timestamp, request: AccountRequest) -> Result<OperatorStep, ControlError> {
        if !self.sessions.has_accounts() {
            return Err(if cfg!(feature = "accounts") {
                ControlError::accounts_off()
            } else {
                ControlError::accounts_not_built()
            });
        }
        let step = operator::begin(self.sessions.state(), at, true, request)?;
        if matches!(step, OperatorStep::Change(..)) && self.operator_changes.len() >= CONTROL_CHANGES_MAX {
            return Err(ControlError::too_many_changes(CONTROL_CHANGES_MAX));
        }
        Ok(step)
    }

    /// Replies to the operator whose change has waited longest: the results come in the order of the changes.
    pub(super) fn finish_operator_change(&mut self, result: Result<AccountOutcome, AccountRejection>) {
        let Some(OperatorChange { at, name, to_operator }) = self.operator_changes.pop_front() else { return };
        let _ = to_operator.try_send(operator::finish(self.sessions.state(), at, name, result));
    }
}
