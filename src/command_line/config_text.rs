//! Renders the given options as a configuration file, for `--print-config`.

use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfo, FlagInfoKind, TopLevelCommand};
use toml_writer::{ToTomlValue as _, TomlStringBuilder};

use super::given_options::GivenValue;
use super::{CommandLine, GivenOptions, escaped};

/// The names of values that are numbers, with or without a unit.
const NUMBERS: [&str; 3] = ["n", "duration", "size"];

/// Most digits of a number that is written without quotes: TOML's numbers have 64 bits.
const DIGITS_MAX: usize = 18;

impl GivenOptions {
    /// Renders the given options as a configuration file, each with the place where that is; and all others in comments, with their defaults.
    /// The program may use another value than such a default. As a file of `--config`, the text gives the same options.
    pub fn render_config<Arguments: TopLevelCommand + ArgsInfo>(&self, command_line: &CommandLine) -> String {
        let info = Arguments::get_args_info();
        let is_valid =
            |option: &str, value: &str| Arguments::from_args(&[command_line.program], &[option, value]).is_ok();
        self.render(&info, command_line, &is_valid)
    }

    fn render(
        &self,
        info: &CommandInfoWithArgs,
        command_line: &CommandLine,
        is_valid: &dyn Fn(&str, &str) -> bool,
    ) -> String {
        let file = self.file.as_deref().map_or(String::new(), |file| format!("{} and ", escaped(file.chars())));
        let mut text = format!(
            "# The options of {} from {file}the command line; in comments, the defaults of the others.\n",
            command_line.program
        );
        for group in command_line.config_groups() {
            let flags = group.flags_in(info);
            if flags.is_empty() {
                continue;
            }
            text.push_str(&format!("\n[{}]\n", group.section()));
            for flag in flags {
                text.push_str(&self.render_given(flag).unwrap_or_else(|| render_default(flag, is_valid)));
                text.push('\n');
            }
        }
        text
    }

    /// The line of an option that is given.
    fn render_given(&self, flag: &FlagInfo<'static>) -> Option<String> {
        let given: Vec<_> = self.all.iter().filter(|option| option.name == flag.long).collect();
        let place = given.first()?.line.map_or("command line".to_owned(), |line| self.place(line));
        let value = |value: &GivenValue| match value {
            GivenValue::Switch(is_on) => is_on.to_string(),
            GivenValue::Text(text) => toml_value(flag, text),
        };
        let values: Vec<_> = given.iter().map(|option| value(&option.value)).collect();
        let value = match values.as_slice() {
            // A switch may be repeated on the command line.
            [one] => one.clone(),
            [one, ..] if flag.kind == FlagInfoKind::Switch => one.clone(),
            all => format!("[{}]", all.join(", ")),
        };
        Some(format!("{} = {value}  # {place}", key(flag)))
    }
}

/// The comment about an option that is not given.
fn render_default(flag: &FlagInfo<'static>, is_valid: &dyn Fn(&str, &str) -> bool) -> String {
    let default = default_text(flag);
    let FlagInfoKind::Option { arg_name } = flag.kind else {
        return format!("# {} = false  # default: {default}", key(flag));
    };
    let value = default.split([',', ';']).next().unwrap_or_default();
    if arg_name == "path" || !is_valid(flag.long, value) {
        let form = TomlStringBuilder::new(&arg_name.to_uppercase()).as_basic().to_toml_value();
        return format!("# {} = {form}  # default: {default}", key(flag));
    }
    let more = if value == default { String::new() } else { format!(": {default}") };
    format!("# {} = {}  # default{more}", key(flag), toml_value(flag, value))
}

/// The default of an option, in the words of the help.
fn default_text(flag: &FlagInfo<'static>) -> String {
    let words = flag.description.replace('`', "");
    let words = words.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let default = words.rsplit_once("(default: ").and_then(|(_, default)| default.strip_suffix(')'));
    default.unwrap_or("none").to_owned()
}

fn key(flag: &FlagInfo<'static>) -> &'static str {
    flag.long.trim_start_matches('-')
}

/// The value of an option. The number of a number option is a number, as users write it.
fn toml_value(flag: &FlagInfo<'static>, text: &str) -> String {
    let is_number = matches!(flag.kind, FlagInfoKind::Option { arg_name } if NUMBERS.contains(&arg_name));
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_number && is_decimal && (1..=DIGITS_MAX).contains(&text.len()) {
        text.to_owned()
    } else {
        TomlStringBuilder::new(text).as_basic().to_toml_value()
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;

    use super::super::parse::parse_words;
    use super::super::trial::{COMMAND_LINE, Trial};
    use super::super::{Parsed, quoted};

    fn parse(words: &[&str]) -> Parsed<Trial> {
        parse_words(words.iter().map(OsString::from), &COMMAND_LINE).unwrap()
    }

    #[test]
    fn text_has_values_defaults_and_places() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.toml");
        fs::write(&path, "[limits]\nno-watch = false\nmax-clients = 7\n[listeners]\n\nlisten = [\"a\",\n\"b\\n\"]\n")
            .unwrap();
        let shown = path.to_str().unwrap();
        let parsed = parse(&["--config", shown, "--max-clients", "08", "--data=it's \"x\""]);
        let expected = format!(
            "\
# The options of trial from {shown} and the command line; in comments, the defaults of the others.

[listeners]
listen = [\"a\", \"b\\n\"]  # {shown}:6

[limits]
max-clients = \"08\"  # command line
no-watch = false  # {shown}:2
# idle-timeout = \"DURATION\"  # default: as many as it takes

[control-socket]
data = \"it's \\\"x\\\"\"  # command line
"
        );
        assert_eq!(parsed.options.render_config::<Trial>(&COMMAND_LINE), expected);
        let expected = "\
# The options of trial from the command line; in comments, the defaults of the others.

[listeners]
# listen = \"127.0.0.1:9\"  # default: 127.0.0.1:9, which is here

[limits]
# max-clients = 10  # default
no-watch = true  # command line
idle-timeout = 5  # command line

[control-socket]
# data = \"PATH\"  # default: none; a command makes one
";
        let parsed = parse(&["--no-watch", "--idle-timeout=5", "--no-watch"]);
        assert_eq!(parsed.options.render_config::<Trial>(&COMMAND_LINE), expected);
    }

    #[test]
    fn rendered_text_gives_the_same_options() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.toml");
        arbtest::arbtest(|u| {
            let mut words = Vec::new();
            for _ in 0..u.int_in_range(0..=3)? {
                words.push(format!("--listen={}", u.arbitrary::<String>()?.replace('\0', "")));
            }
            if u.arbitrary()? {
                words.push(format!("--data={}", u.arbitrary::<String>()?.replace('\0', "")));
            }
            if u.arbitrary()? {
                words.push(format!("--max-clients={}", u.arbitrary::<u32>()?));
            }
            if u.arbitrary()? {
                words.push("--no-watch".to_owned());
            }
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            let given = parse(&words);
            fs::write(&path, given.options.render_config::<Trial>(&COMMAND_LINE)).unwrap();
            let config = path.to_str().unwrap().to_owned();
            let read = parse(&["--config", &config]);
            assert_eq!(
                read.arguments,
                Trial { config: Some(config), ..given.arguments },
                "{}",
                quoted(&words.join(" "))
            );
            Ok(())
        });
    }
}
