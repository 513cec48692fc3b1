//! Where the lines of a text are.

use std::rc::Rc;

use crate::Location;

/// Where the lines of a text are in a file of the image.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    path: Rc<str>,
    /// The line of the text's first one.
    first: usize,
    /// Whether all lines of the text stand in that line.
    is_one_line: bool,
}

impl Place {
    /// Returns the place of a text that a file holds from this line on; 0 for a file whose lines
    /// are not known.
    pub(crate) fn from_line(path: &str, first: usize) -> Self {
        Place { path: path.into(), first, is_one_line: first == 0 }
    }

    /// Returns the place of a text that stands in one line.
    pub(crate) fn at(location: &Location) -> Self {
        Place { path: location.path.as_str().into(), first: location.line, is_one_line: true }
    }

    /// Returns where a line is, counted from 1.
    pub(crate) fn line(&self, line: usize) -> Location {
        let offset = if self.is_one_line { 0 } else { line.saturating_sub(1) };
        Location::new(&*self.path, self.first + offset)
    }

    /// Returns the place of what stands within the text, from one of its lines on.
    pub(crate) fn within(&self, line: usize) -> Self {
        Place { path: Rc::clone(&self.path), first: self.line(line).line, ..*self }
    }
}
