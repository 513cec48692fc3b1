//! Printing reports on standard output.

use std::{
    fmt::Display,
    io,
    sync::atomic::{AtomicBool, Ordering},
};

use nodecard::{BuildNote, NoteKind};
use plain_text::wrap;
use serde::Serialize;

use crate::{
    error::CommandError,
    output::{Verbosity, verbosity},
    terminal,
};

/// Prints a report as JSON, or else as text.
pub fn print<R: Serialize + Display>(report: &R, as_json: bool) -> Result<(), CommandError> {
    if as_json { print_json(report) } else { print_text(&report.to_string()) }
}

/// Prints a report as text, unless the user wants errors only.
pub fn print_text(text: &str) -> Result<(), CommandError> {
    if verbosity() > Verbosity::Quiet {
        terminal::print(format_args!("{text}"))?;
    }
    Ok(())
}

/// Whether a report was printed as JSON. There is never more than one.
static IS_PRINTED: AtomicBool = AtomicBool::new(false);

/// Returns whether a report was printed as JSON.
pub fn is_json_printed() -> bool {
    IS_PRINTED.load(Ordering::Relaxed)
}

/// Prints a report as JSON.
pub fn print_json(report: &impl Serialize) -> Result<(), CommandError> {
    let json = serde_json::to_string_pretty(report).map_err(io::Error::from)?;
    IS_PRINTED.store(true, Ordering::Relaxed);
    Ok(terminal::print_json(&json)?)
}

/// Returns what was disarmed and removed as groups with a label, and every other note with
/// what to do about it.
pub fn notes(notes: &[BuildNote]) -> String {
    notes_with_labels(notes, ["Disarmed", "Removed"])
}

/// Returns the same about cards that were not made.
pub fn expected_notes(notes: &[BuildNote]) -> String {
    notes_with_labels(notes, ["Will disarm", "Will remove"])
}

fn notes_with_labels(notes: &[BuildNote], [disarmed, removed]: [&str; 2]) -> String {
    let of_kind = |kind: NoteKind| -> Vec<String> {
        notes.iter().filter(|note| note.kind() == kind).map(BuildNote::subject).collect()
    };
    let mut text = String::new();
    for (label, kind) in [(disarmed, NoteKind::Disarmed), (removed, NoteKind::Removed)] {
        let items = of_kind(kind);
        if !items.is_empty() {
            text += &labelled(label, &items);
        }
    }
    let is_grouped =
        |note: &&BuildNote| matches!(note.kind(), NoteKind::Disarmed | NoteKind::Removed);
    for note in notes.iter().filter(|note| !is_grouped(note)) {
        text += &self::note(&note.to_string());
        if let Some(fix) = note.fix() {
            text += &format!("{}\n", wrap(&format!("  fix: {fix}"), terminal::width(), 4));
        }
    }
    text
}

/// Returns the lines of a note.
pub fn note(text: &str) -> String {
    format!("{}\n", wrap(&format!("note: {text}"), terminal::width(), 2))
}

/// Returns notes as JSON has them: a sentence each, with what to do about it.
pub fn sentences(notes: &[BuildNote]) -> Vec<String> {
    let sentence = |note: &BuildNote| match note.fix() {
        Some(fix) => format!("{note}; {fix}"),
        None => note.to_string(),
    };
    notes.iter().map(sentence).collect()
}

/// Returns lines that start with a label, and the text beside it, wrapped to 79 columns. Every
/// item of `texts` starts on a line of its own, and is indented where it continues.
pub fn labelled(label: &str, texts: &[impl AsRef<str>]) -> String {
    const INDENT: usize = 13;
    const WIDTH: usize = 79 - INDENT;
    let mut lines: Vec<String> = Vec::new();
    for text in texts {
        let mut line = String::new();
        for word in text.as_ref().split_whitespace() {
            let length = line.chars().count() + 1 + word.chars().count();
            if !line.trim().is_empty() && length > WIDTH {
                lines.push(std::mem::replace(&mut line, "  ".to_owned()));
            }
            if !line.trim().is_empty() {
                line.push(' ');
            }
            line += word;
        }
        lines.push(line);
    }
    let label = |number: usize| if number == 0 { label } else { "" };
    let line = |(number, line): (usize, &String)| format!("{:INDENT$}{line}\n", label(number));
    lines.iter().enumerate().map(line).collect()
}

/// Returns rows as lines whose columns are as wide as their widest cell.
pub fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        cells.join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labelled_text_is_wrapped() {
        let reason = "its own /etc/fstab names it as / and it holds /sbin/init and /etc/os-release";
        let text = labelled("Root", &["partition 2", reason]);
        let expected = "\
Root         partition 2
             its own /etc/fstab names it as / and it holds /sbin/init and
               /etc/os-release
";
        assert_eq!(text, expected);
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [["a", "long"], ["longer", "b"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), "a       long\nlonger  b\n");
    }
}
