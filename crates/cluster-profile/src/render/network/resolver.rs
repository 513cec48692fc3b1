//! Name servers: /etc/resolv.conf, where no program manages it.
//!
//! Where a manager gets the servers from the back end (resolvconf from ifupdown,
//! systemd-resolved from networkd), /etc/resolv.conf is that manager's symlink and is left
//! alone. Where no program would write it, it becomes a plain file.

use super::network_manager;
use crate::{
    Attributes, NetworkBackEnd, Note, Purpose, SystemError,
    render::{context::Context, units},
};

const RESOLV_CONF: &str = "/etc/resolv.conf";

/// The files to which managers link /etc/resolv.conf.
const MANAGED: [&str; 4] = [
    "/run/resolvconf/resolv.conf",
    "/run/systemd/resolve/stub-resolv.conf",
    "/run/systemd/resolve/resolv.conf",
    "/run/NetworkManager/resolv.conf",
];

pub(super) fn write(to: &mut Context<'_>, chosen: NetworkBackEnd) -> Result<(), SystemError> {
    let network = &to.cluster.network;
    if network.dns.is_empty() {
        to.note(Note::NoNameServer);
    }
    let network = &to.cluster.network;
    if network.dns.is_empty() && network.search.is_empty() {
        return Ok(());
    }
    let resolved = units::enabled(to, "systemd-resolved.service")?
        || units::text(to, "dbus-org.freedesktop.resolve1.service")?.is_some();
    let fed = match chosen {
        NetworkBackEnd::NetworkManager => match network_manager::name_servers(to)? {
            // It writes the file itself, whether it is a plain file or a symlink.
            (true, _) => return Ok(()),
            (false, feeds_resolved) => {
                // What it writes to /run without being told to is no name server's file.
                resolved && feeds_resolved && is_resolveds(to)?
            }
        },
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
        // The program that would write its target at boot is not in use.
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

/// Returns whether the file is a symlink into /run, dangling or to a file that the image
/// holds.
fn is_link(from: &Context<'_>) -> Result<bool, SystemError> {
    let Some(text) = from.system.read(RESOLV_CONF)? else { return from.exists(RESOLV_CONF) };
    for path in MANAGED {
        if from.system.read(path)?.is_some_and(|managed| managed == text) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns whether the file is a symlink to one of systemd-resolved's.
fn is_resolveds(from: &Context<'_>) -> Result<bool, SystemError> {
    let target = from.system.read_link(RESOLV_CONF)?.unwrap_or_default();
    Ok(target.contains("run/systemd/resolve/"))
}

/// Configures systemd-resolved, which gets no name servers from ifupdown on many systems.
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
