//! A file's contents, compared with what they should be.

use std::collections::BTreeSet;

use super::{
    Subject,
    atoms::{self, Atom, LineDiff},
    passwords,
    rules::{Comparison, Rule},
};
use crate::{Finding, facts::without_comment, shadow, text::printable};

/// More lines of one file are only counted.
const MAX_LINES: usize = 10;

/// What is wrong with a file's contents.
pub(super) fn compare(
    subject: &Subject<'_>,
    path: &str,
    rule: Rule,
    actual: &[u8],
    expected: &[u8],
) -> Vec<Finding> {
    if actual == expected {
        return Vec::new();
    }
    let actual = &String::from_utf8_lossy(actual);
    let expected = &String::from_utf8_lossy(expected);
    let every = |_: &Atom| true;
    let comparison = match rule.comparison {
        Comparison::Exact if holds_secrets(path, [actual, expected]) => Comparison::Hidden,
        other => other,
    };
    let diffs = match comparison {
        Comparison::No => return Vec::new(),
        Comparison::Secret => return secret(subject, path, rule, actual, expected),
        Comparison::Passwords => return passwords::compare(subject, rule, actual, expected),
        Comparison::Hidden => {
            let what = "it is not what the profile says; it is not shown, as it may hold passwords";
            let finding = Finding::new(rule.severity, rule.code, what, subject.rewrite());
            return vec![finding.at(path)];
        }
        Comparison::PublicKey => {
            let (found, wanted) = (without_comment(actual), without_comment(expected));
            if found == wanted {
                return Vec::new();
            }
            let what = "the public key is not the one of the private key that belongs here";
            let finding = Finding::new(rule.severity, rule.code, what, subject.rewrite());
            return vec![finding.at(path).expected(wanted).found(printable(&found))];
        }
        Comparison::Word => return word(subject, path, rule, actual, expected),
        Comparison::Resolver => return resolver(subject, path, rule, actual),
        Comparison::AuthorizedKeys => {
            return authorized_keys(subject, path, rule, actual, expected);
        }
        Comparison::Exact => by_line(actual, expected),
        Comparison::Hosts => {
            let keep = |atom: &Atom| !may_be_in_hosts(subject, atom);
            atoms::differences(&atoms::hosts(actual), &atoms::hosts(expected), keep)
        }
        Comparison::KnownHosts => {
            atoms::differences(&atoms::known_hosts(actual), &atoms::known_hosts(expected), every)
        }
        Comparison::OwnKnownHosts => {
            let keep = |atom: &Atom| contradicts(subject, atom);
            atoms::differences(&atoms::known_hosts(actual), &atoms::known_hosts(expected), keep)
        }
        Comparison::Interfaces => {
            let keep = |atom: &Atom| is_of_address(&atom.text);
            atoms::differences(&atoms::interfaces(actual), &atoms::interfaces(expected), keep)
        }
        Comparison::Settings => {
            atoms::differences(&atoms::settings(actual), &atoms::settings(expected), every)
        }
        Comparison::Additions => {
            let (actual, expected) = (atoms::settings(actual), atoms::settings(expected));
            atoms::differences(&actual, &expected, |_| false)
        }
    };
    findings(subject, path, rule, diffs)
}

fn findings(subject: &Subject<'_>, path: &str, rule: Rule, diffs: Vec<LineDiff>) -> Vec<Finding> {
    let further = diffs.len().saturating_sub(MAX_LINES);
    let mut findings: Vec<Finding> = diffs
        .into_iter()
        .take(MAX_LINES)
        .map(|LineDiff { line, found, expected }| {
            let (what, mend) = match (&found, &expected) {
                (Some(_), Some(_)) => ("this line is not as it should be", subject.correct()),
                (None, _) => ("a line is missing", subject.add_line()),
                (Some(_), None) => ("this line should not be there", subject.remove_line()),
            };
            let mut finding =
                Finding::new(rule.severity, rule.code, what, mend).at(path).line(line);
            finding.found = found.as_deref().map(printable);
            finding.expected = expected.as_deref().map(printable);
            finding
        })
        .collect();
    if further > 0 {
        let what = format!("{} more differ", crate::text::count(further, "line"));
        findings.push(Finding::new(rule.severity, rule.code, what, subject.rewrite()).at(path));
    }
    findings
}

/// Whether lines of a file are for nobody else's eyes.
fn holds_secrets(path: &str, texts: [&str; 2]) -> bool {
    let secret = |text: &str| shadow::has_hash(text) || text.contains("PRIVATE KEY-----");
    shadow::is_one(path) || texts.into_iter().any(secret)
}

