//! ifupdown's /etc/network/interfaces and the files that it includes.
//!
//! Sources: interfaces(5); ifupdown's config.c (`get_line`, `read_interfaces_defn`) and
//! main.c.

mod bring_up;
mod command;
mod lines;
mod reader;
mod selector;
mod wordexp;

use std::collections::BTreeSet;

pub use bring_up::BroughtUp;
pub use lines::{InterfacesLine, interfaces_lines};
use reader::Reader;
use selector::Selector;
pub use selector::selects_by_pattern;

use crate::{
    FileLine, SystemError, SystemFiles,
    pattern::{fnmatch, fnmatch_extended},
};

/// The main file.
pub const INTERFACES: &str = "/etc/network/interfaces";

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

/// An `iface` stanza.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stanza {
    /// The logical interface.
    pub name: String,
    /// `inet`, `inet6` …
    pub family: String,
    /// `static`, `dhcp` …
    pub method: String,
    /// Its own options; [`Interfaces::options`] adds those that it inherits.
    pub options: Vec<StanzaOption>,
    /// The number of the stanza that it inherits from, which stands before it.
    pub inherits: Option<usize>,
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
    /// A `rename` line without a new name: ifup gives up.
    NoNewName,
    /// More lines than any configuration has: what follows was not read.
    TooLong,
}

