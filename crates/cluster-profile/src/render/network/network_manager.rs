//! NetworkManager: a keyfile of the highest priority.
//!
//! Other profiles for the interface stay, but are not picked automatically: of several
//! that match, NetworkManager picks the one with the highest priority.

use std::collections::BTreeMap;

use system_model::fnmatch;

use super::{Address, netplan};
use crate::{
    Attributes, NetworkBackEnd, Note, Purpose, SystemError,
    render::{
        context::{Context, View},
        text::encode,
        units,
    },
};

const PROFILES: &str = "/etc/NetworkManager/system-connections";
const OWN_RULE: &str = "99-nodecard.conf";

/// Returns the paths of nodecard's own profiles.
pub(super) fn own_files(from: &View<'_>) -> Result<Vec<String>, SystemError> {
    let is_own = |name: &String| name.starts_with("nodecard-") && name.ends_with(".nmconnection");
    let names = from.list(PROFILES)?.into_iter().filter(is_own);
    Ok(names.map(|name| format!("{PROFILES}/{name}")).collect())
}

/// Returns whether it starts at boot and manages the interface.
pub(super) fn is_active(from: &View<'_>) -> Result<bool, SystemError> {
    if !units::enabled(from, "NetworkManager.service")? {
        return Ok(false);
    }
    if netplan::renders_with_network_manager(from)? {
        return Ok(true);
    }
    Ok(!leaves_alone(&unmanaged(from)?, from.interface))
}

/// Returns the effective `unmanaged-devices`: a file in /etc replaces one of the same name
/// in /usr/lib, files are read in the order of their names, and `+=` adds. On Ubuntu's
/// servers such a file leaves Ethernet to others.
fn unmanaged(from: &View<'_>) -> Result<Vec<String>, SystemError> {
    let mut files = BTreeMap::new();
    for directory in ["/usr/lib/NetworkManager/conf.d", "/etc/NetworkManager/conf.d"] {
        for name in from.list(directory)?.into_iter().filter(|name| name.ends_with(".conf")) {
            let path = format!("{directory}/{name}");
            files.insert(name, path);
        }
    }
    files.remove(OWN_RULE);
    let main = "/etc/NetworkManager/NetworkManager.conf".to_owned();
    let mut specs = Vec::new();
    for path in std::iter::once(main).chain(files.into_values()) {
        for line in from.read(&path)?.unwrap_or_default().lines() {
            let Some((key, value)) = line.split_once('=') else { continue };
            let added = key.trim_ascii() == "unmanaged-devices+";
            if !added && key.trim_ascii() != "unmanaged-devices" {
                continue;
            }
            if !added {
                specs.clear();
            }
            let words = value.split([';', ',']).map(str::trim_ascii);
            specs.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
        }
    }
    Ok(specs)
}

/// Returns whether a list of devices has a wired interface of this name.
fn leaves_alone(specs: &[String], interface: &str) -> bool {
    let fits = |spec: &str| match spec.split_once(':') {
        None => spec == "*",
        Some(("type", kind)) => kind == "ethernet",
        Some(("interface-name", pattern)) => fnmatch(pattern.trim_start_matches('='), interface),
        Some(_) => false,
    };
    let excepted = specs.iter().any(|spec| spec.strip_prefix("except:").is_some_and(fits));
    !excepted && specs.iter().any(|spec| fits(spec))
}

/// Returns whether a profile, or netplan through it, names the interface.
pub(super) fn owns(from: &View<'_>) -> Result<bool, SystemError> {
    if netplan::renders_with_network_manager(from)? && netplan::owns(from)? {
        return Ok(true);
    }
    let interface = from.interface;
    for name in from.list(PROFILES)? {
        let text = from.read(&format!("{PROFILES}/{name}"))?.unwrap_or_default();
        let lines = || text.lines().map(str::trim_ascii);
        let names = lines().find_map(|line| line.strip_prefix("interface-name="));
        let wired = lines().any(|line| matches!(line, "type=ethernet" | "type=802-3-ethernet"));
        if names.map_or(wired, |name| name.trim_ascii() == interface) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Keeps NetworkManager off the interface.
pub(super) fn stand_back(to: &mut Context<'_>) {
    let interface = &to.cluster.network.interface;
    let text = format!(
        "# Written by nodecard: another program sets the address of {interface}.\n\
         [keyfile]\nunmanaged-devices+=interface-name:{interface}\n"
    );
    let path = format!("/etc/NetworkManager/conf.d/{OWN_RULE}");
    to.write(Purpose::RivalSettings, path, text, Attributes::root(0o644));
}

/// Notes an interface that does not look like Ethernet, which the profile is for.
pub(super) fn note_kind(to: &mut Context<'_>) {
    let interface = to.cluster.network.interface.clone();
    if ["wl", "br", "bond", "virbr"].iter().any(|start| interface.starts_with(start)) {
        to.note(Note::EthernetProfile { interface });
    }
}

pub(super) fn node(to: &mut Context<'_>, Address { network, address }: &Address<'_>, name: &str) {
    let interface = &network.interface;
    let uuid = to.keys.uuid("network-manager-connection", name);
    let gateway = network.gateway.map(|gateway| format!(",{gateway}")).unwrap_or_default();
    let mut lines = vec![
        "# Written by nodecard.".to_owned(),
        "[connection]".to_owned(),
        format!("id=nodecard-{interface}"),
        format!("uuid={uuid}"),
        "type=ethernet".to_owned(),
        format!("interface-name={interface}"),
        "autoconnect=true".to_owned(),
        "autoconnect-priority=999".to_owned(),
        String::new(),
        "[ipv4]".to_owned(),
        "method=manual".to_owned(),
        format!("address1={address}/{}{gateway}", network.prefix),
    ];
    let list = |words: &mut dyn Iterator<Item = String>| words.map(|w| w + ";").collect::<String>();
    if !network.dns.is_empty() {
        lines.push(format!("dns={}", list(&mut network.dns.iter().map(ToString::to_string))));
    }
    if !network.search.is_empty() {
        lines.push(format!("dns-search={}", list(&mut network.search.iter().cloned())));
    }
    lines.extend([String::new(), "[ipv6]".to_owned(), "method=auto".to_owned()]);
    // NetworkManager ignores profiles that others can read.
    to.write(
        Purpose::Address(NetworkBackEnd::NetworkManager),
        format!("{PROFILES}/nodecard-{interface}.nmconnection"),
        encode(&(lines.join("\n") + "\n")),
        Attributes::exactly(0o600, 0, 0),
    );
}
