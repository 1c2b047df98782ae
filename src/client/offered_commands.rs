//! The commands that the client offers at a terminal, with their usage. [`super::typed`] parses them.

use crate::command::Verb;
use crate::protocol::Rank;

/// The commands that `/help` lists: the verb (`None`: a command of the client alone), the usage, the effect.
const COMMANDS: [(Option<Verb>, &str, &str); 34] = [
    (Some(Verb::Msg), "text", "send a message to the room; type //text to begin it with a slash"),
    (Some(Verb::Whisper), "/msg name[,name] text", "whisper to these members only; short form: /w"),
    (None, "/reply text", "whisper to the member who whispered to you last; short form: /r"),
    (Some(Verb::Join), "/join #room", "enter a room, or go to a room that you are in: your lines then go there"),
    (None, "/home", "go back to the room in which you started"),
    (Some(Verb::Part), "/part [#room] [reason]", "leave this room, or another one"),
    (Some(Verb::Rooms), "/rooms [#prefix]", "list all rooms, or only the ones with this prefix"),
    (Some(Verb::Topic), "/topic [text]", "show or set the topic of the room; /topic - removes it"),
    (None, "/#room text", "send a message to another room; /#room /who: a command about it"),
    (Some(Verb::Who), "/who", "list the members"),
    (Some(Verb::History), "/history [number]", "show the last messages"),
    (Some(Verb::Search), "/search words", "find stored messages that contain all of these words, newest first"),
    (Some(Verb::Nick), "/nick name", "change your nickname"),
    (Some(Verb::Status), "/status", "list members with times and, in #lobby, addresses (coordinator only)"),
    (Some(Verb::Kick), "/kick name [reason]", "remove a member from the room; it may come back"),
    (Some(Verb::Mute), "/mute name [duration] [reason]", "keep a member from speaking; duration: 10m, 1h, 7d"),
    (Some(Verb::Unmute), "/unmute name|number", "let the member speak again"),
    (Some(Verb::Ban), "/ban name [duration] [reason]", "keep a name out; /ban @name: the address of the member"),
    (Some(Verb::Unban), "/unban name|number", "end a ban"),
    (Some(Verb::Bans), "/bans", "list the bans and mutes"),
    (Some(Verb::Lock), "/lock open|accounts|invited", "let everybody, accounts or the invited enter the room"),
    (Some(Verb::Invite), "/invite name [on|off]", "invite an account or a guest into the room, or take that back"),
    (Some(Verb::Moderator), "/moderator name on|off", "make an account a moderator of the room, or take that back"),
    (Some(Verb::Delete), "/delete [id]", "delete your last message, or another one; /history shows the ids"),
    (Some(Verb::Ping), "/ping", "check the connection to the server"),
    (Some(Verb::Login), "/login [name]", "log in to your account; the client asks for its password"),
    (Some(Verb::Takeover), "/takeover [name]", "log in, and close the other connection that uses the account"),
    (Some(Verb::Register), "/register", "make your nickname an account: nobody else can take it then"),
    (Some(Verb::SetPassword), "/password", "set a new password for your account"),
    (Some(Verb::Unregister), "/unregister", "delete your account"),
    (Some(Verb::AccessTokens), "/token new label", "make an access token, with which a script logs in to your account"),
    (None, "/token list", "list your access tokens"),
    (None, "/token revoke number", "end the validity of an access token"),
    (Some(Verb::Quit), "/quit [reason]", "leave; also .exit, QUIT, Ctrl-D (Ctrl-C ends chinwag with SIGINT)"),
];

/// The lines that `/help` shows to a user with this rank.
pub(super) fn help(rank: Rank) -> impl Iterator<Item = String> {
    let is_allowed = move |verb: Option<Verb>| verb.is_none_or(|verb| needed_rank(verb) <= rank);
    let allowed = COMMANDS.iter().filter(move |(verb, ..)| is_allowed(*verb));
    allowed.map(|(_, usage, what)| format!("{usage:<22} {what}"))
}

/// The rank that a user needs for a command in a room. The server decides: this only chooses what the client offers.
pub(super) fn needed_rank(verb: Verb) -> Rank {
    match verb {
        Verb::Kick | Verb::Mute | Verb::Unmute | Verb::Ban | Verb::Unban | Verb::Bans | Verb::Lock | Verb::Invite => {
            Rank::Moderator
        }
        Verb::Moderator => Rank::Owner,
        _ => Rank::Member,
    }
}

/// The usage of a command, if the client offers it.
pub(super) fn usage_of(verb: Verb) -> Option<&'static str> {
    if verb == Verb::Since {
        return Some("/since id");
    }
    COMMANDS.iter().find(|(offered, ..)| *offered == Some(verb)).map(|(_, usage, _)| *usage)
}
