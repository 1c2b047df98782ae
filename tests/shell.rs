//! Runs the scripts in `tests/shell`, one test each: `cargo test --test shell telnet` runs those with telnet in
//! their names. `scripts/peers.sh` is their test kit.

#[path = "common/scripts.rs"]
mod scripts;

fn main() {
    scripts::run_all("tests/shell", "sh", &[]);
}
