//! The example in `docs/operating.md` is a configuration with which a server can start.
#![cfg(all(feature = "accounts", feature = "tls", feature = "web"))]

use std::fs;

use super::Site;

const DOCUMENT: &str = include_str!("../../docs/operating.md");

#[test]
fn example_of_the_manual_can_be_used() {
    let (_, section) = DOCUMENT.split_once("\n## Configuration file\n").expect("the section");
    let (_, example) = section.split_once("```toml\n").expect("an example");
    let (example, _) = example.split_once("```").expect("its end");
    let site = Site::new("");
    site.make_certificate("chinwag");
    for directory in ["etc", "lib", "run"] {
        fs::create_dir(site.at(directory)).expect("a directory");
    }
    for file in ["chinwag-cert.pem", "chinwag-key.pem"] {
        fs::rename(site.at(file), site.at("etc").join(file)).expect("a file");
    }
    let root = site.path().to_str().expect("UTF-8");
    let mut content = example.to_owned();
    for (there, here) in [("/etc/chinwag/", "etc"), ("/var/lib/chinwag/", "lib"), ("/run/chinwag/", "run")] {
        assert!(content.contains(there), "{there}");
        content = content.replace(there, &format!("{root}/{here}/"));
    }
    site.write("x.toml", content);
    let output = site.run(&["--config", "x.toml", "--check"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let expected = "chinwagd: the configuration \"x.toml\" can be used; checked: 14 options, 3 addresses, \
                    the control socket, 1 certificate, the store\n";
    assert_eq!(output.out, expected);
}
