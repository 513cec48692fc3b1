//! A plan for people: unified diffs, and the rest in words.

use std::fmt;

use super::{ChangePlan, FileChange};
use crate::text::{count, printable};

impl fmt::Display for ChangePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "against {}:", printable(&self.against))?;
        for line in &self.card {
            writeln!(f, "  {line}")?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        if !self.shared.is_empty() {
            writeln!(f, "\n=== all {}", count(self.nodes.len(), "node"))?;
            for change in &self.shared {
                show(f, change, "NODE")?;
            }
        }
        for node in &self.nodes {
            writeln!(f, "\n=== {}", node.node)?;
            if node.files.is_empty() {
                writeln!(f, "no file of its own would change")?;
            }
            for change in &node.files {
                show(f, change, &node.node)?;
            }
        }
        Ok(())
    }
}

fn show(f: &mut fmt::Formatter<'_>, change: &FileChange, node: &str) -> fmt::Result {
    let path = printable(&change.path);
    let Some(diff) = &change.diff else {
        return writeln!(f, "{path}: {}", change.what);
    };
    writeln!(f, "{path}: {}", change.what)?;
    writeln!(f, "--- before{path}\n+++ {node}{path}")?;
    for line in diff.lines() {
        writeln!(f, "{}", escaped(line))?;
    }
    Ok(())
}

/// A line as it is, but for control characters.
fn escaped(line: &str) -> String {
    let show = |c: char| match c.is_control() && c != '\t' {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    line.chars().map(show).collect()
}
