//! netplan's definitions of interfaces, merged.
//!
//! Sources: netplan(5); netplan's src/parse.c (`netplan_parser_load_yaml_hierarchy`,
//! `handle_network_type`, `netplan_parser_load_yaml`).

mod definition;
mod rendered;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

pub use definition::{Definition, DeviceKind, Renderer};

use super::networkd::Fit;
use crate::{
    FileLine, SystemError, SystemFiles,
    yaml::{Kind, Value},
};

/// Where netplan's files are. A file outranks those of the same name before it; all are
/// read in the order of their names.
pub const NETPLAN_DIRECTORIES: [&str; 4] =
    ["/usr/lib/netplan", "/lib/netplan", "/etc/netplan", "/run/netplan"];

const GENERATORS: [&str; 4] = [
    "/usr/libexec/netplan/generate",
    "/usr/lib/netplan/generate",
    "/lib/netplan/generate",
    "/usr/lib/systemd/system-generators/netplan",
];

/// netplan's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Netplan {
    /// Whether netplan is there to write files at boot.
    pub installed: bool,
    /// The files in the order in which they are read.
    pub files: Vec<String>,
    /// The definitions.
    pub definitions: Vec<Definition>,
    /// The line that netplan cannot read: it then writes nothing at all.
    pub error: Option<FileLine>,
    renderer: Option<Renderer>,
    /// Bridges, bonds, VLANs and VRFs, each with the definition of a member.
    members: BTreeSet<(String, String)>,
}

impl Netplan {
    /// Reads and merges all files of netplan.
    ///
    /// # Errors
    /// [`SystemError`] if a file cannot be read.
    pub fn read(files: &dyn SystemFiles) -> Result<Self, SystemError> {
        Netplan::read_without(files, "")
    }

    /// The same, without what one of the files says, right or wrong: for whoever replaces it.
    ///
    /// # Errors
    /// [`SystemError`] if a file cannot be read.
    pub fn read_without(files: &dyn SystemFiles, replaced: &str) -> Result<Self, SystemError> {
        let mut netplan = Netplan::default();
        for path in GENERATORS {
            netplan.installed |= files.exists(path)?;
        }
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for directory in NETPLAN_DIRECTORIES {
            for name in files.list(directory)?.unwrap_or_default() {
                // Hidden names are not matched by netplan's glob.
                if name.ends_with(".yaml") && !name.starts_with('.') {
                    names.insert(name.clone(), format!("{directory}/{name}"));
                }
            }
        }
        for path in names.into_values() {
            netplan.files.push(path.clone());
            if path == replaced {
                continue;
            }
            let line = match files.read(&path)?.map(String::from_utf8) {
                Some(Ok(text)) => netplan.merge_text(&text, &path).err(),
                // A directory, a link that leads nowhere, or something else than text.
                None if is_null(files, &path)? => None,
                None | Some(Err(_)) => Some(1),
            };
            if let Some(line) = line {
                netplan.error.get_or_insert(FileLine::new(path, line));
            }
        }
        if netplan.error.is_none() {
            netplan.error = netplan.unsupported().cloned();
        }
        Ok(netplan)
    }

    /// Returns the first line that the program for a definition cannot carry out.
    fn unsupported(&self) -> Option<&FileLine> {
        let mut all = self.definitions.iter();
        all.find_map(|definition| definition.unsupported(self.renderer(definition)))
    }

    /// Merges a file; the line of what netplan does not accept otherwise.
    fn merge_text(&mut self, text: &str, path: &str) -> Result<(), usize> {
        let text = first_document(text);
        let is_bare = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
        if text.lines().all(is_bare) {
            return Ok(());
        }
        let tree = Value::parse_without_merging(text).map_err(|error| error.place.line)?;
        if !matches!(tree.kind, Kind::Null) {
            schema::FILE.check(&tree)?;
        }
        // A key may be there twice.
        let networks = tree.entries().iter().flat_map(|(_, network)| network.entries());
        for (key, value) in networks {
            let line = key.place.line;
            match key.name.as_str() {
                "version" => {
                    let digits = value.scalar().and_then(|text| text.split('.').next());
                    if digits != Some("2") {
                        return Err(line);
                    }
                }
                "renderer" => self.renderer = Renderer::parse(value),
                _ => self.merge_kind(&key.name, value, path)?,
            }
        }
        // What a file builds on is in it or in one before it.
        for (builder, member) in &self.members {
            let is_known = |id: &str| self.definitions.iter().any(|one| one.id == id);
            if !is_known(member) {
                let builder = self.definitions.iter().find(|one| one.id == *builder);
                return Err(builder.map_or(1, |builder| builder.at.line));
            }
        }
        Ok(())
    }

