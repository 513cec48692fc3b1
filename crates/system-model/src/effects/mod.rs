//! What programs that run at boot would change, found in their own text.
//!
//! Commands are followed into scripts of the image: what a unit or script runs by its path, hands
//! to an interpreter, sources, or has run-parts run. Programs that are not text, and what an
//! initramfs does before the root filesystem is mounted, are out of reach.
//!
//! Where a text names something of a card and nothing shows what it does with it, a text that
//! writes or removes files at all may change it, which is reported as such ([`mentions`]).

mod language;
mod mentions;
mod paths;
mod place;
mod rules;
mod shell;

use std::collections::{BTreeMap, BTreeSet};

use mentions::Mentions;
pub(crate) use paths::{matching, protected};
pub(crate) use place::Place;
use shell::{Command, Context, MAX_DEPTH, Runner, absolute, base};
pub(crate) use shell::{Environment, Script, line_of_variable};

use crate::{Effect, FileKind, Location, SystemError, SystemFiles};

/// Scripts of one program that are read.
const MAX_SCRIPTS: usize = 64;
/// As much of a script is read, in bytes. What follows is mostly data of an installer.
const MAX_SCRIPT: usize = 1 << 20;
/// Text within text that is read of one program, in bytes: functions where they are called,
/// substitutions, loops whose input follows.
const MAX_NESTED: usize = 256 << 10;
/// Names of programs that are looked for.
const MAX_NAMES: usize = 10_000;
/// Calls of one function with the same arguments that are followed.
const MAX_CALLS: usize = 3;
/// What it costs to begin with a text, in bytes of it.
const BEGINNING: usize = 200;
/// Places in one program that are reported.
const MAX_TOUCHES: usize = 200;
/// The first bytes of a file say what runs it.
const HEAD: usize = 512;

/// A place in a program's text that changes something of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Touch {
    /// What it changes.
    pub effect: Effect,
    /// Where it is written.
    pub location: Location,
    /// The line as written.
    pub text: String,
    /// Whether the text only names what it may change, and writes files somewhere.
    pub only_names: bool,
}

/// Shells, whose first argument is a script or, behind `-c`, its text.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "ksh", "zsh"];
/// Other interpreters.
const INTERPRETERS: [&str; 5] = ["python", "python3", "perl", "ruby", "lua"];
/// Directories whose programs may be called by name and are not of a distribution.
const LOCAL: [&str; 2] = ["/usr/local/sbin", "/usr/local/bin"];

/// Programs that come with Debian and whose text mentions what they are able to do, not what
/// they do at boot.
const STOCK: [&str; 14] = [
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
    // ifupdown's own: takes an interface down that has gone.
    "/lib/udev/ifupdown-hotplug",
    "/usr/lib/udev/ifupdown-hotplug",
];

/// Reads the text of one program and of what it runs.
pub(crate) struct Scan<'a> {
    files: &'a dyn SystemFiles,
    environment: Environment,
    seen: BTreeSet<String>,
    touches: Vec<Touch>,
    mentions: Mentions,
    scripts: Vec<String>,
    /// Names of programs that were looked for.
    names: BTreeSet<String>,
    calls: BTreeMap<String, usize>,
    spent: usize,
}

impl<'a> Scan<'a> {
    pub(crate) fn new(files: &'a dyn SystemFiles) -> Self {
        Scan::within(files, Environment::new(&[], "/"))
    }

    /// Reads a program that starts in this environment.
    pub(crate) fn within(files: &'a dyn SystemFiles, environment: Environment) -> Self {
        Scan {
            files,
            environment,
            seen: BTreeSet::new(),
            touches: Vec::new(),
            mentions: Mentions::default(),
            scripts: Vec::new(),
            names: BTreeSet::new(),
            calls: BTreeMap::new(),
            spent: 0,
        }
    }

    /// Returns what was found, and the scripts that were read.
    pub(crate) fn finish(mut self) -> (Vec<Touch>, Vec<String>) {
        for touch in self.mentions.finish() {
            if self.touches.iter().all(|one| one.effect != touch.effect) {
                self.touches.push(touch);
            }
        }
        (self.touches, self.scripts)
    }

    /// Reads one command line. Those that follow are read by the same shell.
    pub(crate) fn command(&mut self, text: &str, at: &Location) -> Result<(), SystemError> {
        self.text(text, &Place::at(at))
    }

    /// Reads text of several lines that a shell runs.
    pub(crate) fn text(&mut self, text: &str, place: &Place) -> Result<(), SystemError> {
        let mut environment = self.environment.clone();
        self.shell(text, place, &mut environment, 0)?;
        self.environment = environment;
        Ok(())
    }

    /// Reads the text of a program that begins with the name of its interpreter.
    pub(crate) fn program(&mut self, text: &str, place: &Place) -> Result<(), SystemError> {
        let mut environment = self.environment.of_child(&[]);
        self.any(text, place, &mut environment, 0)
    }

    /// Reads a script of the image, if it is one.
    pub(crate) fn script(&mut self, path: &str) -> Result<(), SystemError> {
        let mut environment = self.environment.of_child(&[]);
        self.file(path, &mut environment, 0, false)
    }

