//! Where systemd looks for units, and what it finds there (systemd.unit(5), "Unit File Load
//! Path").

use std::collections::BTreeMap;

use super::{
    kernel::{KernelArgument, KernelUnits},
    unit_file::{self, UnitText},
};
use crate::{FileKind, SystemError, SystemFiles, search_path};

/// The directories of the image that are searched, the first wins. Those below /run are
/// left out: /run is empty when a system starts.
const DIRECTORIES: [&str; 6] = [
    "/etc/systemd/system.control",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/usr/local/lib/systemd/system",
    "/lib/systemd/system",
    "/usr/lib/systemd/system",
];

/// The suffixes of unit names.
const SUFFIXES: [&str; 11] = [
    "service",
    "socket",
    "target",
    "timer",
    "path",
    "mount",
    "automount",
    "swap",
    "device",
    "slice",
    "scope",
];

/// Aliases of aliases that are followed.
const MAX_ALIASES: usize = 16;

/// What a name leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// A unit file.
    File(String),
    /// A link to /dev/null, or an empty file.
    Masked(String),
    /// `systemd.mask=`
    MaskedByArgument(KernelArgument),
    /// Nothing.
    Missing,
}

/// The units of an image, by name.
pub(crate) struct Search<'a> {
    pub(crate) files: &'a dyn SystemFiles,
    /// The search path, as far as it exists.
    pub(crate) directories: Vec<String>,
    /// Entries of the search path by name: the path of the one that wins.
    entries: BTreeMap<String, String>,
    /// Directories like `ssh.service.d` and `multi-user.target.wants`, by name, in order.
    extra: BTreeMap<String, Vec<String>>,
    /// Names that the kernel's command line masks.
    masks: BTreeMap<String, KernelArgument>,
    /// Alias to the name that it stands for.
    aliases: BTreeMap<String, String>,
    /// The symlinks in directories like `multi-user.target.wants`, by directory.
    enablements: BTreeMap<String, Vec<Link>>,
    /// The paths of these symlinks by their names, numbered in the order of `extra`.
    enabled: BTreeMap<String, Vec<(usize, String)>>,
    /// The aliases of a name.
    other_names: BTreeMap<String, Vec<String>>,
}

/// A symlink that has a unit's name.
struct Link {
    name: String,
    path: String,
    target: String,
}

impl<'a> Search<'a> {
    pub(crate) fn read(
        files: &'a dyn SystemFiles,
        kernel: &KernelUnits,
    ) -> Result<Self, SystemError> {
        let merged = files.read_link("/lib")?.is_some();
        let mut directories = Vec::new();
        let mut entries = BTreeMap::new();
        let mut extra: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut aliases = BTreeMap::new();
        let mut masks = kernel.masks.clone();
        for directory in DIRECTORIES {
            if merged && directory.starts_with("/lib/") {
                continue;
            }
            let Some(names) = files.list(directory)? else { continue };
            directories.push(directory.to_owned());
            for name in names {
                let path = format!("{directory}/{name}");
                if [".d", ".wants", ".requires", ".upholds"].iter().any(|end| name.ends_with(end)) {
                    extra.entry(name).or_default().push(path);
                } else if is_unit_name(&name) && !entries.contains_key(&name) {
                    // The generator's links come after these, and before all others.
                    if directory == DIRECTORIES[0] {
                        masks.remove(&name);
                    }
                    // A link to a unit of another name is an alias; the target need not exist.
                    if let Some(target) = files.read_link(&path)? {
                        let base = target.rsplit('/').next().unwrap_or_default();
                        let is_alias = base != name && !is_instance_of(&name, base);
                        if is_alias && is_unit_name(base) && !masks.contains_key(&name) {
                            aliases.insert(name.clone(), base.to_owned());
                        }
                    }
                    entries.insert(name, path);
                }
            }
        }
        let mut enablements = BTreeMap::new();
        let mut enabled: BTreeMap<String, Vec<(usize, String)>> = BTreeMap::new();
        let mut count = 0;
        for (key, paths) in &extra {
            if key.ends_with(".d") {
                continue;
            }
            for directory in paths {
                let links = read_links(files, directory)?;
                for link in &links {
                    enabled.entry(link.name.clone()).or_default().push((count, link.path.clone()));
                    count += 1;
                }
                enablements.insert(directory.clone(), links);
            }
        }
        let mut search = Search {
            files,
            directories,
            entries,
            extra,
            masks,
            aliases,
            enablements,
            enabled,
            other_names: BTreeMap::new(),
        };
        for alias in search.aliases.keys() {
            let canonical = search.canonical(alias);
            if canonical != *alias {
                search.other_names.entry(canonical).or_default().push(alias.clone());
            }
        }
        Ok(search)
    }

