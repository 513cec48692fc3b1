//! Reading interfaces files line by line (ifupdown's config.c).

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{
    Interfaces, InterfacesProblem, InterfacesProblemKind, Mapping, Selection, Stanza, StanzaOption,
    lines::{InterfacesLine, interfaces_lines, is_space},
    wordexp::{Expanded, expand},
};
use crate::{FileLine, SystemError, SystemFiles};

/// More lines than any configuration has.
const MAX_LINES: usize = 200_000;
/// Files that include each other deeper than this would exhaust ifup too.
const MAX_DEPTH: usize = 64;

const METHODS: [(&str, &[&str]); 4] = [
    (
        "inet",
        &["loopback", "static", "manual", "dhcp", "bootp", "tunnel", "ppp", "wvdial", "ipv4ll"],
    ),
    ("inet6", &["auto", "loopback", "static", "manual", "dhcp", "v4tunnel", "6to4"]),
    ("ipx", &["static", "dynamic"]),
    ("can", &["static"]),
];

/// What the lines that follow belong to.
enum Current {
    None,
    Stanza(usize),
    Mapping(usize),
}

/// Where a file is read.
#[derive(Clone, Copy)]
struct Level {
    /// How many files include it, one through the other.
    depth: usize,
    /// Whether ifup gets there.
    reached: bool,
}

pub(super) struct Reader<'a> {
    files: &'a dyn SystemFiles,
    found: Interfaces,
    seen: BTreeSet<String>,
    beyond: BTreeSet<String>,
    selected: HashSet<(String, String)>,
    /// The first stanza of each name, and of each name and family.
    named: HashMap<(String, Option<&'static str>), usize>,
    left: usize,
}

impl<'a> Reader<'a> {
    /// Reads a main file and what it includes.
    pub fn read(files: &'a dyn SystemFiles, path: &str) -> Result<Interfaces, SystemError> {
        let mut reader = Reader {
            files,
            found: Interfaces::default(),
            seen: BTreeSet::new(),
            beyond: BTreeSet::new(),
            selected: HashSet::new(),
            named: HashMap::new(),
            left: MAX_LINES,
        };
        let readable = reader.file(path, Level { depth: 0, reached: true })?;
        let mut found = reader.found;
        found.readable = readable;
        found.beyond = reader.beyond.difference(&reader.seen).cloned().collect();
        // ifup gives up at the first renaming without a new name.
        if let Some((_, _, at)) = found.renames.iter().find(|(_, new, _)| new.is_empty()) {
            let (at, kind) = (at.clone(), InterfacesProblemKind::NoNewName);
            found.problems.push(InterfacesProblem { at, kind });
            found.readable = false;
        }
        Ok(found)
    }

    /// Reads a file; `false` if ifup stops in it. Behind that place only the files that lines
    /// include are noted.
    fn file(&mut self, path: &str, level: Level) -> Result<bool, SystemError> {
        let seen = if level.reached { &mut self.seen } else { &mut self.beyond };
        if level.depth > MAX_DEPTH || !seen.insert(path.to_owned()) {
            return Ok(true);
        }
        let Some(text) = self.files.read_text(path)? else {
            seen.remove(path);
            return Ok(true);
        };
        if level.reached {
            self.found.files.push(path.to_owned());
        }
        let mut current = Current::None;
        let mut reached = level.reached;
        for line in interfaces_lines(&text) {
            if line.text.is_empty() {
                continue;
            }
            let at = FileLine::new(path, line.number);
            if self.left == 0 {
                let kind = InterfacesProblemKind::TooLong;
                if self.found.problems.iter().all(|problem| problem.kind != kind) {
                    self.found.problems.push(InterfacesProblem { at, kind });
                }
                break;
            }
            self.left -= 1;
            let here = Level { reached, ..level };
            if !reached {
                let (first, rest) = line.first();
                if let Some(directory) = includes(first) {
                    self.source(rest, &at, here, directory)?;
                }
            } else if !self.line(&line, &at, here, &mut current)? {
                let kind = InterfacesProblemKind::Syntax;
                self.found.problems.push(InterfacesProblem { at, kind });
                reached = false;
            }
        }
        Ok(reached)
    }

    fn line(
        &mut self,
        line: &InterfacesLine<'_>,
        at: &FileLine,
        level: Level,
        current: &mut Current,
    ) -> Result<bool, SystemError> {
        let (first, rest) = line.first();
        let words = || rest.split(is_space).filter(|word| !word.is_empty());
        match first {
            "mapping" => {
                let patterns = words().map(str::to_owned).collect();
                self.found.mappings.push(Mapping { patterns, script: None, at: at.clone() });
                *current = Current::Mapping(self.found.mappings.len() - 1);
                return Ok(true);
            }
            "iface" => {
                let Some(stanza) = self.stanza(rest, at) else { return Ok(false) };
                let index = self.found.stanzas.len();
                let family = METHODS.iter().map(|(family, _)| *family);
                let family = family.into_iter().find(|family| *family == stanza.family);
                for key in [None, family] {
                    self.named.entry((stanza.name.clone(), key)).or_insert(index);
                }
                self.found.stanzas.push(stanza);
                *current = Current::Stanza(index);
                return Ok(true);
            }
            "auto" if rest.is_empty() => return Ok(self.select_current("auto", at, current)),
            "auto" => self.select("auto", words(), at),
            "no-auto-down" | "no-scripts" if rest.is_empty() => {
                return Ok(self.select_current("", at, current));
            }
            "no-auto-down" | "no-scripts" => {}
            "rename" => {
                for word in words() {
                    let (old, new) = word.split_once('=').unwrap_or((word, ""));
                    self.found.renames.push((old.to_owned(), new.to_owned(), at.clone()));
                    self.left = self.left.saturating_sub(1);
                }
            }
            _ => match first.strip_prefix("allow-").filter(|class| !class.is_empty()) {
                Some(class) if rest.is_empty() => {
                    return Ok(self.select_current(class, at, current));
                }
                Some(class) => self.select(class, words(), at),
                None => match includes(first) {
                    Some(directory) => self.source(rest, at, level, directory)?,
                    None => return Ok(self.option(first, rest, at, current)),
                },
            },
        }
        *current = Current::None;
        Ok(true)
    }

