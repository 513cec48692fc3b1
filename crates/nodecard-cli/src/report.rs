//! Printing reports on standard output.

use std::{fmt::Display, io};

use serde::Serialize;

use crate::{error::CommandError, terminal};

/// Prints a report as JSON, or else as text.
pub fn print<R: Serialize + Display>(report: &R, as_json: bool) -> Result<(), CommandError> {
    if as_json { print_json(report) } else { Ok(terminal::print(format_args!("{report}"))?) }
}

/// Prints a report as JSON.
pub fn print_json(report: &impl Serialize) -> Result<(), CommandError> {
    let json = serde_json::to_string_pretty(report).map_err(io::Error::from)?;
    Ok(terminal::print_json(&json)?)
}

/// Returns lines that start with a label, and the text beside it, wrapped to 79 columns. Every
/// item of `texts` starts on a line of its own.
pub fn labelled(label: &str, texts: &[&str]) -> String {
    const INDENT: usize = 13;
    const WIDTH: usize = 79 - INDENT;
    let mut lines: Vec<String> = Vec::new();
    for text in texts {
        let mut line = String::new();
        for word in text.split_whitespace() {
            let length = line.chars().count() + 1 + word.chars().count();
            if !line.is_empty() && length > WIDTH {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
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