/// All lines count, and their order.
fn by_line(actual: &str, expected: &str) -> Vec<LineDiff> {
    use crate::diff::Step;
    if actual.contains('\0') || expected.contains('\0') {
        return vec![LineDiff {
            line: None,
            found: Some(format!("{} bytes", actual.len())),
            expected: Some(format!("other {} bytes", expected.len())),
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
                // In place of the first line of this run that has none yet.
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

fn secret(
    subject: &Subject<'_>,
    path: &str,
    rule: Rule,
    actual: &str,
    expected: &str,
) -> Vec<Finding> {
    if actual.trim_end() == expected.trim_end() {
        return Vec::new();
    }
    let is = |pair: &cluster_keys::KeyPair| pair.private().trim_end() == actual.trim_end();
    let other = subject
        .cluster
        .nodes
        .iter()
        .find(|node| subject.keys.host(&node.name).is_ok_and(is))
        .map(|node| format!("{}'s host key", node.name));
    let found = match other {
        Some(other) => other,
        None if is(subject.keys.cluster()) => "the cluster's key".into(),
        None if actual.contains("PRIVATE KEY") => "another private key".into(),
        None => "no private key".into(),
    };
    let (what, wanted) = match rule.code {
        "host-key" => {
            ("the host key is not the node's", format!("{}'s host key", subject.node.name))
        }
        "swarm" => {
            ("the key is not the one of the node's role in the swarm", "the role's key".into())
        }
        _ => ("the user's key is not the cluster's", "the cluster's key".into()),
    };
    let finding = Finding::new(rule.severity, rule.code, what, subject.rewrite());
    vec![finding.at(path).expected(wanted).found(found)]
}

fn word(
    subject: &Subject<'_>,
    path: &str,
    rule: Rule,
    actual: &str,
    expected: &str,
) -> Vec<Finding> {
    let said = |text: &str| {
        let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        lines
            .find(|(_, line)| !line.is_empty() && !line.starts_with('#'))
            .map(|(n, l)| (n, l.to_owned()))
    };
    let (found, wanted) = (said(actual), said(expected).unwrap_or_default().1);
    if found.as_ref().is_some_and(|(_, word)| word.eq_ignore_ascii_case(&wanted)) {
        return Vec::new();
    }
    let (line, word) = found.map_or((None, String::new()), |(line, word)| (Some(line), word));
    let of_other = subject.cluster.nodes.iter().find(|node| match rule.code {
        "machine-id" => subject.keys.machine_id(&node.name) == word,
        _ => node.name.eq_ignore_ascii_case(&word),
    });
    let what = match (rule.code, of_other) {
        ("machine-id", Some(node)) => format!("the machine id is {}'s", node.name),
        ("machine-id", None) => "the machine id is not the node's".into(),
        (_, Some(node)) => format!("the host name is another node's, {}", node.name),
        (_, None) => "the host name is not the node's".into(),
    };
    let finding = Finding::new(rule.severity, rule.code, what, subject.correct());
    vec![finding.at(path).line(line).expected(wanted).found(printable(&word))]
}

/// Names that a person may have given without contradicting the profile: the node's
/// own name with a domain, and IPv6 addresses of nodes.
fn may_be_in_hosts(subject: &Subject<'_>, atom: &Atom) -> bool {
    let (address, name) = atom.key.split_once(' ').unwrap_or_default();
    let domain = name.strip_prefix(&subject.node.name).is_some_and(|rest| rest.starts_with('.'));
    (address == "127.0.1.1" && domain) || address.contains(':')
}

/// Whether a user's own file gives a node a key of the kind it has, but another one.
fn contradicts(subject: &Subject<'_>, atom: &Atom) -> bool {
    let (host, key) = atom.key.split_once(' ').unwrap_or_default();
    let aliases = |node: &&cluster_profile::Node| {
        let mut hosts = subject.cluster.hosts.iter();
        hosts.any(|(name, address)| name == host && *address == node.address)
    };
    let mut nodes = subject.cluster.nodes.iter();
    let node =
        nodes.find(|node| node.name == host || node.address.to_string() == host || aliases(node));
    let own = node.and_then(|node| subject.keys.host(&node.name).ok());
    key.starts_with("ssh-ed25519 ") && own.is_some_and(|pair| pair.public_without_comment() != key)
}

/// Whether a line has to do with the address; other options are anybody's.
fn is_of_address(line: &str) -> bool {
    const OURS: [&str; 7] =
        ["iface", "address", "netmask", "gateway", "dns-nameservers", "dns-search", "mapping"];
    let keyword = line.split_whitespace().next().unwrap_or_default();
    OURS.contains(&keyword)
}

fn resolver(subject: &Subject<'_>, path: &str, rule: Rule, actual: &str) -> Vec<Finding> {
    let servers: BTreeSet<&str> = actual
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver"))
        .map(str::trim)
        .collect();
    let missing = subject.cluster.network.dns.iter().map(ToString::to_string);
    let missing: Vec<_> = missing.filter(|server| !servers.contains(server.as_str())).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let what = "the profile's name server is not asked";
    let found: Vec<&str> = servers.into_iter().collect();
    let finding = Finding::new(rule.severity, rule.code, what, subject.add_line()).at(path);
    let expected = format!("nameserver {}", missing.join(" "));
    vec![finding.expected(expected).found(match found.is_empty() {
        true => "no name server".into(),
        false => printable(&format!("nameserver {}", found.join(" "))),
    })]
}

/// Rendering keeps the card's own lines, so those that it would add are the ones that are
/// missing.
fn authorized_keys(
    subject: &Subject<'_>,
    path: &str,
    rule: Rule,
    actual: &str,
    expected: &str,
) -> Vec<Finding> {
    let cluster = key_of(subject.keys.cluster().public());
    let there: BTreeSet<&str> = actual.lines().map(str::trim).collect();
    let mut findings = Vec::new();
    for wanted in expected.lines().map(str::trim).filter(|line| !there.contains(line)) {
        let Some(key) = key_of(wanted) else { continue };
        let has = |line: &&str| {
            !line.trim_start().starts_with('#') && line.split_whitespace().any(|word| word == key)
        };
        let lines: Vec<(usize, &str)> =
            actual.lines().enumerate().filter(|(_, line)| has(line)).collect();
        let whose = match Some(key) == cluster {
            true => "the cluster's key",
            false if wanted.contains("/swarm-token") => "the swarm's key",
            false => "a key of the profile's `authorized_keys`",
        };
        // What comes before the algorithm are options, such as a forced command.
        let plain = |line: &str| line.split_whitespace().nth(1) == Some(key);
        match (lines.first(), lines.iter().any(|(_, line)| plain(line))) {
            (_, true) if plain(wanted) => {}
            (None, _) => {
                let what = format!("{whose} is not let in");
                let finding = Finding::new(rule.severity, rule.code, what, subject.add_line());
                findings.push(finding.at(path).expected(printable(wanted)));
            }
            (Some((index, line)), _) => {
                let what = match plain(wanted) {
                    true => format!("{whose} is let in with options only"),
                    false => format!("{whose} is let in with other options than it should be"),
                };
                let finding = Finding::warning(rule.code, what, subject.correct()).at(path);
                let finding = finding.line(Some(index + 1)).found(printable(line));
                findings.push(finding.expected(printable(wanted)));
            }
        }
    }
    findings.extend(unbound(subject, path, rule, actual, expected));
    findings
}

/// Lines that let a key of the swarm do more than ask for a token. Rendering drops them.
fn unbound(
    subject: &Subject<'_>,
    path: &str,
    rule: Rule,
    actual: &str,
    expected: &str,
) -> Vec<Finding> {
    let of_swarm = |line: &&str| line.contains("/swarm-token");
    let keys: Vec<&str> = expected.lines().filter(of_swarm).filter_map(key_of).collect();
    let wanted: BTreeSet<&str> = expected.lines().map(str::trim).collect();
    let is_unbound = |line: &str| {
        let line = line.trim();
        !line.starts_with('#')
            && !wanted.contains(line)
            && !line.contains("/swarm-token")
            && key_of(line).is_some_and(|key| keys.contains(&key))
    };
    let lines = actual.lines().enumerate().filter(|(_, line)| is_unbound(line));
    lines
        .map(|(index, line)| {
            let what =
                "the swarm's key, which every node has, may do more here than ask for a token";
            let finding = Finding::error(rule.code, what, subject.remove_line()).at(path);
            finding.line(Some(index + 1)).found(printable(line))
        })
        .collect()
}

/// The key in base64 of a line of authorized_keys.
fn key_of(line: &str) -> Option<&str> {
    line.split_whitespace().find(|word| word.starts_with("AAAA"))
}
