//! Other programs that set addresses, configured to leave the interface alone.

use super::{network_manager, networkd};
use crate::{
    NetworkBackEnd, Note, Purpose, SystemError,
    render::{context::Context, units},
};

pub(super) fn stand_back(
    to: &mut Context<'_>,
    chosen: NetworkBackEnd,
    others: &[NetworkBackEnd],
) -> Result<(), SystemError> {
    dhcpcd(to)?;
    if others.contains(&NetworkBackEnd::NetworkManager) {
        network_manager::stand_back(to);
    }
    // networkd applies what netplan says.
    let by_networkd = [NetworkBackEnd::Networkd, NetworkBackEnd::Netplan];
    if !by_networkd.contains(&chosen) && others.iter().any(|end| by_networkd.contains(end)) {
        networkd::stand_back(to)?;
    }
    // ifupdown has no stanza for the interface, or it would have been chosen.
    Ok(())
}

/// Denies dhcpcd the interface: it requests an address on every other one.
fn dhcpcd(to: &mut Context<'_>) -> Result<(), SystemError> {
    const CONFIG: &str = "/etc/dhcpcd.conf";
    if !units::enabled(to, "dhcpcd.service")? {
        return Ok(());
    }
    let interface = to.cluster.network.interface.clone();
    let Some(old) = to.read(CONFIG)? else { return Ok(()) };
    let denied = old.lines().any(|line| {
        let mut words = line.split_ascii_whitespace();
        words.next() == Some("denyinterfaces") && words.any(|word| word == interface)
    });
    if denied {
        return Ok(());
    }
    // At the top: global options end at the first `interface` block.
    let mut new = format!("denyinterfaces {interface}\n");
    new.push_str(&old);
    to.rewrite(Purpose::RivalSettings, CONFIG, &old, &new);
    to.note(Note::DhcpcdKeptOff { interface: interface.to_owned(), path: CONFIG });
    Ok(())
}
