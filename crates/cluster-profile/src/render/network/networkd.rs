//! systemd-networkd: a .network file, of which it uses the first that matches.

use super::Address;
use crate::{
    Attributes, NetworkBackEnd, Note, Purpose, SystemError,
    render::{
        context::{Context, View},
        text::{encode, glob},
        units,
    },
};

const DIRECTORY: &str = "/etc/systemd/network";

/// Returns a name that sorts before those that others usually choose.
pub(super) fn file_name(interface: &str) -> String {
    format!("05-nodecard-{interface}.network")
}

/// Returns the paths of nodecard's own files.
pub(super) fn own_files(from: &View<'_>) -> Result<Vec<String>, SystemError> {
    let is_own = |name: &String| name.starts_with("05-nodecard-") && name.ends_with(".network");
    let names = from.list(DIRECTORY)?.into_iter().filter(is_own);
    Ok(names.map(|name| format!("{DIRECTORY}/{name}")).collect())
}

fn path(interface: &str) -> String {
    format!("{DIRECTORY}/{}", file_name(interface))
}

pub(super) fn is_active(from: &View<'_>) -> Result<bool, SystemError> {
    units::enabled(from, "systemd-networkd.service")
}

/// Returns the .network files in a directory that match the interface, and how certain
/// that is.
fn fitting(from: &View<'_>, directory: &str) -> Result<Vec<(String, Fit)>, SystemError> {
    let interface = from.interface;
    let mut names = Vec::new();
    for name in from.list(directory)? {
        if !name.ends_with(".network") || name == file_name(interface) {
            continue;
        }
        let text = from.read(&format!("{directory}/{name}"))?;
        let fit = text.map_or(Fit::No, |text| matches(&text, interface));
        if fit != Fit::No {
            names.push((name, fit));
        }
    }
    Ok(names)
}

pub(super) fn owns(from: &View<'_>) -> Result<bool, SystemError> {
    let ours = from.read(&path(from.interface))?;
    let set_before = ours.is_some_and(|text| text.contains("\nAddress="));
    let mut owns = set_before;
    for directory in [DIRECTORY, "/usr/lib/systemd/network"] {
        owns |= fitting(from, directory)?.iter().any(|(_, fit)| *fit == Fit::Yes);
    }
    Ok(owns)
}

/// Whether a file matches an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Yes,
    /// It matches by what only the board shows, such as a driver.
    Perhaps,
    No,
}

/// Returns whether the `[Match]` section matches a wired interface of this name, as far as
/// an image shows.
fn matches(text: &str, interface: &str) -> Fit {
    let mut section = "";
    let (mut fits, mut undecided) = (None, false);
    for line in text.lines().map(str::trim_ascii) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        }
        let Some((key, value)) = line.split_once('=').filter(|_| section == "Match") else {
            continue;
        };
        // A list that begins with an exclamation mark means all others.
        let (negated, value) = match value.trim_ascii().strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, value),
        };
        let mut values = value.split_ascii_whitespace();
        let fit = match key.trim_ascii() {
            "Name" => values.any(|pattern| glob(pattern, interface)),
            "Type" => values.any(|kind| kind == "ether"),
            // Drivers, paths and hardware addresses are the board's.
            _ => {
                undecided = true;
                continue;
            }
        };
        fits = Some(fits.unwrap_or(true) && fit != negated);
    }
    match (fits, undecided) {
        (Some(false), _) | (None, false) => Fit::No,
        (Some(true), false) => Fit::Yes,
        (_, true) => Fit::Perhaps,
    }
}

/// Returns the owner's files that match the interface and sort before `ours`.
fn earlier(from: &View<'_>, ours: &str) -> Result<Vec<String>, SystemError> {
    let names = fitting(from, DIRECTORY)?.into_iter().map(|(name, _)| name);
    Ok(names.filter(|name| name.as_str() < ours).collect())
}

/// Notes which files are removed so that `ours` is the first that matches.
pub(super) fn note_earlier(to: &mut Context<'_>, ours: &str) -> Result<(), SystemError> {
    for name in earlier(to, ours)? {
        let interface = to.cluster.network.interface.clone();
        to.note(Note::RemovedNetworkFile { path: format!("{DIRECTORY}/{name}"), interface });
    }
    Ok(())
}

/// Removes what [`note_earlier`] notes.
pub(super) fn remove_earlier(to: &mut Context<'_>, ours: &str) -> Result<(), SystemError> {
    for name in earlier(to, ours)? {
        to.remove(Purpose::RivalFile, format!("{DIRECTORY}/{name}"));
    }
    Ok(())
}

/// Keeps networkd off the interface.
pub(super) fn stand_back(to: &mut Context<'_>) -> Result<(), SystemError> {
    let interface = to.cluster.network.interface.clone();
    note_earlier(to, &file_name(&interface))?;
    remove_earlier(to, &file_name(&interface))?;
    let text = format!(
        "# Written by nodecard: another program sets the address of {interface}.\n\
         [Match]\nName={interface}\n\n[Link]\nUnmanaged=yes\n"
    );
    to.write(Purpose::RivalSettings, path(&interface), text, Attributes::root(0o644));
    Ok(())
}

pub(super) fn node(
    to: &mut Context<'_>,
    Address { network, address }: &Address<'_>,
) -> Result<(), SystemError> {
    let interface = &network.interface;
    remove_earlier(to, &file_name(interface))?;
    let mut lines = vec![
        "# Written by nodecard.".to_owned(),
        "[Match]".to_owned(),
        format!("Name={interface}"),
        String::new(),
        "[Network]".to_owned(),
        "DHCP=no".to_owned(),
        format!("Address={address}/{}", network.prefix),
    ];
    lines.extend(network.gateway.map(|gateway| format!("Gateway={gateway}")));
    lines.extend(network.dns.iter().map(|server| format!("DNS={server}")));
    if !network.search.is_empty() {
        lines.push(format!("Domains={}", network.search.join(" ")));
    }
    let text = encode(&(lines.join("\n") + "\n"));
    let purpose = Purpose::Address(NetworkBackEnd::Networkd);
    to.write(purpose, path(interface), text, Attributes::root(0o644));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Fit, matches};

    #[test]
    fn match_sections_are_read() {
        for (text, fits) in [
            ("[Match]\nName=eth0\n", Fit::Yes),
            ("[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n", Fit::Yes),
            ("[Match]\nType=ether\n", Fit::Yes),
            ("[Match]\nName=!lo wlan*\n", Fit::Yes),
            ("[Match]\nName=!eth*\n", Fit::No),
            ("[Match]\nDriver=r8152\n", Fit::Perhaps),
            ("[Match]\nDriver=r8152\nName=wl*\n", Fit::No),
            ("[Match]\nType=ether\nName=wl*\n", Fit::No),
            ("[Match]\n#Name=eth0\nName=eth1\n", Fit::No),
            ("[Network]\nName=eth0\n", Fit::No),
            ("", Fit::No),
        ] {
            assert_eq!(matches(text, "eth0"), fits, "{text}");
        }
    }
}
