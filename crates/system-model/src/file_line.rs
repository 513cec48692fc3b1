//! A line of a file.

use std::fmt;

/// A line of a file of the image, as messages name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileLine {
    /// The path inside the image.
    pub path: String,
    /// The line, counted from 1.
    pub line: usize,
}

impl FileLine {
    /// Returns the line of this number in the file at this path.
    pub fn new(path: impl Into<String>, line: usize) -> Self {
        FileLine { path: path.into(), line }
    }
}

impl fmt::Display for FileLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}", self.path, self.line)
    }
}
