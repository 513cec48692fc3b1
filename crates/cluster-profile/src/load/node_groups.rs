//! Several nodes at once: `{count: 60, name: 'n{:02}', first_address: 192.168.1.101}`.

use std::net::Ipv4Addr;

use super::{
    fields::{Fields, Spanned, address},
    files,
    inputs::Inputs,
    nodes::{MOST_NODES, ReadNode, role},
};
use crate::{
    cluster::{Node, Role},
    names,
};

/// Reads a group of nodes: numbers from `first_number` or 1 in their names, and addresses one
/// after another.
pub(super) fn read(mut fields: Fields<'_>, inputs: &Inputs) -> Option<Vec<ReadNode>> {
    let problems = fields.problems;
    let number = |at: &Spanned<String>, least: usize, what: &str| {
        let number = at.value.parse().ok().filter(|number| (least..=MOST_NODES).contains(number));
        if number.is_none() {
            let message = format!("{:?} is not {what}", at.value);
            problems.add(
                &at.place,
                message,
                format!("write a number from {least} to {MOST_NODES}"),
            );
        }
        number
    };
    let count =
        fields.require_scalar("count", "count: 60").map(|at| number(&at, 1, "a number of nodes"));
    let first_number = fields.scalar("first_number").map(|at| number(&at, 0, "a first number"));
    let name = fields.require_scalar("name", "name: 'n{:02}'");
    let pattern = name.as_ref().map(|name| {
        let pattern = NamePattern::parse(&name.value);
        if pattern.is_none() {
            let message = format!("{:?} has no place for the node's number", name.value);
            let help = "write `node{}` for node1, node2, …, or `'n{:02}'` for n01, n02, …";
            problems.add(&name.place, message, help);
        }
        pattern
    });
    let first = fields
        .require_scalar("first_address", "first_address: 192.168.1.101")
        .and_then(|text| address(&text, problems));
    let role = fields.scalar("role").map(|text| role(&text, problems));
    let files = files::read(&mut fields, inputs);
    fields.finish();
    let (count, name, pattern, first) = (count??, name?, pattern??, first?);
    let first_number = first_number.unwrap_or(Some(1))?;
    let mut nodes = Vec::new();
    for index in 0..count {
        let node = pattern.name(first_number + index);
        if let Err(reason) = names::node_name(&node) {
            let help = "use at most 63 letters, digits and inner hyphens (RFC 1123)";
            problems.add(&name.place, reason, help);
            return None;
        }
        let Some(bits) =
            u32::try_from(index).ok().and_then(|n| first.value.to_bits().checked_add(n))
        else {
            let message = format!("there are fewer than {count} addresses from {} on", first.value);
            problems.add(&first.place, message, "begin with a lower address");
            return None;
        };
        nodes.push(ReadNode {
            node: Node {
                name: node.to_ascii_lowercase(),
                address: Ipv4Addr::from_bits(bits),
                role: role.unwrap_or(Role::Worker),
                files: files.clone(),
            },
            name: name.place.clone(),
            address: first.place.clone(),
        });
    }
    Some(nodes)
}

/// A name with a place for a number: `{}`, or `{:02}` for at least two digits.
struct NamePattern {
    before: String,
    digits: usize,
    after: String,
}

impl NamePattern {
    fn parse(text: &str) -> Option<Self> {
        let (before, rest) = text.split_once('{')?;
        let (format, after) = rest.split_once('}')?;
        let digits = match format {
            "" | ":" => 1,
            _ => {
                let digits = format.strip_prefix(":0")?;
                digits.parse().ok().filter(|digits| (1..=9).contains(digits))?
            }
        };
        Some(NamePattern { before: before.to_owned(), digits, after: after.to_owned() })
    }

    fn name(&self, number: usize) -> String {
        let NamePattern { before, digits, after } = self;
        format!("{before}{number:0digits$}{after}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_nodes() {
        let name = |pattern, number| NamePattern::parse(pattern).map(|p| p.name(number));
        assert_eq!(name("n{:02}", 7).as_deref(), Some("n07"));
        assert_eq!(name("n{:02}", 123).as_deref(), Some("n123"));
        assert_eq!(name("rack-{}-a", 7).as_deref(), Some("rack-7-a"));
        for wrong in ["n", "n{", "n}", "n{:2}", "n{x}", "n{:0}", "n{:010}"] {
            assert_eq!(name(wrong, 1), None, "{wrong}");
        }
    }
}
