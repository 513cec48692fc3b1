//! ifupdown's file format, interfaces(5): removing one interface from a file.

use system_model::{
    fnmatch,
    network::{interfaces_lines, selects_by_pattern},
};

use crate::render::text;

/// A file without one interface's stanzas.
pub(super) struct Without {
    /// The rest of the file, byte for byte.
    pub text: String,
    /// The position in `text` where the first of them was.
    pub at: Option<usize>,
    /// Whether udev brings the interface up (`allow-hotplug`).
    pub hotplug: bool,
    /// Whether it is brought up at boot (`auto`).
    pub auto: bool,
    /// Options of the removed stanzas that apply to any address: commands, and `mtu`.
    pub options: Vec<String>,
    /// Whether static IPv6 addresses were removed, which an IPv4 address does not replace.
    pub lost_ipv6: bool,
    /// Stanzas of other interfaces, or patterns, that may use this one.
    pub involved: Vec<String>,
    /// Removed lines that had another interface's stanza, or other interfaces, in view.
    pub unmapped: Vec<String>,
}

/// A line and its words.
struct Line<'a> {
    raw: &'a str,
    words: Vec<String>,
}

impl Line<'_> {
    /// Returns the line without some of its words. Where a word goes on in the next line, or
    /// nothing would be left of that, it becomes one line.
    fn without_words(&self, unwanted: impl Fn(&str) -> bool) -> String {
        let raw = self.raw.split_ascii_whitespace().filter(|word| *word != "\\");
        let words = self.words.iter().map(String::as_str).filter(|word| *word != "\\");
        if raw.eq(words) {
            let kept = text::without_words(self.raw, &unwanted);
            if !kept.trim_end_matches('\n').ends_with('\\') {
                return kept;
            }
        }
        let kept = self.words.iter().filter(|word| !unwanted(word));
        let kept = kept.map(String::as_str).collect::<Vec<_>>().join(" ");
        // A backslash that is no word's last character continues nothing.
        kept + if self.words.last().is_some_and(|word| word.ends_with('\\')) { " \n" } else { "\n" }
    }
}

fn logical_lines(file: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    for line in interfaces_lines(file) {
        let words = line.words().map(str::to_owned).collect();
        lines.push(Line { raw: line.raw, words });
    }
    lines
}

/// Returns whether a line begins a stanza, which ends the one before it.
fn begins_stanza(word: &str) -> bool {
    matches!(
        word,
        "iface"
            | "mapping"
            | "auto"
            | "source"
            | "template"
            | "rename"
            | "no-auto-down"
            | "no-scripts"
    ) || word.starts_with("source-dir")
        || word.starts_with("allow-")
}

fn begins_selection(word: &str) -> bool {
    word == "auto" || word.starts_with("allow-")
}

fn is_flag(word: &str) -> bool {
    matches!(word, "no-auto-down" | "no-scripts")
}

