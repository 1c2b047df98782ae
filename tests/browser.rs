//! Plays the scenarios in `tests/browser/scenarios`, each as a test of its own, with Chromium, a server and nc: `cargo test
//! --test browser canvas` plays those with canvas in their names. What a scenario may use is said in `tests/browser/stage.mjs`.

#[path = "common/scripts.rs"]
mod scripts;

/// Where there is no node, this says so as the scenarios say what else is missing.
const WITH_NODE: &str = r#"command -v node >/dev/null && exec node "$0"
echo 'node is missing; scripts/test installs it'
if [ "${CI-}" = true ]; then exit 1; else exit 77; fi"#;

fn main() {
    scripts::run_all("tests/browser/scenarios", "mjs", &["sh", "-c", WITH_NODE]);
}
