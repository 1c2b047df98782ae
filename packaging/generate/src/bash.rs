//! The completion for bash. It needs nothing of the package bash-completion, but is found by it.

use crate::completion::{CompletedOption, Completion, Values};

/// The lines that complete a file.
const FILES: [&str; 3] = ["compopt -o filenames", "mapfile -t COMPREPLY < <(compgen -f -- \"$current\")", "return"];

pub(crate) fn render(completion: &Completion) -> String {
    let Completion { program, options, commands } = completion;
    let mut text = format!(
        "# bash completion for {program}. Made from its options by scripts/generate. Do not edit.

_{program}() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} i word command='' option='' arguments=0
    local commands=' {} ' valued=' {} '
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${{COMP_WORDS[i]}}
        if [[ $word == = && -n $option ]]; then
            : # bash splits --option=value.
        elif [[ -n $option ]]; then
            option=''
        elif [[ $word == -- ]]; then
            return
        elif [[ $valued == *\" $word \"* ]]; then
            option=$word
        elif [[ $word != -* && -n $command ]]; then
            arguments=$((arguments + 1))
        elif [[ $commands == *\" $word \"* ]]; then
            command=$word
        fi
    done
    [[ $current != = ]] || current=''
    case $option in
        '') ;;
",
        completion.command_names(),
        completion.valued_options(),
    );
    let all = completion.all_options();
    let files: Vec<_> =
        all.iter().filter(|option| option.values == Values::Files).map(|option| &*option.long).collect();
    if !files.is_empty() {
        text.push_str(&format!(
            "        {})
            {}
            ;;
",
            files.join(" | "),
            FILES.join("\n            ")
        ));
    }
    for option in all {
        if let Values::Words(words) = &option.values {
            text.push_str(&format!("        {}) {} ;;\n", option.long, reply(&format!("'{}'", words.join(" ")))));
        }
    }
    text.push_str(
        "        *) return ;;
    esac
    case $command in
",
    );
    let contexts = commands.iter().map(|command| (command.name.as_str(), &command.options, command.argument.words()));
    for (name, options, words) in [("''", options, completion.command_names())].into_iter().chain(contexts) {
        text.push_str(&format!("        {name}) local options='{}' words='{words}' ;;\n", names(options)));
    }
    let takers: Vec<_> = commands.iter().filter(|command| command.argument == Values::Files).collect();
    let takes_file = if takers.is_empty() {
        String::new()
    } else {
        let names = takers.iter().map(|command| &*command.name).collect::<Vec<_>>().join(" ");
        let files = FILES.join("\n        ");
        format!("    elif [[ -n $command && ' {names} ' == *\" $command \"* ]]; then\n        {files}\n")
    };
    text.push_str(&format!(
        "    esac
    if [[ $current == -* ]]; then
        words=$options
    elif [[ -n $command && $arguments != 0 ]]; then
        return
{takes_file}    fi
    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")
}}

complete -F _{program} {program}
"
    ));
    text
}

fn reply(words: &str) -> String {
    format!("mapfile -t COMPREPLY < <(compgen -W {words} -- \"$current\"); return")
}

fn names(options: &[CompletedOption]) -> String {
    let short = |option: &CompletedOption| option.short.map(|short| format!("-{short}"));
    let names = options.iter().flat_map(|option| short(option).into_iter().chain([option.long.clone()]));
    names.collect::<Vec<_>>().join(" ")
}
