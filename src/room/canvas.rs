//! What is drawn on the canvas, to be told to whoever asks.

use super::recent::{Item, Recent};
use crate::limits::{CANVAS_BYTES_MAX, CANVAS_STROKES_MAX, PAST_OVERHEAD_BYTES};
use crate::protocol::DrawnStroke;

/// The strokes since the canvas was cleared. Where there are too many, the oldest fade.
pub type RecentStrokes = Recent<DrawnStroke>;

impl Default for RecentStrokes {
    fn default() -> Self {
        Self::new(CANVAS_STROKES_MAX, CANVAS_BYTES_MAX)
    }
}

impl Item for DrawnStroke {
    fn cost(&self) -> usize {
        self.name.as_str().len() + self.stroke.bytes() + PAST_OVERHEAD_BYTES
    }
}
