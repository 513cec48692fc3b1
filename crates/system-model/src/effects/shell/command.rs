//! Simple commands, and the commands that others run.

use super::super::SHELLS;

/// The text of a here-document, and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) text: String,
    /// The line where it begins, counted in the text that the command is in.
    pub(crate) line: usize,
}

/// One simple command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Command {
    /// Its words, quotes removed and known variables filled in.
    pub(crate) words: Vec<String>,
    /// The files that its output goes to.
    pub(crate) writes: Vec<String>,
    /// Its input, as far as it is known: what the command before it in a pipe puts out.
    pub(crate) input: Vec<String>,
    /// Its input from a here-document, or what `echo` gives it.
    pub(crate) document: Option<Document>,
    /// The working directory, if it is known.
    pub(crate) directory: Option<String>,
    /// The line of its first word.
    pub(crate) line: usize,
    /// Where that word begins in the text, in bytes.
    pub(crate) offset: usize,
}

/// Returns the last part of a path.
pub(crate) fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// Returns whether a word assigns to a variable.
pub(super) fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        // Of an array: `NAME[1]=`.
        let name = match name.split_once('[') {
            Some((name, rest)) if rest.trim_end_matches('+').ends_with(']') => name,
            _ => name,
        };
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.trim_end_matches('+').chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}

