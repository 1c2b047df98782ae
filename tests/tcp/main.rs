//! The real server over real sockets. Each module is one matter; what they share is in `common`.

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
mod slow;
mod streams;
mod timeouts;
mod urgent;
