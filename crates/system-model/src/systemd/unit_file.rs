//! The syntax of unit files (systemd.syntax(7)).

use crate::Location;

/// One assignment of a unit file or drop-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The section, without brackets.
    pub section: String,
    /// The name of the directive.
    pub key: String,
    /// The value, continuation lines joined by a space.
    pub value: String,
    /// Where the assignment begins.
    pub location: Location,
}

/// Reads the assignments of one file. Other lines are skipped, as systemd does.
pub(crate) fn parse(path: &str, text: &str) -> Vec<Assignment> {
    let mut assignments = Vec::new();
    let mut section = String::new();
    let mut joined = String::new();
    let mut begins = 0;
    let mut push = |section: &mut String, line: &str, at: usize| {
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            *section = name.to_owned();
        } else if let Some((key, value)) = line.split_once('=') {
            assignments.push(Assignment {
                section: section.clone(),
                key: key.trim().to_owned(),
                value: value.trim().to_owned(),
                location: Location::new(path, at),
            });
        }
    };
    for (index, line) in text.lines().enumerate() {
        let start = line.trim_start();
        // Comments may stand between continuation lines and do not end them.
        if start.starts_with(['#', ';']) {
            continue;
        }
        if joined.is_empty() {
            begins = index + 1;
        }
        match line.trim_end().strip_suffix('\\') {
            Some(more) => {
                joined.push_str(more);
                joined.push(' ');
            }
            None => {
                joined.push_str(line);
                push(&mut section, &joined, begins);
                joined.clear();
            }
        }
    }
    push(&mut section, &joined, begins);
    assignments
}

/// The assignments of a unit: of its own file, then of its drop-ins, in their order.
#[derive(Debug, Clone, Default)]
pub(crate) struct UnitText {
    pub(crate) assignments: Vec<Assignment>,
}

impl UnitText {
    /// Returns the assignments of a list directive that count: those after the last empty one.
    pub(crate) fn list(&self, section: &str, key: &str) -> Vec<&Assignment> {
        let mut found = Vec::new();
        for one in self.assignments.iter().filter(|a| a.section == section && a.key == key) {
            if one.value.is_empty() { found.clear() } else { found.push(one) }
        }
        found
    }

    /// Returns every assignment of a directive. Dependencies cannot be taken back by an empty
    /// one (systemd.unit(5), on drop-ins).
    pub(crate) fn all(&self, section: &str, key: &str) -> Vec<&Assignment> {
        let named = self.assignments.iter().filter(|a| a.section == section && a.key == key);
        named.filter(|a| !a.value.is_empty()).collect()
    }

    /// Returns the value of a directive that has one: the last.
    pub(crate) fn last(&self, section: &str, key: &str) -> Option<&Assignment> {
        self.assignments.iter().rfind(|a| a.section == section && a.key == key)
    }
}

/// Returns whether a value is one of systemd's words for true.
pub(crate) fn is_true(value: &str) -> bool {
    ["1", "yes", "y", "true", "t", "on"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// Returns the names of a value that lists units, quotes removed.
pub(crate) fn names(value: &str) -> impl Iterator<Item = String> + '_ {
    value.split_whitespace().map(|word| word.trim_matches(['"', '\'']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continuation_comments_and_resets() {
        let text =
            "[Service]\nExecStart=/bin/a \\\n# remark\n  b\nExecStart=\nExecStart = /bin/c\n";
        let unit = UnitText { assignments: parse("/u", text) };
        let list = unit.list("Service", "ExecStart");
        assert_eq!(list.len(), 1);
        assert_eq!((list[0].value.as_str(), list[0].location.line), ("/bin/c", 6));
        assert_eq!(unit.all("Service", "ExecStart")[0].value, "/bin/a    b");
    }
}
