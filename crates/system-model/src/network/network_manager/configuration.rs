//! NetworkManager.conf and the files that add to it.

use std::collections::BTreeMap;

use super::{
    NetworkManager, Unmanaged,
    keyfile::{self, is_true},
};
use crate::{FileLine, SystemError, SystemFiles, network::Netplan};

pub(super) const MAIN: &str = "/etc/NetworkManager/NetworkManager.conf";
const CONF_DIRECTORIES: [&str; 3] =
    ["/usr/lib/NetworkManager/conf.d", "/run/NetworkManager/conf.d", "/etc/NetworkManager/conf.d"];

/// Packages' file by which NetworkManager cares for Wi-Fi and modems only.
const RESTRICTION: &str = "10-globally-managed-devices.conf";

impl NetworkManager {
    /// Reads which devices are left alone, from all files in their order.
    pub(super) fn read_configuration(
        &mut self,
        files: &dyn SystemFiles,
        netplan: &Netplan,
    ) -> Result<(), SystemError> {
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        for directory in CONF_DIRECTORIES {
            for name in files.list(directory)?.unwrap_or_default() {
                if name.ends_with(".conf") {
                    names.insert(name.clone(), format!("{directory}/{name}"));
                }
            }
        }
        if netplan.lifts_restriction() {
            names.retain(|name, path| name != RESTRICTION || path.starts_with("/etc/"));
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
            for (section, key, value, line) in keyfile::assignments(&text) {
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
        self.unmanaged.extend(netplan.unmanaged());
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
}
