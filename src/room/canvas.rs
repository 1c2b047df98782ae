//! The strokes on the canvas, which clients read with `CANVAS`.

use super::recent::{MemoryCost, Recent};
use crate::limits::{CANVAS_BYTES_MAX, CANVAS_STROKES_MAX, PAST_OVERHEAD_BYTES};
use crate::protocol::DrawnStroke;

/// The newest strokes since the canvas was cleared.
pub type RecentStrokes = Recent<DrawnStroke>;

impl Default for RecentStrokes {
    fn default() -> Self {
        Self::new(CANVAS_STROKES_MAX, CANVAS_BYTES_MAX)
    }
}

impl MemoryCost for DrawnStroke {
    fn cost(&self) -> usize {
        self.name.as_str().len() + self.stroke.bytes() + PAST_OVERHEAD_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Name, Stroke};

    #[test]
    fn canvas_is_bounded_in_bytes() {
        let points = " 9999,9999".repeat(400);
        let drawn = |name: &str| DrawnStroke {
            name: Name::new(name).unwrap(),
            stroke: Stroke::new(&format!("#000000 999{points}")).unwrap(),
        };
        let stroke_bytes = "#000000 999".len() + points.len() + PAST_OVERHEAD_BYTES;
        for name in ["a".to_owned(), "a".repeat(32)] {
            let mut canvas = RecentStrokes::default();
            for _ in 0..2 * CANVAS_BYTES_MAX / stroke_bytes {
                canvas.push(drawn(&name));
            }
            assert_eq!(canvas.range(canvas.all()).count(), CANVAS_BYTES_MAX / (name.len() + stroke_bytes));
        }
    }
}
