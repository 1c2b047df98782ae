//! The completion for zsh, as a function of a directory of `$fpath`.

use crate::completion::{CompletedCommand, CompletedOption, Completion, Values};

pub(crate) fn render(completion: &Completion) -> String {
    let Completion { program, options, commands } = completion;
    let described = |command: &CompletedCommand| {
        format!("        {}\n", quoted(&format!("{}:{}", command.name, command.summary.replace(':', "\\:"))))
    };
    let mut text = format!(
        "#compdef {program}
# zsh completion for {program}. Made from its options by scripts/generate. Do not edit.

_{program}() {{
    local -a valued=({}) commands=({})
    local -i index is_value=0
    local command=''
    for ((index = 2; index < CURRENT; index++)); do
        if ((is_value)); then
            is_value=0
        elif ((valued[(Ie)$words[index]])); then
            is_value=1
        elif ((commands[(Ie)$words[index]])); then
            command=$words[index]
            # What comes before the command is not an argument of it.
            words=(\"${{(@)words[index,-1]}}\")
            ((CURRENT -= index - 1))
            break
        fi
    done
    case $command in
        '')
            _arguments -s -S : \\
{}                '*: :_{program}_commands'
            ;;
",
        completion.valued_options(),
        completion.command_names(),
        specifications(options),
    );
    for command in commands {
        let mut arguments = specifications(&command.options);
        if command.argument != Values::Unknown {
            arguments.push_str(&format!("                '1: :{}' \\\n", action(&command.argument)));
        }
        let arguments = arguments.trim_end_matches(" \\\n");
        text.push_str(&format!(
            "        {})
            _arguments -s -S : \\
{arguments}
            ;;
",
            command.name
        ));
    }
    text.push_str(&format!(
        "    esac
}}

_{program}_commands() {{
    local -a commands=(
{}    )
    _describe -t commands command commands
}}

_{program} \"$@\"
",
        commands.iter().map(described).collect::<String>()
    ));
    text
}

/// The options as `_arguments` expects them, one a line.
fn specifications(options: &[CompletedOption]) -> String {
    options.iter().map(|option| format!("                {} \\\n", specification(option))).collect()
}

fn specification(option: &CompletedOption) -> String {
    let summary = option.summary.replace('[', "\\[").replace(']', "\\]");
    let repeated = if option.is_repeated { "*" } else { "" };
    let value = match (&option.value, &option.values) {
        (None, _) => return switch(option, &summary),
        (Some(name), values) => format!("{}:{}", name.replace(':', "\\:"), action(values)),
    };
    quoted(&format!("{repeated}{}=[{summary}]:{value}", option.long))
}

/// The action of `_arguments` that completes a value.
fn action(values: &Values) -> String {
    match values {
        Values::Files => "_files".to_owned(),
        Values::Words(_) => format!("({})", values.words()),
        Values::Unknown => " ".to_owned(),
    }
}

fn switch(option: &CompletedOption, summary: &str) -> String {
    let long = &option.long;
    match option.short {
        Some(short) => format!("'(-{short} {long})'{{-{short},{long}}}{}", quoted(&format!("[{summary}]"))),
        None => quoted(&format!("{long}[{summary}]")),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}
