//! What else runs in the image, told to leave the interface alone.

use super::{network_manager, networkd};
use crate::{
    NetworkBackEnd, Purpose, SystemError,
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
    // What netplan says is carried out by networkd.
    let by_networkd = [NetworkBackEnd::Networkd, NetworkBackEnd::Netplan];
    if !by_networkd.contains(&chosen) && others.iter().any(|end| by_networkd.contains(end)) {
        networkd::stand_back(to)?;
    }
    // ifupdown has no stanza for the interface, or it would have been chosen.
    Ok(())
}

/// dhcpcd asks for an address on every interface that it is not denied.
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
    // Before the first `interface` block, where global options end.
    let mut new = format!("denyinterfaces {interface}\n");
    new.push_str(&old);
    to.rewrite(Purpose::RivalSettings, CONFIG, &old, &new);
    to.note(format!("dhcpcd is enabled in the image: told to leave {interface} alone ({CONFIG})"));
    Ok(())
}