    /// Merges the definitions of one kind.
    fn merge_kind(&mut self, key: &str, all: &Value, path: &str) -> Result<(), usize> {
        let Some((kind, form)) = DeviceKind::of_key(key) else { return Ok(()) };
        let mut renderer = None;
        for (id, body) in all.entries() {
            let line = id.place.line;
            if id.name == "renderer" {
                renderer = Some(Renderer::parse(body).ok_or(line)?);
                continue;
            }
            let is_name = !id.name.is_empty() && id.name.chars().all(|c| c.is_ascii_graphic());
            if !is_name || id.name.contains(['*', '?', '[', ']']) {
                return Err(line);
            }
            if !matches!(body.kind, Kind::Map(_)) {
                return Err(line);
            }
            form.check(body)?;
            let index = match self.definitions.iter().position(|known| known.id == id.name) {
                Some(index) => index,
                None => {
                    let at = FileLine::new(path, line);
                    self.definitions.push(Definition::new(&id.name, kind, renderer, at));
                    self.definitions.len() - 1
                }
            };
            let Some(definition) = self.definitions.get_mut(index) else { continue };
            if definition.kind != kind {
                return Err(line);
            }
            definition.merge(body, path)?;
            let link = match kind {
                DeviceKind::Vlan => body.get("link").and_then(Value::scalar),
                _ => None,
            };
            let listed = match kind {
                DeviceKind::Bridge | DeviceKind::Bond | DeviceKind::Vrf => {
                    body.get("interfaces").map(Value::items).unwrap_or_default()
                }
                _ => &[],
            };
            for member in link.into_iter().chain(listed.iter().filter_map(Value::scalar)) {
                self.members.insert((id.name.clone(), member.to_owned()));
            }
        }
        Ok(())
    }

    /// Returns whether netplan hands an interface to NetworkManager when the system boots.
    pub fn uses_network_manager(&self, interface: &str) -> bool {
        let mut renderers: Vec<Renderer> = self
            .definitions_of(interface)
            .into_iter()
            .map(|(definition, _)| self.renderer(definition))
            .collect();
        if renderers.is_empty() {
            renderers.extend(self.renderer);
        }
        self.is_active() && renderers.contains(&Renderer::NetworkManager)
    }

    /// Returns what carries a definition out.
    pub fn renderer(&self, definition: &Definition) -> Renderer {
        definition.renderer.or(self.renderer).unwrap_or(Renderer::Networkd)
    }

    /// Returns whether netplan writes anything at boot.
    pub fn is_active(&self) -> bool {
        self.installed && self.error.is_none() && !self.files.is_empty()
    }

    /// Returns the definitions that may be an interface's.
    pub fn definitions_of(&self, interface: &str) -> Vec<(&Definition, Fit)> {
        let all = self.definitions.iter().map(|one| (one, one.fits(interface)));
        all.filter(|(_, fit)| *fit != Fit::No).collect()
    }

    /// Returns whether a definition may be about an interface, or uses it.
    pub fn knows(&self, interface: &str) -> bool {
        !self.definitions_of(interface).is_empty() || !self.built_on(interface).is_empty()
    }

    /// Returns the names of the bridges, bonds, VLANs and VRFs that have an interface as a
    /// member.
    pub fn built_on(&self, interface: &str) -> Vec<&str> {
        let all = self.definitions_of(interface).into_iter();
        all.flat_map(|(member, _)| self.builders_on(&member.id))
            .map(|builder| builder.id.as_str())
            .collect()
    }

    fn builders_on(&self, id: &str) -> impl Iterator<Item = &Definition> {
        let names = self.members.iter().filter(move |(_, member)| member == id);
        names.filter_map(|(name, _)| self.definitions.iter().find(|one| one.id == *name))
    }
}

/// Returns whether a path leads to /dev/null.
fn is_null(files: &dyn SystemFiles, path: &str) -> Result<bool, SystemError> {
    Ok(files.read_link(path)?.as_deref() == Some("/dev/null"))
}

/// Returns the first document of a text, which is all that netplan reads.
fn first_document(text: &str) -> &str {
    let (mut at, mut any) = (0, false);
    for line in text.split_inclusive('\n') {
        let marks = |mark: &str| {
            line.strip_prefix(mark).is_some_and(|rest| rest.trim_start().len() < rest.len())
        };
        if any && (marks("---") || marks("...")) {
            return text.get(..at).unwrap_or(text);
        }
        let bare = line.trim();
        any |= !(bare.is_empty() || bare.starts_with(['#', '%']));
        at += line.len();
    }
    text
}
