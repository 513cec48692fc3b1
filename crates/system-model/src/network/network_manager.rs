//! NetworkManager's connections and the devices that it leaves alone.
//!
//! Sources: NetworkManager.conf(5), nm-settings-keyfile(5); NetworkManager's
//! src/core/nm-config.c (`read_entire_config`), src/core/nm-core-utils.c
//! (`nm_match_spec_device`), src/core/settings/plugins/keyfile/nms-keyfile-utils.c
//! (`nms_keyfile_utils_check_file_permissions`).

use std::collections::{BTreeMap, BTreeSet};

use super::source::{AddressKind, AddressSource, Backend};
use crate::{FileKind, FileLine, SystemError, SystemFiles, pattern::fnmatch};

/// Where connections are. Of connections with one UUID that of the first directory counts; a file
/// without a UUID has one that follows from its name.
pub const CONNECTION_DIRECTORIES: [&str; 3] = [
    "/run/NetworkManager/system-connections",
    "/etc/NetworkManager/system-connections",
    "/usr/lib/NetworkManager/system-connections",
];

const MAIN: &str = "/etc/NetworkManager/NetworkManager.conf";
const CONF_DIRECTORIES: [&str; 3] =
    ["/usr/lib/NetworkManager/conf.d", "/run/NetworkManager/conf.d", "/etc/NetworkManager/conf.d"];

/// A connection of a keyfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// The file.
    pub path: String,
    /// The name.
    pub id: String,
    /// `ethernet`, `wifi` …
    pub kind: String,
    /// The interface that it is for; `None` for any.
    pub interface: Option<String>,
    /// Whether NetworkManager may pick it.
    pub autoconnect: bool,
    /// Of several that fit, the highest is picked.
    pub priority: i32,
    /// Whether a hardware address or another condition of the board decides.
    pub conditional: bool,
    sources: Vec<(AddressKind, FileLine)>,
}

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
    /// Reads the configuration and the connections.
    ///
    /// # Errors
    /// [`SystemError`] if a file cannot be read.
    pub fn read(files: &dyn SystemFiles) -> Result<Self, SystemError> {
        let mut manager = NetworkManager::default();
        manager.configuration(files)?;
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
                let uuid = keyfile(&text)
                    .filter(|(section, key, ..)| (*section, *key) == ("connection", "uuid"))
                    .map(|(_, _, value, _)| value.to_ascii_lowercase())
                    .last();
                if seen.insert(uuid.unwrap_or(name)) {
                    manager.connections.extend(connection(&text, &path));
                }
            }
        }
        Ok(manager)
    }

    fn configuration(&mut self, files: &dyn SystemFiles) -> Result<(), SystemError> {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for directory in CONF_DIRECTORIES {
            for name in files.list(directory)?.unwrap_or_default() {
                if name.ends_with(".conf") {
                    names.insert(name.clone(), format!("{directory}/{name}"));
                }
            }
        }
        let mut listed: Vec<Unmanaged> = Vec::new();
        let mut devices: BTreeMap<String, (Option<String>, Option<bool>, FileLine)> =
            BTreeMap::new();
        let (mut plugin, mut managed) = (false, None);
        // Packages' files come before the main one, those of the administrator after it.
        let (package, own): (Vec<String>, Vec<String>) =
            names.into_values().partition(|path| path.starts_with("/usr/lib/"));
        for path in package.into_iter().chain([MAIN.to_owned()]).chain(own) {
            let text = files.read_text(&path)?.unwrap_or_default();
            for (section, key, value, line) in keyfile(&text) {
                let at = FileLine::new(path.clone(), line);
                let (key, change) = match key.strip_suffix(['+', '-']) {
                    Some(name) => (name, key.chars().last()),
                    None => (key, None),
                };
                match (section, key) {
                    ("keyfile", "unmanaged-devices") => {
                        if change.is_none() {
                            listed.clear();
                        }
                        if change == Some('-') {
                            listed.retain(|known| known.devices != value);
                        } else if !value.is_empty() {
                            listed.push(Unmanaged { devices: value.to_owned(), at });
                        }
                    }
                    ("main", "no-auto-default") => self.no_auto_default = value.to_owned(),
                    ("main", "plugins") => plugin = value.contains("ifupdown"),
                    ("ifupdown", "managed") => managed = Some((is_true(value), at)),
                    (section, key) if section.starts_with("device") => {
                        let entry = devices
                            .entry(section.to_owned())
                            .or_insert_with(|| (None, None, at.clone()));
                        match key {
                            "match-device" => entry.0 = Some(value.to_owned()),
                            "managed" => (entry.1, entry.2) = (Some(is_true(value)), at),
                            _ => {}
                        }
                    }
                    _ => {}
                }
            }
        }
        self.unmanaged = listed;
        for (devices, managed, at) in devices.into_values() {
            if managed == Some(false) {
                let devices = devices.unwrap_or_else(|| "*".into());
                self.unmanaged.push(Unmanaged { devices, at });
            }
        }
        self.leaves_ifupdown = match (plugin, managed) {
            (true, Some((false, at))) => Some(at),
            (true, None) => Some(FileLine::new(MAIN, 1)),
            _ => None,
        };
        Ok(())
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

/// Returns whether a list of devices has an interface; `None` if a property of the board
/// decides.
fn spec_matches(specs: &str, interface: &str) -> Option<bool> {
    let kind = if interface.starts_with("wl") { "wifi" } else { "ethernet" };
    let (mut fits, mut unknown) = (false, false);
    for spec in specs.split([',', ';', ' ', '\t']).filter(|spec| !spec.is_empty()) {
        let (except, spec) = match spec.strip_prefix("except:") {
            Some(rest) => (true, rest),
            None => (false, spec),
        };
        let fit = match spec.split_once(':') {
            _ if spec == "*" => Some(true),
            None => Some(spec == interface),
            Some(("type", value)) => Some(value == kind),
            Some(("interface-name", value)) => Some(match value.split_at_checked(1) {
                Some(("=", exact)) => exact == interface,
                Some(("~", pattern)) => fnmatch(pattern, interface),
                _ => fnmatch(value, interface),
            }),
            // A hardware address without a prefix has colons too.
            Some(_) => None,
        };
        match (fit, except) {
            (Some(true), true) => return Some(false),
            (Some(true), false) => fits = true,
            (None, _) => unknown = true,
            (Some(false), _) => {}
        }
    }
    match (fits, unknown) {
        (true, _) => Some(true),
        (false, true) => None,
        (false, false) => Some(false),
    }
}

fn is_true(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "yes" | "true" | "on" | "1")
}

