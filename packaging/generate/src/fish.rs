//! The completion for fish.

use crate::completion::{CompletedOption, Completion, Values};

pub(crate) fn render(completion: &Completion) -> String {
    let Completion { program, options, commands } = completion;
    let mut text = format!(
        "# fish completion for {program}. Made from its options by scripts/generate. Do not edit.

# Whether the command line has this command; without an argument, whether it has none.
function __{program}_has
    set -l commands {}
    set -l valued {}
    set -l words (commandline -opc)
    set -e words[1]
    set -l is_value 0
    for word in $words
        if test $is_value = 1
            set is_value 0
        else if contains -- $word $valued
            set is_value 1
        else if contains -- $word $commands
            test \"$word\" = \"$argv\"
            return
        end
    end
    test -z \"$argv\"
end

complete -c {program} -f
",
        completion.command_names(),
        completion.valued_options(),
    );
    for command in commands {
        let (name, summary) = (&command.name, quoted(&command.summary));
        text.push_str(&format!("complete -c {program} -n __{program}_has -a {name} -d {summary}\n"));
    }
    for option in options {
        text.push_str(&format!("complete -c {program} -n __{program}_has {}\n", arguments(option)));
    }
    for command in commands {
        let condition = quoted(&format!("__{program}_has {}", command.name));
        let argument = match &command.argument {
            Values::Files => "-F".to_owned(),
            Values::Words(_) => format!("-a {}", quoted(&command.argument.words())),
            Values::Unknown => String::new(),
        };
        if !argument.is_empty() {
            text.push_str(&format!("complete -c {program} -n {condition} {argument}\n"));
        }
        for option in &command.options {
            text.push_str(&format!("complete -c {program} -n {condition} {}\n", arguments(option)));
        }
    }
    text
}

fn arguments(option: &CompletedOption) -> String {
    let short = option.short.map(|short| format!(" -s {short}")).unwrap_or_default();
    let value = match (&option.value, &option.values) {
        (None, _) => String::new(),
        (_, Values::Files) => " -r -F".to_owned(),
        (_, Values::Words(words)) => format!(" -x -a {}", quoted(&words.join(" "))),
        (_, Values::Unknown) => " -x".to_owned(),
    };
    format!("-l {}{short}{value} -d {}", option.long.trim_start_matches('-'), quoted(&option.summary))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
