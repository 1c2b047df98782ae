//! Formats a line from the server as a JSON object for scripts, with the keys that `docs/client.md` documents. Pure.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use serde_json::{Map, Value, json};

use crate::command::{ReceivedLine, Reply, RoomPosition, ServerLine, Verb, split_lock};
use crate::protocol::{RoomLock, Tag};

impl ReceivedLine {
    /// The line as a JSON object, in one line.
    pub(super) fn to_json(&self) -> String {
        let (word, rest) = self.words().split_once(' ').unwrap_or((self.words(), ""));
        let (rest, lock) = if word == "ROOM" { split_lock(rest) } else { (rest, None) };
        let keys = keys(word, rest);
        if keys.is_empty() {
            return json!({"type": "unknown", "line": self.line}).to_string();
        }
        let mut object = Map::from_iter([("type".to_owned(), json!(word.to_lowercase()))]);
        if let Some((Tag { id, at }, _)) = Tag::parse(&self.line) {
            object.extend([("id".to_owned(), json!(id.map(|id| id.0))), ("time".to_owned(), json!(at.to_string()))]);
        }
        if let Some(room) = &self.room {
            object.insert("room".to_owned(), json!(room.to_string()));
        }
        if let Some(ServerLine::Ok(Reply::Join(entered))) = &self.known {
            // A list: one command can enter several rooms.
            let rooms = entered.iter().map(|RoomPosition { room, epoch, last }| {
                json!({"room": room.to_string(), "epoch": epoch.as_ref().map(ToString::to_string), "last": last.0})
            });
            object.extend([("verb".to_owned(), json!("JOIN")), ("rooms".to_owned(), rooms.collect())]);
            return Value::Object(object).to_string();
        }
        for (&key, value) in keys.iter().zip(rest.splitn(keys.len(), ' ').filter(|value| !value.is_empty())) {
            let is_pair = (WITH_PAIRS.contains(&word) && PAIRS.contains(&key)) || (word, key) == ("SANCTION", "by");
            let value = value.split_once('=').filter(|_| is_pair).map_or(value, |(_, value)| value);
            if (word, key) == ("ROOM", "in") {
                object.insert(key.to_owned(), json!(value == "in"));
                continue;
            }
            let number = if NUMBERS.contains(&key) { value.parse::<u64>().ok() } else { None };
            object.insert(key.to_owned(), number.map_or_else(|| json!(value), |number| json!(number)));
        }
        if let Some(lock) = lock.filter(|lock| *lock != RoomLock::Open) {
            object.insert("lock".to_owned(), json!(lock.as_str()));
        }
        if let Some(field) = self.refusal().and_then(|refusal| refusal.field) {
            object.insert(field.key().to_owned(), json!(field.id().0));
        }
        Value::Object(object).to_string()
    }
}

/// The words of lines with pairs.
const WITH_PAIRS: [&str; 8] = ["OK", "HELLO", "ROOM", "TOKEN", "USER", "SANCTION", "MUTE", "BAN"];

/// The keys whose values are numbers.
const NUMBERS: [&str; 10] =
    ["watching", "id", "count", "members", "last", "width", "session", "idle", "online", "number"];

/// The keys whose words are written as `key=value`.
const PAIRS: [&str; 16] = [
    "epoch", "features", "last", "next", "members", "watching", "session", "address", "idle", "online", "rank",
    "created", "expires", "used", "until", "stored",
];

/// The keys for the words after `word`; none if `word` is unknown.
fn keys(word: &str, rest: &str) -> Vec<&'static str> {
    let keys: &[_] = match word {
        // The reply to a list has a count where the others have the number of a token.
        "OK" if rest.starts_with("TOKEN list ") => &["verb", "action", "count"],
        "OK" => return reply_keys(rest.split(' ').next().unwrap_or_default()),
        "HELLO" => {
            // A server of an earlier version has no features, or no epoch.
            let known = ["epoch", "features"].into_iter().filter(|key| rest.contains(&format!(" {key}=")));
            return ["version"].into_iter().chain(known).chain(["text"]).collect();
        }
        "ERR" => &["verb", "code", "text"],
        "USER" => return user_keys(rest),
        "JOIN" | "COORDINATOR" => &["name"],
        "LEAVE" => &["name", "reason", "text"],
        "RENAME" => &["from", "to"],
        "MSG" | "WHISPER" => &["from", "text"],
        "ROOM" => &["room", "members", "in", "topic"],
        "TOKEN" => &["number", "created", "expires", "used", "label"],
        "SANCTION" => &["number", "kind", "target", "by", "created", "until", "text"],
        "MUTE" | "BAN" => &["by", "target", "until", "text"],
        "UNMUTE" | "UNBAN" => &["by", "target"],
        "MODERATOR" => &["by", "name", "value"],
        "TOPIC" => &["from", "topic"],
        "LOCK" => &["by", "value"],
        "INVITE" => &["by", "name", "value"],
        "PAST" => &["id", "time", "from", "text"],
        "DELETE" => &["by", "id"],
        "ROSTER" => &["count"],
        "DRAW" if rest.ends_with(" clear") => &["from", "action"],
        "DRAW" | "STROKE" => &["from", "colour", "width", "points"],
        "NOTICE" => &["text"],
        "PING" => &["token"],
        _ => &[],
    };
    keys.to_vec()
}

