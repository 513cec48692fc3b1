//! Configuration files compared by their meaning, not by their spelling.
//!
//! A file is split into atoms: one for each thing that it says, such as one name of one
//! address in /etc/hosts. Order, white space and comments do not matter, and each atom
//! knows its line.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use system_model::network::{InterfacesLine, interfaces_lines};

/// One thing that a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Atom {
    /// The line that says it, from 1.
    pub line: usize,
    /// That line as it is written, which all its atoms share.
    pub text: Rc<str>,
    /// What it says, in one spelling.
    pub key: String,
}

/// A line that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LineDiff {
    /// Its number in the file on the card, if it is there.
    pub line: Option<usize>,
    /// What is there.
    pub found: Option<String>,
    /// What should be there.
    pub expected: Option<String>,
}

/// Returns the expected lines that the file lacks, each with the line that it has instead,
/// and the lines with something that is not expected, if `is_wrong`.
pub(super) fn differences(
    actual: &[Atom],
    expected: &[Atom],
    is_wrong: impl Fn(&Atom) -> bool,
) -> Vec<LineDiff> {
    let keys = |atoms: &[Atom]| -> BTreeSet<String> {
        atoms.iter().map(|atom| atom.key.clone()).collect()
    };
    let (found, wanted) = (keys(actual), keys(expected));
    let missing = lines(expected.iter().filter(|atom| !found.contains(&atom.key)));
    let mut extra = lines(actual.iter().filter(|atom| !wanted.contains(&atom.key)));
    let mut wrong = BTreeSet::new();
    for atom in actual.iter().filter(|atom| !wanted.contains(&atom.key)) {
        if !wrong.contains(&atom.line) && is_wrong(atom) {
            wrong.insert(atom.line);
        }
    }
    let mut diffs = Vec::new();
    for text in missing.into_values() {
        let best = extra.iter().max_by_key(|(_, other)| similarity(other, &text));
        let best = best.filter(|(_, other)| similarity(other, &text) > 0).map(|(line, _)| *line);
        // A line with a misspelt name may belong to another node, but is one difference only.
        let misspelt = || first_of_lines(actual).find(|atom| is_misspelt(&atom.text, &text));
        let (line, found) = match (best, misspelt) {
            (Some(line), _) => (Some(line), extra.remove(&line)),
            (None, misspelt) => misspelt()
                .map(|atom| (Some(atom.line), Some(words(&atom.text))))
                .unwrap_or_default(),
        };
        diffs.push(LineDiff { line, found, expected: Some(text) });
    }
    for (line, found) in extra.into_iter().filter(|(line, _)| wrong.contains(line)) {
        diffs.push(LineDiff { line: Some(line), found: Some(found), expected: None });
    }
    // A line that is right but follows a wrong one, such as a stanza's, is not reported.
    let misplaced = |diff: &LineDiff| diff.found.is_some() && diff.found == diff.expected;
    if diffs.iter().any(|diff| !misplaced(diff)) {
        diffs.retain(|diff| !misplaced(diff));
    }
    diffs.sort_by_key(|diff| diff.line.unwrap_or(usize::MAX));
    diffs
}

fn lines<'a>(atoms: impl Iterator<Item = &'a Atom>) -> BTreeMap<usize, String> {
    first_of_lines(atoms).map(|atom| (atom.line, words(&atom.text))).collect()
}

/// Returns one atom of each line: a line may say thousands of things.
fn first_of_lines<'a>(atoms: impl IntoIterator<Item = &'a Atom>) -> impl Iterator<Item = &'a Atom> {
    let mut last = None;
    atoms.into_iter().filter(move |atom| last.replace(atom.line) != Some(atom.line))
}

fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns whether a line differs from the other one in two characters at most. Lines that
/// differ only in digits are about different things.
fn is_misspelt(line: &str, wanted: &str) -> bool {
    let line = words(line);
    let letters = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
    let other = line == wanted || letters(&line) != letters(wanted);
    other && line.len() >= 6 && distance(&line, wanted) <= 2
}

/// Returns how many characters have to be changed, added or removed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(200).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().take(200).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

/// Returns how similar two lines are: by their common words, and by the length of their
/// common beginning.
fn similarity(a: &str, b: &str) -> usize {
    let words: BTreeSet<&str> = a.split_whitespace().collect();
    let shared = b.split_whitespace().filter(|word| words.contains(word)).count();
    let alike = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    shared * 100 + if alike >= 3 { alike.min(90) } else { 0 }
}

