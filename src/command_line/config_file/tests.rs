//! Tests of the parser: which options a file gives, and each error with its line.

use std::fs;

use argh::ArgsInfo as _;

use super::super::trial::{COMMAND_LINE, Trial};
use super::*;

fn parse_text(content: impl AsRef<[u8]>) -> (Vec<GivenOption>, Vec<ConfigError>) {
    parse(content.as_ref(), &Trial::get_args_info(), &COMMAND_LINE)
}

/// The options, each as its words and its line.
#[track_caller]
fn options(content: &str) -> Vec<(String, usize)> {
    let (options, errors) = parse_text(content);
    assert_eq!(errors, []);
    let shown = |option: &GivenOption| match &option.value {
        GivenValue::Text(value) => format!("{} {value}", option.name),
        GivenValue::Switch(is_on) => format!("{} {is_on}", option.name),
    };
    options.iter().map(|option| (shown(option), option.line.unwrap())).collect()
}

/// Each error as `LINE: TEXT`.
fn errors(content: impl AsRef<[u8]>) -> Vec<String> {
    let (_, errors) = parse_text(content);
    errors.iter().map(|error| format!("{}: {}", error.line.unwrap(), error.text)).collect()
}

#[track_caller]
fn check_error(content: &str, expected: &str) {
    assert_eq!(errors(content), [expected], "{content}");
}

#[test]
fn sections_are_headings_and_keys_are_options() {
    let content = "\
# a comment
[control-socket]
data = '''
chat.db'''
[listeners]
listen = [
    \"127.0.0.1:9\",
    \"[::1]:9\",
]

[limits]
no-watch = true
\"max-clients\" = 2_000
idle-timeout = \"30\"
";
    let expected = [
        ("--data chat.db", 3),
        ("--listen 127.0.0.1:9", 7),
        ("--listen [::1]:9", 8),
        ("--no-watch true", 12),
        ("--max-clients 2000", 13),
        ("--idle-timeout 30", 14),
    ];
    assert_eq!(options(content), expected.map(|(option, line)| (option.to_owned(), line)));
    assert_eq!(options(""), []);
    assert_eq!(options("[limits]\r\n# nothing\r\n"), []);
    let dotted = options("limits.no-watch = false\nlisteners = { listen = \"a\" }\n");
    assert_eq!(dotted, [("--no-watch false".to_owned(), 1), ("--listen a".to_owned(), 2)]);
}

/// argh refuses those that the option cannot have.
#[test]
fn numbers_are_as_on_the_command_line() {
    for (number, text) in [
        ("0", "0"),
        ("+5", "5"),
        ("-5", "-5"),
        ("0x10", "16"),
        ("0o17", "15"),
        ("0b11", "3"),
        ("1.5", "1.5"),
        ("99999999999999999999", "99999999999999999999"),
    ] {
        let content = format!("[limits]\nmax-clients = {number}\n");
        assert_eq!(options(&content), [(format!("--max-clients {text}"), 2)], "{number}");
    }
}

#[test]
fn unknown_section_or_key_names_the_nearest() {
    check_error("\n[limit]\n", "2: unknown section \"limit\"; did you mean [limits]?");
    check_error(
        "[x]\nmax-clients = 1",
        "1: unknown section \"x\"; expected one of [listeners], [limits], [control-socket]",
    );
    check_error("[limits]\n\nmax_client = 1", "3: unknown key \"max_client\"; did you mean max-clients?");
    check_error("[limits]\nlisten = 1", "2: unknown key \"listen\" in [limits]; expected listen in [listeners]");
    check_error("[limits]\n\nlistn = 1", "3: unknown key \"listn\"; did you mean listen in [listeners]?");
    check_error(
        "[limits]\nx = 1",
        "2: unknown key \"x\" in [limits]; expected one of max-clients, no-watch, idle-timeout",
    );
    check_error("data = 1", "1: unknown key \"data\" outside a section; expected data in [control-socket]");
    check_error("\"\" = 1", "1: unknown key \"\" outside a section; expected a section, such as [listeners]");
    check_error("[control-socket]\njson = true", "2: unknown key \"json\" in [control-socket]; expected one of data");
    check_error("[limits.max-clients]\nx = 1", "1: invalid max-clients: expected a string or a number, found a table");
    check_error("[[limits]]\nmax-clients = 1", "1: limits is a section: expected [limits]");
    check_error("limits = 5", "1: limits is a section: expected [limits]");
    check_error(
        "[limits]\n\"a\\u001b\\n\" = 1\n",
        "2: unknown key \"a\\u{1b}\\n\" in [limits]; expected one of max-clients, no-watch, idle-timeout",
    );
}

