//! Scripts in Python, Perl and the like: which files they write, and which commands they run.
//!
//! A statement is looked at with the texts that stand in it, and those that the variables in it may
//! hold, wherever in the script they get them. Nothing is run, and expressions are not understood:
//! `os.path.join(a, b)` and `a + b` are both tried.

mod statement;
mod tokens;

use std::collections::BTreeMap;

use super::{paths::matching, paths::protected, shell::absolute};
use crate::Effect;
use statement::Statement;

/// Values of one variable that are kept.
const MAX_VALUES: usize = 16;
/// Variables that are kept.
const MAX_VARIABLES: usize = 1000;

/// What a statement does.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The line where it begins.
    pub(super) line: usize,
    /// Where that is in the text, in bytes.
    pub(super) offset: usize,
    pub(super) effects: Vec<Effect>,
    /// Whether it writes or removes any file.
    pub(super) writes: bool,
    /// Texts for a shell.
    pub(super) commands: Vec<String>,
    /// Paths whose use is known, not known, and to come.
    pub(super) decided: Vec<String>,
    pub(super) named: Vec<String>,
    pub(super) assigned: Vec<String>,
}

type Variables = BTreeMap<String, Vec<String>>;

/// Reads a script whose working directory may be known.
pub(super) fn read(text: &str, directory: Option<&str>) -> Vec<Found> {
    let statements = tokens::statements(text);
    let mut variables = Variables::new();
    let parameters = parameters(&statements);
    // A value may come from one that is set further below.
    for _ in 0..2 {
        for statement in &statements {
            bind(statement, &parameters, &mut variables);
        }
    }
    let judged = statements.iter().map(|one| judge(one, &variables, directory));
    judged.filter(|found| found.writes || found.is_anything()).collect()
}

impl Found {
    fn is_anything(&self) -> bool {
        let lists = [&self.commands, &self.decided, &self.named, &self.assigned];
        !self.effects.is_empty() || lists.iter().any(|list| !list.is_empty())
    }
}

/// Returns the names of the parameters of the functions of a script.
fn parameters(statements: &[Statement]) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for statement in statements {
        if let Some((name, parameters)) = statement.definition()
            && found.len() < MAX_VARIABLES
        {
            found.insert(name, parameters);
        }
    }
    found
}

/// Remembers what the variables that a statement sets may hold.
fn bind(
    statement: &Statement,
    parameters: &BTreeMap<String, Vec<String>>,
    variables: &mut Variables,
) {
    if let Some((names, from)) = statement.assignment() {
        let values = statement.values(from..statement.tokens.len(), variables);
        for name in names {
            add(variables, &name, &values);
        }
    }
    for call in statement.calls() {
        let Some(names) = parameters.get(&call.name) else { continue };
        for (name, argument) in names.iter().zip(&call.arguments) {
            let values = statement.values(argument.clone(), variables);
            add(variables, name, &values);
        }
    }
}

fn add(variables: &mut Variables, name: &str, values: &[String]) {
    if variables.len() >= MAX_VARIABLES {
        return;
    }
    let all = variables.entry(name.to_owned()).or_default();
    for value in values {
        if all.len() < MAX_VALUES && value.len() < 1000 && !all.contains(value) {
            all.push(value.clone());
        }
    }
}

/// Calls that remove, write or change the files that they are given.
const WRITERS: [&str; 40] = [
    "remove",
    "unlink",
    "rmtree",
    "rmdir",
    "removedirs",
    "truncate",
    "write_text",
    "write_bytes",
    "write_file",
    "writeFile",
    "writeFileSync",
    "appendFile",
    "appendFileSync",
    "unlinkSync",
    "rmSync",
    "rm",
    "rm_f",
    "rm_rf",
    "rm_r",
    "touch",
    "spurt",
    "write_lines",
    "symlink_to",
    "hardlink_to",
    "delete",
    "rename",
    "replace",
    "move",
    "mv",
    "symlink",
    "link",
    "renameSync",
    "copy",
    "copy2",
    "copyfile",
    "copytree",
    "copyFile",
    "copyFileSync",
    "cp",
    "cp_r",
];
/// Of these, those that only change the last file that they are given.
const COPIES: [&str; 10] = [
    "symlink",
    "link",
    "copy",
    "copy2",
    "copyfile",
    "copytree",
    "copyFile",
    "copyFileSync",
    "cp",
    "cp_r",
];
/// Calls that open a file, for reading unless something says otherwise.
const OPENERS: [&str; 8] =
    ["open", "io.open", "fdopen", "sysopen", "openSync", "File.new", "NamedTemporaryFile", "opens"];
/// Calls that run a command.
const RUNNERS: [&str; 22] = [
    "system",
    "run",
    "call",
    "check_call",
    "check_output",
    "Popen",
    "popen",
    "getoutput",
    "getstatusoutput",
    "exec",
    "execl",
    "execv",
    "execvp",
    "execlp",
    "spawn",
    "spawnSync",
    "execSync",
    "execFile",
    "execute",
    "sh",
    "shell",
    "qx",
];
/// Calls that only look at files, or at text.
const READERS: [&str; 34] = [
    "exists",
    "isfile",
    "isdir",
    "is_file",
    "is_dir",
    "islink",
    "lexists",
    "stat",
    "lstat",
    "access",
    "getsize",
    "getmtime",
    "read",
    "read_text",
    "readlines",
    "read_bytes",
    "readlink",
    "print",
    "printf",
    "say",
    "log",
    "info",
    "debug",
    "warn",
    "warning",
    "error",
    "startswith",
    "endswith",
    "join",
    "samefile",
    "die",
    "exit",
    "format",
    "append",
];