/// Returns numbered lines without line ends.
fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

fn is_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with(['#', ';'])
}

/// Splits a file of settings: each line, with the `[section]` that it is in.
pub(super) fn settings(text: &str) -> Vec<Atom> {
    let mut section = String::new();
    let mut atoms = Vec::new();
    for (line, text) in numbered(text).filter(|(_, text)| !is_comment(text)) {
        if text.starts_with('[') {
            section = text.trim_end().to_owned();
        }
        let key = format!("{section}\n{}", text.trim_end());
        atoms.push(Atom { line, text: text.into(), key });
    }
    atoms
}

/// Splits /etc/hosts: each name of each address.
pub(super) fn hosts(text: &str) -> Vec<Atom> {
    let mut atoms = Vec::new();
    for (line, text) in numbered(text) {
        let said = text.split('#').next().unwrap_or_default();
        let mut words = said.split_whitespace();
        let Some(address) = words.next() else { continue };
        let text: Rc<str> = said.trim().into();
        for name in words {
            let key = format!("{address} {}", name.to_ascii_lowercase());
            atoms.push(Atom { line, text: text.clone(), key });
        }
    }
    atoms
}

/// Splits known_hosts: each key of each host; lines with hashed names stay whole.
pub(super) fn known_hosts(text: &str) -> Vec<Atom> {
    let mut atoms = Vec::new();
    for (line, text) in numbered(text).filter(|(_, text)| !is_comment(text)) {
        let mut words = text.split_whitespace();
        let names = words.next().unwrap_or_default();
        if names.starts_with(['|', '@']) {
            atoms.push(Atom { line, text: text.into(), key: text.to_owned() });
            continue;
        }
        let text: Rc<str> = text.into();
        let key = words.take(2).collect::<Vec<_>>().join(" ");
        for name in names.split(',') {
            let key = format!("{} {key}", name.to_ascii_lowercase());
            atoms.push(Atom { line, text: text.clone(), key });
        }
    }
    atoms
}

/// Splits /etc/passwd, whose lines stay whole, or /etc/group: each member of each group.
pub(super) fn accounts(text: &str) -> Vec<Atom> {
    let mut atoms = Vec::new();
    for (line, text) in numbered(text) {
        let fields: Vec<&str> = text.split(':').collect();
        let shared: Rc<str> = text.into();
        let of = |key: String| Atom { line, text: shared.clone(), key };
        let [name, _, id, members] = fields.as_slice() else {
            atoms.push(of(text.to_owned()));
            continue;
        };
        for member in members.split(',') {
            atoms.push(of(format!("{name} {id} {}", member.trim())));
        }
    }
    atoms
}

/// Splits interfaces(5): each option of each stanza, and each interface that is brought up. The
/// addresses of the network and of broadcasts follow from the others, and are skipped.
/// `interface` is the one that a pattern (`auto /eth*`) may mean.
pub(super) fn interfaces(text: &str, interface: &str) -> Vec<Atom> {
    let mut atoms = Vec::new();
    let mut stanza = String::new();
    let mut own = String::new();
    for InterfacesLine { number: line, text, .. } in interfaces_lines(text) {
        let text: Rc<str> = text.into();
        let words: Vec<&str> = text.split_whitespace().collect();
        let Some((keyword, arguments)) = words.split_first() else { continue };
        let mut add = |key: String| atoms.push(Atom { line, text: text.clone(), key });
        match *keyword {
            "network" | "broadcast" => {}
            "iface" | "mapping" => {
                stanza = words.join(" ");
                own = arguments.first().copied().unwrap_or_default().to_owned();
                add(stanza.clone());
            }
            _ if *keyword == "auto" || keyword.starts_with("allow-") => {
                // `allow-auto` is the same class; without a name the stanza's is meant.
                let class = if *keyword == "allow-auto" { "auto" } else { keyword };
                if arguments.is_empty() && !own.is_empty() {
                    add(format!("{class} {own}"));
                }
                for name in arguments {
                    let name = match name.split_once('=') {
                        Some((name, logical)) if name == logical => name,
                        _ => name,
                    };
                    match name.strip_prefix('/') {
                        Some(pattern) if fits(pattern, interface) => {
                            add(format!("{class} {interface}"));
                        }
                        _ => add(format!("{class} {name}")),
                    }
                }
            }
            _ if keyword.starts_with("source") => add(words.join(" ")),
            "address" => {
                let address = arguments.first().copied().unwrap_or_default();
                let (address, prefix) = match address.split_once('/') {
                    Some((address, prefix)) => (address, Some(prefix)),
                    None => (address, None),
                };
                add(format!("{stanza}\naddress {address}"));
                if let Some(mask) = prefix.map(netmask) {
                    add(format!("{stanza}\nnetmask {mask}"));
                }
            }
            "netmask" => {
                let mask = netmask(arguments.first().copied().unwrap_or_default());
                add(format!("{stanza}\nnetmask {mask}"));
            }
            _ => add(format!("{stanza}\n{}", words.join(" "))),
        }
    }
    atoms
}

