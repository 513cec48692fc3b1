//! NetworkManager's connections and the devices that it leaves alone.
//!
//! Sources: NetworkManager.conf(5), nm-settings-keyfile(5); NetworkManager's
//! src/core/nm-config-data.c (`_match_section_infos_lookup`), src/core/nm-policy.c
//! (`_auto_activate_device`), src/core/settings/plugins/keyfile/ and
//! src/libnm-core-impl/nm-keyfile.c
//! (`nm_keyfile_utils_ignore_filename`).

mod address;
mod connection;
mod devices;
mod ifupdown;
mod keyfile;
mod managed;
mod settings;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Netplan,
    matching::Fit,
    source::{AddressKind, AddressSource, Backend},
};
use crate::{FileKind, FileLine, SystemError, SystemFiles};
pub use connection::Connection;
use keyfile::KeyFile;
use managed::{is_allowed, matches_patterns};
use settings::{Setting, Settings};

/// Where connections are. Of connections with one UUID that of the first directory counts; a file
/// without a UUID has one that follows from its name. The settings may name another directory
/// instead of the one in /etc.
pub const CONNECTION_DIRECTORIES: [&str; 3] = [
    "/run/NetworkManager/system-connections",
    "/etc/NetworkManager/system-connections",
    "/usr/lib/NetworkManager/system-connections",
];

/// The name of the connection that NetworkManager makes itself.
const AUTOMATIC: &str = "Wired connection 1";

/// What `nmcli networking off` writes.
const STATE: &str = "/var/lib/NetworkManager/NetworkManager.state";

/// A line that has NetworkManager leave devices alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmanaged {
    /// The specification, `interface-name:eth0` for example.
    pub devices: String,
    /// Where it is.
    pub at: FileLine,
}

/// NetworkManager's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkManager {
    /// The connections that it loads.
    pub connections: Vec<Connection>,
    /// Keyfiles that it ignores: others may read them, they do not belong to root, or they have a
    /// mistake.
    pub ignored: Vec<String>,
    /// The line of the settings because of which it does not start.
    pub broken: Option<FileLine>,
    /// The line that turns networking off.
    pub off: Option<FileLine>,
    /// `no-auto-default`: devices for which it makes no connection of its own.
    no_auto_default: Vec<Setting>,
    /// `unmanaged-devices`, with those of ifupdown.
    unmanaged: Vec<Setting>,
    /// What netplan's rules have it leave alone.
    by_netplan: Vec<Unmanaged>,
    settings: Settings,
}

impl NetworkManager {
    /// Reads the configuration and the connections, with those that netplan writes at boot.
    ///
    /// # Errors
    /// [`SystemError`] if a file cannot be read.
    pub fn read(files: &dyn SystemFiles, netplan: &Netplan) -> Result<Self, SystemError> {
        let mut manager = NetworkManager::default();
        match Settings::read(files, netplan.lifts_restriction())? {
            Ok(settings) => manager.settings = settings,
            Err(at) => manager.broken = Some(at),
        }
        let list = |section: &str, key: &str| {
            let section = manager.settings.section(section);
            section.and_then(|one| one.list(key)).unwrap_or_default().to_vec()
        };
        let no_auto_default = list("main", "no-auto-default");
        manager.unmanaged = list("keyfile", "unmanaged-devices");
        manager.by_netplan = netplan.unmanaged();
        manager.no_auto_default = no_auto_default;
        manager.off = networking_off(files)?;
        manager.connections = netplan.connections();
        manager.read_connections(files)?;
        if manager.settings.plugins().contains(&"ifupdown") {
            manager.read_interfaces(files)?;
        }
        Ok(manager)
    }

    /// Reads the keyfiles of all directories.
    fn read_connections(&mut self, files: &dyn SystemFiles) -> Result<(), SystemError> {
        let [runtime, _, packages] = CONNECTION_DIRECTORIES.map(str::to_owned);
        let own = self.own_directory();
        // The identity of a connection, and whether its file is removed by a link to /dev/null.
        let mut above: BTreeSet<String> = BTreeSet::new();
        let all = [(Some(runtime), true, true), (own, false, true), (Some(packages), true, false)];
        for (directory, wants_extension, has_removed) in all {
            let Some(directory) = directory else { continue };
            let names = files.list(&directory)?.unwrap_or_default();
            if has_removed {
                for name in &names {
                    above.extend(removed(files, &directory, name)?);
                }
            }
            let mut here: Vec<(String, Connection)> = Vec::new();
            for name in names {
                if !is_keyfile(&name, wants_extension) {
                    continue;
                }
                let path = format!("{directory}/{name}");
                let found = files.metadata(&path)?.filter(|f| f.kind == FileKind::Regular);
                let Some(found) = found else { continue };
                if found.uid != 0 || found.mode & 0o077 != 0 {
                    self.ignored.push(path);
                    continue;
                }
                let text = files.read_text(&path)?.unwrap_or_default();
                let file = KeyFile::parse(&text).ok();
                let Some(connection) = file.and_then(|file| Connection::parse(&file, &path)) else {
                    self.ignored.push(path);
                    continue;
                };
                let uuid = connection.uuid.clone().unwrap_or(name);
                if !above.contains(&uuid) {
                    here.push((uuid, connection));
                }
            }
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for (uuid, _) in &here {
                *counts.entry(uuid.clone()).or_default() += 1;
            }
            for (uuid, mut connection) in here {
                // Of several in one directory the newest counts.
                connection.conditional |= counts.get(&uuid).is_some_and(|count| *count > 1);
                self.connections.push(connection);
            }
            above.extend(counts.into_keys());
        }
        Ok(())
    }

