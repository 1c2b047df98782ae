//! The mode in which a session's lines are parsed.

/// The mode in which a session's lines are parsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// A line is a command.
    #[default]
    Commands,
    /// A line is a message, unless its first visible character is a slash: `/verb` is a command, and `//` begins a message with
    /// one slash.
    Chat,
}

impl Mode {
    /// The prefix of a verb in this mode.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Commands => "",
            Self::Chat => "/",
        }
    }
}
