//! Strokes on the canvas, and the lines that carry them.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use super::{Name, split_word};
use crate::limits::{COORDINATE_MAX, STROKE_POINTS_MAX, STROKE_WIDTH_MAX};

/// A line through points of the canvas, or a part of one: `#rrggbb width x,y …`, in lower case, with one space between words and without
/// leading zeros. It is stored as text, because the server never looks at the points. Clones share the text.
///
/// The origin is at the top left, x goes to the right and y down, both from 0 to [`COORDINATE_MAX`]; the width is in the same unit. Two
/// strokes of the same colour and width, where the second begins at the last point of the first, are one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stroke(Arc<str>);

/// Why text is not a [`Stroke`], with the invalid word; empty if it is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrokeError<'a> {
    /// Not `#rrggbb`.
    Colour(&'a str),
    /// Not a number from 1 to [`STROKE_WIDTH_MAX`].
    Width(&'a str),
    /// Not `x,y`, both from 0 to [`COORDINATE_MAX`].
    Point(&'a str),
    /// This number of points, more than [`STROKE_POINTS_MAX`].
    TooMany(usize),
}

impl Stroke {
    /// Parses a stroke, in any case and with any white space between its words.
    ///
    /// # Errors
    /// The first invalid word.
    pub fn new(raw: &str) -> Result<Self, StrokeError<'_>> {
        let mut words = raw.split_whitespace();
        let mut next = || words.next().unwrap_or_default();
        let (colour, width) = (next(), next());
        if !is_colour(colour) {
            return Err(StrokeError::Colour(colour));
        }
        let thickness = parse_number(width).filter(|width| (1..=STROKE_WIDTH_MAX).contains(width));
        let mut canonical = format!("{} {}", colour.to_ascii_lowercase(), thickness.ok_or(StrokeError::Width(width))?);
        let mut count = 0;
        for word in words {
            let (x, y) = parse_point(word).ok_or(StrokeError::Point(word))?;
            // Writing to memory does not fail.
            let _ = write!(canonical, " {x},{y}");
            count += 1;
        }
        match count {
            0 => Err(StrokeError::Point("")),
            1..=STROKE_POINTS_MAX => Ok(Self(canonical.into())),
            _ => Err(StrokeError::TooMany(count)),
        }
    }

    /// Length of the stroke's text in bytes.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

fn is_colour(word: &str) -> bool {
    word.strip_prefix('#')
        .is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

fn parse_point(word: &str) -> Option<(u16, u16)> {
    let (x, y) = word.split_once(',')?;
    let [x, y] = [x, y].map(|word| parse_number(word).filter(|&coordinate| coordinate <= COORDINATE_MAX));
    Some((x?, y?))
}

/// Parses digits only: no sign.
fn parse_number(word: &str) -> Option<u16> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok())?
}

impl fmt::Display for Stroke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A change of the canvas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drawing {
    /// Adds a stroke.
    Stroke(Stroke),
    /// Removes all strokes.
    Clear,
}

/// The argument of `DRAW` that clears the canvas.
pub(crate) const CLEAR: &str = "clear";

impl fmt::Display for Drawing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stroke(stroke) => stroke.fmt(f),
            Self::Clear => f.write_str(CLEAR),
        }
    }
}

impl Drawing {
    /// Parses the part of a `DRAW` line after the nickname.
    pub(crate) fn parse(rest: &str) -> Option<Self> {
        if rest == CLEAR { Some(Self::Clear) } else { Stroke::new(rest).ok().map(Self::Stroke) }
    }
}

/// A stroke on the canvas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnStroke {
    /// The author's nickname at that time.
    pub name: Name,
    /// The stroke.
    pub stroke: Stroke,
}

impl fmt::Display for DrawnStroke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "STROKE {} {}", self.name, self.stroke)
    }
}

impl DrawnStroke {
    /// Parses the part of a line after `STROKE`.
    pub(crate) fn parse(rest: &str) -> Option<Self> {
        let (name, stroke) = split_word(rest);
        Some(Self { name: Name::new(name).ok()?, stroke: Stroke::new(stroke?).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stroke_has_one_canonical_form() {
        let check =
            |raw: &str, canonical: &str| assert_eq!(Stroke::new(raw).unwrap().to_string(), canonical, "{raw:?}");
        check("#a0b1c2 5 1,2 30,40", "#a0b1c2 5 1,2 30,40");
        check(" #A0B1C2\t005  0,9999 ", "#a0b1c2 5 0,9999");
        check("#000000 999 00,01", "#000000 999 0,1");
    }

    #[test]
    fn invalid_stroke_is_refused_with_the_invalid_word() {
        let check = |raw: &str, expected| assert_eq!(Stroke::new(raw), Err(expected), "{raw:?}");
        check("", StrokeError::Colour(""));
        check("red 5 1,2", StrokeError::Colour("red"));
        check("#fff 5 1,2", StrokeError::Colour("#fff"));
        check("#é0000 5 1,2", StrokeError::Colour("#é0000"));
        check("#000000", StrokeError::Width(""));
        for width in ["0", "1000", "-1", "+1", "1.5", "99999"] {
            check(&format!("#000000 {width} 1,2"), StrokeError::Width(width));
        }
        check("#000000 5", StrokeError::Point(""));
        for point in ["1", "1,", ",", "1,2,3", "10000,1", "1,-2", "+1,2", "1;2"] {
            check(&format!("#000000 5 0,0 {point} 1,1"), StrokeError::Point(point));
        }
        check(
            &format!("#000000 5{}", " 0,0".repeat(STROKE_POINTS_MAX + 1)),
            StrokeError::TooMany(STROKE_POINTS_MAX + 1),
        );
    }
}