    fn any(
        &mut self,
        text: &str,
        place: &Place,
        environment: &mut Environment,
        depth: usize,
    ) -> Result<(), SystemError> {
        match interpreter(text) {
            Some(line) if !is_shell(line) => self.other(text, place, environment, depth),
            _ => self.shell(text, place, environment, depth),
        }
    }

    fn shell(
        &mut self,
        text: &str,
        place: &Place,
        environment: &mut Environment,
        depth: usize,
    ) -> Result<(), SystemError> {
        if depth <= MAX_DEPTH {
            shell::read(self, Context { environment, place, text, depth })?;
        }
        Ok(())
    }

    /// Reads text in another language than the shell's.
    fn other(
        &mut self,
        text: &str,
        place: &Place,
        environment: &mut Environment,
        depth: usize,
    ) -> Result<(), SystemError> {
        if !self.spend(text.len()) {
            return Ok(());
        }
        let directory = environment.directory().map(str::to_owned);
        for found in language::read(text, directory.as_deref()) {
            let at = place.line(found.line);
            let source = line_of(text, found.offset);
            self.mentions.writes |= found.writes;
            for effect in found.effects {
                self.touch(effect, &at, &source);
            }
            for name in &found.decided {
                self.mentions.decide(name);
            }
            for name in &found.named {
                self.mentions.name(name, &at, || source.clone());
            }
            for name in &found.assigned {
                self.mentions.assign(name, &at, || source.clone());
            }
            for command in &found.commands {
                self.shell(command, &Place::at(&at), environment, depth + 1)?;
            }
        }
        Ok(())
    }

    fn touch(&mut self, effect: Effect, at: &Location, text: &str) {
        if self.touches.len() < MAX_TOUCHES
            && self.touches.iter().all(|one| one.effect != effect || one.location != *at)
        {
            let (location, text) = (at.clone(), text.to_owned());
            self.touches.push(Touch { effect, location, text, only_names: false });
        }
    }

