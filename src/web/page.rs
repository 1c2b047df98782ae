//! The page: files that are a part of the program.

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
    Asset { path: "/canvas.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/canvas.js") },
    Asset { path: "/composer.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/composer.js") },
    Asset { path: "/connection.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/connection.js") },
    Asset { path: "/log.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/log.js") },
    Asset { path: "/names.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/names.js") },
    Asset { path: "/page.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/page.js") },
    Asset { path: "/people.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/people.js") },
    Asset { path: "/protocol.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/protocol.js") },
    Asset { path: "/room.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/room.js") },
    Asset { path: "/session.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/session.js") },
    Asset { path: "/status.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/status.js") },
    Asset { path: "/text.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/text.js") },
];

/// The file that is asked for by this path.
pub(super) fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}
