//! ifupdown's /etc/network/interfaces and the files that it includes.
//!
//! Sources: interfaces(5); ifupdown's config.c (`get_line`, `read_interfaces_defn`) and
//! main.c.

mod reader;
mod selector;
mod wordexp;

use reader::Reader;
use selector::Selector;

use super::source::{AddressKind, AddressSource, Backend};
use crate::{FileLine, SystemError, SystemFiles, pattern::fnmatch};

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
        Ok(Some(Reader::read(files, path)?))
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
        // What is up already is left alone: a second selection counts only if the first fails.
        let mut up: Vec<String> = Vec::new();
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
                let before = up.contains(&physical);
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
                            certain: certain && !mapped && !before,
                        });
                    }
                }
                if self.stanzas.iter().any(|stanza| stanza.name == logical) {
                    up.push(physical.clone());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

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
}
