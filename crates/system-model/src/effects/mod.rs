//! What programs that run at boot would change, found in their own text.
//!
//! Commands are followed into scripts of the image: what a unit or script runs by its absolute
//! path, hands to an interpreter, sources, or has run-parts run. Programs that are not text,
//! and what an initramfs does before the root filesystem is mounted, are out of reach.

mod rules;
mod shell;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use rules::protected;

use crate::{Effect, FileKind, Location, SystemError, SystemFiles};

/// Scripts within scripts that are followed.
const MAX_DEPTH: usize = 3;
/// Scripts of one program that are read.
const MAX_SCRIPTS: usize = 64;
/// As much of a script is read, in bytes. What follows is mostly data of an installer.
const MAX_SCRIPT: usize = 1 << 20;
/// The first bytes of a file say what runs it.
const HEAD: usize = 512;
/// Longer lines hold data.
const MAX_LINE: usize = 10_000;

/// Returns the words of each command of a shell line. Variables that were assigned plain words are
/// filled in and kept.
pub(crate) fn shell_commands(
    line: &str,
    variables: &mut BTreeMap<String, String>,
) -> Vec<Vec<String>> {
    shell::commands(line, variables).into_iter().map(|command| command.words).collect()
}

/// A place in a program's text that changes something of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touch {
    /// What it changes.
    pub effect: Effect,
    /// Where it is written.
    pub location: Location,
    /// The line as written.
    pub text: String,
}

/// Shells, whose first argument is a script or, behind `-c`, its text.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "ksh", "zsh"];
/// Other interpreters.
const INTERPRETERS: [&str; 5] = ["python", "python3", "perl", "ruby", "lua"];
/// Directories whose programs may be called by name and are not of a distribution.
const LOCAL: [&str; 2] = ["/usr/local/sbin", "/usr/local/bin"];

/// Programs that come with Debian and whose text mentions what they are able to do, not what
/// they do at boot.
const STOCK: [&str; 12] = [
    "/usr/bin/cloud-init",
    "/usr/bin/unattended-upgrade",
    "/usr/bin/unattended-upgrades",
    "/usr/share/unattended-upgrades/unattended-upgrade-shutdown",
    "/usr/lib/apt/apt.systemd.daily",
    "/usr/sbin/dpkg-reconfigure",
    "/usr/sbin/adduser",
    "/usr/sbin/update-initramfs",
    "/usr/bin/raspi-config",
    "/lib/lsb/init-functions",
    "/sbin/dhclient-script",
    "/usr/bin/pkexec",
];