#[test]
fn absent_and_renamed_options_are_explained() {
    check_error("[listeners]\nport = 1", "2: unknown key \"port\"; use listen; as an option: --listen HOST:PORT");
    check_error("[listeners]\nclients = 1", "2: unknown key \"clients\"; use max-clients in [limits]");
    check_error("[limits]\nclients = 1", "2: unknown key \"clients\"; use max-clients");
    check_error(
        "[listeners]\ntls-key = \"x\"",
        "2: tls-key needs the feature tls, and this trial was built without it; build one that has it: \
         cargo build --release --bin trial --features tls",
    );
    // An option of a command.
    check_error("[control-socket]\nout = 1", "2: unknown key \"out\" in [control-socket]; expected one of data");
}

#[test]
fn options_about_the_file_are_not_in_it() {
    for option in ["config", "check", "version", "help"] {
        let expected = format!("2: unknown key \"{option}\": --{option} is for the command line only");
        check_error(&format!("[limits]\n{option} = true"), &expected);
        check_error(&format!("\n{option} = true"), &expected);
    }
}

#[test]
fn value_of_the_wrong_type_is_refused() {
    let number = "expected a string or a number";
    check_error("[limits]\nmax-clients = true", &format!("2: invalid max-clients: {number}, found a boolean"));
    check_error("[limits]\nmax-clients = [1]", &format!("2: invalid max-clients: {number}, found an array"));
    check_error(
        "[limits]\nmax-clients = 2026-11-30",
        &format!("2: invalid max-clients: {number}, found a date or a time"),
    );
    check_error("[control-socket]\ndata = \"a\\u0000\"", &format!("2: invalid data: {number}, found a character NUL"));
    for (value, found) in [("\"true\"", "a string"), ("1", "a number"), ("[true]", "an array")] {
        check_error(
            &format!("[limits]\nno-watch = {value}"),
            &format!("2: invalid no-watch: expected true or false, found {found}"),
        );
    }
    check_error(
        "[listeners]\nlisten = [\n\"a\",\nfalse,\n]",
        "4: invalid listen: expected strings in the array, found a boolean",
    );
    check_error(
        "[listeners]\nlisten = true",
        "2: invalid listen: expected a string or an array of strings, found a boolean",
    );
    check_error(
        "[listeners]\nlisten = []",
        "2: invalid listen: the array is empty; expected a value (or remove the key)",
    );
    let (_, errors) = parse_text("[listeners]\nlisten = true");
    assert_eq!(errors[0].option, Some("--listen"));
}

#[test]
fn every_error_is_found_in_the_order_of_the_file() {
    let content = "[nope]\n[limits]\nno-watch = 1\nfoo = 1\nmax-clients = 7\n[listeners]\nlisten = {}\n";
    let lines: Vec<_> = errors(content).iter().map(|error| error.split_once(':').unwrap().0.to_owned()).collect();
    assert_eq!(lines, ["1", "3", "4", "7"]);
    let (options, _) = parse_text(content);
    assert_eq!(options.len(), 1);
}

#[test]
fn key_given_twice_is_refused() {
    check_error("[limits]\nmax-clients = 1\n\nmax-clients = 1", "4: \"max-clients\" is given twice: expected once");
    check_error("[limits]\n[listeners]\n[limits]\n", "3: \"limits\" is given twice: expected once");
    check_error(
        "[limits]\nno-watch = true\n[listeners]\n[limits]\nmax-clients = 1",
        "4: \"limits\" is given twice: expected once",
    );
}

