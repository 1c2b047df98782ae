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
    Asset { path: "/page.css", media_type: CSS, bytes: include_bytes!("page/page.css") },
    Asset { path: "/page.js", media_type: JAVASCRIPT, bytes: include_bytes!("page/page.js") },
];

/// The file that is asked for by this path.
pub(super) fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}
