//! NetworkManager's connections.

use system_model::network::{CONNECTION_DIRECTORIES, Connection, Netplan, NetworkManager};

use super::{super::Strip, is_ipv4};
use crate::{NetworkBackEnd, Purpose, SystemError, render::text::lines};

pub(super) fn to_dhcp(to: &mut Strip<'_>, interface: Option<&str>) -> Result<(), SystemError> {
    let [_, directory, _] = CONNECTION_DIRECTORIES;
    let manager = NetworkManager::read(to.system, &Netplan::default())?;
    let fits = |connection: &&Connection| {
        interface.is_none_or(|interface| connection.may_be_of(interface))
    };
    let loaded = manager.connections.iter().filter(fits).map(|one| one.path.as_str());
    // What NetworkManager ignores is written for somebody too.
    let ignored = manager.ignored.iter().map(String::as_str);
    for (path, is_loaded) in
        loaded.map(|path| (path, true)).chain(ignored.map(|path| (path, false)))
    {
        let name = path.strip_prefix(directory).unwrap_or_default();
        if name.is_empty() || name.starts_with("/nodecard-") {
            continue;
        }
        let Some(old) = to.read(path)? else { continue };
        if is_loaded || interface.is_none_or(|interface| may_be_for(&old, interface)) {
            let purpose = Purpose::Address(NetworkBackEnd::NetworkManager);
            to.rewrite(purpose, path, &old, &changed(&old));
        }
    }
    Ok(())
}

/// Returns whether a file that NetworkManager ignores may be meant for a wired interface.
fn may_be_for(text: &str, interface: &str) -> bool {
    let value = |key: &str| {
        let lines = text.lines().filter_map(|line| line.split_once('='));
        lines.filter(|(name, _)| name.trim() == key).map(|(_, value)| value.trim()).next_back()
    };
    match value("interface-name") {
        Some(name) => name == interface,
        None => value("type").is_none_or(|kind| matches!(kind, "ethernet" | "802-3-ethernet")),
    }
}

/// Returns a connection that asks DHCP instead of setting IPv4 addresses. One that shares its
/// network with others stays: they ask it for addresses. So do name servers that are used instead
/// of those of DHCP.
fn changed(text: &str) -> String {
    let mut section = String::new();
    let mut parts: Vec<(bool, &str)> = Vec::new();
    for line in lines(text) {
        let trimmed = line.trim_ascii();
        if trimmed.starts_with('[') {
            section = trimmed.to_owned();
        }
        parts.push((section == "[ipv4]", line));
    }
    let value = |line: &str| {
        let line = line.trim_ascii();
        let (key, value) = line.split_once('=').filter(|_| !line.starts_with(['#', ';']))?;
        Some((key.trim_ascii_end().to_owned(), value.trim_ascii_start().to_owned()))
    };
    let is_numbered = |key: &str, name: &str| {
        let number = key.strip_prefix(name);
        number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let is_address = |key: &str| is_numbered(key, "address") || is_numbered(key, "addresses");
    let first = |value: &str| value.split([',', ';']).next().unwrap_or_default().to_owned();
    let ours = || parts.iter().filter(|(is_ours, _)| *is_ours).filter_map(|(_, line)| value(line));
    if !ours().any(|(key, value)| is_address(&key) && is_ipv4(&first(&value))) {
        return text.to_owned();
    }
    let says = |name: &str, values: &[&str]| {
        let last = ours().rfind(|(key, _)| key == name);
        last.is_some_and(|(_, value)| values.contains(&value.as_str()))
    };
    if says("method", &["shared"]) {
        return text.to_owned();
    }
    let keeps_servers = says("ignore-auto-dns", &["true", "yes", "on", "1"]);
    let mut new = String::new();
    for (is_ours, line) in &parts {
        match value(line).filter(|_| *is_ours) {
            Some((key, _)) if is_address(&key) => {}
            Some((key, _)) if key == "gateway" => {}
            Some((key, _)) if !keeps_servers && matches!(key.as_str(), "dns" | "dns-search") => {}
            Some((key, value)) if is_numbered(&key, "route") && first(&value) == "0.0.0.0/0" => {}
            Some((key, value)) if key == "method" && value == "manual" => {
                new.push_str("method=auto\n");
            }
            _ => new.push_str(line),
        }
    }
    new
}
