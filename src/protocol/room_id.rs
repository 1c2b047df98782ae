//! The number of a room.

/// A room's number, unique for as long as the server runs: a room that vanished and was created again has another one. A stored room
/// keeps its number when the server starts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RoomId(pub u32);

impl RoomId {
    /// The first room, which never vanishes.
    pub const LOBBY: Self = Self(0);
}
