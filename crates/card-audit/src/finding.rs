//! One thing on a card that is not as it should be.

use serde::Serialize;

use crate::{FindingCode, Fix, FixAction};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// Not as the profile says, or a risk; the node works.
    Warning,
    /// The node does not work, or is taken for another.
    Error,
}

impl Severity {
    /// Returns its name: `note`, `warning` or `error`.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One thing on a card that is not as it should be, and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of finding it is.
    pub code: FindingCode,
    /// The path of the file on the card.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The line of that file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The number of the partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<u32>,
    /// What is wrong, in one sentence.
    pub what: String,
    /// What should be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// How to fix it. Its name in JSON is `mend`, as programs know it.
    #[serde(rename = "mend")]
    pub fix: Fix,
}

impl Finding {
    pub(crate) fn new(
        severity: Severity,
        code: FindingCode,
        what: impl Into<String>,
        fix: FixAction,
    ) -> Self {
        Finding {
            severity,
            code,
            path: None,
            line: None,
            partition: None,
            what: what.into(),
            expected: None,
            found: None,
            fix: fix.into(),
        }
    }

    pub(crate) fn error(code: FindingCode, what: impl Into<String>, fix: FixAction) -> Self {
        Self::new(Severity::Error, code, what, fix)
    }

    pub(crate) fn warning(code: FindingCode, what: impl Into<String>, fix: FixAction) -> Self {
        Self::new(Severity::Warning, code, what, fix)
    }

    pub(crate) fn note(code: FindingCode, what: impl Into<String>, fix: FixAction) -> Self {
        Self::new(Severity::Note, code, what, fix)
    }

    pub(crate) fn at(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    pub(crate) fn line(mut self, line: Option<usize>) -> Self {
        self.line = line;
        self
    }

    pub(crate) fn on(mut self, partition: u32) -> Self {
        self.partition = Some(partition);
        self
    }

    pub(crate) fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }

    pub(crate) fn found(mut self, found: impl Into<String>) -> Self {
        self.found = Some(found.into());
        self
    }

    /// Returns where it is, in words: `/etc/hosts:7`, `partition 2`; empty for the card as
    /// a whole.
    pub fn place(&self) -> String {
        match (&self.path, self.line, self.partition) {
            (Some(path), Some(line), _) => format!("{path}:{line}"),
            (Some(path), None, _) => path.clone(),
            (None, _, Some(partition)) => format!("partition {partition}"),
            (None, _, None) => String::new(),
        }
    }
}
