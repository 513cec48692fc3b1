//! What identifies a card.

use std::{collections::BTreeSet, net::Ipv4Addr};

use card_image::{FsResult, RootFs};
use serde::Serialize;

/// No file that is looked at here is larger.
const LARGEST: u64 = 1 << 20;

/// What identifies a card.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Facts {
    /// The host name.
    pub hostname: Option<String>,
    /// The static IPv4 addresses in its network configuration.
    pub addresses: BTreeSet<Ipv4Addr>,
    /// The machine id.
    pub machine_id: Option<String>,
    /// The ed25519 host key: algorithm and key.
    pub host_key: Option<String>,
}

/// Where addresses are configured: directories and files, symlinks followed.
const NETWORK: [&str; 5] = [
    "/etc/network/interfaces",
    "/etc/network/interfaces.d",
    "/etc/netplan",
    "/etc/NetworkManager/system-connections",
    "/etc/systemd/network",
];

impl Facts {
    /// Reads them from a root filesystem.
    ///
    /// # Errors
    /// [`FsError`](card_image::FsError) if it is damaged.
    pub fn read(files: &RootFs) -> FsResult<Self> {
        let first = |path: &str| -> FsResult<Option<String>> {
            let text = read_text(files, path)?.unwrap_or_default();
            let mut lines = text.lines().map(str::trim);
            Ok(lines.find(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned))
        };
        let mut addresses = BTreeSet::new();
        for (path, text) in network_files(files)? {
            if path.starts_with("/etc/netplan/") {
                addresses.extend(text.lines().flat_map(addresses_in_netplan));
            } else {
                addresses.extend(text.lines().flat_map(addresses_of));
            }
        }
        let key = first("/etc/ssh/ssh_host_ed25519_key.pub")?;
        Ok(Facts {
            hostname: first("/etc/hostname")?,
            addresses,
            machine_id: first("/etc/machine-id")?.filter(|id| id != "uninitialized"),
            host_key: key.as_deref().map(without_comment),
        })
    }
}

/// Returns algorithm and key of a line in a .pub file.
pub(crate) fn without_comment(line: &str) -> String {
    line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

/// Returns a file's text; `None` where there is no file, or something else.
pub(crate) fn read_text(files: &RootFs, path: &str) -> FsResult<Option<String>> {
    match files.read(path, LARGEST) {
        Ok(contents) => Ok(contents.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.is_wrong_kind() || error.is_too_large() || error.is_symlink_loop() => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Returns the names in a directory that are UTF-8; none where there is no directory.
pub(crate) fn names(files: &RootFs, path: &str) -> FsResult<Vec<String>> {
    let names = match files.list(path) {
        Err(error) if error.is_symlink_loop() => None,
        other => other?,
    };
    let utf8 = names.unwrap_or_default().into_iter().map(String::from_utf8);
    Ok(utf8.filter_map(Result::ok).collect())
}

/// Returns all files of network configuration: paths and texts.
pub(crate) fn network_files(files: &RootFs) -> FsResult<Vec<(String, String)>> {
    let mut found = Vec::new();
    for place in NETWORK {
        match read_text(files, place)? {
            Some(text) => found.push((place.to_owned(), text)),
            None => {
                for name in names(files, place)? {
                    let path = format!("{place}/{name}");
                    found.extend(read_text(files, &path)?.map(|text| (path, text)));
                }
            }
        }
    }
    Ok(found)
}

/// Returns the addresses that a line gives an interface. Keywords differ between programs,
/// and a card with a misspelt keyword should still be identified.
fn addresses_of(line: &str) -> Vec<Ipv4Addr> {
    let line = line.trim_start();
    let is_comment = line.starts_with(['#', ';']);
    if is_comment || !line.to_ascii_lowercase().starts_with("addr") {
        return Vec::new();
    }
    // NetworkManager puts the gateway after the comma: address1=10.0.0.2/24,10.0.0.1.
    let own = match line.split_once('=') {
        Some((_, value)) => value.split(',').next().unwrap_or_default(),
        None => line,
    };
    let words = own.split(|c: char| !c.is_ascii_digit() && c != '.');
    words.filter_map(|word| word.parse().ok()).collect()
}

/// Returns the addresses that a line of netplan's YAML gives an interface, whether it is the
/// key with a list or an item of one. Name servers are `addresses:` too, but have no prefix.
fn addresses_in_netplan(line: &str) -> Vec<Ipv4Addr> {
    let line = line.trim_start();
    let item = line.strip_prefix('-').map(|item| item.trim_start_matches([' ', '"', '\'']));
    let is_address = item.is_some_and(|item| item.starts_with(|c: char| c.is_ascii_digit()));
    if !is_address && !line.to_ascii_lowercase().starts_with("addr") {
        return Vec::new();
    }
    let words = line.split(|c: char| !c.is_ascii_digit() && c != '.' && c != '/');
    let prefixed = words.filter_map(|word| word.split_once('/'));
    let own = prefixed.filter(|(_, prefix)| prefix.parse::<u8>().is_ok());
    own.filter_map(|(address, _)| address.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_back_ends_addresses_are_read() {
        let address: Ipv4Addr = "192.168.1.80".parse().unwrap();
        for line in [
            "    address 192.168.1.80",
            "  addres 192.168.1.80/24",
            "address1=192.168.1.80/24,192.168.1.1",
            "Address=192.168.1.80/24",
        ] {
            assert_eq!(addresses_of(line), [address], "{line}");
        }
        for line in [
            "      addresses: [\"192.168.1.80/24\"]",
            "  - \"192.168.1.80/24\"",
            "- 192.168.1.80/24",
        ] {
            assert_eq!(addresses_in_netplan(line), [address], "{line}");
        }
        for line in [
            "        addresses: [192.168.1.1, 8.8.8.8]",
            "  - 192.168.1.1",
            "  - {to: 10.0.0.0/8, via: 192.168.1.1}",
            "#addresses: [192.168.1.80/24]",
        ] {
            assert!(addresses_in_netplan(line).is_empty(), "{line}");
        }
        for line in ["#address 192.168.1.80", "gateway 192.168.1.1", "", "address dhcp"] {
            assert!(addresses_of(line).is_empty(), "{line}");
        }
    }
}
