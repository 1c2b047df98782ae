//! Carries out the operator's requests about accounts and moderation. The reply to a change is sent once the store has it, or has failed.

use async_channel::Sender;

use super::Hub;
use crate::command::{ClientLine, Command, Refusal, ServerLine};
use crate::control::{AccountReply, AccountRequest, ControlError};
use crate::limits::CONTROL_CHANGES_MAX;
use crate::protocol::{Name, SanctionId, Timestamp};
use crate::server::operator::{self, OperatorStep};
use crate::session::InputKind;
use crate::state::{AccountOutcome, AccountRejection, Moderation, SessionId};

/// The result of an operator's request.
pub type OperatorResult = Result<AccountReply, ControlError>;

/// The lines of the reply to an operator's command of moderation.
pub type ModerationResult = Result<String, ControlError>;

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

    /// Processes a command of moderation.
    pub(super) fn process_moderation(
        &mut self,
        at: Timestamp,
        line: ClientLine,
        to_operator: Sender<ModerationResult>,
    ) {
        let result = match self.begin_moderation(at, line) {
            Ok(ModerationStep::Change(moderation)) => {
                self.moderating.push_back(to_operator);
                return self.apply(at, SessionId::SERVER, InputKind::Moderate(moderation));
            }
            Ok(ModerationStep::Reply(lines)) => Ok(lines),
            Err(error) => Err(error),
        };
        let _ = to_operator.try_send(result);
    }

    fn begin_moderation(
        &self,
        at: Timestamp,
        ClientLine { room, content }: ClientLine,
    ) -> Result<ModerationStep, ControlError> {
        let refused = |refusal: &Refusal| ControlError::moderation_refused(refusal);
        let command = content.map_err(|refusal| refused(&refusal))?.ok_or_else(ControlError::moderation_missing)?;
        let state = self.sessions.state();
        let room =
            room.map(|room| state.find_room(&room).ok_or_else(|| ControlError::room_unknown(&room))).transpose()?;
        if let Command::Bans(bans) = command {
            let (listings, next) = bans.list(state, room, at, true);
            let lines = listings.iter().map(|listing| format!("{listing}\n"));
            let next = next.map(|SanctionId(next)| format!("next={next}\n"));
            return Ok(ModerationStep::Reply(lines.chain(next).collect()));
        }
        if self.moderating.len() >= CONTROL_CHANGES_MAX {
            return Err(ControlError::too_many_changes(CONTROL_CHANGES_MAX));
        }
        if let Command::Ban(ban) = &command {
            ban.expect_no_proxy(|network| self.sessions.is_proxy(network)).map_err(|refusal| refused(&refusal))?;
        }
        command.moderation(room).map(ModerationStep::Change).map_err(|refusal| refused(&refusal))
    }

    /// Replies to the operator whose command has waited longest.
    pub(super) fn finish_moderation(&mut self, line: &ServerLine) {
        let Some(to_operator) = self.moderating.pop_front() else { return };
        let result = match line {
            ServerLine::Err(refusal) => Err(ControlError::moderation_refused(refusal)),
            line => Ok(moderation_reply(line)),
        };
        let _ = to_operator.try_send(result);
    }

    /// Replies to the operator whose change has waited longest: the results come in the order of the changes.
    pub(super) fn finish_operator_change(&mut self, result: Result<AccountOutcome, AccountRejection>) {
        let Some(OperatorChange { at, name, to_operator }) = self.operator_changes.pop_front() else { return };
        let _ = to_operator.try_send(operator::finish(self.sessions.state(), at, name, result));
    }
}

/// The next step of a command of moderation.
enum ModerationStep {
    /// It is done: the lines of the reply.
    Reply(String),
    /// Submit this.
    Change(Moderation),
}

/// The reply, without the word `OK` at its beginning: it is not the last line.
fn moderation_reply(line: &ServerLine) -> String {
    let line = line.to_string();
    format!("{}\n", line.strip_prefix("OK ").unwrap_or(&line))
}
