//! Which stanzas ifup applies at boot, and to which interfaces (ifupdown's main.c,
//! `select_interfaces` and `do_interface`).

use std::collections::{HashMap, HashSet};

use super::{Interfaces, Selection, Stanza, command, selector::Selector};
use crate::{
    FileLine,
    network::source::{AddressKind, AddressSource, Backend},
    pattern::{fnmatch, fnmatch_extended, is_pattern},
};

/// As many pairs of patterns and names are compared; more are no configuration.
const MAX_COMPARISONS: usize = 1_000_000;
/// As many stanzas are found that a mapping's script might choose.
const MAX_MAPPED: usize = 10_000;

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

impl Interfaces {
    /// Returns the stanzas that are applied when an interface is brought up at boot, by
    /// `ifup -a` or by udev (`allow-hotplug`), those of its aliases (`eth0:1`) included.
    pub fn brought_up(&self, interface: &str) -> Vec<BroughtUp<'_>> {
        self.all_brought_up(Some(interface))
    }

    /// Returns all stanzas that are applied at boot. Without a name a pattern selects the
    /// stanzas whose names it matches.
    pub fn all_brought_up(&self, interface: Option<&str>) -> Vec<BroughtUp<'_>> {
        if !self.readable || interface.is_some_and(|name| self.renamed(name).is_some()) {
            return Vec::new();
        }
        let mut boot = Boot::new(self);
        for selection in &self.selections {
            if matches!(selection.class.as_str(), "auto" | "hotplug") {
                boot.select(selection, interface);
            }
        }
        boot.found
    }

    /// Returns how an interface gets addresses at boot: by a method, or by a command of its
    /// stanza that adds one.
    pub fn sources(&self, interface: &str) -> Vec<AddressSource> {
        let brought_up = self.brought_up(interface);
        let mut found = self.sources_of(&brought_up);
        let added = self.added_by_commands(&brought_up);
        found.extend(added.into_iter().filter(|source| source.interface == interface));
        found
    }

    /// Returns how all interfaces get addresses at boot.
    pub fn all_sources(&self) -> Vec<AddressSource> {
        let brought_up = self.all_brought_up(None);
        let mut found = self.sources_of(&brought_up);
        found.extend(self.added_by_commands(&brought_up));
        found
    }

    /// Returns the addresses that commands add, as in `up ip addr add 10.0.0.9/24 dev eth0`.
    fn added_by_commands(&self, brought_up: &[BroughtUp<'_>]) -> Vec<AddressSource> {
        let mut found = Vec::new();
        let mut left = MAX_COMPARISONS;
        for up in brought_up {
            let options = self.options(up.stanza);
            let Some(rest) = left.checked_sub(options.len()) else { break };
            left = rest;
            for option in options {
                if !matches!(option.name.as_str(), "pre-up" | "up" | "post-up") {
                    continue;
                }
                let own = up.interface.split(['=', ':']).next().unwrap_or_default();
                let Some((address, device)) = command::added(&option.value, own) else { continue };
                found.push(AddressSource {
                    backend: Backend::Ifupdown,
                    interface: device.to_owned(),
                    kind: AddressKind::Static(address.to_owned()),
                    at: Some(option.at.clone()),
                    certain: up.certain,
                });
            }
        }
        found
    }

    fn sources_of(&self, brought_up: &[BroughtUp<'_>]) -> Vec<AddressSource> {
        if brought_up.is_empty() {
            return Vec::new();
        }
        // Stanzas inherit from those before them; ifup uses the first address of several.
        let mut addresses: HashMap<*const Stanza, &super::StanzaOption> = HashMap::new();
        for stanza in &self.stanzas {
            let above = stanza.inherits.and_then(|index| self.stanzas.get(index));
            let inherited = above.and_then(|above| addresses.get(&std::ptr::from_ref(above)));
            let own = || stanza.options.iter().find(|option| option.name == "address");
            if let Some(address) = inherited.copied().or_else(own) {
                addresses.insert(std::ptr::from_ref(stanza), address);
            }
        }
        brought_up
            .iter()
            .filter_map(|up| {
                let stanza = up.stanza;
                let (kind, at) = match (stanza.family.as_str(), stanza.method.as_str()) {
                    (_, "loopback" | "manual") => return None,
                    ("inet" | "inet6", "static" | "tunnel" | "v4tunnel") => {
                        let address = addresses.get(&std::ptr::from_ref(stanza))?;
                        (AddressKind::Static(address.value.clone()), &address.at)
                    }
                    ("inet", "dhcp" | "bootp") => (AddressKind::Dhcp4, &stanza.at),
                    ("inet6", "dhcp") => (AddressKind::Dhcp6, &stanza.at),
                    (family, method) => {
                        (AddressKind::Other(format!("{family} {method}")), &stanza.at)
                    }
                };
                Some(AddressSource {
                    backend: Backend::Ifupdown,
                    interface: up.interface.to_owned(),
                    kind,
                    at: Some(at.clone()),
                    certain: up.certain,
                })
            })
            .collect()
    }
}

/// Stanzas by name, and what was found of them.
struct Boot<'a> {
    all: &'a Interfaces,
    /// The stanzas of each logical interface.
    named: HashMap<&'a str, Vec<usize>>,
    /// Names that mappings give, and the patterns among them.
    mapped: HashSet<&'a str>,
    patterns: Vec<&'a str>,
    /// New names of interfaces that ifup renames first.
    renamed: HashMap<&'a str, &'a str>,
    found: Vec<BroughtUp<'a>>,
    known: HashSet<(usize, &'a str)>,
    /// What is up already is left alone: a second selection counts only if the first fails.
    up: HashSet<String>,
    comparisons: usize,
    by_mapping: usize,
}

impl<'a> Boot<'a> {
    fn new(all: &'a Interfaces) -> Self {
        let mut named: HashMap<&str, Vec<usize>> = HashMap::new();
        for (index, stanza) in all.stanzas.iter().enumerate() {
            named.entry(&stanza.name).or_default().push(index);
        }
        let mapped = all.mappings.iter().flat_map(|mapping| &mapping.patterns);
        let (patterns, mapped): (Vec<&str>, Vec<&str>) =
            mapped.map(String::as_str).partition(|name| is_pattern(name) || name.contains('\\'));
        let mut renamed = HashMap::new();
        for (old, new, _) in &all.renames {
            if !old.contains('/') && old != new {
                renamed.entry(old.as_str()).or_insert(new.as_str());
            }
        }
        Boot {
            all,
            named,
            mapped: mapped.into_iter().collect(),
            patterns,
            renamed,
            found: Vec::new(),
            known: HashSet::new(),
            up: HashSet::new(),
            comparisons: MAX_COMPARISONS,
            by_mapping: MAX_MAPPED,
        }
    }

    fn select(&mut self, selection: &'a Selection, interface: Option<&str>) {
        let selector = Selector::parse(&selection.interface);
        let physical: Vec<(String, bool)> = match (selector.pattern, interface) {
            (None, _) => {
                // `auto eth0` brings up what eth0 is renamed to. With `=LOGICAL` ifupdown 0.8.41
                // ends with an error there.
                let (name, sure) = match self.renamed.get(selector.name) {
                    Some(new) => (*new, selector.logical.is_none()),
                    None => (selector.name, true),
                };
                let base = name.split(':').next().unwrap_or_default();
                let fits = interface.is_none_or(|wanted| wanted == base);
                fits.then(|| (name.to_owned(), sure)).into_iter().collect()
            }
            (Some(_), Some(wanted)) => {
                let sure = selector.selects(wanted);
                sure.map(|sure| (wanted.to_owned(), sure)).into_iter().collect()
            }
            // Which interfaces exist is not known: any that has a stanza may.
            (Some(pattern), None) => match selector.logical {
                Some(logical) => vec![(logical.to_owned(), false)],
                None => self.matched(pattern, !selector.variable.is_empty()),
            },
        };
        for (physical, sure) in physical {
            let logical = selector.logical.unwrap_or(&physical);
            let mapped = self.is_mapped(logical);
            let certain = sure && !mapped && !self.up.contains(&physical);
            let named = self.named.get(logical).cloned().unwrap_or_default();
            for index in &named {
                self.apply(*index, selection, certain);
            }
            if mapped {
                // A mapping's script may choose any stanza.
                for index in 0..self.all.stanzas.len() {
                    let Some(left) = self.by_mapping.checked_sub(1) else { break };
                    self.by_mapping = left;
                    self.apply(index, selection, false);
                }
            }
            if !named.is_empty() {
                self.up.insert(physical);
            }
        }
    }

    fn apply(&mut self, index: usize, selection: &'a Selection, certain: bool) {
        let Some(stanza) = self.all.stanzas.get(index) else { return };
        if self.known.insert((index, &selection.interface)) {
            let (interface, selected) = (&selection.interface, &selection.at);
            self.found.push(BroughtUp { interface, stanza, selected, certain });
        }
    }

    /// Returns the names of stanzas that a pattern matches.
    fn matched(&mut self, pattern: &str, by_value: bool) -> Vec<(String, bool)> {
        let mut names: Vec<(String, bool)> = Vec::new();
        // One with operators may take many steps.
        let cost = if pattern.contains('(') { 1000 } else { 1 };
        for stanza in &self.all.stanzas {
            let Some(left) = self.comparisons.checked_sub(cost) else { break };
            self.comparisons = left;
            let fits = by_value || fnmatch_extended(pattern, &stanza.name);
            if fits && names.last().is_none_or(|(last, _)| *last != stanza.name) {
                names.push((stanza.name.clone(), false));
            }
        }
        names
    }

    fn is_mapped(&mut self, logical: &str) -> bool {
        if self.mapped.contains(logical) {
            return true;
        }
        // Where there are too many patterns to compare, any may fit.
        let Some(left) = self.comparisons.checked_sub(self.patterns.len()) else { return true };
        self.comparisons = left;
        self.patterns.iter().any(|pattern| fnmatch(pattern, logical))
    }
}
