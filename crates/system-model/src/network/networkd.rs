//! systemd-networkd's .network files.
//!
//! Sources: systemd.network(5); systemd's src/network/networkd-network.c
//! (`network_load_one`), src/shared/net-condition.c, src/basic/conf-files.c.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{AddressKind, AddressSource, Backend};
use crate::{
    FileLine, SystemError, SystemFiles,
    pattern::fnmatch,
    search_path,
    units::{DropIns, Entry, entries},
};

/// Where .network files are; of files with one name that of the first directory counts.
pub const NETWORK_DIRECTORIES: [&str; 5] = [
    "/etc/systemd/network",
    "/run/systemd/network",
    "/usr/local/lib/systemd/network",
    "/usr/lib/systemd/network",
    "/lib/systemd/network",
];

/// Whether a file is about an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// It surely is.
    Yes,
    /// A driver, a hardware address or another property of the board decides.
    Perhaps,
    /// It surely is not.
    No,
}

/// A .network file with its drop-ins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkFile {
    /// The name.
    pub name: String,
    /// The path; that of the netplan file for one that netplan will write at boot.
    pub path: String,
    matches: Vec<(String, String)>,
    sources: Vec<(AddressKind, FileLine)>,
    /// Whether networkd leaves the interface alone (`Unmanaged=yes`, `ActivationPolicy=`).
    pub unmanaged: bool,
}

impl NetworkFile {
    /// Reads a file. An interface of one of `bonds` has no addresses of its own.
    fn parse(name: &str, path: &str, all: &[Entry], bonds: &BTreeSet<String>) -> NetworkFile {
        let mut file = NetworkFile {
            name: name.to_owned(),
            path: path.to_owned(),
            matches: Vec::new(),
            sources: Vec::new(),
            unmanaged: false,
        };
        let mut dhcp: Option<(String, FileLine)> = None;
        let mut addresses: Vec<(AddressKind, FileLine)> = Vec::new();
        let mut is_bonded = false;
        for entry in all {
            let value = entry.value.as_str();
            match (entry.section.as_str(), entry.key.as_str()) {
                ("Match", key) if value.is_empty() => {
                    file.matches.retain(|(other, _)| other != key);
                }
                ("Match", key) => file.matches.push((key.to_owned(), value.to_owned())),
                ("Network", "DHCP") => dhcp = Some((value.to_owned(), entry.at.clone())),
                ("Network", "Address") if value.is_empty() => addresses.clear(),
                ("Network" | "Address", "Address") => {
                    addresses.push((AddressKind::Static(value.to_owned()), entry.at.clone()));
                }
                ("Network", "Bond") => is_bonded = bonds.contains(value),
                ("Link", "Unmanaged") => file.unmanaged = is_true(value),
                ("Link", "ActivationPolicy") => {
                    file.unmanaged |= matches!(value, "manual" | "always-down" | "down");
                }
                _ => {}
            }
        }
        if is_bonded {
            return file;
        }
        file.sources = addresses;
        if let Some((value, at)) = dhcp {
            let (v4, v6) = match value.to_ascii_lowercase().as_str() {
                "ipv4" | "v4" => (true, false),
                "ipv6" | "v6" => (false, true),
                "both" => (true, true),
                other => (is_true(other), is_true(other)),
            };
            let kinds = [(v4, AddressKind::Dhcp4), (v6, AddressKind::Dhcp6)];
            let kinds = kinds.into_iter().filter(|(on, _)| *on);
            file.sources.extend(kinds.map(|(_, kind)| (kind, at.clone())));
        }
        file
    }

    /// Returns a file that another program writes at boot.
    pub(super) fn generated(
        name: String,
        path: String,
        matches: Vec<(String, String)>,
        sources: Vec<(AddressKind, FileLine)>,
        unmanaged: bool,
    ) -> NetworkFile {
        NetworkFile { name, path, matches, sources, unmanaged }
    }

