//! The strokes on the canvas of a room, which clients read with `CANVAS`.

use super::recent::{MemoryCost, Recent};
use crate::limits::PAST_OVERHEAD_BYTES;
use crate::protocol::DrawnStroke;

/// The newest strokes since the canvas was cleared.
pub type RecentStrokes = Recent<DrawnStroke>;

impl MemoryCost for DrawnStroke {
    fn cost(&self) -> usize {
        self.name.as_str().len() + self.stroke.bytes() + PAST_OVERHEAD_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{CANVAS_BYTES_MAX, CANVAS_STROKES_MAX};
    use crate::protocol::{Name, Stroke};
    use crate::state::RoomId;
    use crate::state::recent::Budget;

    #[test]
    fn canvas_is_bounded_in_bytes() {
        let points = " 9999,9999".repeat(400);
        let drawn = |name: &str| DrawnStroke {
            name: Name::new(name).unwrap(),
            stroke: Stroke::new(&format!("#000000 999{points}")).unwrap(),
        };
        let stroke_bytes = "#000000 999".len() + points.len() + PAST_OVERHEAD_BYTES;
        for name in ["a".to_owned(), "a".repeat(32)] {
            let (mut canvas, mut budget) =
                (RecentStrokes::default(), Budget::new(CANVAS_STROKES_MAX, CANVAS_BYTES_MAX));
            for _ in 0..2 * CANVAS_BYTES_MAX / stroke_bytes {
                budget.push(RoomId::LOBBY, &mut canvas, drawn(&name));
                while budget.overdrawn().is_some() {
                    budget.evict_oldest(&mut canvas);
                }
            }
            assert_eq!(canvas.range(canvas.all()).count(), CANVAS_BYTES_MAX / (name.len() + stroke_bytes));
        }
    }
}
