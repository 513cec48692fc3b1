//! The display form of a plan: unified diffs, and sentences for everything else.

use std::fmt;

use plain_text::{count, escaped, printable, wrap};

use super::{ChangePlan, FileChange};

/// The width of sentences in characters.
const WIDTH: usize = 79;

impl fmt::Display for ChangePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let against = printable(&self.against);
        if self.card.is_empty() {
            writeln!(f, "compared with {against}: partitions and filesystems stay as they are")?;
        } else {
            writeln!(f, "compared with {against}:")?;
        }
        for line in &self.card {
            writeln!(f, "  {line}")?;
        }
        for note in &self.notes {
            let text = format!("{}: {}", note.label(), note.subject());
            writeln!(f, "{}", wrap(&text, WIDTH, 2))?;
            if let Some(fix) = note.fix() {
                writeln!(f, "{}", wrap(&format!("  fix: {fix}"), WIDTH, 4))?;
            }
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
                let other = if self.shared.is_empty() { "" } else { "other " };
                writeln!(f, "no {other}file changes")?;
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