    /// Returns whether the file is about an interface of this name, as far as an image
    /// shows it. A name that begins with `wl` stands for Wi-Fi, all others for Ethernet.
    pub fn fits(&self, interface: &str) -> Fit {
        if self.matches.is_empty() {
            // networkd ignores a file without anything in [Match].
            return Fit::No;
        }
        let mut merged: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (key, value) in &self.matches {
            merged.entry(key).or_default().push(value);
        }
        let wireless = interface.starts_with("wl");
        let kind = if wireless { "wlan" } else { "ether" };
        let mut result = Fit::Yes;
        for (key, values) in merged {
            let fit = match key {
                "Name" | "OriginalName" => decided(list(&values, interface)),
                "Type" => decided(list(&values, kind)),
                // Wired interfaces of a board are no bridges or tunnels, and have no SSID.
                "Kind" => decided(list(&values, "")),
                "SSID" | "BSSID" | "WLANInterfaceType" if !wireless => Fit::No,
                _ => Fit::Perhaps,
            };
            match fit {
                Fit::No => return Fit::No,
                Fit::Perhaps => result = Fit::Perhaps,
                Fit::Yes => {}
            }
        }
        result
    }
}

/// Returns the name of the bond that a .netdev file makes.
fn bond(all: &[Entry]) -> Option<String> {
    let last = |key: &str| {
        let mut found = all.iter().rev();
        found.find(|entry| entry.section == "NetDev" && entry.key == key).map(|one| &one.value)
    };
    last("Kind").filter(|kind| *kind == "bond").and_then(|_| last("Name")).cloned()
}

fn decided(fits: bool) -> Fit {
    if fits { Fit::Yes } else { Fit::No }
}

/// Patterns separated by white space. An exclamation mark before a list negates all of it.
fn list(values: &[&str], word: &str) -> bool {
    let (mut fits, mut positive) = (false, false);
    for value in values {
        let (negated, value) = match value.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, *value),
        };
        let any = value.split_ascii_whitespace().any(|pattern| fnmatch(pattern, word));
        if negated && any {
            return false;
        }
        positive |= !negated;
        fits |= !negated && any;
    }
    fits || !positive
}

fn is_true(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "yes" | "y" | "true" | "t" | "on" | "1")
}

/// systemd-networkd's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networkd {
    /// The files in the order in which they are tried.
    pub files: Vec<NetworkFile>,
}

impl Networkd {
    /// Reads the .network files of the whole search path. Those that are masked, by a link
    /// to /dev/null or by an empty file, are left out.
    ///
    /// # Errors
    /// [`SystemError`] if a file cannot be read.
    pub fn read(files: &dyn SystemFiles) -> Result<Self, SystemError> {
        let with = DropIns::read(files, &NETWORK_DIRECTORIES)?;
        let read = |name: &str, path: &str| -> Result<Vec<Entry>, SystemError> {
            let Some(text) = files.read_text(path)?.filter(|text| !text.is_empty()) else {
                return Ok(Vec::new());
            };
            let mut all = entries(&text, path);
            for drop_in in with.of(name)? {
                all.extend(entries(&files.read_text(&drop_in)?.unwrap_or_default(), &drop_in));
            }
            Ok(all)
        };
        let mut bonds = BTreeSet::new();
        for (name, path) in search_path::unmasked(files, &NETWORK_DIRECTORIES, ".netdev")? {
            bonds.extend(bond(&read(&name, &path)?));
        }
        let mut found = Vec::new();
        for (name, path) in search_path::unmasked(files, &NETWORK_DIRECTORIES, ".network")? {
            let all = read(&name, &path)?;
            if !all.is_empty() {
                found.push(NetworkFile::parse(&name, &path, &all, &bonds));
            }
        }
        Ok(Networkd { files: found })
    }

    /// Adds files that netplan writes to /run at boot, which have names of their own.
    pub fn add(&mut self, generated: Vec<NetworkFile>) {
        for file in generated {
            // /etc outranks /run, which outranks packages.
            let path = "/etc/systemd/network/";
            let masked = self.files.iter().any(|o| o.name == file.name && o.path.starts_with(path));
            if !masked {
                self.files.retain(|other| other.name != file.name);
                self.files.push(file);
            }
        }
        self.files.sort_by(|a, b| a.name.cmp(&b.name));
    }

    /// Returns the files that may be an interface's: those that may fit, up to the first one
    /// that surely does.
    pub fn candidates(&self, interface: &str) -> Vec<(&NetworkFile, Fit)> {
        let mut found = Vec::new();
        for file in &self.files {
            let fit = file.fits(interface);
            if fit != Fit::No {
                found.push((file, fit));
            }
            if fit == Fit::Yes {
                break;
            }
        }
        found
    }

