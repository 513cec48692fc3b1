//! The system in a root filesystem: its release, users, network and host keys.

use card_image::{FsError, FsResult, RootFs};
use cluster_profile::SystemError;
use plain_text::printable;
use serde::Serialize;

use crate::{
    Facts,
    facts::{names, network_files, read_text, without_comment},
    shadow,
};

/// Trying passwords takes time, so further users are not listed.
const MAX_USERS: usize = 100;

/// The system on a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SystemReport {
    /// Its name and release, from os-release.
    pub release: Option<String>,
    /// What identifies the node.
    pub identity: Facts,
    /// The users that can log in: root, and those with ids from 1000.
    pub users: Vec<UserReport>,
    /// The program that sets addresses at boot, if any: `ifupdown`, `netplan`,
    /// `NetworkManager` or `systemd-networkd`.
    pub back_end: Option<&'static str>,
    /// The interface whose address it sets; `eth0` if the configuration names none.
    pub interface: String,
    /// Whether the configuration names that interface.
    #[serde(skip)]
    pub is_interface_known: bool,
    /// The files of its network configuration.
    pub network: Vec<ConfiguredInterface>,
    /// Its SSH host keys.
    pub host_keys: Vec<HostKey>,
}

/// A user of the system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct UserReport {
    /// The login name.
    pub name: String,
    /// The user id.
    pub uid: u32,
    /// The state of the password: `set`, `none`, `locked`, `expired`, `unknown`, or `default`
    /// for one that images come with.
    pub password: &'static str,
    /// The number of keys in authorized_keys.
    pub authorized_keys: usize,
}

/// A file of network configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConfiguredInterface {
    /// `ifupdown`, `netplan`, `NetworkManager` or `systemd-networkd`.
    pub back_end: &'static str,
    /// The file.
    pub path: String,
    /// Its lines about interfaces.
    pub says: Vec<String>,
}

/// A host key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HostKey {
    /// The file of the public key.
    pub path: String,
    /// `SHA256:…`, as ssh shows it.
    pub fingerprint: Option<String>,
}

/// Returns the fingerprint of a public key.
pub(crate) fn fingerprint(key: &str) -> Option<String> {
    let key = ssh_key::PublicKey::from_openssh(key.trim()).ok()?;
    Some(key.fingerprint(ssh_key::HashAlg::Sha256).to_string())
}

/// Describes the system, or returns `None` if there is none.
pub(super) fn detect(files: &RootFs) -> FsResult<Option<SystemReport>> {
    let Some(passwd) = read_text(files, "/etc/passwd")? else { return Ok(None) };
    let shadow = read_text(files, "/etc/shadow")?.unwrap_or_default();
    let mut users = Vec::new();
    for line in passwd.lines() {
        if users.len() < MAX_USERS {
            users.extend(user(files, line, &shadow)?);
        }
    }
    let mut host_keys = Vec::new();
    for name in names(files, "/etc/ssh")? {
        if name.starts_with("ssh_host_") && name.ends_with(".pub") {
            let path = format!("/etc/ssh/{name}");
            let key = read_text(files, &path)?.unwrap_or_default();
            let fingerprint = fingerprint(&without_comment(&key));
            host_keys.push(HostKey { path, fingerprint });
        }
    }
    let network = network(files)?;
    let named = match interface(&network) {
        Some(name) => Some(name.to_owned()),
        None => netplan_interface(files)?,
    };
    let is_interface_known = named.is_some();
    let interface = named.unwrap_or_else(|| "eth0".to_owned());
    Ok(Some(SystemReport {
        release: release(files)?,
        identity: Facts::read(files)?,
        users,
        back_end: back_end(files, &interface)?,
        interface,
        is_interface_known,
        network,
        host_keys,
    }))
}

/// Returns the interface that the configuration names first.
fn interface(network: &[ConfiguredInterface]) -> Option<&str> {
    network.iter().flat_map(|part| &part.says).find_map(|line| interface_in(line))
}

/// Returns the interface that a line names. Patterns are not names.
fn interface_in(line: &str) -> Option<&str> {
    let starts = ["iface ", "Name=", "interface-name="];
    let rest = starts.iter().find_map(|start| line.strip_prefix(start))?;
    let name = rest.split_whitespace().next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    (name != "lo" && name.chars().all(plain)).then_some(name)
}

/// Returns the Ethernet interface that netplan's files name first.
fn netplan_interface(files: &RootFs) -> FsResult<Option<String>> {
    let all = network_files(files)?;
    let of_netplan = all.iter().filter(|(path, _)| path.starts_with("/etc/netplan/"));
    Ok(of_netplan.into_iter().find_map(|(_, text)| ethernet_in(text)))
}

/// Returns the first key below `ethernets:`, unless it is a name for a pattern.
fn ethernet_in(text: &str) -> Option<String> {
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines.find(|line| line.trim() == "ethernets:")?;
    let (name, settings) = lines.find(|line| !line.trim().is_empty())?.trim().split_once(':')?;
    let name = name.trim_matches(['"', '\'']);
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let next_matches = lines.next().is_some_and(|line| line.trim().starts_with("match:"));
    let is_pattern = settings.contains("match:") || settings.trim().is_empty() && next_matches;
    (!name.is_empty() && name.chars().all(plain) && !is_pattern).then(|| name.to_owned())
}

