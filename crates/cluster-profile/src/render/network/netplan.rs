//! netplan with the renderer systemd-networkd: a file of its own.
//!
//! netplan merges what several files say about one definition, and joins their lists of
//! addresses. So the file does not use the definition that the image may have, `eth0`, but
//! one of its own that matches the interface. netplan writes a file for systemd-networkd for each
//! definition, called after it, and of several that match, systemd-networkd uses only the one
//! whose name sorts first. So the definition gets a name that sorts before those of the image's.

use system_model::network::{Fit, Netplan};

use super::Address;
use crate::{
    Attributes, NetworkBackEnd, Note, Purpose, SystemError,
    render::{
        context::{Context, View},
        text, units,
    },
};

/// nodecard's own file.
pub(in crate::render) const FILE: &str = "/etc/netplan/99-nodecard.yaml";
/// Sorts before every name that begins with a letter.
const DEFINITION: &str = "00-nodecard";

/// Returns the name of the file that netplan writes for systemd-networkd from a definition
/// (src/networkd.c, `netplan_netdef_write_networkd`).
fn networkd_file_of(definition: &str) -> String {
    format!("10-netplan-{definition}.network")
}

/// Returns the name of nodecard's definition: one that the image does not have, and whose file
/// systemd-networkd finds before those of the image's definitions that may match the interface.
fn definition(from: &View<'_>) -> Result<String, SystemError> {
    let netplan = read(from)?;
    let first = networkd_file_of(DEFINITION);
    let is_taken = netplan.definitions.iter().any(|one| one.id == DEFINITION);
    let fitting = netplan.definitions_of(from.interface).into_iter();
    let mut earlier: Vec<&str> = fitting
        .map(|(one, _)| one.id.as_str())
        .filter(|id| networkd_file_of(id) <= first)
        .collect();
    if earlier.is_empty() && !is_taken {
        return Ok(DEFINITION.to_owned());
    }
    // `!` sorts before all other characters that netplan allows in a name.
    earlier.extend(netplan.definitions.iter().map(|one| one.id.as_str()));
    let marks = |id: &str| id.bytes().take_while(|byte| *byte == b'!').count();
    let most = earlier.iter().map(|id| marks(id)).max().unwrap_or_default();
    Ok(format!("{}nodecard", "!".repeat(most + 1)))
}

/// Returns the name of the file that netplan writes from nodecard's definition.
pub(super) fn networkd_file(from: &View<'_>) -> Result<String, SystemError> {
    Ok(networkd_file_of(&definition(from)?))
}

/// Reads the image's netplan files, without nodecard's own.
fn read(from: &View<'_>) -> Result<Netplan, SystemError> {
    Netplan::read_without(from.system, FILE)
}

/// Returns the paths of nodecard's own file.
pub(super) fn own_files(from: &View<'_>) -> Result<Vec<String>, SystemError> {
    Ok(if from.exists(FILE)? { vec![FILE.to_owned()] } else { Vec::new() })
}

pub(super) fn is_active(from: &View<'_>) -> Result<bool, SystemError> {
    let netplan = read(from)?;
    Ok(netplan.is_active() && !netplan.uses_network_manager(from.interface))
}

/// Returns whether netplan hands the interface to NetworkManager.
pub(super) fn renders_with_network_manager(from: &View<'_>) -> Result<bool, SystemError> {
    Ok(read(from)?.uses_network_manager(from.interface))
}

/// Returns whether a definition is the interface's. One that matches by hardware address may
/// be any node's, unless it has the interface's name.
pub(super) fn owns(from: &View<'_>) -> Result<bool, SystemError> {
    let netplan = Netplan::read(from.system)?;
    let definitions = netplan.definitions_of(from.interface);
    Ok(definitions.iter().any(|(one, fit)| *fit == Fit::Yes || one.id == from.interface))
}

/// Returns whether netplan would apply a file that is added.
pub(super) fn could_work(from: &View<'_>) -> Result<bool, SystemError> {
    let netplan = read(from)?;
    let works = netplan.installed && netplan.error.is_none();
    Ok(works && units::text(from, "systemd-networkd.service")?.is_some())
}

/// Notes which bridges, bonds and VLANs of the image lose the interface.
pub(super) fn note_users(to: &mut Context<'_>) -> Result<(), SystemError> {
    let netplan = read(to)?;
    let names: Vec<String> =
        netplan.built_on(to.interface).into_iter().map(str::to_owned).collect();
    if !names.is_empty() {
        to.note(Note::NetplanBuildsOn { interface: to.interface.to_owned(), names });
    }
    Ok(())
}

pub(super) fn node(
    to: &mut Context<'_>,
    Address { network, address }: &Address<'_>,
) -> Result<(), SystemError> {
    let definition = definition(to)?;
    super::networkd::remove_earlier(to, &networkd_file_of(&definition))?;
    // The usual name needs no quotes.
    let definition =
        if definition == DEFINITION { definition } else { format!("\"{definition}\"") };
    let interface = &network.interface;
    let mut yaml = format!(
        "# Written by nodecard. Of the definitions that match {interface}, only the one whose\n\
         # name sorts first is used.\n\
         network:\n  version: 2\n  ethernets:\n    {definition}:\n\
         \x20     match: {{name: \"{interface}\"}}\n\
         \x20     renderer: networkd\n\
         \x20     dhcp4: false\n\
         \x20     addresses: [\"{address}/{}\"]\n",
        network.prefix
    );
    if let Some(gateway) = network.gateway {
        // Every version of netplan knows this form of a default route.
        yaml += &format!("      routes: [{{to: 0.0.0.0/0, via: {gateway}}}]\n");
    }
    if !network.dns.is_empty() || !network.search.is_empty() {
        let servers: Vec<String> = network.dns.iter().map(ToString::to_string).collect();
        yaml += "      nameservers:\n";
        if !servers.is_empty() {
            yaml += &format!("        addresses: [{}]\n", servers.join(", "));
        }
        if !network.search.is_empty() {
            let domains: Vec<String> = network.search.iter().map(|d| format!("\"{d}\"")).collect();
            yaml += &format!("        search: [{}]\n", domains.join(", "));
        }
    }
    let purpose = Purpose::Address(NetworkBackEnd::Netplan);
    to.write(purpose, FILE, text::encode(&yaml), Attributes::exactly(0o600, 0, 0));
    Ok(())
}