    /// Returns the directory of the owner's connections; `None` if the settings turn it off, or
    /// name one of the others instead.
    fn own_directory(&self) -> Option<String> {
        let [runtime, own, packages] = CONNECTION_DIRECTORIES;
        let configured = self.settings.section("keyfile").and_then(|one| one.get("path"));
        let own = match configured.map(|path| path.value.trim()) {
            Some("") => return None,
            Some(path) if path.starts_with('/') => {
                let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
                format!("/{}", parts.join("/"))
            }
            _ => own.to_owned(),
        };
        Some(own).filter(|path| *path != runtime && *path != packages)
    }

    /// Returns a directory whose connections are there at boot and are read: the one that the
    /// settings name, or that of packages.
    pub fn lasting_directory(&self) -> String {
        let is_lost = |path: &String| {
            ["/run/", "/tmp/", "/dev/"].iter().any(|volatile| path.starts_with(volatile))
        };
        let [_, _, packages] = CONNECTION_DIRECTORIES;
        self.own_directory().filter(|path| !is_lost(path)).unwrap_or_else(|| packages.to_owned())
    }

    /// Returns whether it writes /etc/resolv.conf (src/core/dns/nm-dns-manager.c,
    /// `init_resolv_conf_mode`).
    pub fn writes_resolv_conf(&self) -> bool {
        let says = |key: &str, word: &str| {
            let main = self.settings.section("main").and_then(|main| main.get(key));
            main.is_some_and(|setting| setting.value.trim() == word)
        };
        !says("dns", "none") && !says("rc-manager", "unmanaged")
    }

    /// Returns whether it hands name servers to systemd-resolved, if that runs.
    pub fn feeds_resolved(&self) -> bool {
        let main = self.settings.section("main").and_then(|main| main.get("systemd-resolved"));
        main.and_then(|setting| settings::boolean(&setting.value)) != Some(false)
    }

    /// Leaves out the devices that some files have it leave alone.
    pub fn forget(&mut self, files: impl Fn(&str) -> bool) {
        self.unmanaged.retain(|one| !files(&one.at.path));
    }

    /// Returns the connections that fit an interface, picked or not.
    fn fitting(&self, interface: &str) -> impl Iterator<Item = &Connection> {
        let kind = if interface.starts_with("wl") { "wifi" } else { "ethernet" };
        let allowed = self.allowed_connections(interface);
        self.connections.iter().filter(move |one| {
            allowed.is_none_or(|allowed| is_allowed(allowed, &one.id, one.uuid.as_deref()))
                && one.kind == kind
                && one.interface.as_deref().is_none_or(|name| name == interface)
                && matches_patterns(&one.patterns, interface)
        })
    }

    /// Returns the connections that fit an interface, the one that is picked first. Two of
    /// one priority: only the running system decides.
    pub fn candidates(&self, interface: &str) -> Vec<&Connection> {
        let mut found: Vec<&Connection> =
            self.fitting(interface).filter(|one| one.autoconnect).collect();
        found.sort_by_key(|one| std::cmp::Reverse(one.priority));
        found
    }

    /// Returns whether an interface may get another connection of the same priority.
    pub fn is_tied(&self, connection: &Connection, interface: &str) -> bool {
        let others = self.candidates(interface).into_iter();
        others.filter(|one| one.priority == connection.priority).count() > 1
    }

