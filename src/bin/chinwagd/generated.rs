//! The man page and the completions of `chinwagd`: compares them with its options. `scripts/generate` writes them.

use argh::{ArgsInfo as _, FromArgs as _};
use chinwag_generate::{Program, check};

use super::{Arguments, COMMAND_LINE, PROGRAM};

#[test]
fn generated_files_of_server_are_up_to_date() {
    if COMMAND_LINE.features.iter().any(|feature| feature.is_built == (feature.name == "cluster")) {
        // The pages describe the server with the default features.
        return;
    }
    let program = Program {
        name: PROGRAM,
        section: 8,
        usage: COMMAND_LINE.usage,
        info: &Arguments::get_args_info(),
        groups: COMMAND_LINE.groups.iter().map(|group| (group.heading, group.options)).collect(),
        sections: include_str!("../../../packaging/generate/pages/chinwagd-sections.mdoc"),
        see_also: include_str!("../../../packaging/generate/pages/chinwagd-see-also.mdoc"),
        parse: &|words| Arguments::from_args(&[PROGRAM], words).map(drop).map_err(|exit| exit.output),
    };
    check(env!("CARGO_MANIFEST_DIR"), &program.files());
}