/// Returns whether `name` is the interface or an alias of it, `eth0:1`.
fn is(interface: &str, name: &str) -> bool {
    name.strip_prefix(interface).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// Returns whether a word of `auto` or `allow-…` brings the interface up, or applies its stanza
/// to another one: `eth0`, `eth0=home`, `eth1=eth0`. A plain pattern (`/e*`) does neither, since
/// what it brings up gets the stanza of its own name.
fn selects(interface: &str, word: &str) -> bool {
    match word.split_once('=') {
        None => is(interface, word),
        Some((name, logical)) => {
            is(interface, name) || logical == interface || selects_by_pattern(name, interface)
        }
    }
}

/// Removes an interface's stanzas from a file. Comments stay, also those inside of the
/// stanzas, and so do stanzas that leave IPv6 to the network.
pub(super) fn without(file: &str, interface: &str) -> Without {
    let mut out = Without {
        text: String::with_capacity(file.len()),
        at: None,
        hotplug: false,
        auto: false,
        options: Vec::new(),
        lost_ipv6: false,
        involved: Vec::new(),
        unmapped: Vec::new(),
    };
    // Whether the stanza that the line is in is being removed.
    let mut removing = false;
    let mut in_iface = false;
    let mut current = String::new();
    for line in logical_lines(file) {
        let Some((keyword, arguments)) = line.words.split_first() else {
            out.text.push_str(line.raw);
            continue;
        };
        // Without names these are about the stanza that they are in.
        let inside = arguments.is_empty() && (begins_selection(keyword) || is_flag(keyword));
        let remove = if inside {
            if removing && in_iface {
                out.hotplug |= keyword == "allow-hotplug";
                out.auto |= matches!(keyword.as_str(), "auto" | "allow-auto");
            }
            removing
        } else if begins_stanza(keyword) {
            removing = false;
            in_iface = keyword == "iface"
                && arguments.first().is_some_and(|name| name == interface)
                && arguments.get(1).is_none_or(|family| family == "inet");
            current = line.words.iter().take(2).cloned().collect::<Vec<_>>().join(" ");
            match keyword.as_str() {
                "iface" => {
                    let named = arguments.first().is_some_and(|name| is(interface, name));
                    let family = arguments.get(1).map_or("inet", String::as_str);
                    let method = arguments.get(2).map_or("", String::as_str);
                    let ipv6 = family == "inet6";
                    let harmless = ipv6 && matches!(method, "auto" | "dhcp" | "manual");
                    removing = named && !harmless;
                    out.lost_ipv6 |= removing && ipv6;
                    removing
                }
                "mapping" => {
                    // A script would choose another stanza than the node's.
                    let mapped = |name: &str| is(interface, name) || fnmatch(name, interface);
                    let named = arguments.iter().any(|name| mapped(name));
                    removing = named && arguments.iter().all(|name| mapped(name));
                    if named && !arguments.iter().any(|name| is(interface, name)) {
                        out.unmapped.push(current.clone());
                    }
                    if named && !removing {
                        out.text.push_str(&line.without_words(mapped));
                        continue;
                    }
                    removing
                }
                _ if *keyword == "auto" || keyword.starts_with("allow-") => {
                    let named = arguments.iter().any(|name| selects(interface, name));
                    let only = arguments.iter().all(|name| selects(interface, name));
                    let itself = arguments.iter().any(|name| {
                        name.split('=').next().is_some_and(|name| {
                            name == interface || selects_by_pattern(name, interface)
                        })
                    });
                    let others = arguments.iter().filter(|name| {
                        selects(interface, name)
                            && !is(interface, name.split('=').next().unwrap_or(name))
                    });
                    out.unmapped.extend(others.map(|name| format!("{keyword} {name}")));
                    out.hotplug |= itself && keyword == "allow-hotplug";
                    out.auto |= itself && matches!(keyword.as_str(), "auto" | "allow-auto");
                    if named && !only {
                        out.text.push_str(&line.without_words(|w| selects(interface, w)));
                        continue;
                    }
                    // Options below it are misplaced; they are removed too, so that they do
                    // not become another stanza's.
                    removing = named;
                    named
                }
                _ => false,
            }
        } else {
            let enslaves = ["bridge_ports", "bridge-ports", "slaves", "bond-slaves"];
            let named = arguments.iter().any(|name| name == interface);
            if !removing && named && enslaves.contains(&keyword.as_str()) {
                out.involved.push(current.clone());
            }
            let commands = ["pre-up", "up", "post-up", "pre-down", "down", "post-down", "mtu"];
            if removing && in_iface && commands.contains(&keyword.as_str()) {
                out.options.push(line.words.join(" "));
            }
            removing
        };
        if remove {
            out.at.get_or_insert(out.text.len());
        } else {
            out.text.push_str(line.raw);
        }
    }
    out
}

/// Returns a line of a static stanza, with DHCP instead.
fn with_dhcp(line: &Line<'_>) -> String {
    let mut rest = line.raw;
    for word in line.words.iter().take(3) {
        // The name may contain the words that follow it too.
        match rest.find(word.as_str()) {
            Some(at) => rest = rest.get(at + word.len()..).unwrap_or_default(),
            None => rest = "",
        }
    }
    let before = line.raw.strip_suffix(rest).unwrap_or(line.raw);
    if rest.contains("static") {
        return format!("{before}{}", rest.replacen("static", "dhcp", 1));
    }
    // A word that goes on in the next line.
    let words: Vec<&str> = line.words.iter().map(String::as_str).collect();
    match words.split_at_checked(3) {
        Some((head, [_, tail @ ..])) => [head, &["dhcp"], tail].concat().join(" ") + "\n",
        _ => line.raw.to_owned(),
    }
}

/// Returns the file with DHCP instead of static IPv4 addresses, in the stanzas whose names are
/// wanted. Options that have nothing to do with the address stay, and so do second addresses
/// (`eth0:1`).
pub(in crate::render) fn to_dhcp(file: &str, is_wanted: &dyn Fn(&str) -> bool) -> String {
    const ADDRESS: [&str; 9] = [
        "address",
        "netmask",
        "network",
        "broadcast",
        "gateway",
        "pointopoint",
        "dns-nameservers",
        "dns-nameserver",
        "dns-search",
    ];
    let mut out = String::with_capacity(file.len());
    let mut inside = false;
    for line in logical_lines(file) {
        let words: Vec<&str> = line.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["iface", name, rest @ ..] => {
                let is_alias = name.contains(':');
                inside = is_wanted(name)
                    && *name != "lo"
                    && !is_alias
                    && matches!(rest, ["inet", "static", ..]);
                if inside {
                    out.push_str(&with_dhcp(&line));
                } else {
                    out.push_str(line.raw);
                }
            }
            [keyword, _, ..] if begins_stanza(keyword) => {
                inside = false;
                out.push_str(line.raw);
            }
            [keyword, ..] if inside && ADDRESS.contains(keyword) => {}
            _ => out.push_str(line.raw),
        }
    }
    out
}

