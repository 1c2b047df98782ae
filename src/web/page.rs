//! The page: files that are compiled into the program.

/// A file of the page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asset {
    pub(super) path: &'static str,
    pub(super) media_type: &'static str,
    pub(super) bytes: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

const ASSETS: &[Asset] = &[
    Asset { path: "/", media_type: HTML, bytes: include_bytes!("page/index.html") },
    Asset { path: "/index.html", media_type: HTML, bytes: include_bytes!("page/index.html") },
    Asset { path: "/page.css", media_type: CSS, bytes: include_bytes!("page/page.css") },
    Asset { path: "/account-dialog.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/account-dialog.js") },
    Asset { path: "/account.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/account.js") },
    Asset { path: "/address.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/address.js") },
    Asset { path: "/bans.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/bans.js") },
    Asset { path: "/canvas.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/canvas.js") },
    Asset { path: "/case.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/case.js") },
    Asset { path: "/commands.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/commands.js") },
    Asset { path: "/completion.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/completion.js") },
    Asset { path: "/composer.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/composer.js") },
    Asset { path: "/connection.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/connection.js") },
    Asset { path: "/conversation.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/conversation.js") },
    Asset { path: "/conversations.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/conversations.js") },
    Asset { path: "/copying.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/copying.js") },
    Asset { path: "/dates.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/dates.js") },
    Asset { path: "/device.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/device.js") },
    Asset { path: "/drafts.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/drafts.js") },
    Asset { path: "/entries.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/entries.js") },
    Asset { path: "/finder.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/finder.js") },
    Asset { path: "/frames.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/frames.js") },
    Asset { path: "/greeting.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/greeting.js") },
    Asset { path: "/hints.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/hints.js") },
    Asset { path: "/links.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/links.js") },
    Asset { path: "/lists.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/lists.js") },
    Asset { path: "/log.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/log.js") },
    Asset { path: "/login-form.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/login-form.js") },
    Asset { path: "/login.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/login.js") },
    Asset { path: "/member-menu.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/member-menu.js") },
    Asset { path: "/moderation-dialog.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/moderation-dialog.js") },
    Asset { path: "/moderation.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/moderation.js") },
    Asset { path: "/moderator.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/moderator.js") },
    Asset { path: "/names.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/names.js") },
    Asset { path: "/navigation.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/navigation.js") },
    Asset { path: "/notifications.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/notifications.js") },
    Asset { path: "/page.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/page.js") },
    Asset { path: "/paper.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/paper.js") },
    Asset { path: "/people.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/people.js") },
    Asset { path: "/protocol.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/protocol.js") },
    Asset { path: "/ranks.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/ranks.js") },
    Asset { path: "/reading.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/reading.js") },
    Asset { path: "/recipients.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/recipients.js") },
    Asset { path: "/room-head.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/room-head.js") },
    Asset { path: "/room.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/room.js") },
    Asset { path: "/rooms.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/rooms.js") },
    Asset { path: "/scrolling.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/scrolling.js") },
    Asset { path: "/secret-form.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/secret-form.js") },
    Asset { path: "/secrets.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/secrets.js") },
    Asset { path: "/sending.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/sending.js") },
    Asset { path: "/session.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/session.js") },
    Asset { path: "/status.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/status.js") },
    Asset { path: "/storage.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/storage.js") },
    Asset { path: "/text.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/text.js") },
    Asset { path: "/tokens.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/tokens.js") },
    Asset { path: "/transcript-view.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/transcript-view.js") },
    Asset { path: "/transcript.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/transcript.js") },
    Asset { path: "/typed.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/typed.js") },
    Asset { path: "/viewport.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/viewport.js") },
    Asset { path: "/wording.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/wording.js") },
];

/// The file at this path.
pub(super) fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Hint, Refusal, Verb};
    use crate::protocol::{ErrorCode, MessageId, Mode, Text};

    /// The lines of a list in a script of the page.
    fn lines_of(list: &str) -> impl Iterator<Item = &'static str> {
        let script = str::from_utf8(find("/hints.js").unwrap().bytes).unwrap();
        let (_, list) = script.split_once(&format!("const {list} = [")).unwrap();
        list.split_once("\n];").unwrap().0.lines().map(str::trim)
    }

    /// The page recognizes the syntax of a command in text by its form: a word in capitals, without `;` and `:` after it.
    #[test]
    fn page_recognizes_command_syntax() {
        for verb in Verb::ALL {
            let arguments = verb.usage().strip_prefix(verb.as_str()).unwrap();
            assert!(verb.as_str().bytes().all(|byte| byte.is_ascii_uppercase()), "{verb}");
            assert!(arguments.is_empty() || arguments.starts_with(' ') && !arguments.contains([';', ':']), "{verb}");
        }
    }

    /// The page knows every hint of the server outside of chat mode, and no other.
    #[test]
    fn page_has_hints_of_server() {
        let written = |hint| Refusal::new(None, ErrorCode::NoName, "").with_hint(hint).text(Mode::Commands);
        let texts_of = |list| {
            let texts = lines_of(list).filter_map(|line| Some(line.strip_suffix("'],")?.split_once("', '")?.1));
            texts.collect::<Vec<_>>()
        };
        let others = Hint::plain().filter(|hint| !matches!(hint, Hint::Write(_)));
        assert_eq!(texts_of("HINTS"), others.map(written).collect::<Vec<_>>());
        let open = [Hint::Say(Text::truncated("x")), Hint::Since(MessageId(8))].map(written);
        assert_eq!(texts_of("OPEN_HINTS"), open.each_ref().map(|text| &text[..text.len() - 1]));
    }
}
