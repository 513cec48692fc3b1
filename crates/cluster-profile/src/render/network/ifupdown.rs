//! ifupdown: a stanza in /etc/network/interfaces.

use system_model::network::Interfaces;

use super::{Address, interfaces_file};
use crate::{
    Attributes, NetworkBackEnd, Note, Purpose, SystemError,
    render::{
        context::{Context, View},
        text::end_last_line,
        units,
    },
};

const PURPOSE: Purpose = Purpose::Address(NetworkBackEnd::Ifupdown);
const INTERFACES: &str = "/etc/network/interfaces";
pub(super) const SERVICE: &str = "networking.service";

/// Returns whether ifupdown is installed and starts at boot.
pub(super) fn is_active(from: &View<'_>) -> Result<bool, SystemError> {
    let program = from.exists("/sbin/ifup")? || from.exists("/usr/sbin/ifup")?;
    if !program || !from.exists(INTERFACES)? || units::masked(from, SERVICE)? {
        return Ok(false);
    }
    // Without a unit, systemd generates one from the script in /etc/init.d. With one, links
    // to the script start nothing.
    let started = units::text(from, SERVICE)?.is_none() || units::enabled(from, SERVICE)?;
    Ok(started || started_by_udev(from)?)
}

/// Returns what keeps an installed ifupdown from starting: `disabled` or `masked`.
pub(super) fn kept_off(from: &View<'_>) -> Result<Option<&'static str>, SystemError> {
    let program = from.exists("/sbin/ifup")? || from.exists("/usr/sbin/ifup")?;
    if !program || !from.exists(INTERFACES)? {
        return Ok(None);
    }
    if units::masked(from, SERVICE)? {
        return Ok(Some("masked"));
    }
    Ok(units::text(from, SERVICE)?.is_some().then_some("disabled"))
}

/// Returns whether udev brings the interface up, whatever starts at boot.
fn started_by_udev(from: &View<'_>) -> Result<bool, SystemError> {
    let interface = from.interface;
    let files = files(from)?;
    Ok(files.iter().any(|(_, file)| interfaces_file::without(file, interface).hotplug))
}

/// Returns whether there is a stanza for the interface.
pub(super) fn owns(from: &View<'_>) -> Result<bool, SystemError> {
    let interface = from.interface;
    let files = files(from)?;
    Ok(files.iter().any(|(_, file)| interfaces_file::configures(file, interface)))
}

/// Returns /etc/network/interfaces and the files that it includes, as ifup follows them: paths
/// and texts. Those behind a line where ifup stops are among them: the line may be removed.
pub(super) fn files(from: &View<'_>) -> Result<Vec<(String, String)>, SystemError> {
    let read = Interfaces::read(from.system)?.unwrap_or_default();
    let mut files = Vec::new();
    for path in read.files.into_iter().chain(read.beyond) {
        if let Some(text) = from.read(&path)? {
            files.push((path, text));
        }
    }
    Ok(files)
}

/// Notes what becomes of the image's own stanzas.
pub(super) fn note_stanzas(to: &mut Context<'_>) -> Result<(), SystemError> {
    let interface = to.cluster.network.interface.clone();
    let read = Interfaces::read(to.system)?.unwrap_or_default();
    if !read.knows(&interface) {
        let mut others: Vec<_> = read.stanzas.into_iter().map(|stanza| stanza.name).collect();
        others.retain(|name| name != "lo");
        others.dedup();
        if !others.is_empty() {
            to.note(Note::OtherInterfaces { interface: interface.clone(), others });
        }
    }
    for (path, old) in files(to)? {
        let without = interfaces_file::without(&old, &interface);
        for stanza in without.involved {
            let (path, interface) = (path.clone(), interface.clone());
            to.note(Note::StanzaLeft { stanza, path, interface });
        }
        for line in without.unmapped {
            let (path, interface) = (path.clone(), interface.clone());
            to.note(Note::RemovedNetworkLine { line, path, interface });
        }
        if without.lost_ipv6 {
            to.note(Note::RemovedIpv6 { path, interface: interface.clone() });
        }
    }
    Ok(())
}

/// Writes the stanza where the old one was, or at the end, and removes the interface from
/// the files that the main one includes.
pub(super) fn node(to: &mut Context<'_>, address: &Address<'_>) -> Result<(), SystemError> {
    let interface = &to.cluster.network.interface;
    // Network chips behind USB may appear late, which is why an image has `allow-hotplug`.
    let (mut hotplug, mut auto) = (false, false);
    let mut kept = Vec::new();
    for (path, old) in files(to)? {
        let without = interfaces_file::without(&old, interface);
        hotplug |= without.hotplug;
        auto |= without.auto;
        if path != INTERFACES {
            kept.extend(without.options.iter().cloned());
            to.rewrite(PURPOSE, &path, &old, &without.text);
        }
    }
    let start = if hotplug && !auto { "allow-hotplug" } else { "auto" };
    let old = to.read(INTERFACES)?.unwrap_or_default();
    let without = interfaces_file::without(&old, &to.cluster.network.interface);
    let at = without.at.unwrap_or(without.text.len());
    let (before, after) = without.text.split_at_checked(at).unwrap_or((&without.text, ""));
    let mut new = before.to_owned();
    end_last_line(&mut new);
    if without.at.is_none() && !new.is_empty() {
        new.push('\n');
    }
    let options: Vec<String> = kept.into_iter().chain(without.options.iter().cloned()).collect();
    new.push_str(&stanza(start, address, &options));
    new.push_str(after);
    to.write(PURPOSE, INTERFACES, crate::render::text::encode(&new), Attributes::root(0o644));
    Ok(())
}

/// Returns the node's stanza. `options` are those of the image's own stanza that have
/// nothing to do with the address.
fn stanza(start: &str, Address { network, address }: &Address<'_>, options: &[String]) -> String {
    let interface = &network.interface;
    let mut lines = vec![
        format!("{start} {interface}"),
        format!("iface {interface} inet static"),
        format!("    address {address}"),
        format!("    netmask {}", network.netmask()),
    ];
    lines.extend(network.gateway.map(|gateway| format!("    gateway {gateway}")));
    // resolvconf reads these two; without it they do nothing.
    if !network.dns.is_empty() {
        let servers: Vec<String> = network.dns.iter().map(ToString::to_string).collect();
        lines.push(format!("    dns-nameservers {}", servers.join(" ")));
    }
    if !network.search.is_empty() {
        lines.push(format!("    dns-search {}", network.search.join(" ")));
    }
    lines.extend(options.iter().map(|option| format!("    {option}")));
    lines.join("\n") + "\n"
}
