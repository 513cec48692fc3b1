//! A reader of shell text that finds commands in it. It need not be exact: a command that it
//! takes apart wrongly is one that the rules do not know.

use std::collections::BTreeMap;

/// One simple command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Command {
    /// Its words, quotes removed and known variables filled in.
    pub(super) words: Vec<String>,
    /// The files that its output goes to.
    pub(super) writes: Vec<String>,
}

/// Words that are followed by a command.
const LEADING: [&str; 25] = [
    "then",
    "do",
    "else",
    "elif",
    "if",
    "while",
    "until",
    "!",
    "{",
    "}",
    "time",
    "exec",
    "sudo",
    "nice",
    "nohup",
    "env",
    "command",
    "builtin",
    "setsid",
    "ionice",
    "timeout",
    "busybox",
    "chroot",
    "eval",
    "systemd-run",
];

/// Words of wrappers that are not options and come before the command.
fn is_wrapper_argument(wrapper: &str, word: &str) -> bool {
    word.starts_with('-')
        || is_assignment(word)
        || (wrapper == "timeout" && word.starts_with(|c: char| c.is_ascii_digit()))
        || (wrapper == "chroot" && word.starts_with(['/', '$']))
}

/// Returns whether a word looks like a function of a script that runs its arguments, such as
/// DietPi's `G_EXEC`.
fn is_function(word: &str) -> bool {
    word.len() > 1
        && !word.contains("INJECT")
        && word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// Returns the last part of a path.
pub(super) fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// Returns the commands of a line. Assignments of plain words are kept in `variables`.
pub(super) fn commands(line: &str, variables: &mut BTreeMap<String, String>) -> Vec<Command> {
    let mut found = Vec::new();
    for mut command in split(line) {
        for word in command.words.iter_mut().chain(&mut command.writes) {
            if word.contains('$') {
                *word = fill_in(word, variables);
            }
        }
        let mut first = 0;
        let mut wrapper = String::new();
        while let Some(word) = command.words.get(first) {
            if LEADING.contains(&base(word)) || is_function(word) {
                wrapper = base(word).to_owned();
            } else if matches!(word.as_str(), "export" | "local" | "declare" | "readonly") {
                wrapper.clear();
            } else if is_assignment(word) {
                if let Some((name, value)) = word.split_once('=')
                    && variables.len() < 1000
                    && value.len() < 300
                {
                    variables.insert(name.to_owned(), value.to_owned());
                }
            } else if wrapper.is_empty() || !is_wrapper_argument(&wrapper, word) {
                break;
            }
            first += 1;
        }
        command.words.drain(..first);
        // `pattern) command` of a case.
        if !command.words.is_empty() || !command.writes.is_empty() {
            found.push(command);
        }
    }
    found
}

/// Fills in variables that were assigned plain words before.
fn fill_in(word: &str, variables: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = word;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let (braced, name_text) = match rest.strip_prefix('{') {
            Some(inner) => (true, inner),
            None => (false, rest),
        };
        let end = name_text
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(name_text.len());
        let (name, after) = name_text.split_at(end);
        let closes = !braced || after.starts_with('}');
        match variables.get(name) {
            Some(value) if closes && out.len() < 4096 => {
                out.push_str(value);
                rest = if braced { &after[1..] } else { after };
            }
            _ => out.push('$'),
        }
    }
    out.push_str(rest);
    out
}

/// Splits a line at what separates commands, and into words. Quotes are removed.
fn split(line: &str) -> Vec<Command> {
    let mut found = Vec::new();
    let mut command = Command::default();
    let mut word = String::new();
    let mut in_word = false;
    let mut redirect = false;
    let mut letters = line.chars().peekable();
    let end_word =
        |word: &mut String, in_word: &mut bool, redirect: &mut bool, to: &mut Command| {
            if *in_word {
                let text = std::mem::take(word);
                if *redirect {
                    to.writes.push(text)
                } else {
                    to.words.push(text)
                }
                *redirect = false;
            }
            *in_word = false;
        };
    while let Some(c) = letters.next() {
        match c {
            '\'' => {
                in_word = true;
                for c in letters.by_ref() {
                    if c == '\'' {
                        break;
                    }
                    word.push(c);
                }
            }
            '"' => {
                in_word = true;
                while let Some(c) = letters.next() {
                    match c {
                        '"' => break,
                        '\\' => word.extend(letters.next()),
                        _ => word.push(c),
                    }
                }
            }
            '\\' => {
                if let Some(c) = letters.next() {
                    in_word = true;
                    word.push(c);
                }
            }
            '#' if !in_word => break,
            c if c.is_whitespace() => {
                end_word(&mut word, &mut in_word, &mut redirect, &mut command)
            }
            '>' => {
                // A number in front is a file descriptor.
                if in_word && word.chars().all(|c| c.is_ascii_digit()) {
                    word.clear();
                    in_word = false;
                }
                end_word(&mut word, &mut in_word, &mut redirect, &mut command);
                while matches!(letters.peek(), Some('>' | '|')) {
                    letters.next();
                }
                if letters.peek() == Some(&'&') {
                    letters.next();
                } else {
                    redirect = true;
                }
            }
            '<' => end_word(&mut word, &mut in_word, &mut redirect, &mut command),
            '&' if letters.peek() == Some(&'>') => {}
            ';' | '|' | '&' | '(' | ')' | '`' => {
                if c == '(' && word.ends_with('$') {
                    word.pop();
                    in_word = !word.is_empty();
                }
                end_word(&mut word, &mut in_word, &mut redirect, &mut command);
                redirect = false;
                found.push(std::mem::take(&mut command));
            }
            _ => {
                in_word = true;
                word.push(c);
            }
        }
    }
    end_word(&mut word, &mut in_word, &mut redirect, &mut command);
    found.push(command);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<String>> {
        let mut variables = BTreeMap::from([("F".to_owned(), "/etc/hosts".to_owned())]);
        commands(line, &mut variables).into_iter().map(|c| c.words).collect()
    }

    #[test]
    fn commands_of_a_line() {
        assert_eq!(
            words("if [ -x /a ]; then /a start; fi"),
            [vec!["[", "-x", "/a", "]"], vec!["/a", "start"], vec!["fi"]]
        );
        assert_eq!(words("A=1 sudo -n rm -f \"$F\" # x"), [vec!["rm", "-f", "/etc/hosts"]]);
        assert_eq!(words("B=$(hostname)")[0], ["hostname"]);
        let mut none = BTreeMap::new();
        assert_eq!(commands("echo x >> '/etc/hosts' 2>&1", &mut none)[0].writes, ["/etc/hosts"]);
    }

    #[test]
    fn any_text_is_taken_apart() {
        for text in ["'", "\"", "\\", ">", "$", "${", "a\\", "`", "é>é", "$(((", "${a"] {
            words(text);
        }
    }
}
