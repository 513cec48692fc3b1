//! ifupdown's /etc/network/interfaces and the files that it includes.
//!
//! Sources: interfaces(5); ifupdown's config.c (`get_line`, `read_interfaces_defn`) and
//! main.c.

use std::collections::BTreeSet;

use super::{
    source::{AddressKind, AddressSource, Backend},
    wordexp::{Expanded, expand},
};
use crate::{FileLine, SystemError, SystemFiles, pattern::fnmatch};

/// The main file.
pub const INTERFACES: &str = "/etc/network/interfaces";

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

/// An option of a stanza.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StanzaOption {
    /// The first word.
    pub name: String,
    /// The rest of the line.
    pub value: String,
    /// Where it is.
    pub at: FileLine,
}

/// An `iface` stanza, with what it inherits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stanza {
    /// The logical interface.
    pub name: String,
    /// `inet`, `inet6` …
    pub family: String,
    /// `static`, `dhcp` …
    pub method: String,
    /// The options.
    pub options: Vec<StanzaOption>,
    /// The `iface` line.
    pub at: FileLine,
}

/// An interface that a line of `auto` or `allow-…` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// `auto`, `hotplug` or another class.
    pub class: String,
    /// A name or a pattern, perhaps with `=LOGICAL`.
    pub interface: String,
    /// Where it is.
    pub at: FileLine,
}

/// A `mapping` stanza: a script picks the logical interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// Patterns of interfaces.
    pub patterns: Vec<String>,
    /// The script's path.
    pub script: Option<String>,
    /// Where it is.
    pub at: FileLine,
}

/// What ifupdown cannot read, or only the running system can decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfacesProblem {
    /// The line.
    pub at: FileLine,
    /// What it is.
    pub kind: InterfacesProblemKind,
}

/// Kinds of problems of interfaces files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum InterfacesProblemKind {
    /// ifup stops reading the file here; in the main file it brings nothing up.
    Syntax,
    /// A `source` line with a variable or `~`.
    UndecidedPath,
    /// A `source` line that wordexp(3) refuses: ifup skips it.
    RefusedPath,
}

/// A stanza that is applied to an interface at boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BroughtUp<'a> {
    /// The interface, or the pattern that selects it.
    pub interface: &'a str,
    /// The stanza.
    pub stanza: &'a Stanza,
    /// The line that selects it.
    pub selected: &'a FileLine,
    /// Whether it surely applies.
    pub certain: bool,
}

/// /etc/network/interfaces, with all that it includes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interfaces {
    /// The `iface` stanzas in order.
    pub stanzas: Vec<Stanza>,
    /// What `auto` and `allow-…` lines name, in order.
    pub selections: Vec<Selection>,
    /// The mappings.
    pub mappings: Vec<Mapping>,
    /// The renamings, `CUR=NEW`.
    pub renames: Vec<(String, String, FileLine)>,
    /// The files that were read, in order.
    pub files: Vec<String>,
    /// What could not be read.
    pub problems: Vec<InterfacesProblem>,
    /// Whether ifup reads the main file to its end. Otherwise it brings nothing up.
    pub readable: bool,
}

impl Interfaces {
    /// Reads /etc/network/interfaces; `None` without it.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged.
    pub fn read(files: &dyn SystemFiles) -> Result<Option<Self>, SystemError> {
        Interfaces::read_file(files, INTERFACES)
    }

    /// Reads another main file (`ifup -i`).
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_file(files: &dyn SystemFiles, path: &str) -> Result<Option<Self>, SystemError> {
        if files.read(path)?.is_none() {
            return Ok(None);
        }
        let mut reader =
            Reader { files, found: Interfaces::default(), seen: BTreeSet::new(), left: MAX_LINES };
        let readable = reader.file(path, 0)?;
        reader.found.readable = readable;
        Ok(Some(reader.found))
    }

