//! systemd-networkd's .network files.
//!
//! Sources: systemd.network(5); systemd's src/network/networkd-network.c
//! (`network_load_one`), src/shared/net-condition.c, src/basic/conf-files.c.

mod file;

use std::collections::BTreeSet;

pub use super::matching::Fit;
use super::source::{AddressSource, Backend};
use crate::{
    SystemError, SystemFiles,
    pattern::is_pattern,
    search_path,
    units::{DropIns, Entry},
};
pub use file::NetworkFile;

/// Where .network files are; of files with one name that of the first directory counts.
pub const NETWORK_DIRECTORIES: [&str; 5] = [
    "/etc/systemd/network",
    "/run/systemd/network",
    "/usr/local/lib/systemd/network",
    "/usr/lib/systemd/network",
    "/lib/systemd/network",
];

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
        let mut bonds = BTreeSet::new();
        for (name, path) in search_path::unmasked(files, &NETWORK_DIRECTORIES, ".netdev")? {
            bonds.extend(bond(&with.entries_of(&name, &path)?));
        }
        let mut found = Vec::new();
        for (name, path) in search_path::unmasked(files, &NETWORK_DIRECTORIES, ".network")? {
            let all = with.entries_of(&name, &path)?;
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
            let names = file.matches.names();
            let hidden = !names.is_empty()
                && names.iter().all(|name| {
                    let earlier = self.files.iter().take(index);
                    !is_pattern(name)
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
                certain: file.matches.are_names(),
            }));
        }
        found
    }

    /// Returns whether a file may be about an interface.
    pub fn knows(&self, interface: &str) -> bool {
        self.files.iter().any(|file| file.fits(interface) != Fit::No)
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

#[cfg(test)]
mod tests {
    use super::{super::AddressKind, *};
    use crate::{MemoryFiles, units::entries};

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
