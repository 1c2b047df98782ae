//! Targets of HTTP requests (RFC 9112, section 3.2).

use std::borrow::Cow;

use super::authority::Authority;

/// A parsed target.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RequestTarget<'a> {
    /// Set for a target in absolute form; it takes the place of the `Host` field.
    pub(super) authority: Option<Authority>,
    /// `*` stands for the server as a whole.
    pub(super) path: Cow<'a, str>,
}

/// Not a target that an origin server serves.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidTarget;

impl<'a> RequestTarget<'a> {
    /// Parses a target in origin form (`/path`), absolute form (`http://host/path`) or asterisk form (`*`). Queries are
    /// dropped.
    pub(super) fn parse(raw: &'a str) -> Result<Self, InvalidTarget> {
        if raw == "*" || raw.starts_with('/') {
            return Ok(Self { authority: None, path: normalize(raw) });
        }
        let (scheme, rest) = raw.split_once("://").ok_or(InvalidTarget)?;
        if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return Err(InvalidTarget);
        }
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let authority = Authority::parse(authority).ok_or(InvalidTarget)?;
        let path = if path.starts_with('/') { normalize(path) } else { "/".into() };
        Ok(Self { authority: Some(authority), path })
    }
}

/// The path in the form for look-ups: without the query, with unreserved characters decoded (RFC 3986, section 6.2.2.2), and with
/// repeated slashes merged, which proxies may produce when they remove a prefix.
fn normalize(path: &str) -> Cow<'_, str> {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    if !path.contains('%') && !path.contains("//") {
        return path.into();
    }
    let mut normal = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        let (character, bytes) = decode_unreserved(rest).map_or((first, first.len_utf8()), |decoded| (decoded, 3));
        if character != '/' || !normal.ends_with('/') {
            normal.push(character);
        }
        rest = &rest[bytes..];
    }
    normal.into()
}

/// The unreserved character that is percent-encoded at the start of this text, if there is one.
fn decode_unreserved(text: &str) -> Option<char> {
    let digits = text.strip_prefix('%')?.get(..2)?;
    let byte = digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| u8::from_str_radix(digits, 16))?.ok()?;
    (byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)).then_some(byte.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, authority: Option<&str>, path: &str) {
        let authority = authority.map(|raw| Authority::parse(raw).unwrap());
        assert_eq!(RequestTarget::parse(raw), Ok(RequestTarget { authority, path: path.into() }), "{raw}");
    }

    #[test]
    fn path_has_one_form_for_each_spelling() {
        for same in [
            "/healthz",
            "/healthz?x=1",
            "/healthz?/?",
            "//healthz",
            "///healthz",
            "/%68ealthz",
            "/%68%65%61lth%7A",
            "/%68%65althz?%zz",
        ] {
            check(same, None, "/healthz");
        }
        check("//", None, "/");
        check("/page%2Ejs", None, "/page.js");
    }

    #[test]
    fn path_with_another_meaning_is_unchanged() {
        for other in
            ["/healthz/", "/./healthz", "/x/../healthz", "/HEALTHZ", "/%2Fhealthz", "/%3fhealthz", "/%25", "/%", "/%2"]
        {
            check(other, None, other);
        }
        check("/%00/%c3%a9/%zz/\u{e9}//%+1", None, "/%00/%c3%a9/%zz/\u{e9}/%+1");
        check("/%%368", None, "/%68");
    }

    #[test]
    fn absolute_form_names_the_host() {
        check("http://localhost:8080/healthz?x", Some("localhost:8080"), "/healthz");
        check("HTTPS://Chat.example.org", Some("chat.example.org"), "/");
        check("http://[::1]?x", Some("[::1]"), "/");
        check("http://a//healthz", Some("a"), "/healthz");
        check("*", None, "*");
    }

    #[test]
    fn other_forms_are_invalid() {
        for invalid in [
            "",
            "localhost:443",
            "healthz",
            "**",
            "ws://a/ws",
            "ftp://a/",
            "http:/a",
            "http://",
            "http:///x",
            "http://u@a/",
        ] {
            assert_eq!(RequestTarget::parse(invalid), Err(InvalidTarget), "{invalid}");
        }
    }
}