    /// Returns how an interface gets addresses.
    pub fn sources(&self, interface: &str) -> Vec<AddressSource> {
        let candidates = self.candidates(interface);
        let certain = candidates.len() == 1 && candidates.iter().all(|(_, fit)| *fit == Fit::Yes);
        let managed = candidates.into_iter().filter(|(file, _)| !file.unmanaged);
        managed
            .flat_map(|(file, _)| {
                file.sources.iter().map(|(kind, at)| AddressSource {
                    backend: Backend::Networkd,
                    interface: interface.to_owned(),
                    kind: kind.clone(),
                    at: Some(at.clone()),
                    certain,
                })
            })
            .collect()
    }

    /// Returns the addresses of all files that no other one with the same names hides.
    pub fn all_sources(&self) -> Vec<AddressSource> {
        let mut found = Vec::new();
        for (index, file) in self.files.iter().enumerate() {
            let names = file.matches.iter().filter(|(key, _)| key == "Name");
            let names: Vec<&str> =
                names.flat_map(|(_, value)| value.split_ascii_whitespace()).collect();
            let hidden = !names.is_empty()
                && names.iter().all(|name| {
                    let earlier = self.files.iter().take(index);
                    !crate::pattern::is_pattern(name)
                        && earlier.into_iter().any(|other| other.fits(name) == Fit::Yes)
                });
            if hidden || file.unmanaged || file.matches.is_empty() {
                continue;
            }
            found.extend(file.sources.iter().map(|(kind, at)| AddressSource {
                backend: Backend::Networkd,
                interface: names.join(" "),
                kind: kind.clone(),
                at: Some(at.clone()),
                certain: file.matches.iter().all(|(key, _)| key == "Name"),
            }));
        }
        found
    }

    /// Returns whether a file may be about an interface.
    pub fn knows(&self, interface: &str) -> bool {
        self.files.iter().any(|file| file.fits(interface) != Fit::No)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    fn fit(text: &str) -> Fit {
        NetworkFile::parse("a.network", "/a", &entries(text, "/a"), &BTreeSet::new()).fits("eth0")
    }

    #[test]
    fn match_sections_are_read() {
        for (text, expected) in [
            ("[Match]\nName=eth0\n", Fit::Yes),
            ("[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n", Fit::Yes),
            ("[Match]\nType=ether\n", Fit::Yes),
            ("[Match]\nType=ether\nKind=!*\n", Fit::No),
            ("[Match]\nKind=!veth\nName=*\n", Fit::Yes),
            ("[Match]\nName=!lo wlan*\n", Fit::Yes),
            ("[Match]\nName=!eth*\n", Fit::No),
            ("[Match]\nName=eth1\nName=eth0\n", Fit::Yes),
            ("[Match]\nName=eth0\nName=\n", Fit::No),
            ("[Match]\nDriver=r8152\n", Fit::Perhaps),
            ("[Match]\nDriver=r8152\nName=wl*\n", Fit::No),
            ("[Match]\nSSID=home\n", Fit::No),
            ("[Network]\nName=eth0\n", Fit::No),
            ("", Fit::No),
        ] {
            assert_eq!(fit(text), expected, "{text}");
        }
    }

    #[test]
    fn the_first_file_of_the_search_path_counts() {
        let mut files = MemoryFiles::new();
        let network = |rest: &str| format!("[Match]\nName=eth*\n[Network]\n{rest}\n");
        files.write("/usr/lib/systemd/network/10-a.network", network("DHCP=yes"));
        files.write("/etc/systemd/network/20-b.network", network("Address=10.0.0.2/24"));
        let kinds = |files: &MemoryFiles| {
            let networkd = Networkd::read(files).expect("readable");
            let sources = networkd.sources("eth0").into_iter();
            sources.map(|source| source.kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(&files), [AddressKind::Dhcp4, AddressKind::Dhcp6]);
        files.symlink("/etc/systemd/network/10-a.network", "/dev/null");
        assert_eq!(kinds(&files), [AddressKind::Static("10.0.0.2/24".into())]);
        files.write("/etc/systemd/network/10-a.network", "");
        assert_eq!(kinds(&files), [AddressKind::Static("10.0.0.2/24".into())]);
        files.write("/run/systemd/network/20-b.network.d/x.conf", "[Network]\nDHCP=ipv4\n");
        assert_eq!(kinds(&files).len(), 2);
        files.write("/etc/systemd/network/20-b.network.d/x.conf", "[Network]\nAddress=\n");
        assert_eq!(kinds(&files), []);
    }
}
