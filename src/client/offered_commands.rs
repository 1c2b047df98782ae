//! The commands that the client offers at a terminal, and how they are typed.

use crate::command::Verb;

/// The commands that `/help` lists: the verb, how it is typed, what it does.
const COMMANDS: [(Option<Verb>, &str, &str); 10] = [
    (Some(Verb::Msg), "text", "send a message to everybody; //text if it begins with a slash"),
    (Some(Verb::Whisper), "/msg name[,name] text", "whisper: only these members read it; /w is short for it"),
    (None, "/reply text", "whisper to the last member who whispered to you"),
    (Some(Verb::Who), "/who", "list the members"),
    (Some(Verb::History), "/history [number]", "show the last messages"),
    (Some(Verb::Search), "/search words", "find messages, newest first, if the server stores messages"),
    (Some(Verb::Nick), "/nick name", "change your nickname"),
    (Some(Verb::Status), "/status", "list addresses and times (coordinator only)"),
    (Some(Verb::Ping), "/ping", "check whether the server answers"),
    (Some(Verb::Quit), "/quit [reason]", "leave; also: .exit, QUIT, Ctrl-D; Ctrl-C ends the client by SIGINT"),
];

/// The lines that `/help` shows.
pub(super) fn help() -> impl Iterator<Item = String> {
    COMMANDS.iter().map(|(_, usage, what)| format!("{usage:<22} {what}"))
}

/// How the user types a command, if the client offers it.
pub(super) fn usage_of(verb: Verb) -> Option<&'static str> {
    if verb == Verb::Since {
        return Some("/since id");
    }
    COMMANDS.iter().find(|(offered, ..)| *offered == Some(verb)).map(|(_, usage, _)| *usage)
}