    /// Returns the name that an alias stands for; other names as they are.
    pub(crate) fn canonical(&self, name: &str) -> String {
        let mut name = name.to_owned();
        for _ in 0..MAX_ALIASES {
            let template = template_of(&name);
            if let Some(target) = self.aliases.get(&name) {
                name = target.clone();
            } else if let Some((template, instance)) = template
                && !self.entries.contains_key(&name)
                && let Some(target) = self.aliases.get(&template)
                && let Some((before, after)) = target.split_once('@')
            {
                name = format!("{before}@{instance}{after}");
            } else {
                break;
            }
        }
        name
    }

    /// Returns all names that stand for a unit, its own first.
    fn names(&self, canonical: &str) -> Vec<String> {
        let mut names = vec![canonical.to_owned()];
        names.extend(self.other_names.get(canonical).into_iter().flatten().cloned());
        names
    }

    /// Returns what a canonical name leads to, its template included.
    pub(crate) fn find(&self, name: &str) -> Result<Found, SystemError> {
        let template = template_of(name).map(|(template, _)| template);
        let masked_template = || {
            let template = template.as_ref().filter(|_| !self.entries.contains_key(name))?;
            self.masks.get(template)
        };
        if let Some(argument) = self.masks.get(name).or_else(masked_template) {
            return Ok(Found::MaskedByArgument(argument.clone()));
        }
        let by_template = template.and_then(|template| self.entries.get(&template));
        let path = self.entries.get(name).or(by_template);
        let Some(path) = path else { return Ok(Found::Missing) };
        Ok(match self.files.metadata(path)? {
            Some(meta) if meta.kind == FileKind::Regular && meta.size > 0 => {
                Found::File(path.clone())
            }
            Some(meta) if meta.kind == FileKind::Regular => Found::Masked(path.clone()),
            // /dev/null is a device, or missing on an image whose /dev is empty.
            Some(_) if self.files.read_link(path)?.as_deref() == Some("/dev/null") => {
                Found::Masked(path.clone())
            }
            Some(meta) if meta.kind == FileKind::Special => Found::Masked(path.clone()),
            _ => Found::Missing,
        })
    }

