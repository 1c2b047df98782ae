//! The first word of a command.

use std::fmt;

use super::{Context, Verb};
use crate::protocol::Mode;

impl Verb {
    /// The verb that is this word, in any letter case.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|verb| verb.as_str().eq_ignore_ascii_case(word))
    }

    /// The verb that this word stands for in this mode, in any letter case. In chat mode an alias takes precedence over a verb: `/msg`
    /// whispers, as in IRC clients, so that no line that begins with a slash is published.
    pub(super) fn from_word_in(word: &str, mode: Mode) -> Option<Self> {
        let is_alias =
            |verb: &Self| verb.specification().chat_aliases.iter().any(|alias| alias.eq_ignore_ascii_case(word));
        let alias = Self::ALL.iter().copied().find(|verb| mode == Mode::Chat && is_alias(verb));
        alias.or_else(|| Self::from_word(word))
    }

    /// Whether `HELP` lists the command, and a line of chat mode may have been meant as it.
    pub(super) fn is_offered(self, context: &dyn Context) -> bool {
        match self {
            Self::Pass => context.has_password(),
            Self::Register => context.has_accounts() && context.has_registration(),
            _ if self.is_about_moderation() => context.may_moderate(),
            _ => !self.is_about_account() || context.has_accounts(),
        }
    }

    /// Whether only servers with accounts offer the command.
    pub fn is_about_account(self) -> bool {
        matches!(
            self,
            Self::Login | Self::Takeover | Self::Register | Self::SetPassword | Self::Unregister | Self::AccessTokens
        )
    }

    /// Whether only moderators and operators may use the command.
    pub fn is_about_moderation(self) -> bool {
        let is_about_sanctions = matches!(self, Self::Mute | Self::Unmute | Self::Ban | Self::Unban | Self::Bans);
        is_about_sanctions || matches!(self, Self::Kick | Self::Lock | Self::Invite | Self::Moderator)
    }

    /// The word, in capitals.
    pub fn as_str(self) -> &'static str {
        self.specification().verb
    }

    /// The verb and its arguments; optional ones are in brackets.
    pub fn usage(self) -> &'static str {
        self.specification().usage
    }

    /// The usage as written in this mode.
    pub fn usage_in(self, mode: Mode) -> String {
        self.write_usage(self.usage(), "", mode)
    }

    /// The usage as a hint writes it in this mode, so that a user can type what an error suggests. `room` precedes each alternative.
    pub(super) fn usage_in_hint(self, room: &str, mode: Mode) -> String {
        self.write_usage(self.specification().hint_usage.unwrap_or(self.usage()), room, mode)
    }

    fn write_usage(self, usage: &str, room: &str, mode: Mode) -> String {
        match self.specification().chat_usage {
            Some(usage) if mode == Mode::Chat => format!("{room}{usage}"),
            _ => {
                let alternatives = usage.split(OR).map(|usage| format!("{room}{}{usage}", mode.prefix()));
                alternatives.collect::<Vec<_>>().join(OR)
            }
        }
    }
}

/// Separates the alternatives of a usage.
const OR: &str = ", or ";

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