    /// Returns the stanzas that are applied when an interface is brought up at boot, by
    /// `ifup -a` or by udev (`allow-hotplug`), those of its aliases (`eth0:1`) included.
    pub fn brought_up(&self, interface: &str) -> Vec<BroughtUp<'_>> {
        self.all_brought_up(Some(interface))
    }

    /// Returns all stanzas that are applied at boot. Without a name a pattern selects the
    /// stanzas whose names it matches.
    pub fn all_brought_up(&self, interface: Option<&str>) -> Vec<BroughtUp<'_>> {
        let mut found: Vec<BroughtUp<'_>> = Vec::new();
        if !self.readable {
            return found;
        }
        for selection in &self.selections {
            if !matches!(selection.class.as_str(), "auto" | "hotplug") {
                continue;
            }
            let selector = Selector::parse(&selection.interface);
            for (physical, certain) in selector.physical(self, interface) {
                let logical = selector.logical.unwrap_or(&physical);
                let mapped = self.mappings.iter().any(|mapping| {
                    mapping.patterns.iter().any(|pattern| fnmatch(pattern, logical))
                });
                for stanza in &self.stanzas {
                    // A mapping's script may choose any stanza.
                    if stanza.name != logical && !mapped {
                        continue;
                    }
                    let already = found.iter().any(|other| {
                        std::ptr::eq(other.stanza, stanza) && other.interface == selection.interface
                    });
                    if !already && found.len() < 10_000 {
                        found.push(BroughtUp {
                            interface: &selection.interface,
                            stanza,
                            selected: &selection.at,
                            certain: certain && !mapped,
                        });
                    }
                }
            }
        }
        found
    }

    /// Returns how an interface gets addresses at boot.
    pub fn sources(&self, interface: &str) -> Vec<AddressSource> {
        self.brought_up(interface).iter().flat_map(sources).collect()
    }

    /// Returns how all interfaces get addresses at boot.
    pub fn all_sources(&self) -> Vec<AddressSource> {
        self.all_brought_up(None).iter().flat_map(sources).collect()
    }

    /// Returns the mapping that decides for an interface.
    pub fn mapping(&self, interface: &str) -> Option<&Mapping> {
        let fits = |mapping: &&Mapping| mapping.patterns.iter().any(|p| fnmatch(p, interface));
        self.mappings.iter().find(fits)
    }

    /// Returns the new name of an interface that is renamed, and the line.
    pub fn renamed(&self, interface: &str) -> Option<(&str, &FileLine)> {
        let fits = |current: &str| {
            let selector = Selector::parse(current);
            match selector.pattern {
                Some(pattern) => selector.variable.is_empty() && fnmatch(pattern, interface),
                None => current == interface,
            }
        };
        let found = self.renames.iter().find(|(current, ..)| fits(current));
        found.map(|(_, new, at)| (new.as_str(), at))
    }

    /// Returns whether the files mention an interface: in a stanza, a selection, or as a
    /// word of an option (`bridge_ports eth0`).
    pub fn knows(&self, interface: &str) -> bool {
        let base = |name: &str| name.split([':', '.']).next() == Some(interface);
        self.stanzas.iter().any(|stanza| {
            base(&stanza.name)
                || stanza
                    .options
                    .iter()
                    .any(|option| option.value.split_whitespace().any(|word| word == interface))
        }) || self.selections.iter().any(|selection| {
            let selector = Selector::parse(&selection.interface);
            selector.physical(self, Some(interface)).next().is_some()
        }) || self.renames.iter().any(|(current, new, _)| current == interface || new == interface)
    }
}

fn sources(up: &BroughtUp<'_>) -> Vec<AddressSource> {
    let one = |kind, at: &FileLine| AddressSource {
        backend: Backend::Ifupdown,
        interface: up.interface.to_owned(),
        kind,
        at: Some(at.clone()),
        certain: up.certain,
    };
    let stanza = up.stanza;
    match (stanza.family.as_str(), stanza.method.as_str()) {
        (_, "loopback" | "manual") => Vec::new(),
        ("inet" | "inet6", "static") => {
            let addresses = stanza.options.iter().filter(|option| option.name == "address");
            addresses
                .map(|option| one(AddressKind::Static(option.value.clone()), &option.at))
                .collect()
        }
        ("inet", "dhcp" | "bootp") => vec![one(AddressKind::Dhcp4, &stanza.at)],
        ("inet6", "dhcp") => vec![one(AddressKind::Dhcp6, &stanza.at)],
        (family, method) => vec![one(AddressKind::Other(format!("{family} {method}")), &stanza.at)],
    }
}

/// `[VARIABLE]/VALUE[/[OPTIONS]][=LOGICAL]`, or a name with `=LOGICAL`.
struct Selector<'a> {
    variable: &'a str,
    pattern: Option<&'a str>,
    numbered: bool,
    name: &'a str,
    logical: Option<&'a str>,
}

impl<'a> Selector<'a> {
    fn parse(text: &'a str) -> Self {
        let (name, logical) = match text.split_once('=') {
            Some((name, logical)) => (name, Some(logical)),
            None => (text, None),
        };
        let mut selector = Selector { variable: "", pattern: None, numbered: false, name, logical };
        if let Some((variable, rest)) = name.split_once('/').filter(|_| !name.starts_with("/dev/"))
        {
            let (value, options) = rest.split_once('/').unwrap_or((rest, ""));
            selector.variable = variable;
            selector.pattern = Some(value);
            selector.numbered = !options.is_empty();
        }
        selector
    }

    /// Returns the interfaces that are selected and whether that is sure.
    fn physical(
        &self,
        all: &'a Interfaces,
        interface: Option<&'a str>,
    ) -> Box<dyn Iterator<Item = (String, bool)> + 'a> {
        let (pattern, sure) = (self.pattern, self.variable.is_empty() && !self.numbered);
        let by_value = !self.variable.is_empty();
        match (pattern, interface) {
            (None, Some(wanted)) => {
                let base = self.name.split(':').next().unwrap_or_default();
                let fits = base == wanted;
                Box::new(fits.then(|| (self.name.to_owned(), true)).into_iter())
            }
            (None, None) => Box::new(std::iter::once((self.name.to_owned(), true))),
            (Some(pattern), Some(wanted)) => {
                let fits = by_value || fnmatch(pattern, wanted);
                Box::new(fits.then(|| (wanted.to_owned(), sure)).into_iter())
            }
            (Some(pattern), None) => {
                // Which interfaces exist is not known: any that has a stanza may.
                let mut names: Vec<String> = match self.logical {
                    Some(logical) => vec![logical.to_owned()],
                    None => all
                        .stanzas
                        .iter()
                        .filter(|stanza| by_value || fnmatch(pattern, &stanza.name))
                        .map(|stanza| stanza.name.clone())
                        .collect(),
                };
                names.dedup();
                Box::new(names.into_iter().map(|name| (name, false)))
            }
        }
    }
}

/// What the lines that follow belong to.
enum Current {
    None,
    Stanza(usize),
    Mapping(usize),
}

struct Reader<'a> {
    files: &'a dyn SystemFiles,
    found: Interfaces,
    seen: BTreeSet<String>,
    left: usize,
}

impl Reader<'_> {
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
