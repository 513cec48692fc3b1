//! systemd-networkd's .network files and their drop-ins.

use std::collections::BTreeSet;

use system_model::network::{AddressKind, NETWORK_DIRECTORIES, Networkd};

use super::{super::Strip, is_ipv4};
use crate::{NetworkBackEnd, Purpose, SystemError, render::text::lines};

/// Where an administrator's files are. Those of packages and of the running system stay.
const DIRECTORIES: [&str; 2] = ["/etc/systemd/network/", "/usr/local/lib/systemd/network/"];

pub(super) fn to_dhcp(to: &mut Strip<'_>, interface: Option<&str>) -> Result<(), SystemError> {
    let networkd = Networkd::read(to.system)?;
    let sources = match interface {
        Some(interface) => networkd.sources(interface),
        None => networkd.all_sources(),
    };
    let fixed: BTreeSet<String> = sources
        .into_iter()
        .filter(|source| matches!(&source.kind, AddressKind::Static(text) if is_ipv4(text)))
        .filter_map(|source| Some(source.at?.path))
        .collect();
    for file in &networkd.files {
        let mut paths = vec![file.path.clone()];
        for directory in NETWORK_DIRECTORIES {
            let directory = format!("{directory}/{}.d", file.name);
            let names = to.list(&directory)?.into_iter().filter(|name| name.ends_with(".conf"));
            paths.extend(names.map(|name| format!("{directory}/{name}")));
        }
        if !paths.iter().any(|path| fixed.contains(path)) {
            continue;
        }
        for path in paths {
            let is_own = DIRECTORIES.iter().any(|directory| path.starts_with(directory))
                && !file.name.starts_with("05-nodecard-");
            let Some(old) = to.read(&path)?.filter(|_| is_own) else { continue };
            let new = changed(&old, fixed.contains(&path));
            to.rewrite(Purpose::Address(NetworkBackEnd::Networkd), &path, &old, &new);
        }
    }
    Ok(())
}

/// Returns the key and value of a line.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_ascii();
    let (key, value) = line.split_once('=').filter(|_| !line.starts_with(['#', ';']))?;
    Some((key.trim_ascii_end(), value.trim_ascii_start()))
}

/// Returns a file without static IPv4 addresses and what belongs to them. `ask` adds DHCP.
fn changed(text: &str, ask: bool) -> String {
    // A value that goes on in the next line.
    if lines(text).iter().any(|line| line.trim_ascii_end().ends_with('\\')) {
        return text.to_owned();
    }
    let mut sections: Vec<Vec<&str>> = vec![Vec::new()];
    for line in lines(text) {
        if line.trim_ascii().starts_with('[') {
            sections.push(Vec::new());
        }
        sections.last_mut().into_iter().for_each(|section| section.push(line));
    }
    let (mut new, mut is_asking) = (String::new(), !ask);
    for section in sections {
        let name = section.first().map(|line| line.trim_ascii()).unwrap_or_default();
        let values = |wanted: &'static str| {
            let all = section.iter().filter_map(|line| assignment(line));
            all.filter(move |(key, _)| *key == wanted).map(|(_, value)| value)
        };
        let is_dropped = match name {
            "[Address]" => values("Address").any(is_ipv4),
            "[Route]" => {
                values("Gateway").any(is_ipv4) && values("Destination").all(|to| to == "0.0.0.0/0")
            }
            _ => false,
        };
        if is_dropped {
            continue;
        }
        let is_network = name == "[Network]";
        let has_dhcp = section.iter().filter_map(|line| assignment(line)).any(|(k, _)| k == "DHCP");
        for line in &section {
            match assignment(line).filter(|_| is_network) {
                Some(("Address" | "Gateway", value)) if is_ipv4(value) => {}
                Some(("DNS" | "Domains", value)) if !value.is_empty() => {}
                Some(("DHCP", value)) => {
                    is_asking = true;
                    new.push_str(match value.to_ascii_lowercase().as_str() {
                        "yes" | "true" | "on" | "1" | "y" | "t" | "both" | "ipv4" | "v4" => line,
                        "ipv6" | "v6" => "DHCP=yes\n",
                        _ => "DHCP=ipv4\n",
                    });
                }
                _ => new.push_str(line),
            }
        }
        if is_network && !is_asking && !has_dhcp {
            let end = new.trim_ascii_end().len();
            new.insert_str(end, "\nDHCP=ipv4");
            is_asking = true;
        }
    }
    if !is_asking {
        new.push_str(if new.ends_with('\n') { "\n" } else { "\n\n" });
        new.push_str("[Network]\nDHCP=ipv4\n");
    }
    new
}
