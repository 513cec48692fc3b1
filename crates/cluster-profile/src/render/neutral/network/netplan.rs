//! netplan's files. The text is changed line by line, and kept as it was unless a parser then
//! finds exactly what was meant in it.

use std::collections::BTreeSet;

use system_model::{
    network::{Fit, Netplan},
    yaml::{Key, Kind, Value},
};

use super::{super::Strip, is_ipv4};
use crate::{
    NetworkBackEnd, Purpose, SystemError,
    render::{network::NETPLAN_FILE, text::lines},
};

const DIRECTORY: &str = "/etc/netplan/";
/// Keys of `network` that are not kinds of devices.
const OTHER_KEYS: [&str; 3] = ["version", "renderer", "openvswitch"];

pub(super) fn to_dhcp(to: &mut Strip<'_>, interface: Option<&str>) -> Result<(), SystemError> {
    let netplan = Netplan::read(to.system)?;
    let mut files = Vec::new();
    // nodecard's own file is removed.
    let is_other = |path: &&String| path.starts_with(DIRECTORY) && *path != NETPLAN_FILE;
    for path in netplan.files.iter().filter(is_other) {
        let text = to.read(path)?.unwrap_or_default();
        if let Ok(tree) = Value::parse(&text) {
            files.push((path, text, tree));
        }
    }
    let is_wanted = |kind: &str, id: &str| {
        let Some(interface) = interface else { return true };
        match kind {
            "ethernets" => {
                let found = netplan.definitions.iter().find(|definition| definition.id == id);
                found.is_some_and(|definition| definition.fits(interface) != Fit::No)
            }
            _ => id == interface || netplan.built_on(interface).contains(&id),
        }
    };
    // netplan joins what all files say about a definition.
    let mut fixed = BTreeSet::new();
    for (_, _, tree) in &files {
        for (kind, id, body) in definitions(tree) {
            if is_wanted(kind, id) && addresses(body).any(is_ipv4) {
                fixed.insert((kind.to_owned(), id.to_owned()));
            }
        }
    }
    for (path, text, tree) in &files {
        if let Some(new) = changed(text, tree, &fixed) {
            to.rewrite(Purpose::Address(NetworkBackEnd::Netplan), path, text, &new);
        }
    }
    Ok(())
}

/// Returns the definitions of a file: kind, name and body.
fn definitions(tree: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let kinds = tree.get("network").map(Value::entries).unwrap_or_default();
    let kinds = kinds.iter().filter(|(kind, _)| !OTHER_KEYS.contains(&kind.name.as_str()));
    kinds.flat_map(|(kind, all)| {
        all.entries().iter().map(|(id, body)| (kind.name.as_str(), id.name.as_str(), body))
    })
}

fn addresses(body: &Value) -> impl Iterator<Item = &str> {
    body.get("addresses").map(Value::items).unwrap_or_default().iter().filter_map(address)
}

/// Returns the address of an item of `addresses`, which may have options.
fn address(item: &Value) -> Option<&str> {
    match &item.kind {
        Kind::Scalar(text) => Some(text),
        Kind::Map(entries) => entries.first().map(|(key, _)| key.name.as_str()),
        _ => None,
    }
}

/// What becomes of an entry of a definition.
enum Fate {
    Kept,
    Removed,
    /// These items of a list stay.
    Reduced(Vec<Value>),
}

fn fate(key: &str, value: &Value) -> Fate {
    let keep = |is_kept: &dyn Fn(&Value) -> bool| {
        let kept: Vec<Value> = value.items().iter().filter(|item| is_kept(item)).cloned().collect();
        match kept.len() {
            0 => Fate::Removed,
            all if all == value.items().len() => Fate::Kept,
            _ => Fate::Reduced(kept),
        }
    };
    match key {
        "addresses" => keep(&|item| !address(item).is_some_and(is_ipv4)),
        "routes" => keep(&|route| {
            let field = |name: &str| route.get(name).and_then(Value::scalar).unwrap_or_default();
            !(matches!(field("to"), "default" | "0.0.0.0/0" | "0/0") && is_ipv4(field("via")))
        }),
        "gateway4" | "nameservers" | "dhcp4" => Fate::Removed,
        _ => Fate::Kept,
    }
}

/// Returns the entries of a definition with DHCP instead of static IPv4 addresses; `None` if
/// nothing changes.
fn with_dhcp(body: &Value) -> Option<Vec<(Key, Value)>> {
    let mut new = Vec::new();
    let mut place = None;
    for (key, value) in body.entries() {
        match fate(&key.name, value) {
            Fate::Kept => new.push((key.clone(), value.clone())),
            Fate::Removed => place = place.or(Some((new.len(), key))),
            Fate::Reduced(items) => {
                place = place.or(Some((new.len(), key)));
                new.push((key.clone(), Value { kind: Kind::List(items), ..value.clone() }));
            }
        }
    }
    let (at, key) = place?;
    let dhcp = Key { name: "dhcp4".to_owned(), place: key.place.clone() };
    let value = Value { kind: Kind::Scalar("true".to_owned()), place: key.place.clone() };
    new.insert(at, (dhcp, value));
    Some(new)
}

