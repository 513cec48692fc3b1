//! A file's contents, compared with what they should be.

use std::{borrow::Cow, cell::Cell, collections::BTreeSet, net::Ipv4Addr};

use cluster_profile::{Node, Purpose};
use plain_text::{count, printable};

use super::{
    Subject,
    atoms::{self, Atom, LineDiff},
    judgement::{ChangedBy, Comparison, Key, Rule},
    passwords,
};
use crate::{Finding, FixAction, facts::without_comment, secrecy};

/// More differing lines of one file are only counted.
const MAX_LINES: usize = 10;

/// A file on a card beside what it should be.
pub(super) struct Contents<'a> {
    pub subject: &'a Subject<'a>,
    pub path: &'a str,
    pub purpose: &'a Purpose,
    pub rule: Rule,
    /// What is on the card.
    pub actual: Cow<'a, str>,
    /// What should be there.
    pub expected: Cow<'a, str>,
    /// The bytes on the card.
    bytes: &'a [u8],
    /// Whether the two are the same bytes.
    same: bool,
}

impl<'a> Contents<'a> {
    pub fn new(
        subject: &'a Subject<'a>,
        path: &'a str,
        purpose: &'a Purpose,
        rule: Rule,
        [actual, expected]: [&'a [u8]; 2],
    ) -> Self {
        Contents {
            subject,
            path,
            purpose,
            rule,
            actual: String::from_utf8_lossy(actual),
            expected: String::from_utf8_lossy(expected),
            bytes: actual,
            same: actual == expected,
        }
    }

    /// Returns a finding of the rule's severity and code.
    pub fn finding(&self, what: impl Into<String>, fix: FixAction) -> Finding {
        Finding::new(self.rule.severity, self.rule.code, what, fix).at(self.path)
    }

    /// Returns what is wrong with the contents.
    pub fn compare(&self) -> Vec<Finding> {
        if self.same {
            return Vec::new();
        }
        match self.rule.comparison {
            Comparison::Exact => self.exact(),
            Comparison::PrivateKey(key) => self.private_key(key).into_iter().collect(),
            Comparison::DropbearKey => vec![self.dropbear_key()],
            Comparison::PublicKey => self.public_key().into_iter().collect(),
            Comparison::HostName => self.host_name().into_iter().collect(),
            Comparison::MachineId => self.machine_id().into_iter().collect(),
            Comparison::Passwords => passwords::compare(self),
            Comparison::Login => {
                let what = "it keeps a user of the profile from logging in by key";
                vec![self.finding(what, FixAction::Rewrite)]
            }
            Comparison::Resolver => self.resolver().into_iter().collect(),
            Comparison::AuthorizedKeys => self.authorized_keys(),
            Comparison::Hosts => {
                self.by_atoms(atoms::hosts, |atom| !may_be_in_hosts(self.subject, atom))
            }
            Comparison::KnownHosts => self.by_atoms(atoms::known_hosts, |_| true),
            Comparison::OwnKnownHosts => {
                self.by_atoms(atoms::known_hosts, |atom| contradicts(self.subject, atom))
            }
            Comparison::AccountLines => self.by_atoms(atoms::accounts, |_| false),
            Comparison::Interfaces => {
                let interface = &self.subject.cluster.network.interface;
                let split = |text: &str| atoms::interfaces(text, interface);
                // A line may say thousands of things.
                let last = Cell::new((0, false));
                self.by_atoms(split, |atom| {
                    if last.get().0 != atom.line {
                        last.set((atom.line, is_of_address(&atom.text, interface)));
                    }
                    last.get().1
                })
            }
            Comparison::Settings => {
                let owners_may_stay = self.rule.changed_by == ChangedBy::Owner;
                self.by_atoms(atoms::settings, |_| !owners_may_stay)
            }
            // These are not about the contents of a file that is written.
            Comparison::Archive
            | Comparison::Directory
            | Comparison::MachineIdLink
            | Comparison::MaskedUnit
            | Comparison::EnabledUnit
            | Comparison::Absent(_)
            | Comparison::NotFromBase(_)
            | Comparison::TimeStamp
            | Comparison::Elsewhere => Vec::new(),
        }
    }

    /// Compares by what the lines say. `is_wrong` decides on what is said beyond that.
    fn by_atoms(
        &self,
        parse: impl Fn(&str) -> Vec<Atom>,
        is_wrong: impl Fn(&Atom) -> bool,
    ) -> Vec<Finding> {
        let (actual, expected) = (parse(&self.actual), parse(&self.expected));
        self.lines(atoms::differences(&actual, &expected, is_wrong))
    }

    /// Returns a finding for each line that differs.
    fn lines(&self, diffs: Vec<LineDiff>) -> Vec<Finding> {
        let more = diffs.len().saturating_sub(MAX_LINES);
        let mut findings: Vec<Finding> = diffs
            .into_iter()
            .take(MAX_LINES)
            .map(|LineDiff { line, found, expected }| {
                let (what, fix) = match (&found, &expected) {
                    (Some(_), Some(_)) => ("this line is wrong", FixAction::CorrectLine),
                    (None, _) => ("a line is missing", FixAction::AddLine),
                    (Some(_), None) => ("this line should not be there", FixAction::RemoveLine),
                };
                let mut finding = self.finding(what, fix).line(line);
                finding.found = found.as_deref().map(printable);
                finding.expected = expected.as_deref().map(printable);
                finding
            })
            .collect();
        if more > 0 {
            let differ = if more == 1 { "differs" } else { "differ" };
            let what = format!("{} more {differ}", count(more, "line"));
            findings.push(self.finding(what, FixAction::Rewrite));
        }
        findings
    }

    fn exact(&self) -> Vec<Finding> {
        let (actual, expected) = (&*self.actual, &*self.expected);
        if secrecy::may_be_shown(self.purpose, [actual, expected]) {
            return self.lines(by_line(actual, expected));
        }
        let what = "it differs from the profile; it is not shown, because it may contain secrets";
        vec![self.finding(what, FixAction::Rewrite)]
    }

    fn public_key(&self) -> Option<Finding> {
        let (found, expected) = (without_comment(&self.actual), without_comment(&self.expected));
        if found == expected {
            return None;
        }
        let what = "the public key does not belong to the private key that should be here";
        let finding = self.finding(what, FixAction::Rewrite);
        Some(finding.expected(expected).found(printable(&found)))
    }

    /// Reports another private key by whose it is, and never shows it.
    fn private_key(&self, key: Key) -> Option<Finding> {
        let Subject { cluster, keys, node, .. } = self.subject;
        if self.actual.trim_end() == self.expected.trim_end() {
            return None;
        }
        let is = |pair: &cluster_keys::KeyPair| pair.private().trim_end() == self.actual.trim_end();
        let other = cluster.nodes.iter().find(|node| keys.host(&node.name).is_ok_and(is));
        let found = match other {
            Some(node) => format!("{}'s host key", node.name),
            None if is(keys.cluster()) => "the cluster's key".into(),
            None if self.actual.contains("PRIVATE KEY") => "another private key".into(),
            None => "contents that are not a private key".into(),
        };
        let (what, expected) = match key {
            Key::Host => ("the host key is not this node's", format!("{}'s host key", node.name)),
            Key::Swarm => {
                ("the key does not match the node's role in the swarm", "the role's key".into())
            }
            Key::Cluster => ("the user's key is not the cluster's", "the cluster's key".into()),
        };
        Some(self.finding(what, FixAction::Rewrite).expected(expected).found(found))
    }

    /// Reports another host key of dropbear's by whose it is, and never shows it.
    fn dropbear_key(&self) -> Finding {
        let Subject { cluster, keys, node, .. } = self.subject;
        let is = |node: &&Node| {
            let key = keys.host(&node.name).ok().and_then(|pair| pair.dropbear().ok());
            key.is_some_and(|key| key == self.bytes)
        };
        let found = match cluster.nodes.iter().find(is) {
            Some(other) => format!("{}'s host key", other.name),
            None => "another key, which is not in the cluster's known hosts".to_owned(),
        };
        let finding = self.finding("dropbear's host key is not this node's", FixAction::Rewrite);
        finding.expected(format!("{}'s host key", node.name)).found(found)
    }

    fn host_name(&self) -> Option<Finding> {
        self.word("host name", |node, word| node.name.eq_ignore_ascii_case(word))
    }

    fn machine_id(&self) -> Option<Finding> {
        let keys = self.subject.keys;
        self.word("machine id", |node, word| keys.machine_id(&node.name) == word)
    }

    /// Compares the first line that is not a comment. `is_of` says whether a word is a
    /// node's.
    fn word(&self, name: &str, is_of: impl Fn(&Node, &str) -> bool) -> Option<Finding> {
        let first = |text: &str| {
            let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
            lines
                .find(|(_, line)| !line.is_empty() && !line.starts_with('#'))
                .map(|(number, line)| (number, line.to_owned()))
        };
        let (found, expected) = (first(&self.actual), first(&self.expected).unwrap_or_default().1);
        if found.as_ref().is_some_and(|(_, word)| word.eq_ignore_ascii_case(&expected)) {
            return None;
        }
        let (line, word) = found.map_or((None, String::new()), |(line, word)| (Some(line), word));
        let owner = self.subject.cluster.nodes.iter().find(|node| is_of(node, &word));
        let what = match owner {
            Some(node) => format!("the {name} belongs to another node, {}", node.name),
            None => format!("the {name} is not this node's"),
        };
        let finding = self.finding(what, FixAction::CorrectLine).line(line);
        Some(finding.expected(expected).found(printable(&word)))
    }

    fn resolver(&self) -> Option<Finding> {
        let servers: BTreeSet<&str> = self
            .actual
            .lines()
            .filter_map(|line| line.trim().strip_prefix("nameserver"))
            .map(str::trim)
            .collect();
        let wanted = self.subject.cluster.network.dns.iter().map(ToString::to_string);
        let missing: Vec<_> = wanted.filter(|server| !servers.contains(server.as_str())).collect();
        if missing.is_empty() {
            return None;
        }
        let found: Vec<&str> = servers.into_iter().collect();
        let finding = self.finding("the profile's name server is not used", FixAction::AddLine);
        let finding = finding.expected(format!("nameserver {}", missing.join(" ")));
        Some(finding.found(if found.is_empty() {
            "no name server".into()
        } else {
            printable(&format!("nameserver {}", found.join(" ")))
        }))
    }

    /// Rendering keeps the card's own lines, so those that it would add are missing.
    fn authorized_keys(&self) -> Vec<Finding> {
        let cluster = key_of(self.subject.keys.cluster().public());
        let there: BTreeSet<&str> = self.actual.lines().map(str::trim).collect();
        let mut findings = Vec::new();
        for wanted in self.expected.lines().map(str::trim).filter(|line| !there.contains(line)) {
            let Some(key) = key_of(wanted) else { continue };
            let whose = if Some(key) == cluster {
                "the cluster's key"
            } else if is_of_swarm(wanted) {
                "the swarm's key"
            } else {
                "a key of the profile's `authorized_keys`"
            };
            findings.extend(self.accepted(wanted, key, whose));
        }
        findings.extend(self.unrestricted());
        findings
    }

    /// Returns what is wrong with the lines for a key.
    fn accepted(&self, wanted: &str, key: &str, whose: &str) -> Option<Finding> {
        let has = |line: &&str| {
            !line.trim_start().starts_with('#') && line.split_whitespace().any(|word| word == key)
        };
        let lines: Vec<(usize, &str)> =
            self.actual.lines().enumerate().filter(|(_, line)| has(line)).collect();
        // What precedes the algorithm are options, such as a forced command.
        let is_plain = |line: &str| line.split_whitespace().nth(1) == Some(key);
        if is_plain(wanted) && lines.iter().any(|(_, line)| is_plain(line)) {
            return None;
        }
        let Some((index, line)) = lines.first() else {
            let finding = self.finding(format!("{whose} is not accepted"), FixAction::AddLine);
            return Some(finding.expected(printable(wanted)));
        };
        let what = if is_plain(wanted) {
            format!("{whose} is accepted only with restrictions")
        } else {
            format!("{whose} is accepted with the wrong restrictions")
        };
        let finding = Finding::warning(self.rule.code, what, FixAction::CorrectLine).at(self.path);
        let finding = finding.line(Some(index + 1)).found(printable(line));
        Some(finding.expected(printable(wanted)))
    }

    /// Returns lines with which a key of the swarm may do more than ask for a token.
    /// Rendering drops them.
    fn unrestricted(&self) -> impl Iterator<Item = Finding> {
        let of_swarm = self.expected.lines().filter(|line| is_of_swarm(line));
        let keys: Vec<&str> = of_swarm.filter_map(key_of).collect();
        let wanted: BTreeSet<&str> = self.expected.lines().map(str::trim).collect();
        let is_unrestricted = move |line: &str| {
            let line = line.trim();
            !line.starts_with('#')
                && !wanted.contains(line)
                && !is_of_swarm(line)
                && key_of(line).is_some_and(|key| keys.contains(&key))
        };
        let lines = self.actual.lines().enumerate();
        lines.filter(move |(_, line)| is_unrestricted(line)).map(|(index, line)| {
            let what = "the swarm's key, which every node has, is allowed to do more here than ask \
                        for a token";
            let finding = Finding::error(self.rule.code, what, FixAction::RemoveLine);
            finding.at(self.path).line(Some(index + 1)).found(printable(line))
        })
    }
}

/// Compares all lines, in their order.
fn by_line(actual: &str, expected: &str) -> Vec<LineDiff> {
    use crate::diff::Step;
    if actual.contains('\0') || expected.contains('\0') {
        return vec![LineDiff {
            line: None,
            found: Some(format!("{} bytes", actual.len())),
            expected: Some(format!("{} other bytes", expected.len())),
        }];
    }
    let (a, b): (Vec<&str>, Vec<&str>) = (actual.lines().collect(), expected.lines().collect());
    let mut diffs: Vec<LineDiff> = Vec::new();
    let mut open = 0;
    for step in crate::diff::steps(&a, &b) {
        match step {
            Step::Keep(..) => open = diffs.len(),
            Step::Remove(i) => {
                let found = Some(a[i].to_owned());
                diffs.push(LineDiff { line: Some(i + 1), found, expected: None });
            }
            Step::Add(j) => {
                let expected = Some(b[j].to_owned());
                // It replaces the first removed line of this run that has no other yet.
                match diffs.iter_mut().skip(open).find(|diff| diff.expected.is_none()) {
                    Some(diff) => diff.expected = expected,
                    None => diffs.push(LineDiff { line: None, found: None, expected }),
                }
            }
        }
    }
    if diffs.is_empty() {
        let (found, expected) = (Some("another line end".into()), None);
        diffs.push(LineDiff { line: Some(a.len()), found, expected });
    }
    diffs
}

/// Returns whether an owner may have given this name without contradicting the profile: the
/// node's own name with a domain, or any name of an IPv6 address.
fn may_be_in_hosts(subject: &Subject<'_>, atom: &Atom) -> bool {
    let (address, name) = atom.key.split_once(' ').unwrap_or_default();
    let domain = name.strip_prefix(&subject.node.name).is_some_and(|rest| rest.starts_with('.'));
    (address == "127.0.1.1" && domain) || address.contains(':')
}

/// Returns whether a user's own file gives a node another key of the kind it has.
fn contradicts(subject: &Subject<'_>, atom: &Atom) -> bool {
    let (host, key) = atom.key.split_once(' ').unwrap_or_default();
    let has_alias = |node: &&Node| {
        let mut hosts = subject.cluster.hosts.iter();
        hosts.any(|(name, address)| name == host && *address == node.address)
    };
    let mut nodes = subject.cluster.nodes.iter();
    let node =
        nodes.find(|node| node.name == host || node.address.to_string() == host || has_alias(node));
    let is_of = |node: &Node| {
        subject.keys.host(&node.name).is_ok_and(|pair| pair.public_without_comment() == key)
    };
    match node {
        Some(node) => key.starts_with("ssh-ed25519 ") && !is_of(node),
        // A node had this address before.
        None => {
            host.parse::<Ipv4Addr>().is_ok_and(|address| is_near(subject, address))
                && subject.cluster.nodes.iter().any(is_of)
        }
    }
}

/// Returns whether an address is in the cluster's network.
fn is_near(subject: &Subject<'_>, address: Ipv4Addr) -> bool {
    let mask = subject.cluster.network.netmask().to_bits();
    let mut nodes = subject.cluster.nodes.iter();
    nodes.any(|node| node.address.to_bits() & mask == address.to_bits() & mask)
}

/// Returns whether a line has to do with the address; other options are the owner's.
fn is_of_address(line: &str, interface: &str) -> bool {
    const OURS: [&str; 7] =
        ["iface", "address", "netmask", "gateway", "dns-nameservers", "dns-search", "mapping"];
    let mut words = line.split_whitespace();
    let keyword = words.next().unwrap_or_default();
    // `auto eth0=home` applies another stanza than the node's.
    let selects = keyword == "auto" || keyword.starts_with("allow-");
    let is_logical =
        |name: &str| name.split_once('=').is_some_and(|both| both != (interface, interface));
    OURS.contains(&keyword) || selects && words.any(is_logical)
}

/// Returns whether a line of authorized_keys is for the swarm: it forces its command.
fn is_of_swarm(line: &str) -> bool {
    line.contains("/swarm-token")
}

/// Returns the key in base64 of a line of authorized_keys.
fn key_of(line: &str) -> Option<&str> {
    line.split_whitespace().find(|word| word.starts_with("AAAA"))
}