/// Returns what a statement does.
fn judge(statement: &Statement, variables: &Variables, directory: Option<&str>) -> Found {
    let mut found = Found { line: statement.line, offset: statement.offset, ..Found::default() };
    let whole = || statement.candidates(0..statement.tokens.len(), variables);
    let mut is_known = false;
    let mut says = false;
    for call in statement.calls() {
        let name = call.name.as_str();
        let last = name.rsplit(['.', ':', '>']).next().unwrap_or(name);
        says |= is_message(last);
        if RUNNERS.contains(&last) || call.is_backquoted {
            found.writes = true;
            is_known = true;
            let range = call.range();
            found.commands.extend(statement.commands(range, variables));
        } else if OPENERS.contains(&last) || OPENERS.contains(&name) {
            is_known = true;
            if statement.opens_for_writing(&call) {
                found.writes = true;
                let paths = match call.arguments.first() {
                    // `path.open('w')`.
                    _ if call.is_method
                        || name.contains('.') && !matches!(name, "os.open" | "io.open") =>
                    {
                        whole()
                    }
                    _ => statement.candidates(call.range(), variables),
                };
                about(&paths, directory, &mut found.effects);
            }
        } else if WRITERS.contains(&last) {
            // `text.replace(a, b)` and `list.remove(x)` change no file, but neither do they name
            // a path of a card as a rule.
            is_known = true;
            found.writes |= !matches!(last, "replace" | "remove" | "copy" | "delete")
                || name.starts_with("os.")
                || name.starts_with("shutil.");
            const MODULES: [&str; 5] = ["os.", "shutil.", "File.", "fs.", "FileUtils."];
            let is_of_module = MODULES.iter().any(|start| name.starts_with(start));
            let is_method = call.is_method || name.contains('.') && !is_of_module;
            let paths = match (call.arguments.last(), COPIES.contains(&last)) {
                (Some(target), true) if !is_method => copied(statement, &call, target, variables),
                _ if is_method || call.arguments.is_empty() => whole(),
                _ => statement.candidates(call.range(), variables),
            };
            about(&paths, directory, &mut found.effects);
        } else {
            is_known |= READERS.contains(&last);
        }
    }
    // A text that is a command, for a function of the script's own.
    if !says && found.commands.is_empty() {
        let texts = statement.texts().filter(|text| is_command(text));
        found.commands.extend(texts.map(|text| statement::filled(text, variables)));
    }
    let paths = whole().into_iter().filter(|path| protected(path).is_some());
    if is_known || says || !found.effects.is_empty() {
        found.decided = paths.collect();
    } else if statement.assignment().is_some() || statement.definition().is_some() {
        let own = statement.texts().filter(|text| protected(text).is_some());
        found.assigned = own.map(str::to_owned).collect();
    } else if statement.has_call() {
        found.named = paths.collect();
    } else {
        let own = statement.texts().filter(|text| protected(text).is_some());
        found.assigned = own.map(str::to_owned).collect();
    }
    found
}

/// Returns the paths that a copy writes: its target, or a file of that name in it.
fn copied(
    statement: &Statement,
    call: &statement::Call,
    target: &std::ops::Range<usize>,
    variables: &Variables,
) -> Vec<String> {
    let mut paths = statement.candidates(target.clone(), variables);
    let sources = call.arguments.first().map(|range| statement.values(range.clone(), variables));
    for source in sources.unwrap_or_default() {
        let name = source.rsplit('/').next().unwrap_or_default();
        if !name.is_empty() {
            let inside: Vec<String> =
                paths.iter().take(MAX_VALUES).map(|path| format!("{path}/{name}")).collect();
            paths.extend(inside);
        }
    }
    paths.truncate(100);
    paths
}

fn about(paths: &[String], directory: Option<&str>, effects: &mut Vec<Effect>) {
    for path in paths {
        let path = path.trim_start_matches(['>', '<', '+', ' ']);
        let whole = absolute(path, directory.filter(|directory| *directory != "/"));
        for effect in matching(whole.as_deref().unwrap_or(path), false) {
            if !effects.contains(&effect) {
                effects.push(effect);
            }
        }
        // A directory above, where it is removed as a whole.
        if path.len() > 6 && (path.ends_with("/.ssh") || path == "/etc/ssh") {
            for effect in matching(path, true) {
                if !effects.contains(&effect) {
                    effects.push(effect);
                }
            }
        }
    }
}

/// Returns whether a call only prints its text.
fn is_message(name: &str) -> bool {
    const NAMES: [&str; 20] = [
        "print",
        "printf",
        "log",
        "info",
        "debug",
        "warn",
        "warning",
        "error",
        "critical",
        "die",
        "say",
        "raise",
        "exit",
        "add_argument",
        "ArgumentParser",
        "usage",
        "help",
        "exception",
        "Exception",
        "compile",
    ];
    NAMES.contains(&name) || name.ends_with("Error")
}

/// Returns whether a text looks like a command of a program that changes a card.
fn is_command(text: &str) -> bool {
    const PROGRAMS: [&str; 26] = [
        "rm",
        "sed",
        "mv",
        "cp",
        "ssh-keygen",
        "chpasswd",
        "passwd",
        "usermod",
        "useradd",
        "userdel",
        "adduser",
        "hostnamectl",
        "hostname",
        "resize2fs",
        "parted",
        "sfdisk",
        "growpart",
        "sgdisk",
        "dropbearkey",
        "dpkg-reconfigure",
        "systemd-machine-id-setup",
        "nmcli",
        "tee",
        "truncate",
        "systemctl",
        "ip",
    ];
    let mut words = text.split_whitespace().filter(|word| *word != "sudo");
    let first = words.next().map(|word| word.rsplit('/').next().unwrap_or(word));
    first.is_some_and(|first| PROGRAMS.contains(&first)) && words.next().is_some()
}

#[cfg(test)]
mod tests;