/// Returns the assignments of a keyfile: section, key, value and line.
fn keyfile(text: &str) -> impl Iterator<Item = (&str, &str, &str, usize)> {
    let mut section = "";
    text.lines().enumerate().filter_map(move |(number, line)| {
        let line = line.trim_ascii();
        if line.starts_with(['#', ';']) {
            return None;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
            return None;
        }
        let (key, value) = line.split_once('=')?;
        Some((section, key.trim_ascii(), value.trim_ascii(), number + 1))
    })
}

fn connection(text: &str, path: &str) -> Option<Connection> {
    let mut one = Connection {
        path: path.to_owned(),
        id: String::new(),
        kind: String::new(),
        interface: None,
        autoconnect: true,
        priority: 0,
        conditional: false,
        sources: Vec::new(),
    };
    let mut methods: [Option<(String, FileLine)>; 2] = [None, None];
    let mut addresses: [Vec<(AddressKind, FileLine)>; 2] = [Vec::new(), Vec::new()];
    for (section, key, value, line) in keyfile(text) {
        let at = FileLine::new(path, line);
        let [v4, v6] = &mut methods;
        let [addresses4, addresses6] = &mut addresses;
        match (section, key) {
            ("connection", "id") => one.id = value.to_owned(),
            ("connection", "type") => {
                one.kind = match value {
                    "802-3-ethernet" => "ethernet".to_owned(),
                    "802-11-wireless" => "wifi".to_owned(),
                    other => other.to_owned(),
                };
            }
            ("connection", "interface-name") if !value.is_empty() => {
                one.interface = Some(value.to_owned());
            }
            ("connection", "autoconnect") => one.autoconnect = is_true(value),
            ("connection", "autoconnect-priority") => one.priority = value.parse().unwrap_or(0),
            ("connection", "permissions") if !value.is_empty() => one.autoconnect = false,
            ("ethernet" | "802-3-ethernet", "mac-address" | "mac-address-blacklist")
            | ("match", _) => one.conditional = true,
            ("ipv4", "method") => *v4 = Some((value.to_owned(), at)),
            ("ipv6", "method") => *v6 = Some((value.to_owned(), at)),
            ("ipv4" | "ipv6", key) => {
                let number = key.strip_prefix("addresses").or(key.strip_prefix("address"));
                if number.is_some_and(|n| n.chars().all(|c| c.is_ascii_digit())) {
                    // `ADDRESS/PREFIX,GATEWAY`
                    let address = value.split([',', ';']).next().unwrap_or_default().trim_ascii();
                    let list = if section == "ipv4" { addresses4 } else { addresses6 };
                    list.push((AddressKind::Static(address.to_owned()), at));
                }
            }
            _ => {}
        }
    }
    if one.kind.is_empty() {
        return None;
    }
    let dhcp = [AddressKind::Dhcp4, AddressKind::Dhcp6];
    for ((method, addresses), dhcp) in methods.into_iter().zip(addresses).zip(dhcp) {
        let Some((method, at)) = method else { continue };
        match method.as_str() {
            "auto" if dhcp == AddressKind::Dhcp4 => {
                one.sources.push((dhcp, at));
                one.sources.extend(addresses);
            }
            "auto" | "manual" => one.sources.extend(addresses),
            "dhcp" => one.sources.push((dhcp, at)),
            "shared" | "link-local" => one.sources.push((AddressKind::Other(method), at)),
            _ => {}
        }
    }
    Some(one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    const HOME: &str = "/etc/NetworkManager/system-connections/home.nmconnection";

    #[test]
    fn the_connection_of_the_highest_priority_is_picked() {
        let mut files = MemoryFiles::new();
        let read = |files: &MemoryFiles| NetworkManager::read(files).expect("readable");
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
        let manager = NetworkManager::read(&files).expect("readable");
        let ids: Vec<&str> = manager.connections.iter().map(|one| one.id.as_str()).collect();
        let expected = [format!("{run}/a"), format!("{etc}/b"), format!("{usr}/d")];
        assert_eq!(ids, expected.map(|path| format!("{path}.nmconnection")));
    }

    #[test]
    fn devices_are_left_alone() {
        let mut files = MemoryFiles::new();
        let by = |files: &MemoryFiles| {
            let manager = NetworkManager::read(files).expect("readable");
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
        let manager = NetworkManager::read(&files).expect("readable");
        assert_eq!(manager.leaves_ifupdown, Some(FileLine::new(MAIN, 4)));
    }
}