/// The keys for the words of a member: the name and the role, and those of the pairs after them.
fn user_keys(rest: &str) -> Vec<&'static str> {
    let pairs = rest.split(' ').skip(2).map_while(|word| match word.split_once('=')?.0 {
        "id" => Some("session"),
        "address" => Some("address"),
        "idle" => Some("idle"),
        "online" => Some("online"),
        "rank" => Some("rank"),
        _ => None,
    });
    ["name", "role"].into_iter().chain(pairs).collect()
}

/// The keys for the words of a reply. A later version of the server may have other commands.
fn reply_keys(verb: &str) -> Vec<&'static str> {
    let keys = Verb::from_word(verb).map_or(&["text"][..], |verb| verb.specification().reply_keys);
    [&["verb"], keys].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        assert_eq!(ReceivedLine::new(line).to_json(), expected, "{line:?}");
    }

    #[test]
    fn reply_becomes_json_object() {
        check("OK HISTORY 2 last=57", r#"{"count":2,"last":57,"type":"ok","verb":"HISTORY"}"#);
        check("OK SINCE 0 last=0", r#"{"count":0,"last":0,"type":"ok","verb":"SINCE"}"#);
        check(
            "OK NICK al #ops epoch=b.1 last=7",
            r##"{"epoch":"b.1","last":7,"name":"al","room":"#ops","type":"ok","verb":"NICK"}"##,
        );
        check(
            "OK JOIN #ops epoch=b.1 last=7 #dev epoch=b.2 last=0",
            r##"{"rooms":[{"epoch":"b.1","last":7,"room":"#ops"},{"epoch":"b.2","last":0,"room":"#dev"}],"type":"ok","verb":"JOIN"}"##,
        );
        check("OK PART #ops", r##"{"room":"#ops","type":"ok","verb":"PART"}"##);
        check("OK ROOMS 100 next=#x", r##"{"count":100,"next":"#x","type":"ok","verb":"ROOMS"}"##);
        check("OK WHO 2 watching=1", r#"{"count":2,"type":"ok","verb":"WHO","watching":1}"#);
        check("#ops OK TOPIC be kind", r##"{"room":"#ops","topic":"be kind","type":"ok","verb":"TOPIC"}"##);
        check("OK CHAT on #ops", r##"{"room":"#ops","type":"ok","value":"on","verb":"CHAT"}"##);
        check(
            "OK WATCH #ops epoch=b.1 last=7",
            r##"{"epoch":"b.1","last":7,"room":"#ops","type":"ok","verb":"WATCH"}"##,
        );
        check("OK BAN 3 @bob stored=no", r#"{"number":3,"stored":"no","target":"@bob","type":"ok","verb":"BAN"}"#);
        check("OK MSG 12", r#"{"id":12,"type":"ok","verb":"MSG"}"#);
        check("OK NICK bob", r#"{"name":"bob","type":"ok","verb":"NICK"}"#);
        check("OK WHISPER bob,eve", r#"{"names":"bob,eve","type":"ok","verb":"WHISPER"}"#);
        check("OK WHO 2", r#"{"count":2,"type":"ok","verb":"WHO"}"#);
        check("OK STATUS 2", r#"{"count":2,"type":"ok","verb":"STATUS"}"#);
        check("OK PING", r#"{"type":"ok","verb":"PING"}"#);
        check("OK PING sync", r#"{"token":"sync","type":"ok","verb":"PING"}"#);
        check("OK SEARCH 2", r#"{"count":2,"type":"ok","verb":"SEARCH"}"#);
        check("OK CANVAS 3", r#"{"count":3,"type":"ok","verb":"CANVAS"}"#);
        check("OK DRAW", r#"{"type":"ok","verb":"DRAW"}"#);
        check("OK SET tags on", r#"{"option":"tags","type":"ok","value":"on","verb":"SET"}"#);
        check("OK SET resume on 17-0a", r#"{"option":"resume","token":"17-0a","type":"ok","value":"on","verb":"SET"}"#);
        check("OK RESUME bob", r#"{"name":"bob","type":"ok","verb":"RESUME"}"#);
        check("OK CHAT off", r#"{"type":"ok","value":"off","verb":"CHAT"}"#);
        check("OK LOGIN al", r#"{"name":"al","type":"ok","verb":"LOGIN"}"#);
        check("OK PASSWORD", r#"{"type":"ok","verb":"PASSWORD"}"#);
        check("OK TOKEN list 2", r#"{"action":"list","count":2,"type":"ok","verb":"TOKEN"}"#);
        check("OK TOKEN revoke 2", r#"{"action":"revoke","number":2,"type":"ok","verb":"TOKEN"}"#);
        check(
            "OK TOKEN new 2 cwt_0a expires=2027-02-28T12:44:29.138Z",
            r#"{"action":"new","expires":"2027-02-28T12:44:29.138Z","number":2,"token":"cwt_0a","type":"ok","verb":"TOKEN"}"#,
        );
        check("OK HELP", r#"{"type":"ok","verb":"HELP"}"#);
        check("OK QUIT", r#"{"type":"ok","verb":"QUIT"}"#);
        check("ERR MSG no-name take one", r#"{"code":"no-name","text":"take one","type":"err","verb":"MSG"}"#);
        check(
            "ERR SINCE too-old the oldest message that is kept has id 31; to get all messages from there on, write: SINCE 30",
            r#"{"code":"too-old","oldest":31,"text":"the oldest message that is kept has id 31; to get all messages from there on, write: SINCE 30","type":"err","verb":"SINCE"}"#,
        );
        check(
            "ERR SINCE id-ahead the last id is 5; if your id is from another epoch",
            r#"{"code":"id-ahead","last":5,"text":"the last id is 5; if your id is from another epoch","type":"err","verb":"SINCE"}"#,
        );
        check("ERR SINCE too-old gone", r#"{"code":"too-old","text":"gone","type":"err","verb":"SINCE"}"#);
        check("#ops OK MSG 12", r##"{"id":12,"room":"#ops","type":"ok","verb":"MSG"}"##);
        check(
            "#ops ERR SINCE id-ahead the last id is 5",
            r##"{"code":"id-ahead","last":5,"room":"#ops","text":"the last id is 5","type":"err","verb":"SINCE"}"##,
        );
        check("OK NICK 42", r#"{"name":"42","type":"ok","verb":"NICK"}"#);
        check("OK SING 3 la", r#"{"text":"3 la","type":"ok","verb":"SING"}"#);
    }

    #[test]
    fn other_line_becomes_json_object() {
        check("HELLO chinwag/1 hi", r#"{"text":"hi","type":"hello","version":"chinwag/1"}"#);
        check("HELLO chinwag/1 epoch=k7qd hi", r#"{"epoch":"k7qd","text":"hi","type":"hello","version":"chinwag/1"}"#);
        check(
            "HELLO chinwag/1 epoch=k7qd features=rooms,watch hi",
            r#"{"epoch":"k7qd","features":"rooms,watch","text":"hi","type":"hello","version":"chinwag/1"}"#,
        );
        check(
            "ROOM #ops members=12 in on = call",
            r##"{"in":true,"members":12,"room":"#ops","topic":"on = call","type":"room"}"##,
        );
        check(
            "ROOM #ops members=1 out on call lock=accounts",
            r##"{"in":false,"lock":"accounts","members":1,"room":"#ops","topic":"on call","type":"room"}"##,
        );
        check(
            "ROOM #ops members=1 out lock=accounts lock=open",
            r##"{"in":false,"members":1,"room":"#ops","topic":"lock=accounts","type":"room"}"##,
        );
        check("LOCK alice invited", r#"{"by":"alice","type":"lock","value":"invited"}"#);
        check("#ops INVITE - bob on", r##"{"by":"-","name":"bob","room":"#ops","type":"invite","value":"on"}"##);
        check("ROOM #dev members=1 out", r##"{"in":false,"members":1,"room":"#dev","type":"room"}"##);
        check("#ops TOPIC bob be kind", r##"{"from":"bob","room":"#ops","topic":"be kind","type":"topic"}"##);
        check("TOPIC bob", r#"{"from":"bob","type":"topic"}"#);
        check(
            "PAST 12 2026-11-20T12:44:29.138Z bob",
            r#"{"from":"bob","id":12,"time":"2026-11-20T12:44:29.138Z","type":"past"}"#,
        );
        check("DELETE alice 12", r#"{"by":"alice","id":12,"type":"delete"}"#);
        check(
            "PAST 12 2026-11-20T12:44:29.138Z bob hi there",
            r#"{"from":"bob","id":12,"text":"hi there","time":"2026-11-20T12:44:29.138Z","type":"past"}"#,
        );
        check(
            "DRAW bob #1e90ff 40 0,0 9,9",
            r##"{"colour":"#1e90ff","from":"bob","points":"0,0 9,9","type":"draw","width":40}"##,
        );
        check(
            "@- 2026-11-20T12:44:29.138Z DRAW bob clear",
            r#"{"action":"clear","from":"bob","id":null,"time":"2026-11-20T12:44:29.138Z","type":"draw"}"#,
        );
        check(
            "TOKEN 1 created=2026-11-30T12:44:29.138Z expires=2027-02-28T12:44:29.138Z used=never build = server",
            r#"{"created":"2026-11-30T12:44:29.138Z","expires":"2027-02-28T12:44:29.138Z","label":"build = server","number":1,"type":"token","used":"never"}"#,
        );
        check("USER a=b member", r#"{"name":"a=b","role":"member","type":"user"}"#);
        check("USER bob member", r#"{"name":"bob","role":"member","type":"user"}"#);
        check(
            "USER bob coordinator id=1 address=127.0.0.1:5 idle=2 online=3",
            r#"{"address":"127.0.0.1:5","idle":2,"name":"bob","online":3,"role":"coordinator","session":1,"type":"user"}"#,
        );
        check("USER bob member rank=owner", r#"{"name":"bob","rank":"owner","role":"member","type":"user"}"#);
        check(
            "#ops USER bob coordinator id=1 idle=2 online=3 rank=operator",
            r##"{"idle":2,"name":"bob","online":3,"rank":"operator","role":"coordinator","room":"#ops","session":1,"type":"user"}"##,
        );
        check(
            "SANCTION 3 ban @bob by=a=n created=2026-11-20T12:44:29.138Z until=never no = reason",
            r#"{"by":"a=n","created":"2026-11-20T12:44:29.138Z","kind":"ban","number":3,"target":"@bob","text":"no = reason","type":"sanction","until":"never"}"#,
        );
        check(
            "MUTE ann b=b until=2026-11-20T12:44:29.138Z too loud",
            r#"{"by":"ann","target":"b=b","text":"too loud","type":"mute","until":"2026-11-20T12:44:29.138Z"}"#,
        );
        check("UNBAN - bob", r#"{"by":"-","target":"bob","type":"unban"}"#);
        check("MODERATOR ann bob on", r#"{"by":"ann","name":"bob","type":"moderator","value":"on"}"#);
        check("JOIN bob", r#"{"name":"bob","type":"join"}"#);
        check("LEAVE bob eof", r#"{"name":"bob","reason":"eof","type":"leave"}"#);
        check("LEAVE bob quit tea", r#"{"name":"bob","reason":"quit","text":"tea","type":"leave"}"#);
        check("LEAVE bob timeout", r#"{"name":"bob","reason":"timeout","type":"leave"}"#);
        check("RENAME a b", r#"{"from":"a","to":"b","type":"rename"}"#);
        check("MSG bob say \"hi\"", r#"{"from":"bob","text":"say \"hi\"","type":"msg"}"#);
        check(
            "@12 2026-11-20T12:44:29.138Z MSG bob hi",
            r#"{"from":"bob","id":12,"text":"hi","time":"2026-11-20T12:44:29.138Z","type":"msg"}"#,
        );
        check(
            "@- 2026-11-20T12:44:29.138Z WHISPER bob hi",
            r#"{"from":"bob","id":null,"text":"hi","time":"2026-11-20T12:44:29.138Z","type":"whisper"}"#,
        );
        check(
            "@- 2026-11-20T12:44:29.138Z JOIN bob",
            r#"{"id":null,"name":"bob","time":"2026-11-20T12:44:29.138Z","type":"join"}"#,
        );
        check("COORDINATOR bob", r#"{"name":"bob","type":"coordinator"}"#);
        check("ROSTER 2", r#"{"count":2,"type":"roster"}"#);
        check(
            "@12 2026-11-20T12:44:29.138Z #ops MSG bob hi",
            r##"{"from":"bob","id":12,"room":"#ops","text":"hi","time":"2026-11-20T12:44:29.138Z","type":"msg"}"##,
        );
        check("#ops USER bob member", r##"{"name":"bob","role":"member","room":"#ops","type":"user"}"##);
        check("#ops SING la", r##"{"line":"#ops SING la","type":"unknown"}"##);
        check("NOTICE bye", r#"{"text":"bye","type":"notice"}"#);
        check("PING idle", r#"{"token":"idle","type":"ping"}"#);
        check("SING la", r#"{"line":"SING la","type":"unknown"}"#);
    }
}
