//! What people draw, and how a line tells it.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use super::{Name, split_word};
use crate::limits::{COORDINATE_MAX, STROKE_POINTS_MAX, STROKE_WIDTH_MAX};

/// A line through points of the canvas, or a piece of one: `#rrggbb width x,y …`, in lower case, with one space between words
/// and no leading zeros. Kept as it is told, for nobody here looks at it. Its clones share it.
///
/// The origin is at the top left, x goes to the right and y down, both from 0 to [`COORDINATE_MAX`]; the width is in the same
/// unit. Two pieces of one colour and width, where the second begins at the last point of the first, are one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stroke(Arc<str>);

/// Why something is no [`Stroke`]: the word that is wrong, empty if it is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoStroke<'a> {
    /// No `#rrggbb`.
    Colour(&'a str),
    /// No number from 1 to [`STROKE_WIDTH_MAX`].
    Width(&'a str),
    /// No `x,y`, both from 0 to [`COORDINATE_MAX`].
    Point(&'a str),
    /// More points than [`STROKE_POINTS_MAX`]; so many.
    TooMany(usize),
}

impl Stroke {
    /// The stroke that `raw` describes, in any case and with any white space between its words.
    ///
    /// # Errors
    /// The first word that is not what it should be.
    pub fn new(raw: &str) -> Result<Self, NoStroke<'_>> {
        let mut words = raw.split_whitespace();
        let mut next = || words.next().unwrap_or_default();
        let (colour, width) = (next(), next());
        if !is_colour(colour) {
            return Err(NoStroke::Colour(colour));
        }
        let thickness = number(width).filter(|width| (1..=STROKE_WIDTH_MAX).contains(width));
        let mut told = format!("{} {}", colour.to_ascii_lowercase(), thickness.ok_or(NoStroke::Width(width))?);
        let mut count = 0;
        for word in words {
            let (x, y) = point(word).ok_or(NoStroke::Point(word))?;
            // Writing to memory does not fail.
            let _ = write!(told, " {x},{y}");
            count += 1;
        }
        match count {
            0 => Err(NoStroke::Point("")),
            1..=STROKE_POINTS_MAX => Ok(Self(told.into())),
            _ => Err(NoStroke::TooMany(count)),
        }
    }

    /// Bytes of the line that tells it.
    pub fn bytes(&self) -> usize {
        self.0.len()
    }
}

fn is_colour(word: &str) -> bool {
    word.strip_prefix('#')
        .is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

fn point(word: &str) -> Option<(u16, u16)> {
    let (x, y) = word.split_once(',')?;
    let [x, y] = [x, y].map(|word| number(word).filter(|&coordinate| coordinate <= COORDINATE_MAX));
    Some((x?, y?))
}

/// Digits alone: no sign.
fn number(word: &str) -> Option<u16> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok())?
}

impl fmt::Display for Stroke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What somebody does to the canvas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drawing {
    /// Draws this on it.
    Stroke(Stroke),
    /// Takes everything off it.
    Clear,
}

/// What stands in place of a stroke.
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
    /// What follows the name in a `DRAW`.
    pub(crate) fn parse(rest: &str) -> Option<Self> {
        if rest == CLEAR { Some(Self::Clear) } else { Stroke::new(rest).ok().map(Self::Stroke) }
    }
}

/// A stroke that is on the canvas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnStroke {
    /// Who drew it, by the name of that time.
    pub name: Name,
    /// What was drawn.
    pub stroke: Stroke,
}

impl fmt::Display for DrawnStroke {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "STROKE {} {}", self.name, self.stroke)
    }
}

impl DrawnStroke {
    /// What follows `STROKE`.
    pub(crate) fn parse(rest: &str) -> Option<Self> {
        let (name, stroke) = split_word(rest);
        Some(Self { name: Name::new(name).ok()?, stroke: Stroke::new(stroke?).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stroke_has_one_form() {
        let check = |raw: &str, told: &str| assert_eq!(Stroke::new(raw).unwrap().to_string(), told, "{raw:?}");
        check("#a0b1c2 5 1,2 30,40", "#a0b1c2 5 1,2 30,40");
        check(" #A0B1C2\t005  0,9999 ", "#a0b1c2 5 0,9999");
        check("#000000 999 00,01", "#000000 999 0,1");
    }

    #[test]
    fn what_is_no_stroke_says_which_word_is_wrong() {
        let check = |raw: &str, expected| assert_eq!(Stroke::new(raw), Err(expected), "{raw:?}");
        check("", NoStroke::Colour(""));
        check("red 5 1,2", NoStroke::Colour("red"));
        check("#fff 5 1,2", NoStroke::Colour("#fff"));
        check("#é0000 5 1,2", NoStroke::Colour("#é0000"));
        check("#000000", NoStroke::Width(""));
        for width in ["0", "1000", "-1", "+1", "1.5", "99999"] {
            check(&format!("#000000 {width} 1,2"), NoStroke::Width(width));
        }
        check("#000000 5", NoStroke::Point(""));
        for point in ["1", "1,", ",", "1,2,3", "10000,1", "1,-2", "+1,2", "1;2"] {
            check(&format!("#000000 5 0,0 {point} 1,1"), NoStroke::Point(point));
        }
        check(&format!("#000000 5{}", " 0,0".repeat(STROKE_POINTS_MAX + 1)), NoStroke::TooMany(STROKE_POINTS_MAX + 1));
    }
}