/// Returns whether a pattern surely means an interface: its name, or the name up to a star.
fn fits(pattern: &str, interface: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => interface.starts_with(start),
        None => pattern == interface,
    }
}

/// Returns a prefix in bits as a mask; a mask stays as it is.
fn netmask(text: &str) -> String {
    match text.parse::<u32>() {
        Ok(bits @ 0..=32) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            std::net::Ipv4Addr::from_bits(mask).to_string()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: &str = "\
auto lo
iface lo inet loopback

auto eth0
iface eth0 inet static
    address 192.168.1.80
    netmask 255.255.255.0
    gateway 192.168.1.1
";

    #[test]
    fn spelling_does_not_matter() {
        let other = "\
# mine
auto lo eth0
iface eth0 inet static
  gateway 192.168.1.1
  # why
  addr\\
ess 192.168.1.80/24
  broadcast 192.168.1.255
iface lo inet loopback
";
        assert_eq!(
            differences(&interfaces(other, "eth0"), &interfaces(RIGHT, "eth0"), |_| true),
            []
        );
    }

    #[test]
    fn a_misspelt_keyword_is_reported_with_its_line() {
        let wrong = RIGHT.replace("address", "addres");
        let diffs = differences(&interfaces(&wrong, "eth0"), &interfaces(RIGHT, "eth0"), |_| true);
        let expected = LineDiff {
            line: Some(6),
            found: Some("addres 192.168.1.80".into()),
            expected: Some("address 192.168.1.80".into()),
        };
        assert_eq!(diffs, [expected]);
    }

    #[test]
    fn a_wrong_stanza_is_one_difference_and_an_option_in_the_wrong_one_is_seen() {
        let wrong = RIGHT.replace("eth0 inet static", "eth0 inet sttic");
        let diffs = differences(&interfaces(&wrong, "eth0"), &interfaces(RIGHT, "eth0"), |_| true);
        assert_eq!(diffs.len(), 1);
        assert_eq!(diffs[0].found.as_deref(), Some("iface eth0 inet sttic"));
        let moved = "auto lo\niface lo inet loopback\n    gateway 192.168.1.1\nauto eth0\n\
                     iface eth0 inet static\n address 192.168.1.80/24\n";
        assert_eq!(
            differences(&interfaces(moved, "eth0"), &interfaces(RIGHT, "eth0"), |_| true).len(),
            1
        );
    }

    #[test]
    fn names_of_hosts_are_compared_one_by_one() {
        let right =
            "127.0.0.1 localhost\n192.168.1.80\txu4-master registry\n192.168.1.81 xu4-node1\n";
        let same = "192.168.1.81 xu4-node1 # b\n192.168.1.80 registry\n127.0.0.1 localhost\n\
                    192.168.1.80 XU4-master\n";
        assert_eq!(differences(&hosts(same), &hosts(right), |_| true), []);
        let wrong = right.replace("xu4-node1", "xu4-nod1");
        let diffs = differences(&hosts(&wrong), &hosts(right), |_| true);
        assert_eq!((diffs.len(), diffs[0].line), (1, Some(3)));
    }

    #[test]
    fn keys_of_hosts_are_compared_one_by_one() {
        let right = "n1,10.0.0.1 ssh-ed25519 AAAA\n";
        let same = "10.0.0.1 ssh-ed25519 AAAA x\nn1 ssh-ed25519 AAAA\n";
        assert_eq!(differences(&known_hosts(same), &known_hosts(right), |_| true), []);
        let wrong = "n1,10.0.0.1 ssh-ed25519 BBBB\n";
        assert_eq!(differences(&known_hosts(wrong), &known_hosts(right), |_| true).len(), 1);
    }
}