/// Returns a file with DHCP for these definitions; `None` if nothing changes, or if its text is
/// too unusual to be changed.
fn changed(text: &str, tree: &Value, fixed: &BTreeSet<(String, String)>) -> Option<String> {
    let mut expected = tree.clone();
    let mut edits = Vec::new();
    let Kind::Map(outermost) = &mut expected.kind else { return None };
    let (_, network) = outermost.iter_mut().find(|(key, _)| key.name == "network")?;
    let Kind::Map(kinds) = &mut network.kind else { return None };
    for (kind, all) in kinds {
        let Kind::Map(all) = &mut all.kind else { continue };
        for (id, body) in all {
            if !fixed.contains(&(kind.name.clone(), id.name.clone())) {
                continue;
            }
            let Some(new) = with_dhcp(body) else { continue };
            edits.extend(line_edits(text, id, body, &new)?);
            body.kind = Kind::Map(new);
        }
    }
    if edits.is_empty() {
        return None;
    }
    edits.sort_by_key(|edit: &LineEdit| edit.from);
    let all = lines(text);
    let (mut new, mut at) = (String::new(), 0);
    for LineEdit { from, to, text } in edits {
        new.extend(all.get(at..from)?.iter().copied());
        new.push_str(&text);
        at = to;
    }
    new.extend(all.get(at..)?.iter().copied());
    let found = Value::parse(&new).ok()?;
    is_same(&found, &expected).then_some(new)
}

/// Lines, counted from 0, and the text in their place.
struct LineEdit {
    from: usize,
    to: usize,
    text: String,
}

/// Returns the changes of lines that turn the body of a definition into new entries.
fn line_edits(text: &str, id: &Key, body: &Value, new: &[(Key, Value)]) -> Option<Vec<LineEdit>> {
    let all = lines(text);
    let is_alone = |key: &Key| {
        let line = all.get(key.place.line.checked_sub(1)?)?;
        let before: String = line.chars().take(key.place.column.checked_sub(1)?).collect();
        before.trim().is_empty().then_some(before)
    };
    let first = body.entries().first()?;
    if first.0.place.line == id.place.line {
        // `eth0: {dhcp4: false, …}`, in braces.
        let indent = is_alone(id)?;
        let name = text.get(id.place.span.clone())?;
        let (from, to) = entry_lines(&all, id)?;
        let text = format!("{indent}{name}: {}\n", flow_map(new)?);
        return Some(vec![LineEdit { from, to, text }]);
    }
    let mut edits = Vec::new();
    let mut dhcp = Some("dhcp4: true\n");
    for (key, value) in body.entries() {
        let indent = is_alone(key)?;
        let new = match fate(&key.name, value) {
            Fate::Kept => continue,
            Fate::Removed => String::new(),
            Fate::Reduced(items) => format!("{indent}{}: {}\n", key.name, flow_list(&items)?),
        };
        let (from, to) = entry_lines(&all, key)?;
        let dhcp = dhcp.take().map(|line| format!("{indent}{line}")).unwrap_or_default();
        edits.push(LineEdit { from, to, text: dhcp + &new });
    }
    Some(edits)
}

/// Returns the lines of an entry of a mapping: the key's, and all that are indented deeper.
fn entry_lines(all: &[&str], key: &Key) -> Option<(usize, usize)> {
    let from = key.place.line.checked_sub(1)?;
    let column = key.place.column.checked_sub(1)?;
    let mut to = from + 1;
    for (number, line) in all.iter().enumerate().skip(from + 1) {
        let rest = line.trim_start_matches(' ');
        let indent = line.len() - rest.len();
        let is_item = indent == column && (rest.starts_with("- ") || rest.trim_end() == "-");
        match rest.chars().next() {
            // Blank lines and comments belong to the entry if more of it follows.
            None | Some('\r' | '\n' | '#') => {}
            Some(_) if indent > column || is_item => to = number + 1,
            Some(_) => break,
        }
    }
    Some((from, to))
}

fn flow_map(entries: &[(Key, Value)]) -> Option<String> {
    let entry =
        |(key, value): &(Key, Value)| Some(format!("{}: {}", word(&key.name)?, flow(value)?));
    let entries: Option<Vec<String>> = entries.iter().map(entry).collect();
    Some(format!("{{{}}}", entries?.join(", ")))
}

fn flow_list(items: &[Value]) -> Option<String> {
    let items: Option<Vec<String>> = items.iter().map(flow).collect();
    Some(format!("[{}]", items?.join(", ")))
}

fn flow(value: &Value) -> Option<String> {
    match &value.kind {
        Kind::Null => Some("null".to_owned()),
        Kind::Scalar(text) => word(text),
        Kind::List(items) => flow_list(items),
        Kind::Map(entries) => flow_map(entries),
    }
}

/// Returns a scalar in YAML, in quotes if it has to be.
fn word(text: &str) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-".contains(&byte);
    let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if starts && text.bytes().all(is_plain) && text != "null" {
        return Some(text.to_owned());
    }
    let is_simple = text.chars().all(|c| !c.is_control() && c != '"' && c != '\\');
    is_simple.then(|| format!("\"{text}\""))
}

/// Returns whether two trees are the same, wherever their parts are.
fn is_same(a: &Value, b: &Value) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::Null, Kind::Null) => true,
        (Kind::Scalar(a), Kind::Scalar(b)) => a == b,
        (Kind::List(a), Kind::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        (Kind::Map(a), Kind::Map(b)) => {
            let same = |((ka, a), (kb, b)): (&(Key, Value), &(Key, Value))| {
                ka.name == kb.name && is_same(a, b)
            };
            a.len() == b.len() && a.iter().zip(b).all(same)
        }
        _ => false,
    }
}