/// Returns whether a file has a stanza for an interface.
pub(super) fn configures(file: &str, interface: &str) -> bool {
    logical_lines(file).iter().any(|line| {
        let mut words = line.words.iter().map(String::as_str);
        words.next() == Some("iface") && words.next().is_some_and(|name| is(interface, name))
    })
}

#[cfg(test)]
mod tests {
    use super::to_dhcp;

    #[test]
    fn static_addresses_become_dhcp_and_other_options_stay() {
        let file = "# eth0\nauto lo eth0\niface lo inet loopback\niface eth0 inet static\n    \
                    address 10.0.0.1\n    netmask 255.0.0.0\n    # kept\n    up ethtool -s eth0\n    \
                    gateway 10.0.0.9\niface eth1 inet static\n    address 10.1.0.1/24\n\
                    iface eth0 inet6 static\n    address fd00::1\n";
        let all = "# eth0\nauto lo eth0\niface lo inet loopback\niface eth0 inet dhcp\n    # kept\n    \
                   up ethtool -s eth0\niface eth1 inet dhcp\niface eth0 inet6 static\n    \
                   address fd00::1\n";
        assert_eq!(to_dhcp(file, &|_| true), all);
        let one = all
            .replace("iface eth1 inet dhcp\n", "iface eth1 inet static\n    address 10.1.0.1/24\n");
        assert_eq!(to_dhcp(file, &|name| name == "eth0"), one);
        assert_eq!(to_dhcp(all, &|_| true), all);
        let named = "auto eth0=static\niface static inet static\n";
        let dhcp = "auto eth0=static\niface static inet dhcp\n";
        assert_eq!(to_dhcp(named, &|_| true), dhcp);
    }
}