/// Returns whether a word looks like a function of a script that runs its arguments, such as
/// DietPi's `G_EXEC`.
fn is_function(word: &str) -> bool {
    word.len() > 1
        && !word.contains("INJECT")
        && word.starts_with(|c: char| c.is_ascii_uppercase())
        && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// Programs that run the command in their arguments: their options that take a value, and how many
/// words come between the options and the command.
const WRAPPERS: [(&str, &[&str], usize); 33] = [
    ("sudo", &["-u", "-g", "-C", "-h", "-p", "-r", "-t", "-T", "-U", "-D", "-R"], 0),
    ("doas", &["-u", "-C"], 0),
    ("env", &["-u", "-C", "-S"], 0),
    ("nice", &["-n"], 0),
    ("ionice", &["-c", "-n", "-p"], 0),
    ("timeout", &["-k", "-s"], 1),
    ("chroot", &[], 1),
    ("flock", &["-w", "-E"], 1),
    ("stdbuf", &["-i", "-o", "-e"], 0),
    ("taskset", &[], 1),
    ("chrt", &[], 1),
    ("systemd-run", &["-p", "-u", "-t", "-M"], 0),
    ("systemd-inhibit", &[], 0),
    ("systemd-cat", &["-t", "-p"], 0),
    ("nohup", &[], 0),
    ("setsid", &[], 0),
    ("exec", &["-a"], 0),
    ("command", &[], 0),
    ("builtin", &[], 0),
    ("time", &["-f", "-o"], 0),
    ("busybox", &[], 0),
    ("toybox", &[], 0),
    ("chronic", &[], 0),
    ("unbuffer", &[], 0),
    ("unshare", &[], 0),
    ("nsenter", &["-t"], 0),
    ("setpriv", &[], 0),
    ("fakeroot", &[], 0),
    ("watch", &["-n"], 0),
    ("xargs", &["-n", "-P", "-I", "-L", "-d", "-a", "-s", "-E"], 0),
    ("parallel", &["-j"], 0),
    ("eatmydata", &[], 0),
    ("noglob", &[], 0),
];

impl Command {
    /// Returns the name of the program.
    pub(crate) fn name(&self) -> &str {
        self.words.first().map_or("", |word| base(word))
    }

    /// Returns the words behind the first.
    pub(crate) fn arguments(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Takes programs off that run the rest: `sudo -u root rm x` is `rm x`.
    pub(super) fn unwrap(&mut self, is_known: impl Fn(&str) -> bool) {
        while let Some(first) = self.words.first() {
            if is_known(first) {
                return;
            }
            let name = base(first);
            let Some((name, valued, skipped)) = WRAPPERS.iter().find(|one| one.0 == name) else {
                if !is_function(first) && !is_assignment(first) {
                    return;
                }
                self.words.remove(0);
                continue;
            };
            let mut at = 1;
            let mut replaced = None;
            while let Some(word) = self.words.get(at) {
                if word == "--" {
                    at += 1;
                    break;
                } else if valued.contains(&word.as_str()) {
                    if word == "-I" {
                        replaced = self.words.get(at + 1).cloned();
                    }
                    // `flock -c TEXT`, as a shell.
                    at += 2;
                } else if word.len() > 1 && word.starts_with('-') {
                    if matches!(*name, "command") && matches!(word.as_str(), "-v" | "-V") {
                        self.words.clear();
                        return;
                    }
                    if let Some(mark) = word.strip_prefix("-I").filter(|mark| !mark.is_empty()) {
                        replaced = Some(mark.to_owned());
                    }
                    at += 1;
                } else if *name == "env" && is_assignment(word) {
                    at += 1;
                } else {
                    break;
                }
            }
            let mut words = self.words.split_off((at + skipped).min(self.words.len()));
            if matches!(*name, "xargs" | "parallel") {
                match replaced {
                    Some(mark) => {
                        let has = |word: &&mut String| word.contains(&mark);
                        let input = self.input.join(" ");
                        for word in words.iter_mut().filter(has) {
                            *word = word.replace(&mark, input.get(..4096).unwrap_or(&input));
                        }
                        words = words
                            .iter()
                            .flat_map(|word| word.split_whitespace().map(str::to_owned))
                            .collect();
                    }
                    None => words.extend(self.input.iter().cloned()),
                }
            }
            self.words = words;
        }
    }

    /// Returns the command that `find` runs for each file, with the files that it may find.
    pub(super) fn run_by_find(&self) -> Option<Command> {
        if self.name() != "find" {
            return None;
        }
        let runs = |word: &String| matches!(word.as_str(), "-exec" | "-execdir" | "-ok");
        let at = self.words.iter().position(runs)?;
        let found = self.output();
        let mut words = Vec::new();
        for word in &self.words[at + 1..] {
            match word.as_str() {
                ";" | "+" => break,
                "{}" => words.extend(found.iter().cloned()),
                word => words.push(word.to_owned()),
            }
        }
        Some(Command { words, writes: Vec::new(), ..self.clone() })
    }

    /// Returns the text for a shell in the arguments: behind `-c`, or of `eval` and `trap`.
    pub(crate) fn inner_text(&self) -> Option<String> {
        let (name, arguments) = (self.name(), self.arguments());
        match name {
            "eval" => Some(arguments.join(" ")),
            "trap" if arguments.len() > 1 => arguments.first().cloned(),
            "su" | "runuser" | "flock" | "script" => {
                let flag = |word: &String| {
                    matches!(word.as_str(), "-c" | "--command" | "--session-command" | "-qc")
                };
                let at = arguments.iter().position(flag)?;
                arguments.get(at + 1).cloned()
            }
            name if SHELLS.contains(&name) => {
                let at = arguments.iter().position(|word| is_flags_with_c(word))?;
                arguments[at + 1..].iter().find(|word| !word.starts_with('-')).cloned()
            }
            _ => None,
        }
    }

    /// Returns the words that a command may put out, as far as they are known.
    pub(super) fn output(&self) -> Vec<String> {
        let arguments = self.arguments();
        let values = || arguments.iter().filter(|word| !word.starts_with('-'));
        let first = || values().next().cloned().unwrap_or_default();
        match self.name() {
            "echo" | "printf" | "print" => {
                let words = arguments.iter().flat_map(|word| word.split_whitespace());
                words.filter(|word| !word.starts_with('-')).map(str::to_owned).collect()
            }
            "ls" | "realpath" | "readlink" | "compgen" => values().cloned().collect(),
            "dirname" => {
                let (start, _) = first().rsplit_once('/').map_or_else(
                    || (".".to_owned(), String::new()),
                    |(start, end)| (start.to_owned(), end.to_owned()),
                );
                vec![start]
            }
            "basename" => vec![base(&first()).to_owned()],
            "pwd" => self.directory.iter().cloned().collect(),
            "find" => {
                let is_directory = |word: &&String| !word.starts_with(['-', '(', '!']);
                let directories: Vec<&String> = arguments.iter().take_while(is_directory).collect();
                let names = arguments.windows(2).filter(|two| {
                    matches!(two[0].as_str(), "-name" | "-iname" | "-path" | "-wholename")
                });
                let names: Vec<&str> = names.map(|two| base(&two[1])).collect();
                let mut found = Vec::new();
                for directory in directories {
                    let directory = directory.trim_end_matches('/');
                    match names.is_empty() {
                        true => found.push(directory.to_owned()),
                        false => {
                            found.extend(names.iter().map(|name| format!("{directory}/{name}")))
                        }
                    }
                }
                found
            }
            // What passes its input on.
            "cat" | "tac" if values().next().is_none() => self.input.clone(),
            // Of the names in a directory, those with a pattern.
            "grep" | "egrep" if !self.input.is_empty() => {
                let pattern = first();
                let plain = pattern.trim_start_matches('^').trim_end_matches('$');
                let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
                let mut found = self.input.clone();
                if !plain.is_empty() && plain.chars().all(is_plain) {
                    found.push(format!("*{plain}*"));
                }
                found
            }
            "grep" | "egrep" | "sort" | "uniq" | "head" | "tail" | "tr" | "sed" | "awk" | "cut"
            | "tee" => self.input.clone(),
            _ => Vec::new(),
        }
    }

    /// Returns the text that a command puts out, for a shell or an interpreter behind a pipe.
    pub(super) fn output_text(&self) -> Option<Document> {
        match self.name() {
            "cat" | "tee" => self.document.clone(),
            "echo" | "printf" => {
                let words = self.arguments().iter().filter(|word| !word.starts_with('-'));
                let text = words.map(|word| word.replace("\\n", "\n")).collect::<Vec<_>>();
                Some(Document { text: text.join(" "), line: self.line })
            }
            _ => None,
        }
    }
}

/// Returns whether a word is a cluster of shell options with `c` in it, as in `sh -xec`.
fn is_flags_with_c(word: &str) -> bool {
    word.strip_prefix('-')
        .is_some_and(|rest| !rest.starts_with('-') && rest.len() < 6 && rest.contains('c'))
}
