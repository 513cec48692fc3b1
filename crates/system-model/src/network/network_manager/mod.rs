//! NetworkManager's connections and the devices that it leaves alone.
//!
//! Sources: NetworkManager.conf(5), nm-settings-keyfile(5); NetworkManager's
//! src/core/nm-config.c (`read_entire_config`), src/core/nm-core-utils.c
//! (`nm_match_spec_device`), src/core/settings/plugins/keyfile/nms-keyfile-utils.c
//! (`nms_keyfile_utils_check_file_permissions`).

mod configuration;
mod connection;
mod devices;
mod keyfile;

use std::collections::BTreeSet;

use super::{
    Netplan,
    source::{AddressKind, AddressSource, Backend},
};
use crate::{FileKind, FileLine, SystemError, SystemFiles, pattern::fnmatch};
pub use connection::Connection;
use devices::spec_matches;

/// Where connections are. Of connections with one UUID that of the first directory counts; a file
/// without a UUID has one that follows from its name.
pub const CONNECTION_DIRECTORIES: [&str; 3] = [
    "/run/NetworkManager/system-connections",
    "/etc/NetworkManager/system-connections",
    "/usr/lib/NetworkManager/system-connections",
];

/// A line that has NetworkManager leave devices alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmanaged {
    /// The specification, `interface-name:eth0;type:wifi` for example.
    pub devices: String,
    /// Where it is.
    pub at: FileLine,
}

/// NetworkManager's configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NetworkManager {
    /// The connections that it loads.
    pub connections: Vec<Connection>,
    /// Keyfiles that it ignores, because others may read them or do not belong to root.
    pub ignored: Vec<String>,
    /// `unmanaged-devices` and `[device…] managed=0`, as they are in the end.
    pub unmanaged: Vec<Unmanaged>,
    /// The specification of devices for which it makes no connection of its own.
    pub no_auto_default: String,
    /// Whether interfaces of /etc/network/interfaces are left alone, and the line.
    pub leaves_ifupdown: Option<FileLine>,
}

impl NetworkManager {
    /// Reads the configuration and the connections, with those that netplan writes at boot.
    ///
    /// # Errors
    /// [`SystemError`] if a file cannot be read.
    pub fn read(files: &dyn SystemFiles, netplan: &Netplan) -> Result<Self, SystemError> {
        let mut manager = NetworkManager::default();
        manager.read_configuration(files, netplan)?;
        manager.connections = netplan.connections();
        let mut seen = BTreeSet::new();
        for directory in CONNECTION_DIRECTORIES {
            for name in files.list(directory)?.unwrap_or_default() {
                if name.starts_with('.') || name.ends_with('~') || name.contains(".rpmsave") {
                    continue;
                }
                let path = format!("{directory}/{name}");
                let found = files.metadata(&path)?.filter(|f| f.kind == FileKind::Regular);
                let Some(found) = found else { continue };
                if found.uid != 0 || found.mode & 0o077 != 0 {
                    manager.ignored.push(path);
                    continue;
                }
                let text = files.read_text(&path)?.unwrap_or_default();
                let uuid = keyfile::assignments(&text)
                    .filter(|(section, key, ..)| (*section, *key) == ("connection", "uuid"))
                    .map(|(_, _, value, _)| value.to_ascii_lowercase())
                    .last();
                if seen.insert(uuid.unwrap_or(name)) {
                    manager.connections.extend(Connection::parse(&text, &path));
                }
            }
        }
        Ok(manager)
    }

    /// Returns the line that has NetworkManager leave an interface alone.
    pub fn unmanaged_by(&self, interface: &str) -> Option<&FileLine> {
        let fits = |line: &&Unmanaged| spec_matches(&line.devices, interface) == Some(true);
        self.unmanaged.iter().find(fits).map(|line| &line.at)
    }

    /// Returns the connections that fit an interface, the one that is picked first. Two of
    /// one priority: only the running system decides.
    pub fn candidates(&self, interface: &str) -> Vec<&Connection> {
        let kind = if interface.starts_with("wl") { "wifi" } else { "ethernet" };
        let mut found: Vec<&Connection> = self
            .connections
            .iter()
            .filter(|one| {
                one.autoconnect
                    && one.kind == kind
                    && one.interface.as_deref().is_none_or(|name| name == interface)
                    && matches_patterns(&one.patterns, interface)
            })
            .collect();
        found.sort_by_key(|one| std::cmp::Reverse(one.priority));
        found
    }

    /// Returns how an interface gets addresses.
    pub fn sources(&self, interface: &str) -> Vec<AddressSource> {
        if self.unmanaged_by(interface).is_some() {
            return Vec::new();
        }
        let candidates = self.candidates(interface);
        let Some(first) = candidates.first() else {
            // A wired interface without a connection gets "Wired connection 1".
            let wired = !interface.starts_with("wl") && interface != "lo";
            let refused = spec_matches(&self.no_auto_default, interface) == Some(true);
            let automatic = AddressSource {
                backend: Backend::NetworkManager,
                interface: interface.to_owned(),
                kind: AddressKind::Dhcp4,
                at: None,
                certain: true,
            };
            return if wired && !refused { vec![automatic] } else { Vec::new() };
        };
        let tied = candidates.iter().filter(|one| one.priority == first.priority).count() > 1;
        let picked = candidates.iter().filter(|one| one.priority == first.priority);
        picked
            .flat_map(|one| {
                one.sources.iter().map(|(kind, at)| AddressSource {
                    backend: Backend::NetworkManager,
                    interface: interface.to_owned(),
                    kind: kind.clone(),
                    at: Some(at.clone()),
                    certain: !tied && !one.conditional,
                })
            })
            .collect()
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
            || self.unmanaged.iter().any(|line| line.devices.contains(interface))
    }
}

/// Returns whether a name fits the patterns of `[match]` (src/libnm-core-impl/nm-utils.c,
/// `nm_wildcard_match_check`): all that are preceded by `&` or `!`, and one of the others.
fn matches_patterns(patterns: &[String], interface: &str) -> bool {
    let (mut any, mut fits) = (false, false);
    for pattern in patterns {
        let (mandatory, rest) = match pattern.strip_prefix('&') {
            Some(rest) => (true, rest),
            None => (pattern.starts_with('!'), pattern.strip_prefix('|').unwrap_or(pattern)),
        };
        let (negated, rest) = match rest.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let matched = fnmatch(rest.strip_prefix('\\').unwrap_or(rest), interface) != negated;
        if mandatory && !matched {
            return false;
        }
        any |= !mandatory;
        fits |= !mandatory && matched;
    }
    fits || !any
}

#[cfg(test)]
mod tests {
    use super::*;
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
        write(&mut files, &format!("{etc}/b"), "uuid=B\n");
        write(&mut files, &format!("{usr}/c"), "uuid=b\n");
        write(&mut files, &format!("{usr}/d"), "uuid=d\n");
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
        files.write(
            configuration::MAIN,
            "[main]\nplugins=ifupdown,keyfile\n[ifupdown]\nmanaged=false\n",
        );
        let manager = NetworkManager::read(&files, &Netplan::default()).expect("readable");
        assert_eq!(manager.leaves_ifupdown, Some(FileLine::new(configuration::MAIN, 4)));
    }
}