    /// Returns the names of all units that have an entry of their own.
    pub(crate) fn all(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Reads a unit's file and drop-ins. Returns the drop-ins' paths as well.
    pub(crate) fn load(
        &self,
        name: &str,
        file: Option<&str>,
    ) -> Result<(UnitText, Vec<String>), SystemError> {
        let mut text = UnitText::default();
        if let Some(path) = file {
            text.assignments = self.parse(path)?;
        }
        // Drop-ins of one name: the directory for the most specific unit name does not matter,
        // the search path's order does; then they apply in the order of their names.
        let directories = self.drop_in_directories(name);
        let drop_ins = search_path::by_name(self.files, &directories, ".conf")?;
        let mut paths = Vec::new();
        for path in drop_ins.into_values() {
            let more = self.parse(&path)?;
            if !more.is_empty() {
                text.assignments.extend(more);
                paths.push(path);
            }
        }
        Ok((text, paths))
    }

    fn parse(&self, path: &str) -> Result<Vec<unit_file::Assignment>, SystemError> {
        Ok(match self.files.read_text(path)? {
            Some(text) => unit_file::parse(path, &text),
            None => Vec::new(),
        })
    }

    /// Returns the drop-in directories of a unit, the one that wins first: by the search path,
    /// then its own name, aliases, template, prefixes with a dash (`foo-.service.d`), type.
    fn drop_in_directories(&self, name: &str) -> Vec<String> {
        let mut keys = Vec::new();
        for name in self.names(name) {
            keys.push(name.clone());
            if let Some((template, _)) = template_of(&name) {
                keys.push(template);
            }
            if let Some((stem, suffix)) = name.rsplit_once('.') {
                let mut stem = stem.trim_end_matches('-');
                while let Some(dash) = stem.rfind('-') {
                    keys.push(format!("{}.{suffix}", &stem[..=dash]));
                    stem = stem[..dash].trim_end_matches('-');
                }
                keys.push(suffix.to_owned());
            }
        }
        self.in_order(&keys.iter().map(|key| format!("{key}.d")).collect::<Vec<_>>())
    }

    /// Returns the existing directories of these names, in the order of the search path.
    fn in_order(&self, names: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        for directory in &self.directories {
            for name in names {
                let path = format!("{directory}/{name}");
                let exists = self.extra.get(name).is_some_and(|paths| paths.contains(&path));
                if exists && !found.contains(&path) {
                    found.push(path);
                }
            }
        }
        found
    }

    /// Returns the links in `NAME.wants`, `NAME.requires` and `NAME.upholds`: the path of
    /// the link and the name of the unit that it pulls in. A link to /dev/null hides those of
    /// its name in later directories.
    pub(crate) fn links(&self, name: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for kind in ["wants", "requires", "upholds"] {
            let mut keys: Vec<String> = Vec::new();
            for name in self.names(name) {
                keys.push(format!("{name}.{kind}"));
                if let Some((template, _)) = template_of(&name) {
                    keys.push(format!("{template}.{kind}"));
                }
            }
            let mut seen = Vec::new();
            for directory in self.in_order(&keys) {
                for link in self.enablements.get(&directory).into_iter().flatten() {
                    if seen.contains(&&link.name) {
                        continue;
                    }
                    seen.push(&link.name);
                    if link.target != "/dev/null" {
                        found.push((link.path.clone(), link.name.clone()));
                    }
                }
            }
        }
        found
    }

    /// Returns whether a link to /dev/null keeps a target from wanting a unit.
    pub(crate) fn hides(&self, target: &str, unit: &str) -> bool {
        let directories = self.in_order(&[format!("{target}.wants")]);
        let links = directories.iter().filter_map(|directory| self.enablements.get(directory));
        let first = links.flatten().find(|link| link.name == unit);
        first.is_some_and(|link| link.target == "/dev/null")
    }

    /// Returns every enablement link of a unit, under any of its names, in any directory.
    pub(crate) fn links_to(&self, canonical: &str) -> Vec<String> {
        let names = self.names(canonical);
        let mut found: Vec<_> =
            names.iter().filter_map(|name| self.enabled.get(name)).flatten().collect();
        found.sort();
        found.into_iter().map(|(_, path)| path.clone()).collect()
    }
}

/// Returns the symlinks with names of units in a directory.
fn read_links(files: &dyn SystemFiles, directory: &str) -> Result<Vec<Link>, SystemError> {
    let mut links = Vec::new();
    for name in files.list(directory)?.unwrap_or_default() {
        let path = format!("{directory}/{name}");
        if is_unit_name(&name)
            && let Some(target) = files.read_link(&path)?
        {
            links.push(Link { name, path, target });
        }
    }
    Ok(links)
}

/// Returns whether a name could be a unit's.
pub(crate) fn is_unit_name(name: &str) -> bool {
    // UNIT_NAME_MAX; a template that names a longer instance of itself ends here.
    name.len() < 256
        && name
            .rsplit_once('.')
            .is_some_and(|(stem, suffix)| !stem.is_empty() && SUFFIXES.contains(&suffix))
}

/// Splits `getty@tty1.service` into `getty@.service` and `tty1`.
pub(crate) fn template_of(name: &str) -> Option<(String, String)> {
    let (prefix, rest) = name.split_once('@')?;
    let (instance, suffix) = rest.rsplit_once('.')?;
    (!instance.is_empty()).then(|| (format!("{prefix}@.{suffix}"), instance.to_owned()))
}

fn is_instance_of(name: &str, template: &str) -> bool {
    template_of(name).is_some_and(|(of, _)| of == template)
}