/// Reads the text of one program and of what it runs.
pub(crate) struct Scan<'a> {
    files: &'a dyn SystemFiles,
    seen: BTreeSet<String>,
    touches: Vec<Touch>,
    scripts: Vec<String>,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(files: &'a dyn SystemFiles) -> Self {
        Scan { files, seen: BTreeSet::new(), touches: Vec::new(), scripts: Vec::new() }
    }

    /// Returns what was found, and the scripts that were read.
    pub(crate) fn finish(self) -> (Vec<Touch>, Vec<String>) {
        (self.touches, self.scripts)
    }

    /// Reads one command line.
    pub(crate) fn command(&mut self, text: &str, at: &Location) -> Result<(), SystemError> {
        let mut variables = BTreeMap::new();
        self.line(text, at, &mut variables, 0)
    }

    /// Reads text of several lines that a shell runs.
    pub(crate) fn text(
        &mut self,
        text: &str,
        at: impl Fn(usize) -> Location,
    ) -> Result<(), SystemError> {
        self.shell(text, &at, 0)
    }

    /// Reads the text of a program that begins with the name of its interpreter.
    pub(crate) fn program(
        &mut self,
        text: &str,
        at: impl Fn(usize) -> Location,
    ) -> Result<(), SystemError> {
        match interpreter(text) {
            Some(line) if !is_shell(line) => {
                self.other(text, &at);
                Ok(())
            }
            _ => self.shell(text, &at, 0),
        }
    }

    /// Reads a script of the image, if it is one.
    pub(crate) fn script(&mut self, path: &str) -> Result<(), SystemError> {
        self.file(path, 0, false)
    }

    fn line(
        &mut self,
        text: &str,
        at: &Location,
        variables: &mut BTreeMap<String, String>,
        depth: usize,
    ) -> Result<(), SystemError> {
        if text.len() > MAX_LINE {
            return Ok(());
        }
        for command in shell::commands(text, variables) {
            for effect in rules::command(&command) {
                self.touch(effect, at, text);
            }
            // What eval or a wrapper got in quotes.
            if command.words.first().is_some_and(|word| word.contains(char::is_whitespace))
                && depth < MAX_DEPTH
            {
                self.line(&command.words.join(" "), at, variables, depth + 1)?;
                continue;
            }
            self.follow(&command.words, at, variables, depth)?;
            // Commands within double quotes.
            for word in &command.words {
                if let Some((_, inner)) = word.split_once("$(")
                    && depth < MAX_DEPTH
                {
                    self.line(inner, at, variables, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    fn touch(&mut self, effect: Effect, at: &Location, text: &str) {
        if self.touches.iter().all(|one| one.effect != effect || one.location != *at) {
            let text: String = text.trim().chars().take(300).collect();
            self.touches.push(Touch { effect, location: at.clone(), text });
        }
    }

    /// Goes on with what a command runs.
    fn follow(
        &mut self,
        words: &[String],
        at: &Location,
        variables: &mut BTreeMap<String, String>,
        depth: usize,
    ) -> Result<(), SystemError> {
        let Some((first, rest)) = words.split_first() else { return Ok(()) };
        let name = shell::base(first);
        let argument = rest.iter().find(|word| !word.starts_with('-'));
        if depth >= MAX_DEPTH {
            return Ok(());
        }
        if SHELLS.contains(&name) || matches!(name, "su" | "runuser" | "eval") {
            let flag =
                |word: &String| word == "-c" || (SHELLS.contains(&name) && is_flags_with_c(word));
            if let Some(position) = rest.iter().position(flag) {
                if let Some(text) = rest.get(position + 1) {
                    let text = text.clone();
                    return self.line(&text, at, variables, depth + 1);
                }
            } else if let Some(script) = argument {
                return self.file(script, depth + 1, true);
            }
        } else if matches!(name, "." | "source") {
            if let Some(script) = rest.first() {
                return self.file(script, depth + 1, true);
            }
        } else if INTERPRETERS.iter().any(|one| name.starts_with(one)) {
            if let Some(script) = argument {
                return self.file(script, depth + 1, false);
            }
        } else if name == "run-parts" {
            if let Some(directory) = argument {
                for name in self.files.list(directory)?.unwrap_or_default() {
                    self.file(&format!("{directory}/{name}"), depth + 1, false)?;
                }
            }
        } else if name == "start-stop-daemon" {
            for word in rest.iter().filter(|word| word.starts_with('/')) {
                self.file(word, depth + 1, false)?;
            }
        } else if first.starts_with('/') {
            return self.file(first, depth + 1, false);
        } else if !first.contains(['/', '$', '=', '[']) {
            for directory in LOCAL {
                let path = format!("{directory}/{first}");
                if self.files.metadata(&path)?.is_some() {
                    return self.file(&path, depth + 1, false);
                }
            }
        }
        Ok(())
    }

    /// Reads a file if it is a script; `is_shell` says that a shell reads it in any case.
    fn file(&mut self, path: &str, depth: usize, is_shell: bool) -> Result<(), SystemError> {
        if !path.starts_with('/') && !path.contains(":/")
            || STOCK.contains(&path)
            || self.scripts.len() >= MAX_SCRIPTS
            || !self.seen.insert(path.to_owned())
        {
            return Ok(());
        }
        let Some(found) = self.files.metadata(path)? else { return Ok(()) };
        if found.kind != FileKind::Regular {
            return Ok(());
        }
        let is_large = found.size > MAX_SCRIPT as u64;
        // Most large files are programs of another kind.
        if is_large && !self.files.read_start(path, HEAD)?.is_some_and(|head| is_text(&head)) {
            return Ok(());
        }
        let Some(mut bytes) = self.files.read_start(path, MAX_SCRIPT)? else { return Ok(()) };
        if !is_text(&bytes) {
            return Ok(());
        }
        if is_large {
            // The last line is not whole.
            bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1));
        }
        let text = String::from_utf8_lossy(&bytes);
        let shell = match interpreter(&text) {
            Some(line) => self::is_shell(line),
            None => is_shell || depth <= 1,
        };
        self.scripts.push(path.to_owned());
        let at = |line| Location::new(path, line);
        if shell {
            self.shell(&text, &at, depth)
        } else {
            self.other(&text, &at);
            Ok(())
        }
    }

    fn shell(
        &mut self,
        text: &str,
        at: &dyn Fn(usize) -> Location,
        depth: usize,
    ) -> Result<(), SystemError> {
        let mut variables = BTreeMap::new();
        let mut joined = String::new();
        let mut begins = 0;
        for (index, line) in text.lines().enumerate() {
            if joined.is_empty() {
                begins = index + 1;
            }
            if let Some(more) = line.strip_suffix('\\')
                && joined.len() < MAX_LINE
            {
                joined.push_str(more);
                joined.push(' ');
                continue;
            }
            joined.push_str(line);
            self.line(&joined, &at(begins), &mut variables, depth)?;
            joined.clear();
        }
        self.line(&joined, &at(begins), &mut variables, depth)
    }

    fn other(&mut self, text: &str, at: &dyn Fn(usize) -> Location) {
        for (index, line) in text.lines().enumerate() {
            if line.trim_start().starts_with('#') || line.len() > MAX_LINE {
                continue;
            }
            let separators = |c: char| c.is_whitespace() || "'\"`()[]{},;=".contains(c);
            let words: Vec<String> =
                line.split(separators).filter(|word| !word.is_empty()).map(str::to_owned).collect();
            for effect in rules::words(&words) {
                self.touch(effect, &at(index + 1), line);
            }
        }
    }
}

/// Returns the rest of the line that names a script's interpreter.
fn interpreter(text: &str) -> Option<&str> {
    text.strip_prefix("#!").and_then(|rest| rest.lines().next())
}

/// Returns whether an interpreter is a shell.
fn is_shell(line: &str) -> bool {
    let mut words = line.split_whitespace().map(shell::base);
    words.any(|word| SHELLS.contains(&word)) || line.contains("openrc-run")
}

/// Returns whether a file is run as a script: the kernel starts an interpreter for `#!`, and a
/// shell reads everything else that the kernel does not run, unless its first line is binary
/// (bash's `check_binary_file`).
fn is_text(head: &[u8]) -> bool {
    let head = head.get(..HEAD).unwrap_or(head);
    let first = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    head.starts_with(b"#!") || !head.starts_with(b"\x7fELF") && !first.contains(&0)
}

/// Returns whether a word is a cluster of shell options with `c` in it, as in `sh -xec`.
fn is_flags_with_c(word: &str) -> bool {
    word.strip_prefix('-')
        .is_some_and(|rest| !rest.starts_with('-') && rest.len() < 6 && rest.ends_with('c'))
}

#[cfg(test)]
mod tests;
