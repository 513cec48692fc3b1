//! What is wrong with a profile, and where.

use std::{fmt, ops::Range, path::PathBuf};

/// A place in a profile's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The bytes of the text that are meant.
    pub span: Range<usize>,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

/// One thing that is wrong with a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Where it is wrong.
    pub place: Place,
    /// A second place that belongs to it, and what is there: the first of two
    /// nodes with one name, say.
    pub also: Option<(Place, String)>,
}

/// A profile cannot be used: everything that is wrong with it.
///
/// Its display form shows each problem with its line of the profile and a
/// caret below the place that is meant.
#[derive(Debug, Clone)]
pub struct ProfileError {
    /// The profile.
    pub path: PathBuf,
    /// Its text, as the places count it; empty if it could not be read.
    pub text: String,
    /// At least one, in the order of their places.
    pub problems: Vec<Problem>,
}

impl std::error::Error for ProfileError {}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            let Place { line, column, .. } = problem.place;
            write!(f, "{}:{line}:{column}: {}", self.path.display(), problem.message)?;
            self.show(f, &problem.place)?;
            if let Some((place, label)) = &problem.also {
                write!(f, "\n{}:{}:{}: {label}", self.path.display(), place.line, place.column)?;
                self.show(f, place)?;
            }
            if let Some(help) = &problem.help {
                write!(f, "\n  help: {help}")?;
            }
        }
        Ok(())
    }
}

impl ProfileError {
    /// The line and a caret below the place.
    fn show(&self, f: &mut fmt::Formatter<'_>, place: &Place) -> fmt::Result {
        let Some(line) = place.line.checked_sub(1).and_then(|n| self.text.lines().nth(n)) else {
            return Ok(());
        };
        let before = place.column.saturating_sub(1);
        // Tabs stay tabs, so that the caret stands where a terminal shows the place.
        let indent: String =
            line.chars().take(before).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let length = self
            .text
            .get(place.span.clone())
            .map_or(1, |text| text.lines().next().unwrap_or_default().chars().count().max(1));
        let width = place.line.to_string().len();
        write!(f, "\n  {} | {line}", place.line)?;
        write!(f, "\n  {:width$} | {indent}{}", "", "^".repeat(length))
    }
}