impl InterfacesProblemKind {
    /// Returns what ifup makes of it, as a clause without a subject.
    pub fn words(self) -> &'static str {
        match self {
            InterfacesProblemKind::Syntax => "stops reading the file at this line",
            InterfacesProblemKind::UndecidedPath => {
                "includes files here whose names only the running system knows"
            }
            InterfacesProblemKind::RefusedPath => "skips this line, since its path is not valid",
            InterfacesProblemKind::NoNewName => {
                "gives up at this line, which renames an interface but has no new name"
            }
            InterfacesProblemKind::TooLong => "reads more lines than nodecard does",
        }
    }
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
    /// Files that are included only behind a line where ifup stops.
    pub beyond: Vec<String>,
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
        Ok(Some(Reader::read(files, path)?))
    }

    /// Returns what `allow-hotplug` names: udev brings these up, whatever starts at boot.
    pub fn hotplug(&self) -> BTreeSet<&str> {
        let hotplug = self.selections.iter().filter(|selection| selection.class == "hotplug");
        hotplug.map(|selection| selection.interface.as_str()).collect()
    }

    /// Returns whether udev brings any interface up.
    pub(super) fn has_hotplug(&self) -> bool {
        self.selections.iter().any(|selection| selection.class == "hotplug")
    }

    /// Returns the line that keeps ifup from bringing anything up.
    pub fn fatal_problem(&self) -> Option<&InterfacesProblem> {
        let main = self.files.first();
        let is_fatal = |problem: &&InterfacesProblem| match problem.kind {
            InterfacesProblemKind::Syntax => Some(&problem.at.path) == main,
            kind => kind == InterfacesProblemKind::NoNewName,
        };
        self.problems.iter().find(is_fatal).filter(|_| !self.readable)
    }

    /// Returns a stanza's options, those that it inherits first. ifup uses the first of several
    /// addresses.
    pub fn options<'a>(&'a self, stanza: &'a Stanza) -> Vec<&'a StanzaOption> {
        let above = |stanza: &&'a Stanza| self.stanzas.get(stanza.inherits?);
        let chain: Vec<&Stanza> = std::iter::successors(Some(stanza), above).collect();
        chain.into_iter().rev().flat_map(|stanza| &stanza.options).collect()
    }

    /// Returns the mapping that decides for an interface.
    pub fn mapping(&self, interface: &str) -> Option<&Mapping> {
        let fits = |mapping: &&Mapping| mapping.patterns.iter().any(|p| fnmatch(p, interface));
        self.mappings.iter().find(fits)
    }

    /// Returns the new name of an interface that ifup renames, and the line.
    pub fn renamed(&self, interface: &str) -> Option<(&str, &FileLine)> {
        let fits = |current: &str| {
            let selector = Selector::parse(current);
            match selector.pattern {
                Some(pattern) => {
                    selector.variable.is_empty() && fnmatch_extended(pattern, interface)
                }
                None => current == interface,
            }
        };
        let found = self.renames.iter().find(|(current, ..)| fits(current));
        let changes = found.filter(|(_, new, _)| new != interface && !new.is_empty());
        changes.map(|(_, new, at)| (new.as_str(), at))
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
        }) || self
            .selections
            .iter()
            .any(|selection| Selector::parse(&selection.interface).selects(interface).is_some())
            || self.renames.iter().any(|(current, new, _)| current == interface || new == interface)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryFiles, network::AddressKind};

    fn read(text: &str) -> Interfaces {
        let mut files = MemoryFiles::new();
        files.write(INTERFACES, text);
        Interfaces::read(&files).expect("readable").expect("there")
    }

    #[test]
    fn inactive_stanzas_bring_nothing_up() {
        let text = "auto lo\niface lo inet loopback\nallow-hotplug eth0\niface eth0 inet dhcp\n\
                    address 192.168.0.100\n#allow-hotplug wlan0\niface wlan0 inet static\n\
                    address 192.168.0.100\n";
        let interfaces = read(text);
        let kinds = |name| {
            interfaces.sources(name).into_iter().map(|source| source.kind).collect::<Vec<_>>()
        };
        assert_eq!((kinds("eth0"), kinds("wlan0")), (vec![AddressKind::Dhcp4], vec![]));
        assert!(interfaces.knows("wlan0") && !interfaces.knows("eth1"));
        assert_eq!(interfaces.all_sources().len(), 1);
    }

    #[test]
    fn a_mapping_leaves_it_open() {
        let text = "mapping eth*\nscript /etc/network/map\nauto eth0\niface home inet dhcp\n";
        let interfaces = read(text);
        let up = interfaces.brought_up("eth0");
        assert_eq!((up.len(), up[0].certain, up[0].stanza.name.as_str()), (1, false, "home"));
        assert_eq!(interfaces.mapping("eth0").map(|mapping| mapping.at.line), Some(1));
    }

    #[test]
    fn a_second_selection_of_an_interface_is_uncertain() {
        let text = "auto eth0=home\nauto eth0\niface home inet dhcp\niface eth0 inet static\n\
                    address 10.0.0.1/24\nrename eth9=lan0 /enx*=usb0\n";
        let interfaces = read(text);
        let certain: Vec<bool> =
            interfaces.sources("eth0").into_iter().map(|source| source.certain).collect();
        assert_eq!(certain, [true, false]);
        assert_eq!(interfaces.renamed("enx0011").map(|(new, _)| new), Some("usb0"));
        assert_eq!(interfaces.renamed("eth0"), None);
    }

    #[test]
    fn undecidable_paths_are_reported() {
        let interfaces = read("source $HOME/x ~/y\nsource `ls`\nauto eth0\n");
        let kinds: Vec<_> =
            interfaces.problems.iter().map(|problem| (problem.at.line, problem.kind)).collect();
        assert_eq!(
            kinds,
            [(1, InterfacesProblemKind::UndecidedPath), (2, InterfacesProblemKind::RefusedPath)]
        );
    }

    #[test]
    fn what_a_stanza_inherits_comes_first() {
        let interfaces = read(
            "auto eth0\niface base inet static\naddress 10.0.0.1/24\niface mid inherits base\nmtu 9\n\
             iface eth0 inherits mid\naddress 10.0.0.2/24\n",
        );
        let stanza = &interfaces.stanzas[2];
        let options = interfaces.options(stanza);
        let values: Vec<&str> = options.iter().map(|option| option.value.as_str()).collect();
        assert_eq!(values, ["10.0.0.1/24", "9", "10.0.0.2/24"]);
        let sources = interfaces.sources("eth0");
        assert_eq!(sources.len(), 1);
        assert_eq!(sources[0].kind, AddressKind::Static("10.0.0.1/24".into()));
        assert_eq!(sources[0].at, Some(FileLine::new(INTERFACES, 3)));
    }

    /// Each stanza would hold the options of all before it: some 40 GB.
    #[test]
    fn a_long_chain_of_stanzas_needs_little() {
        let mut text = String::from("iface s0 inet static\naddress 10.0.0.1/24\n");
        for number in 1..60_000 {
            text.push_str(&format!("iface s{number} inherits s{}\nup x\n", number - 1));
        }
        text.push_str("auto s59999\n");
        let started = std::time::Instant::now();
        let interfaces = read(&text);
        assert!(interfaces.readable);
        assert_eq!(interfaces.sources("s59999").len(), 1);
        assert_eq!(interfaces.options(&interfaces.stanzas[59_999]).len(), 60_000);
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    }

    #[test]
    fn tens_of_thousands_of_stanzas_and_selections_take_no_time() {
        let mut text = String::from("auto");
        (0..60_000).for_each(|number| text.push_str(&format!(" s{number}")));
        for number in 0..60_000 {
            text.push_str(&format!("\niface s{number} inet static\naddress 10.0.0.1/24"));
        }
        text.truncate(16 << 20);
        let started = std::time::Instant::now();
        let interfaces = read(&text);
        assert_eq!(interfaces.all_sources().len(), 60_000);
        // Patterns of selections and mappings, each of which would be compared with each name.
        for word in ["auto /s*x", "mapping *x"] {
            let mut more = text.clone();
            (0..8000).for_each(|number| more.push_str(&format!("\n{word}{number}")));
            assert!(!read(&more).all_sources().is_empty());
        }
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    }

    #[test]
    fn a_renamed_interface_is_brought_up_by_its_new_name() {
        let interfaces = read(
            "rename eth0=lan0\nauto eth0\niface eth0 inet dhcp\niface lan0 inet static\n\
             address 10.0.0.1/24\n",
        );
        assert!(interfaces.sources("eth0").is_empty());
        let sources = interfaces.sources("lan0");
        assert_eq!(sources.len(), 1);
        assert!(sources[0].certain);
        assert_eq!(interfaces.renamed("eth0").map(|(new, at)| (new, at.line)), Some(("lan0", 1)));
        let broken = read("auto eth0\niface eth0 inet dhcp\nrename eth0\n");
        let problem = broken.fatal_problem().expect("a problem");
        assert_eq!((problem.at.line, problem.kind), (3, InterfacesProblemKind::NoNewName));
        assert!(broken.sources("eth0").is_empty());
    }

    #[test]
    fn files_behind_a_wrong_line_are_noted_apart() {
        let mut files = MemoryFiles::new();
        files.write(INTERFACES, "source a\nwrong line\nsource b a\n");
        files.write("/etc/network/a", "iface x inet\nsource c\n");
        files.write("/etc/network/b", "source d\n");
        files.write("/etc/network/c", "").write("/etc/network/d", "");
        let interfaces = Interfaces::read(&files).expect("readable").expect("there");
        assert_eq!(interfaces.files, [INTERFACES, "/etc/network/a"]);
        assert_eq!(interfaces.beyond, ["/etc/network/b", "/etc/network/c", "/etc/network/d"]);
        assert_eq!(interfaces.fatal_problem().map(|problem| problem.at.line), Some(2));
        assert_eq!(interfaces.problems.len(), 2);
    }

    #[test]
    fn tunnels_and_commands_set_addresses_too() {
        let interfaces = read(
            "auto eth0 tun0\niface eth0 inet static\naddress 10.0.0.1/24\n\
             up ip addr add 10.0.0.9/24 dev $IFACE\nup ip addr add 10.0.0.8/24 dev eth1\n\
             iface tun0 inet tunnel\nmode gre\naddress 10.9.0.1\nendpoint 10.0.0.2\n",
        );
        let said = |sources: Vec<crate::network::AddressSource>| {
            let line = |source: crate::network::AddressSource| {
                let AddressKind::Static(address) = source.kind else { panic!("not fixed") };
                (source.interface, address, source.at.map_or(0, |at| at.line))
            };
            sources.into_iter().map(line).collect::<Vec<_>>()
        };
        let of =
            |interface: &str, address: &str, line| (interface.to_owned(), address.to_owned(), line);
        let own = [of("eth0", "10.0.0.1/24", 3), of("eth0", "10.0.0.9/24", 4)];
        assert_eq!(said(interfaces.sources("eth0")), own);
        let mut all = said(interfaces.all_sources());
        all.sort();
        let [first, second] = own;
        assert_eq!(all, [first, second, of("eth1", "10.0.0.8/24", 5), of("tun0", "10.9.0.1", 8)]);
    }
}
