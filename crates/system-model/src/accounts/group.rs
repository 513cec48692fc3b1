//! /etc/group.

use super::fields::{entries, is_space, number, string};

/// A line of /etc/group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The name.
    pub name: String,
    /// The group's number.
    pub gid: u32,
    /// The users who have it as a supplementary group.
    pub members: Vec<String>,
    /// The line in /etc/group, counted from 1.
    pub line: usize,
}

/// Returns the groups of an /etc/group, NIS's lines left out.
pub(super) fn parse(text: &str) -> Vec<Group> {
    entries(text).filter_map(|(number, line)| group(number, line)).collect()
}

fn group(at: usize, line: &str) -> Option<Group> {
    let (name, rest) = string(line);
    if name.starts_with(['+', '-']) {
        return None;
    }
    let (_, rest) = string(rest);
    let (gid, members) = number(rest)?;
    let members = members.split(',').map(|member| member.trim_start_matches(is_space));
    let members = members.filter(|member| !member.is_empty()).map(str::to_owned).collect();
    Some(Group { name: name.to_owned(), gid, members, line: at })
}
