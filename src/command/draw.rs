//! `DRAW`: draws a stroke on the canvas, or clears it.

use std::fmt;

use super::arguments::{expect_none, shorten};
use super::context::room_of;
use super::{Context, Definition, EmptyReply, Hint, Refusal, RoomUse, Specification, Verb};
use crate::limits::{COORDINATE_MAX, STROKE_POINTS_MAX, STROKE_WIDTH_MAX};
use crate::protocol::{CLEAR, Drawing, ErrorCode, Mode, Stroke, StrokeError, split_word};
use crate::state::Action;

/// Change the canvas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw(pub Drawing);

impl Definition for Draw {
    const SPECIFICATION: Specification = Specification {
        verb: "DRAW",
        usage: "DRAW #rrggbb width x,y..., or DRAW clear",
        summary: "draw a line through these points, or clear the canvas; x and y are 0 to 9999; members with SET draw on see it",
        room: RoomUse::Prefix,
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
        let (room, _) = room_of(context, Verb::Draw)?;
        context.submit(Action::Draw(room, self.0));
        Ok(())
    }
}

fn refusal_of(why: StrokeError<'_>) -> Refusal {
    let (code, part, word, expected) = match why {
        StrokeError::Colour(word) => (ErrorCode::ColourInvalid, "colour", word, "#rrggbb, such as #1e90ff".to_owned()),
        StrokeError::Width(word) => (ErrorCode::WidthInvalid, "width", word, format!("1 to {STROKE_WIDTH_MAX}")),
        StrokeError::Point(word) => {
            (ErrorCode::PointInvalid, "point", word, format!("x,y, both from 0 to {COORDINATE_MAX}"))
        }
        StrokeError::TooMany(count) => {
            let what = format!("{count} points: expected at most {STROKE_POINTS_MAX}");
            return Refusal::new(Verb::Draw, ErrorCode::PointsTooMany, what).with_hint(Hint::SplitStroke);
        }
    };
    let what =
        if word.is_empty() { format!("the {part} is missing") } else { format!("invalid {part} '{}'", shorten(word)) };
    Refusal::new(Verb::Draw, code, format!("{what}: expected {expected}")).with_hint(Hint::Write(Verb::Draw))
}

impl fmt::Display for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
