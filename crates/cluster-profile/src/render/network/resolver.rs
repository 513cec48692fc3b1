//! Name servers: /etc/resolv.conf, where nobody else makes it.
//!
//! Where a manager is fed by the back end (resolvconf by ifupdown,
//! systemd-resolved by networkd), /etc/resolv.conf is that manager's link and is
//! left alone. Where nobody would write it, it becomes a plain file.

use crate::{
    Attributes, NetworkBackEnd, Purpose, SystemError,
    render::{context::Context, units},
};

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Where managers keep the file that /etc/resolv.conf links to.
const MANAGED: [&str; 4] = [
    "/run/resolvconf/resolv.conf",
    "/run/systemd/resolve/stub-resolv.conf",
    "/run/systemd/resolve/resolv.conf",
    "/run/NetworkManager/resolv.conf",
];

pub(super) fn write(to: &mut Context<'_>, chosen: NetworkBackEnd) -> Result<(), SystemError> {
    let network = &to.cluster.network;
    if network.dns.is_empty() {
        to.note(
            "the profile names no name server (`dns` of `network`), and with a static address \
             nobody else does: names of other hosts are found in /etc/hosts only",
        );
    }
    let network = &to.cluster.network;
    if network.dns.is_empty() && network.search.is_empty() {
        return Ok(());
    }
    let resolved = units::enabled(to, "systemd-resolved.service")?
        || units::text(to, "dbus-org.freedesktop.resolve1.service")?.is_some();
    let fed = match chosen {
        // It writes the file itself, be it plain or a link.
        NetworkBackEnd::NetworkManager => return Ok(()),
        NetworkBackEnd::Ifupdown if resolved => {
            feed_resolved(to);
            true
        }
        NetworkBackEnd::Ifupdown => {
            to.exists("/sbin/resolvconf")? || to.exists("/usr/sbin/resolvconf")?
        }
        NetworkBackEnd::Netplan | NetworkBackEnd::Networkd => resolved,
    };
    let linked = is_link(to)?;
    if fed && linked {
        return Ok(());
    }
    if linked {
        // Its target is made at boot by somebody who is not there.
        to.remove(Purpose::Resolver, RESOLV_CONF);
    }
    let network = &to.cluster.network;
    let mut text = String::from("# Written by nodecard.\n");
    if !network.search.is_empty() {
        text += &format!("search {}\n", network.search.join(" "));
    }
    text.extend(network.dns.iter().map(|server| format!("nameserver {server}\n")));
    to.write(Purpose::Resolver, RESOLV_CONF, text, Attributes::root(0o644));
    Ok(())
}

/// Whether the file is a link into /run: a dangling one, or one whose target
/// the image holds.
fn is_link(from: &Context<'_>) -> Result<bool, SystemError> {
    let Some(text) = from.system.read(RESOLV_CONF)? else { return from.exists(RESOLV_CONF) };
    for path in MANAGED {
        if from.system.read(path)?.is_some_and(|managed| managed == text) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// ifupdown tells systemd-resolved nothing on many systems.
fn feed_resolved(to: &mut Context<'_>) {
    let network = &to.cluster.network;
    let servers: Vec<String> = network.dns.iter().map(ToString::to_string).collect();
    let mut text = String::from("# Written by nodecard.\n[Resolve]\n");
    if !servers.is_empty() {
        text += &format!("DNS={}\n", servers.join(" "));
    }
    if !network.search.is_empty() {
        text += &format!("Domains={}\n", network.search.join(" "));
    }
    let path = "/etc/systemd/resolved.conf.d/nodecard.conf";
    to.write(Purpose::ResolvedSettings, path, text, Attributes::root(0o644));
}