    /// Returns how an interface gets addresses.
    pub fn sources(&self, interface: &str) -> Vec<AddressSource> {
        let managed = self.manages(interface);
        if managed == Fit::No {
            return Vec::new();
        }
        let mut found = Vec::new();
        let mut certain = managed == Fit::Yes;
        let candidates = self.candidates(interface);
        let mut rest = candidates.as_slice();
        while let Some(first) = rest.first() {
            let (same, lower) =
                rest.split_at(rest.partition_point(|one| one.priority == first.priority));
            for connection in same {
                let certain = certain && same.len() == 1 && !connection.conditional;
                found.extend(connection.sources.iter().map(|(kind, at)| AddressSource {
                    backend: Backend::NetworkManager,
                    interface: interface.to_owned(),
                    kind: kind.clone(),
                    at: Some(at.clone()),
                    certain,
                }));
            }
            // One of them is surely taken.
            if same.iter().any(|one| !one.conditional) {
                return found;
            }
            certain = false;
            rest = lower;
        }
        let itself = self.connects_by_itself(interface);
        if itself != Fit::No {
            found.push(AddressSource {
                backend: Backend::NetworkManager,
                interface: interface.to_owned(),
                kind: AddressKind::Dhcp4,
                at: None,
                certain: certain && itself == Fit::Yes,
            });
        }
        found
    }

    /// Returns whether an interface without a connection gets one, which asks DHCP: a wired one
    /// does ("Wired connection 1"), unless one fits it that is not picked.
    pub fn connects_by_itself(&self, interface: &str) -> Fit {
        let allowed = self.allowed_connections(interface);
        if interface.starts_with("wl")
            || interface == "lo"
            || allowed.is_some_and(|allowed| !is_allowed(allowed, AUTOMATIC, None))
        {
            return Fit::No;
        }
        let refused = self.no_auto_default.iter().map(|one| one.value.as_str());
        let mut result = devices::matches(refused, interface).not();
        for connection in self.fitting(interface) {
            result = result.and(if connection.conditional { Fit::Perhaps } else { Fit::No });
        }
        result
    }

    /// Returns the addresses of all connections that may be picked.
    pub fn all_sources(&self) -> Vec<AddressSource> {
        let picked = self.connections.iter().filter(|one| {
            let name = one.interface.as_deref();
            one.autoconnect && name.is_none_or(|name| self.unmanaged_by(name).is_none())
        });
        picked
            .flat_map(|one| {
                one.sources.iter().map(|(kind, at)| AddressSource {
                    backend: Backend::NetworkManager,
                    interface: one.interface.clone().unwrap_or_default(),
                    kind: kind.clone(),
                    at: Some(at.clone()),
                    certain: false,
                })
            })
            .collect()
    }

    /// Returns whether a connection is for an interface by name, or for any of its kind.
    pub fn knows(&self, interface: &str) -> bool {
        !self.candidates(interface).is_empty()
            || self.connections.iter().any(|one| one.interface.as_deref() == Some(interface))
            || self.unmanaged.iter().any(|one| one.value.contains(interface))
            || self.by_netplan.iter().any(|one| one.devices.contains(interface))
    }
}

/// Returns the line by which networking is off, whatever is configured.
fn networking_off(files: &dyn SystemFiles) -> Result<Option<FileLine>, SystemError> {
    let Some(text) = files.read_text(STATE)? else { return Ok(None) };
    let Ok(file) = KeyFile::parse(&text) else { return Ok(None) };
    let entry = file.get("main", "NetworkingEnabled");
    let off = entry.filter(|entry| matches!(entry.value.trim_end(), "false" | "0"));
    Ok(off.map(|entry| FileLine::new(STATE, entry.line)))
}

/// Returns whether a file may be a connection, by its name.
fn is_keyfile(name: &str, wants_extension: bool) -> bool {
    if name.starts_with('.') {
        return false;
    }
    if wants_extension {
        return name.len() > ".nmconnection".len() && name.ends_with(".nmconnection");
    }
    let suffix = name.rsplit_once('.').map(|(_, suffix)| suffix);
    let is_temporary = suffix.is_some_and(|suffix| {
        suffix.len() == 6 && suffix.chars().all(|c| c.is_ascii_alphanumeric())
    });
    let is_certificate = suffix
        .is_some_and(|suffix| ["pem", "der"].iter().any(|one| suffix.eq_ignore_ascii_case(one)));
    !name.ends_with('~') && !is_temporary && !is_certificate
}