/// Returns the program that sets the interface's address at boot, by the rules for building
/// cards.
fn back_end(files: &RootFs, interface: &str) -> FsResult<Option<&'static str>> {
    match cluster_profile::network_back_end(files, interface) {
        Ok(back_end) => Ok(back_end),
        Err(SystemError { reason, .. }) => match reason.downcast::<FsError>() {
            Ok(error) => Err(*error),
            Err(_) => Ok(None),
        },
    }
}

fn release(files: &RootFs) -> FsResult<Option<String>> {
    let mut text = read_text(files, "/etc/os-release")?;
    if text.is_none() {
        text = read_text(files, "/usr/lib/os-release")?;
    }
    let text = text.unwrap_or_default();
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim().trim_matches('"').to_owned())
    };
    let name = || Some(format!("{} {}", value("NAME")?, value("VERSION").unwrap_or_default()));
    Ok(value("PRETTY_NAME").or_else(name))
}

fn user(files: &RootFs, line: &str, shadow: &str) -> FsResult<Option<UserReport>> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, field, uid, _, _, home, ..] = fields.as_slice() else { return Ok(None) };
    let Ok(uid) = uid.parse::<u32>() else { return Ok(None) };
    // 65534 is nobody.
    if uid != 0 && !(1000..65_000).contains(&uid) {
        return Ok(None);
    }
    let keys = read_text(files, &format!("{}/.ssh/authorized_keys", home.trim_end_matches('/')))?;
    let is_key = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with('#');
    Ok(Some(UserReport {
        name: (*name).to_owned(),
        uid,
        password: password(name, field, shadow),
        authorized_keys: keys.unwrap_or_default().lines().filter(is_key).count(),
    }))
}

/// Returns the state of a password.
fn password(name: &str, field: &str, shadow: &str) -> &'static str {
    let entry = match field {
        "x" => match shadow::entry(shadow, name) {
            Some(entry) => entry,
            None => return "unknown",
        },
        password => shadow::Entry { line: 0, password, changed: None },
    };
    match entry.password {
        "" => "none",
        _ if entry.is_locked() => "locked",
        _ if entry.is_expired() => "expired",
        hash if cluster_profile::default_password(name, hash).is_some() => "default",
        _ => "set",
    }
}

fn network(files: &RootFs) -> FsResult<Vec<ConfiguredInterface>> {
    let mut found = Vec::new();
    for (path, text) in network_files(files)? {
        let (back_end, wanted): (_, &[&str]) = match path.as_str() {
            p if p.starts_with("/etc/network/") => {
                ("ifupdown", &["iface ", "address ", "gateway "])
            }
            p if p.starts_with("/etc/netplan/") => {
                ("netplan", &["dhcp4:", "addresses:", "match:", "renderer:"])
            }
            p if p.starts_with("/etc/NetworkManager/") => {
                ("NetworkManager", &["interface-name=", "method=", "address1="])
            }
            _ => ("systemd-networkd", &["Name=", "DHCP=", "Address=", "Gateway="]),
        };
        let says = |line: &&str| wanted.iter().any(|start| line.starts_with(start));
        let lines = text.lines().map(str::trim).filter(|line| *line != "iface lo inet loopback");
        let says: Vec<String> = lines.filter(says).take(20).map(printable).collect();
        if !says.is_empty() {
            found.push(ConfiguredInterface { back_end, path, says });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{ethernet_in, password};

    #[test]
    fn netplan_names_an_interface_or_a_pattern() {
        let name = |rest: &str| ethernet_in(&format!("network:\n  # eth9\n  ethernets:\n{rest}"));
        assert_eq!(name("    end0:\n      dhcp4: true\n").as_deref(), Some("end0"));
        assert_eq!(name("    \"eth0\": {dhcp4: true}\n").as_deref(), Some("eth0"));
        assert_eq!(name("    all:\n      match: {name: e*}\n"), None);
        assert_eq!(name("    all: {match: {name: e*}}\n"), None);
        assert_eq!(ethernet_in("network: {version: 2}\n"), None);
    }

    #[test]
    fn the_state_of_a_password_follows_from_shadow() {
        // `openssl passwd -6 -salt samplebase odroid`
        let known = "$6$samplebase$13jygzIa36kVaVEooWm3IYFoe0Wl0gRnyFftH/6l7mus4W1yZ9w8htJufNt7J\
                     mvduacYru.2J5XD6sq0uETFk1";
        let shadow = format!(
            "root:$6$abc$def:17000:0:::::\nme::17000:\nyou:!:1:\nnew:$6$x:0:0:\nodroid:{known}:17440:\n"
        );
        let shadow = &shadow;
        assert_eq!(password("odroid", "x", shadow), "default");
        for odd in ["$6$", "$6$$", "$6$a$b$c$d", "$5$x$AAAA", "$1$a$b", "$6$rounds=9$x$y"] {
            assert_eq!(password("me", odd, ""), "set", "{odd}");
        }
        for (name, is) in [
            ("root", "set"),
            ("me", "none"),
            ("you", "locked"),
            ("new", "expired"),
            ("x", "unknown"),
        ] {
            assert_eq!(password(name, "x", shadow), is, "{name}");
        }
    }
}
