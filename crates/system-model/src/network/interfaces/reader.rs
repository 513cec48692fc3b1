//! Reading interfaces files line by line (ifupdown's config.c).

use std::collections::BTreeSet;

use super::{
    Interfaces, InterfacesProblem, InterfacesProblemKind, Mapping, Selection, Stanza, StanzaOption,
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

pub(super) struct Reader<'a> {
    files: &'a dyn SystemFiles,
    found: Interfaces,
    seen: BTreeSet<String>,
    left: usize,
}

impl<'a> Reader<'a> {
    /// Reads a main file and what it includes.
    pub fn read(files: &'a dyn SystemFiles, path: &str) -> Result<Interfaces, SystemError> {
        let found = Interfaces::default();
        let mut reader = Reader { files, found, seen: BTreeSet::new(), left: MAX_LINES };
        let readable = reader.file(path, 0)?;
        reader.found.readable = readable;
        Ok(reader.found)
    }

    /// Reads a file; `false` if ifup stops in it.
    fn file(&mut self, path: &str, depth: usize) -> Result<bool, SystemError> {
        if depth > MAX_DEPTH || !self.seen.insert(path.to_owned()) {
            return Ok(true);
        }
        let Some(text) = self.files.read_text(path)? else { return Ok(true) };
        self.found.files.push(path.to_owned());
        let mut current = Current::None;
        for (number, line) in lines(&text) {
            if self.left == 0 {
                return Ok(true);
            }
            self.left -= 1;
            let at = FileLine::new(path, number);
            if !self.line(&line, &at, depth, &mut current)? {
                let kind = InterfacesProblemKind::Syntax;
                self.found.problems.push(InterfacesProblem { at, kind });
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn line(
        &mut self,
        line: &str,
        at: &FileLine,
        depth: usize,
        current: &mut Current,
    ) -> Result<bool, SystemError> {
        let (first, rest) = word(line);
        let words = || rest.split(is_space).filter(|word| !word.is_empty()).map(str::to_owned);
        match first {
            "" => return Ok(true),
            "mapping" => {
                let patterns = words().collect();
                self.found.mappings.push(Mapping { patterns, script: None, at: at.clone() });
                *current = Current::Mapping(self.found.mappings.len() - 1);
                return Ok(true);
            }
            "iface" => {
                let Some(stanza) = self.stanza(rest, at) else { return Ok(false) };
                self.found.stanzas.push(stanza);
                *current = Current::Stanza(self.found.stanzas.len() - 1);
                return Ok(true);
            }
            "source" => self.source(rest, at, depth, false)?,
            _ if first.starts_with("source-dir") => self.source(rest, at, depth, true)?,
            "auto" if rest.is_empty() => return Ok(self.select_current("auto", at, current)),
            "auto" => self.select("auto", words(), at),
            "no-auto-down" | "no-scripts" if rest.is_empty() => {
                return Ok(self.select_current("", at, current));
            }
            "no-auto-down" | "no-scripts" => {}
            "rename" => {
                let pairs = words().filter_map(|word| {
                    let (current, new) = word.split_once('=')?;
                    Some((current.to_owned(), new.to_owned(), at.clone()))
                });
                self.found.renames.extend(pairs);
            }
            _ => match first.strip_prefix("allow-").filter(|class| !class.is_empty()) {
                Some(class) if rest.is_empty() => {
                    return Ok(self.select_current(class, at, current));
                }
                Some(class) => self.select(class, words(), at),
                None => return Ok(self.option(first, rest, at, current)),
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
                    self.select(class, name.into_iter(), at);
                }
            }
            _ => *current = Current::None,
        }
        true
    }

    fn select(&mut self, class: &str, words: impl Iterator<Item = String>, at: &FileLine) {
        for interface in words {
            let known = self
                .found
                .selections
                .iter()
                .any(|other| other.class == class && other.interface == interface);
            if !known {
                let class = class.to_owned();
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
            at: at.clone(),
        };
        if inherits {
            let other = words.next()?;
            let parent = self.found.stanzas.iter().find(|parent| {
                parent.name == other && family.is_none_or(|family| parent.family == family)
            })?;
            stanza.options.clone_from(&parent.options);
            if family.is_none() {
                stanza.family.clone_from(&parent.family);
            }
            if method.is_none() {
                stanza.method.clone_from(&parent.method);
            }
        }
        (stanza.options.len() < 10_000).then_some(stanza)
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
        depth: usize,
        directory: bool,
    ) -> Result<(), SystemError> {
        let base = at.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let pattern =
            if rest.starts_with('/') { rest.to_owned() } else { format!("{base}/{rest}") };
        let mut problem = |kind| {
            self.found.problems.push(InterfacesProblem { at: at.clone(), kind });
        };
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
                self.file(&path, depth + 1)?;
                continue;
            }
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            for name in self.files.list(&path)?.unwrap_or_default() {
                if name.chars().all(plain) {
                    self.file(&format!("{path}/{name}"), depth + 1)?;
                }
            }
        }
        Ok(())
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\x0b' | '\x0c' | '\n')
}

/// Returns the first word of a line and what follows.
fn word(line: &str) -> (&str, &str) {
    match line.find(is_space) {
        Some(at) => {
            let (first, rest) = line.split_at(at);
            (first, rest.trim_start_matches(is_space))
        }
        None => (line, ""),
    }
}

/// Returns the lines that count with their numbers: comments left out, lines that end with
/// a backslash joined with the next ones (comments or not), white space at the ends removed.
fn lines(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut physical = text.split('\n').enumerate();
    while let Some((number, line)) = physical.next() {
        let line = line.trim_start_matches(is_space);
        if line.starts_with('#') {
            continue;
        }
        let mut whole = line.to_owned();
        while whole.ends_with('\\') {
            whole.pop();
            match physical.next() {
                Some((_, next)) => whole.push_str(next),
                None => break,
            }
        }
        let whole = whole.trim_end_matches(is_space);
        if !whole.is_empty() {
            found.push((number + 1, whole.to_owned()));
        }
    }
    found
}
