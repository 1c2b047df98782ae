//! Runs the scenarios in `tests/browser/scenarios` with Chromium, a server and nc; each is a test. `cargo test --test browser canvas`
//! runs the scenarios with `canvas` in their names. `tests/browser/stage.mjs` is their test kit.

#[path = "common/scripts.rs"]
mod scripts;

/// Reports missing node as the scenarios report other missing programs.
const WITH_NODE: &str = r#"command -v node >/dev/null && exec node "$0"
echo 'node is missing; scripts/test installs it'
if [ "${CI-}" = true ]; then exit 1; else exit 77; fi"#;

fn main() {
    scripts::run_all("tests/browser/scenarios", "mjs", &["sh", "-c", WITH_NODE]);
}
