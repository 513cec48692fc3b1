//! systemd-networkd: a .network file, of which it uses the first that matches.

use system_model::network::{Fit, NETWORK_DIRECTORIES, NetworkFile, Networkd};

use super::Address;
use crate::{
    Attributes, Change, NetworkBackEnd, Note, Purpose, SystemError,
    render::{
        context::{Context, View},
        text::encode,
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

/// Returns the .network files that may be the interface's, without nodecard's own.
fn fitting(from: &View<'_>) -> Result<Vec<(NetworkFile, Fit)>, SystemError> {
    let ours = file_name(from.interface);
    let files = Networkd::read(from.system)?.files.into_iter();
    let fits = files.filter(|file| file.name != ours).map(|file| {
        let fit = file.fits(from.interface);
        (file, fit)
    });
    Ok(fits.filter(|(_, fit)| *fit != Fit::No).collect())
}

pub(super) fn owns(from: &View<'_>) -> Result<bool, SystemError> {
    let ours = from.read(&path(from.interface))?;
    let set_before = ours.is_some_and(|text| text.contains("\nAddress="));
    Ok(set_before || fitting(from)?.iter().any(|(_, fit)| *fit == Fit::Yes))
}

/// A file that matches the interface and sorts before nodecard's.
struct Earlier {
    name: String,
    path: String,
    /// Whether a package's file of this name has to be masked, since it is used where there is
    /// none in /etc.
    masked: bool,
}

fn earlier(from: &View<'_>, ours: &str) -> Result<Vec<Earlier>, SystemError> {
    let mut found = Vec::new();
    for (NetworkFile { name, path, .. }, _) in fitting(from)? {
        if name.as_str() >= ours {
            continue;
        }
        let mut masked = false;
        for directory in NETWORK_DIRECTORIES.iter().filter(|directory| **directory != DIRECTORY) {
            masked |= from.exists(&format!("{directory}/{name}"))?;
        }
        found.push(Earlier { name, path, masked });
    }
    Ok(found)
}

/// Notes which files are removed so that `ours` is the first that matches.
pub(super) fn note_earlier(to: &mut Context<'_>, ours: &str) -> Result<(), SystemError> {
    for Earlier { path, masked, .. } in earlier(to, ours)? {
        let interface = to.cluster.network.interface.clone();
        to.note(if masked {
            Note::MaskedNetworkFile { path, interface }
        } else {
            Note::RemovedNetworkFile { path, interface }
        });
    }
    Ok(())
}

/// Removes what [`note_earlier`] notes; a link to /dev/null masks a package's file.
pub(super) fn remove_earlier(to: &mut Context<'_>, ours: &str) -> Result<(), SystemError> {
    for Earlier { name, masked, .. } in earlier(to, ours)? {
        let path = format!("{DIRECTORY}/{name}");
        let change = if masked {
            Change::Symlink { target: "/dev/null".to_owned() }
        } else {
            Change::Remove
        };
        to.edit(Purpose::RivalFile, path, change);
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