    /// `auto` without names in a stanza means the stanza's interface, and the stanza goes on
    /// (ifupdown 0.8.36 and later).
    fn select_current(&mut self, class: &str, at: &FileLine, current: &mut Current) -> bool {
        match *current {
            Current::Stanza(index) => {
                let name = self.found.stanzas.get(index).map(|stanza| stanza.name.clone());
                if !class.is_empty() {
                    self.select(class, name.as_deref().into_iter(), at);
                }
            }
            _ => *current = Current::None,
        }
        true
    }

    fn select<'w>(&mut self, class: &str, words: impl Iterator<Item = &'w str>, at: &FileLine) {
        for interface in words {
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            if self.selected.insert((class.to_owned(), interface.to_owned())) {
                let (class, interface) = (class.to_owned(), interface.to_owned());
                self.found.selections.push(Selection { class, interface, at: at.clone() });
            }
        }
    }

    /// `NAME [FAMILY [METHOD]] [inherits OTHER]`
    fn stanza(&self, rest: &str, at: &FileLine) -> Option<Stanza> {
        let mut words = rest.split(is_space).filter(|word| !word.is_empty()).peekable();
        let name = words.next()?.to_owned();
        let mut inherits = false;
        let (mut family, mut method) = (None, None);
        if let Some(second) = words.next() {
            match METHODS.iter().find(|(family, _)| *family == second) {
                Some((known, methods)) => {
                    family = Some(*known);
                    if let Some(third) = words.next() {
                        method = methods.iter().find(|method| **method == third).copied();
                        inherits = method.is_none() && third == "inherits";
                    }
                }
                None => inherits = second == "inherits",
            }
        }
        if (family.is_none() || method.is_none()) && !inherits {
            return None;
        }
        if !inherits {
            // Anything else here is ignored.
            inherits = words.next() == Some("inherits");
        }
        let mut stanza = Stanza {
            name,
            family: family.unwrap_or_default().to_owned(),
            method: method.unwrap_or_default().to_owned(),
            options: Vec::new(),
            inherits: None,
            at: at.clone(),
        };
        if inherits {
            let other = words.next()?;
            let index = *self.named.get(&(other.to_owned(), family))?;
            let parent = self.found.stanzas.get(index)?;
            if family.is_none() {
                stanza.family.clone_from(&parent.family);
            }
            if method.is_none() {
                stanza.method.clone_from(&parent.method);
            }
            stanza.inherits = Some(index);
        }
        Some(stanza)
    }

    fn option(&mut self, first: &str, rest: &str, at: &FileLine, current: &Current) -> bool {
        match *current {
            Current::None => false,
            Current::Stanza(index) => {
                let Some(stanza) = self.found.stanzas.get_mut(index) else { return false };
                if rest.is_empty() {
                    return false;
                }
                let (name, value) = (first.to_owned(), rest.to_owned());
                stanza.options.push(StanzaOption { name, value, at: at.clone() });
                true
            }
            Current::Mapping(index) => {
                let Some(mapping) = self.found.mappings.get_mut(index) else { return false };
                match first {
                    "script" if mapping.script.is_none() => {
                        mapping.script = Some(rest.to_owned());
                        true
                    }
                    "map" => true,
                    _ => false,
                }
            }
        }
    }

    fn source(
        &mut self,
        rest: &str,
        at: &FileLine,
        level: Level,
        directory: bool,
    ) -> Result<(), SystemError> {
        let base = at.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let pattern =
            if rest.starts_with('/') { rest.to_owned() } else { format!("{base}/{rest}") };
        let mut problem = |kind| {
            if level.reached {
                self.found.problems.push(InterfacesProblem { at: at.clone(), kind });
            }
        };
        let level = Level { depth: level.depth + 1, ..level };
        let paths = match expand(self.files, &pattern)? {
            Expanded::Paths(paths) => paths,
            Expanded::Refused => {
                problem(InterfacesProblemKind::RefusedPath);
                return Ok(());
            }
            Expanded::Undecided => {
                problem(InterfacesProblemKind::UndecidedPath);
                return Ok(());
            }
        };
        for path in paths {
            if !directory {
                // An error in an included file ends that file only.
                self.file(&path, level)?;
                continue;
            }
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            for name in self.files.list(&path)?.unwrap_or_default() {
                if name.chars().all(plain) {
                    self.file(&format!("{path}/{name}"), level)?;
                }
            }
        }
        Ok(())
    }
}

/// Returns whether a line with this first word includes files, and whether they are those of a
/// directory.
fn includes(first: &str) -> Option<bool> {
    match first {
        "source" => Some(false),
        _ => first.starts_with("source-dir").then_some(true),
    }
}
