//! The server over plain TCP: what is particular to it, and what does not depend on the transport. Tests that run over every transport
//! are in `tests/transports`.

#[path = "../common/mod.rs"]
mod common;

mod bytes;
mod canvas;
mod caps;
mod command_line;
mod endings;
mod floods;
mod foreign;
mod history;
mod order;
mod port_file;
mod refusal_texts;
mod refusals;
mod resume;
mod safety;
mod signals;
mod streams;
mod urgent;
