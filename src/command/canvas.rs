//! `CANVAS`: sends the strokes on the canvas.

use std::fmt;

use super::arguments::expect_none;
use super::context::room_of;
use super::{Context, Definition, Pipelining, Refusal, Reply, RoomUse, Specification, Verb};
use crate::protocol::Mode;

/// Send all strokes on the canvas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canvas;

impl Definition for Canvas {
    const SPECIFICATION: Specification = Specification {
        verb: "CANVAS",
        usage: "CANVAS",
        summary: "get the strokes since the last DRAW clear",
        pipelining: Pipelining::Off,
        reply_keys: &["count"],
        allows_watchers: true,
        room: RoomUse::Prefix,
        ..Specification::DEFAULT
    };

    /// Number of strokes. Their `STROKE` lines precede the reply.
    type Reply = u64;

    fn parse(arguments: &str, _: Mode) -> Result<Self, Refusal> {
        expect_none(Verb::Canvas, arguments).map(|()| Self)
    }

    fn run(self, context: &mut dyn Context) -> Result<(), Refusal> {
        let (_, room) = room_of(context, Verb::Canvas)?;
        let numbers = room.canvas().all();
        let count = numbers.end - numbers.start;
        context.send_strokes(numbers);
        context.reply(Reply::Canvas(count));
        Ok(())
    }
}

impl fmt::Display for Canvas {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}