    /// Goes on with what a command runs.
    fn follow(&mut self, command: &Command, context: &mut Context<'_>) -> Result<(), SystemError> {
        let depth = context.depth + 1;
        let (name, arguments) = (command.name(), command.arguments());
        let here = Place::at(&context.place.line(command.line));
        let path = |word: &str| match word.contains(":/") {
            true => word.to_owned(),
            false => absolute(word, command.directory.as_deref()).unwrap_or_default(),
        };
        let operand = arguments.iter().position(|word| !word.starts_with(['-', '+']));
        let script = operand.map(|at| (path(&arguments[at]), &arguments[at + 1..]));
        if let Some(text) = command.inner_text() {
            // Of `sh -c`: a shell of its own; eval's text is read by this one.
            if matches!(name, "eval" | "trap") {
                return self.shell(&text, &here, context.environment, depth);
            }
            let mut child = context.environment.of_child(&[]);
            return self.shell(&text, &here, &mut child, depth);
        }
        let document = command.document.as_ref();
        let place = document.map(|one| context.place.within(one.line));
        if matches!(name, "." | "source") {
            if let Some(script) = arguments.first() {
                let script = path(script);
                return self.file(&script, context.environment, depth, true);
            }
        } else if SHELLS.contains(&name) || matches!(name, "su" | "runuser") {
            match (script, document, place) {
                (Some((script, rest)), ..) if SHELLS.contains(&name) => {
                    let mut child = context.environment.of_child(rest);
                    self.file(&script, &mut child, depth, true)?;
                }
                (_, Some(document), Some(place)) => {
                    let mut child = context.environment.of_child(&[]);
                    self.shell(&document.text, &place, &mut child, depth)?;
                }
                _ => {}
            }
        } else if INTERPRETERS.iter().any(|one| name.starts_with(one)) {
            let mut child = context.environment.of_child(&[]);
            let is_text = |word: &String| {
                word.len() < 6 && word.starts_with('-') && word.ends_with(['c', 'e', 'E'])
            };
            let text = arguments.iter().position(is_text).and_then(|at| arguments.get(at + 1));
            match (text, script, document, place) {
                (Some(text), ..) => self.other(text, &here, &mut child, depth)?,
                (_, Some((script, _)), ..) if !script.ends_with("/-") => {
                    self.file(&script, &mut child, depth, false)?;
                }
                (.., Some(document), Some(place)) => {
                    self.other(&document.text, &place, &mut child, depth)?;
                }
                _ => {}
            }
        } else if name == "run-parts" {
            if let Some((directory, _)) = script {
                for name in self.files.list(&directory)?.unwrap_or_default() {
                    let mut child = context.environment.of_child(&[]);
                    self.file(&format!("{directory}/{name}"), &mut child, depth, false)?;
                }
            }
        } else if name == "start-stop-daemon" {
            for word in arguments.iter().filter(|word| word.starts_with('/')) {
                let mut child = context.environment.of_child(&[]);
                self.file(word, &mut child, depth, false)?;
            }
        } else if let Some(first) = command.words.first() {
            if first.contains('/') {
                let mut child = context.environment.of_child(arguments);
                self.file(&path(first), &mut child, depth, false)?;
            } else if !first.contains(['$', '=', '['])
                && !first.is_empty()
                && self.names.len() < MAX_NAMES
                && self.names.insert(first.clone())
            {
                for directory in LOCAL {
                    let path = format!("{directory}/{first}");
                    if self.files.metadata(&path)?.is_some() {
                        let mut child = context.environment.of_child(arguments);
                        self.file(&path, &mut child, depth, false)?;
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads a script that the program writes, which something may run later.
    fn written(&mut self, command: &Command, context: &Context<'_>) -> Result<(), SystemError> {
        let Some(document) = &command.document else { return Ok(()) };
        let place = context.place.within(document.line);
        let mut child = Environment::new(&[], "/");
        if document.text.starts_with("#!") {
            return self.any(&document.text, &place, &mut child, context.depth + 1);
        }
        let is_unit = |path: &&String| path.ends_with(".service");
        if command.writes.iter().chain(command.arguments()).any(|path| is_unit(&path)) {
            for (index, line) in document.text.lines().enumerate() {
                if let Some(("ExecStart" | "ExecStartPre" | "ExecStartPost", text)) =
                    line.split_once('=')
                {
                    let text = text.trim_start_matches(['-', '@', ':', '+', '!']);
                    let at = Place::at(&place.line(index + 1));
                    self.shell(text, &at, &mut child, context.depth + 1)?;
                }
            }
        }
        Ok(())
    }

    /// Reads a file if it is a script; `is_shell` says that a shell reads it in any case.
    fn file(
        &mut self,
        path: &str,
        environment: &mut Environment,
        depth: usize,
        is_shell: bool,
    ) -> Result<(), SystemError> {
        if !path.starts_with('/') && !path.contains(":/")
            || STOCK.contains(&path)
            || depth > MAX_DEPTH
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
        let is_shell = match interpreter(&text) {
            Some(line) => self::is_shell(line),
            None => is_shell || depth <= 1,
        };
        self.scripts.push(path.to_owned());
        // What a file holds is read once.
        self.spent = self.spent.saturating_sub(text.len() + BEGINNING);
        let place = Place::from_line(path, 1);
        if is_shell {
            self.shell(&text, &place, environment, depth)
        } else {
            self.other(&text, &place, environment, depth)
        }
    }
}

impl Runner for Scan<'_> {
    fn run(&mut self, command: &Command, context: &mut Context<'_>) -> Result<(), SystemError> {
        let verdict = rules::judge(command);
        let at = context.place.line(command.line);
        let text = || line_of(context.text, command.offset);
        for effect in &verdict.effects {
            self.touch(*effect, &at, &text());
        }
        self.mentions.writes |= verdict.writes;
        let is_own = context.environment.has_function(command.name());
        for word in command.words.iter().chain(&command.writes) {
            if verdict.is_known || is_own {
                self.mentions.decide(word);
            } else {
                self.mentions.name(word, &at, text);
            }
        }
        if verdict.writes {
            self.written(command, context)?;
        }
        self.follow(command, context)
    }

    fn assign(&mut self, value: &str, context: &Context<'_>, (line, offset): (usize, usize)) {
        let at = context.place.line(line);
        self.mentions.assign(value, &at, || line_of(context.text, offset));
    }

    fn read(&mut self, path: &str) {
        self.mentions.decide(path);
    }

    fn calls(&mut self, command: &Command) -> bool {
        let call = command.words.join("\0");
        if call.len() > 4096 || self.calls.len() > 10_000 {
            return true;
        }
        let count = self.calls.entry(call).or_default();
        *count += 1;
        *count <= MAX_CALLS
    }

    fn spend(&mut self, bytes: usize) -> bool {
        self.spent = self.spent.saturating_add(bytes + BEGINNING);
        self.spent <= MAX_NESTED
    }
}

/// Returns the line at an offset of a text as it is reported, with those that continue it.
fn line_of(text: &str, offset: usize) -> String {
    const MOST: usize = 1200;
    let mut begins = offset.min(text.len());
    while begins > 0 && offset - begins < MOST && text.as_bytes()[begins - 1] != b'\n' {
        begins -= 1;
    }
    while !text.is_char_boundary(begins) {
        begins += 1;
    }
    let mut found = String::new();
    for one in text[begins..].lines() {
        let more = one.strip_suffix('\\');
        found.extend(more.unwrap_or(one).chars().take(MOST));
        if more.is_none() || found.len() > MOST {
            break;
        }
        found.push(' ');
    }
    found.trim().chars().take(300).collect()
}

/// Returns the rest of the line that names a script's interpreter.
fn interpreter(text: &str) -> Option<&str> {
    text.strip_prefix("#!").and_then(|rest| rest.lines().next())
}

/// Returns whether an interpreter is a shell.
fn is_shell(line: &str) -> bool {
    let mut words = line.split_whitespace().map(base);
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

#[cfg(test)]
mod tests;