/// Returns the UUID of the connection that a file `UUID.nmmeta` removes.
fn removed(
    files: &dyn SystemFiles,
    directory: &str,
    name: &str,
) -> Result<Option<String>, SystemError> {
    let Some(uuid) = name.strip_suffix(".nmmeta") else { return Ok(None) };
    if uuid.len() != 36 || uuid != uuid.to_ascii_lowercase() {
        return Ok(None);
    }
    let path = format!("{directory}/{name}");
    let is_removed = match files.read_link(&path)? {
        Some(target) => target == "/dev/null",
        None => {
            let found = files.metadata(&path)?;
            let text = files.read_text(&path)?.unwrap_or_default();
            let file = KeyFile::parse(&text).unwrap_or_default();
            found.is_some_and(|found| found.uid == 0 && found.mode & 0o077 == 0)
                && file.string("nmmeta", "uuid").as_deref() == Some(uuid)
                && file.string("nmmeta", "loaded-path").as_deref() == Some("/dev/null")
        }
    };
    Ok(is_removed.then(|| uuid.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{settings::MAIN, *};
    use crate::MemoryFiles;

    const HOME: &str = "/etc/NetworkManager/system-connections/home.nmconnection";

    #[test]
    fn the_connection_of_the_highest_priority_is_picked() {
        let mut files = MemoryFiles::new();
        let read = |files: &MemoryFiles| {
            NetworkManager::read(files, &Netplan::default()).expect("readable")
        };
        let sources = read(&files).sources("eth0");
        assert_eq!((sources[0].kind.clone(), sources[0].at.clone()), (AddressKind::Dhcp4, None));
        files.write(
            HOME,
            "[connection]\nid=home\ntype=ethernet\ninterface-name=eth0\nautoconnect-priority=9\n\
             [ipv4]\nmethod=manual\naddress1=192.168.1.81/24,192.168.1.1\n",
        );
        assert_eq!(read(&files).ignored, [HOME]);
        files.own(HOME, 0o600, 0, 0);
        let other = "/usr/lib/NetworkManager/system-connections/any.nmconnection";
        files.write(other, "[connection]\ntype=802-3-ethernet\n[ipv4]\nmethod=auto\n");
        files.own(other, 0o600, 0, 0);
        let sources = read(&files).sources("eth0");
        assert_eq!(sources.len(), 1);
        assert_eq!(sources[0].kind, AddressKind::Static("192.168.1.81/24".into()));
        assert_eq!(sources[0].at, Some(FileLine::new(HOME, 8)));
        assert_eq!(read(&files).sources("eth1")[0].kind, AddressKind::Dhcp4);
    }

    /// As NetworkManager 1.42 does.
    #[test]
    fn of_one_uuid_the_file_in_run_counts() {
        let mut files = MemoryFiles::new();
        let write = |files: &mut MemoryFiles, path: &str, head: &str| {
            let path = format!("{path}.nmconnection");
            let text = format!("[connection]\nid={path}\n{head}type=ethernet\n");
            files.write(&path, text).own(&path, 0o600, 0, 0);
        };
        let [run, etc, usr] = CONNECTION_DIRECTORIES;
        write(&mut files, &format!("{etc}/a"), "");
        write(&mut files, &format!("{run}/a"), "");
        write(&mut files, &format!("{etc}/b"), "uuid=0F9A5A8E-6D0C-4F0E-8F0F-3C1F0A2B4C5D\n");
        write(&mut files, &format!("{usr}/c"), "uuid=0f9a5a8e-6d0c-4f0e-8f0f-3c1f0a2b4c5d\n");
        write(&mut files, &format!("{usr}/d"), "uuid=1f9a5a8e-6d0c-4f0e-8f0f-3c1f0a2b4c5d\n");
        let manager = NetworkManager::read(&files, &Netplan::default()).expect("readable");
        let ids: Vec<&str> = manager.connections.iter().map(|one| one.id.as_str()).collect();
        let expected = [format!("{run}/a"), format!("{etc}/b"), format!("{usr}/d")];
        assert_eq!(ids, expected.map(|path| format!("{path}.nmconnection")));
    }

    #[test]
    fn devices_are_left_alone() {
        let mut files = MemoryFiles::new();
        let by = |files: &MemoryFiles| {
            let manager = NetworkManager::read(files, &Netplan::default()).expect("readable");
            manager.unmanaged_by("eth0").map(|at| at.path.clone())
        };
        let package = "/usr/lib/NetworkManager/conf.d/10-globally-managed-devices.conf";
        files.write(
            package,
            "[keyfile]\nunmanaged-devices=*,except:type:wifi,except:type:gsm,except:type:cdma\n",
        );
        assert_eq!(by(&files).as_deref(), Some(package));
        files.write("/etc/NetworkManager/conf.d/10-globally-managed-devices.conf", "");
        assert_eq!(by(&files), None);
        let own = "/etc/NetworkManager/conf.d/20.conf";
        files.write(own, "[device-x]\nmatch-device=interface-name:e*\nmanaged=0\n");
        assert_eq!(by(&files).as_deref(), Some(own));
        files.write(
            own,
            "[keyfile]\nunmanaged-devices=interface-name:eth*;except:interface-name:eth0",
        );
        assert_eq!(by(&files), None);
        files.write(MAIN, "[main]\nplugins=ifupdown,keyfile\n[ifupdown]\nmanaged=false\n");
        assert_eq!(by(&files), None);
        files.remove(own);
        files.write("/etc/network/interfaces", "# home\niface eth0 inet dhcp\n");
        assert_eq!(by(&files).as_deref(), Some("/etc/network/interfaces"));
    }
}
