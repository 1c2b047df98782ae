//! The server over plain TCP: what is particular to it, and what does not depend on the transport. Tests that run over every transport
//! are in `tests/transports`.

#[path = "../common/mod.rs"]
mod common;

mod admission;
mod bytes;
mod canvas;
mod command_line;
mod control_characters;
mod endings;
mod floods;
mod history;
mod log;
mod order;
mod other_protocols;
mod port_file;
mod refusal_texts;
mod refusals;
mod resume;
mod signals;
mod streams;
mod urgent;
