//! The man page of the protocol: compares it with protocol.md. `scripts/generate` writes it. The pages of the programs and their
//! completions are compared in `src/bin/chinwagd/generated.rs` and `src/client/generated.rs`, which have the options.

use chinwag_generate::{check, markdown_page};

#[test]
fn generated_files_of_protocol_are_up_to_date() {
    let page = markdown_page(
        "chinwag-protocol",
        "protocol.md",
        include_str!("../protocol.md"),
        include_str!("../packaging/generate/pages/protocol-see-also.mdoc"),
    );
    check(env!("CARGO_MANIFEST_DIR"), &[page]);
}
