//! Printing reports on standard output.

use std::{
    error::Error as StdError,
    fmt::Display,
    io::{self, Write as _, stdout},
};

use serde::Serialize;

use crate::error::CommandError;

/// Prints a report as JSON, or else as text.
pub fn print<R: Serialize + Display>(report: &R, as_json: bool) -> Result<(), CommandError> {
    if as_json {
        print_json(report)
    } else {
        write!(stdout().lock(), "{report}")?;
        Ok(())
    }
}

/// Prints a report as JSON.
pub fn print_json(report: &impl Serialize) -> Result<(), CommandError> {
    let json = serde_json::to_string_pretty(report).map_err(io::Error::from)?;
    writeln!(stdout().lock(), "{json}")?;
    Ok(())
}

/// Returns an error and its causes on one line.
pub fn one_line(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
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
    fn columns_are_aligned() {
        let rows = [["a", "long"], ["longer", "b"]].map(|row| row.map(str::to_owned));
        assert_eq!(table(&rows), "a       long\nlonger  b\n");
    }
}
