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
