//! Runs the scripts in `tests/shell`, each as a test of its own: `cargo test --test shell telnet` runs those with telnet in
//! their names. What a script may use is said in `scripts/peers.sh`.

#[path = "common/scripts.rs"]
mod scripts;

fn main() {
    scripts::run_all("tests/shell", "sh", &[]);
}