#[test]
fn invalid_toml_is_explained_with_its_line() {
    for (content, line) in [
        ("[limits]\nmax-clients 5\n", 2),
        ("[limits]\n\nmax-clients = \n", 3),
        ("[limits\n", 1),
        ("[limits]\nmax-clients = 1 2\n", 2),
        ("[control-socket]\ndata = \"x\n", 2),
        ("[limits]\nmax-clients = yes\n", 2),
        ("\n\n\u{0}", 3),
    ] {
        let errors = errors(content);
        assert!(errors[0].starts_with(&format!("{line}: invalid TOML: ")), "{content:?}: {errors:?}");
        assert!(!errors[0].contains('\n'), "{errors:?}");
    }
    let two = errors("[limits]\nmax-clients = \nno-watch = true\nidle-timeout 5\n");
    assert!(two.len() == 2 && two[0].starts_with("2: ") && two[1].starts_with("4: "), "{two:?}");
    assert_eq!(errors(b"[limits]\n# caf\xe9\n"), ["2: invalid text: expected UTF-8"]);
}

#[test]
fn file_that_cannot_be_read_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let error = |path: &Path| {
        let (options, errors) = read(path, &Trial::get_args_info(), &COMMAND_LINE);
        assert!(options.is_empty() && errors.len() == 1 && errors[0].line.is_none());
        errors[0].text.clone()
    };
    let path = directory.path().join("x.toml");
    let shown = path.display();
    assert_eq!(error(&path), format!("cannot read the configuration file \"{shown}\": No such file or directory"));
    let shown = directory.path().display();
    let expected = format!("cannot read the configuration file \"{shown}\": it is a directory; expected a file");
    assert_eq!(error(directory.path()), expected);
    let bytes = usize::try_from(CONFIG_FILE_BYTES_MAX).unwrap();
    fs::write(&path, "#".repeat(bytes)).unwrap();
    assert_eq!(read(&path, &Trial::get_args_info(), &COMMAND_LINE), (vec![], vec![]));
    fs::write(&path, "#".repeat(bytes + 1)).unwrap();
    let shown = path.display();
    assert_eq!(error(&path), format!("the configuration file \"{shown}\" is too long: expected at most 1MiB"));
}

/// Random bytes, and TOML from random pieces.
#[test]
fn no_content_causes_a_panic() {
    const PIECES: [&str; 36] = [
        "[limits]",
        "[listeners]",
        "[control-socket]",
        "[[limits]]",
        "[",
        "]",
        "[x.y]",
        "\n",
        "\n",
        "\n",
        "=",
        " = ",
        ".",
        ",",
        "{",
        "}",
        "listen",
        "max-clients",
        "no-watch",
        "data",
        "port",
        "tls-key",
        "config",
        "true",
        "false",
        "1",
        "-1e9",
        "0xff",
        "\"a\"",
        "'",
        "\"\"\"",
        "\\u",
        "2026-11-30T00:00:00Z",
        "#",
        "\u{0}",
        "\u{fe0f}é",
    ];
    arbtest::arbtest(|u| {
        let bytes: Vec<u8> = u.arbitrary()?;
        let _ = parse_text(&bytes);
        let count = u.int_in_range(0..=40)?;
        let pieces = (0..count).map(|_| u.choose(&PIECES).copied()).collect::<Result<Vec<_>, _>>()?;
        let content = pieces.concat();
        let (options, errors) = parse_text(&content);
        let last = content.matches('\n').count() + 1;
        let lines = options.iter().map(|option| option.line).chain(errors.iter().map(|error| error.line));
        for line in lines {
            assert!(line.is_some_and(|line| (1..=last).contains(&line)), "{content:?}");
        }
        for error in errors {
            assert!(!error.text.contains('\n'), "{error:?}");
        }
        Ok(())
    });
}
