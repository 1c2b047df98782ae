//! `DRAW`: draws a stroke on the canvas, or clears it.

use std::fmt;

use super::arguments::{expect_none, shorten};
use super::{Context, Definition, EmptyReply, Hint, Refusal, Specification, Verb};
use crate::limits::{COORDINATE_MAX, STROKE_POINTS_MAX, STROKE_WIDTH_MAX};
use crate::protocol::{CLEAR, Drawing, ErrorCode, Mode, Stroke, StrokeError, split_word};
use crate::room::Action;

/// Change the canvas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw(pub Drawing);

impl Definition for Draw {
    const SPECIFICATION: Specification = Specification {
        verb: "DRAW",
        usage: "DRAW #rrggbb width x,y..., or DRAW clear",
        chat_usage: Some("/DRAW #rrggbb width x,y..., or /DRAW clear"),
        summary: "draw a line through these points, for those who SET draw on; x and y go from 0 to 9999",
        ..Specification::DEFAULT
    };

    type Reply = EmptyReply;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        let (word, surplus) = split_word(arguments.trim());
        if word.eq_ignore_ascii_case(CLEAR) {
            return expect_none(Verb::Draw, surplus.unwrap_or_default()).map(|()| Self(Drawing::Clear));
        }
        Stroke::new(arguments).map(|stroke| Self(Drawing::Stroke(stroke))).map_err(refusal_of)
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        context.submit(Action::Draw(self.0));
        Ok(())
    }
}

fn refusal_of(why: StrokeError<'_>) -> Refusal {
    let (code, what, is) = match why {
        StrokeError::Colour(word) => (ErrorCode::ColourInvalid, word, "no colour like #1e90ff".to_owned()),
        StrokeError::Width(word) => (ErrorCode::WidthInvalid, word, format!("no width from 1 to {STROKE_WIDTH_MAX}")),
        StrokeError::Point(word) => {
            (ErrorCode::PointInvalid, word, format!("no point x,y with both from 0 to {COORDINATE_MAX}"))
        }
        StrokeError::TooMany(count) => {
            let what = format!("{count} points, at most {STROKE_POINTS_MAX} at once");
            return Refusal::new(Verb::Draw, ErrorCode::PointsTooMany, what).with_hint(Hint::SplitStroke);
        }
    };
    let what = if what.is_empty() { "there".to_owned() } else { shorten(what) };
    Refusal::new(Verb::Draw, code, format!("{what} is {is}")).with_hint(Hint::Write(Verb::Draw))
}

impl fmt::Display for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
