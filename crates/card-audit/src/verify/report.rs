//! The report, for people and for programs.

use std::{fmt, net::Ipv4Addr};

use plain_text::{count, printable, with_causes};
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::{AuditError, Facts, Finding, Severity};

/// The report on several cards.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// The cluster's name.
    pub cluster: String,
    /// The cards, in the order they were given.
    pub cards: Vec<CardOutcome>,
}

/// The report on one card, or why there is none.
#[derive(Debug)]
pub enum CardOutcome {
    /// The card was compared.
    Audited(CardReport),
    /// The card could not be compared.
    Refused {
        /// The target as given.
        target: String,
        /// Why.
        error: AuditError,
    },
}

/// How one card compares with the profile.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct CardReport {
    /// The target as given.
    pub target: String,
    /// The node it is.
    pub node: String,
    /// That node's address in the profile.
    pub address: Ipv4Addr,
    /// What identified it: `host key`, `machine id`, `host name`, `address`.
    pub known_by: Vec<&'static str>,
    /// The size of the card or image in bytes.
    pub size: u64,
    /// What identifies the card.
    pub facts: Facts,
    /// What it was compared with besides the profile.
    pub compared: Compared,
    /// What is not as it should be, the worst first.
    pub findings: Vec<Finding>,
}

/// What a card was compared with besides the profile.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Compared {
    /// The base image, if there was one to compare with.
    pub base: Option<String>,
    /// Why there was none.
    pub reason: Option<String>,
}

impl CardReport {
    /// Returns whether the card is right; notes do not count.
    pub fn is_right(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Note)
    }

    pub(super) fn sort(&mut self) {
        self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        // A finding that two edits report is kept once.
        let mut seen: Vec<Finding> = Vec::new();
        self.findings.retain(|finding| {
            let new = !seen.contains(finding);
            seen.extend(new.then(|| finding.clone()));
            new
        });
    }
}

impl VerifyReport {
    /// Returns whether every card was compared, and is right.
    pub fn is_right(&self) -> bool {
        self.cards.iter().all(|card| matches!(card, CardOutcome::Audited(card) if card.is_right()))
    }

    /// Returns why cards could not be compared.
    pub fn errors(&self) -> impl Iterator<Item = &AuditError> {
        self.cards.iter().filter_map(|card| match card {
            CardOutcome::Audited(_) => None,
            CardOutcome::Refused { error, .. } => Some(error),
        })
    }
}

impl Serialize for CardOutcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            CardOutcome::Audited(card) => card.serialize(serializer),
            CardOutcome::Refused { target, error } => {
                let mut fields = serializer.serialize_struct("Refused", 2)?;
                fields.serialize_field("target", target)?;
                fields.serialize_field("error", &with_causes(error))?;
                fields.end()
            }
        }
    }
}

impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for card in &self.cards {
            match card {
                CardOutcome::Audited(card) => writeln!(f, "{card}")?,
                CardOutcome::Refused { target, error } => {
                    writeln!(f, "{}: refused\n  {}\n", printable(target), with_causes(error))?;
                }
            }
        }
        let right =
            |card: &&CardOutcome| matches!(card, CardOutcome::Audited(card) if card.is_right());
        let refused = self.errors().count();
        let right = self.cards.iter().filter(right).count();
        let different = self.cards.len() - refused - right;
        write!(f, "{}: {right} as expected", count(self.cards.len(), "card"))?;
        if different > 0 {
            write!(f, ", {different} with differences")?;
        }
        if refused > 0 {
            write!(f, ", {refused} refused")?;
        }
        writeln!(f)
    }
}

impl fmt::Display for CardReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known_by = match self.known_by.as_slice() {
            [] => "nothing on the card identifies it".to_owned(),
            by => format!("by its {}", by.join(", ")),
        };
        writeln!(f, "{}: {} ({}), {known_by}", printable(&self.target), self.node, self.address)?;
        if self.findings.is_empty() {
            writeln!(f, "  all as expected")?;
        }
        for finding in &self.findings {
            write!(f, "  {:8} {:20}", finding.severity.name(), finding.code)?;
            writeln!(f, " {}", printable(&finding.place()))?;
            writeln!(f, "           {}", finding.what)?;
            if let Some(found) = &finding.found {
                writeln!(f, "           found:    {found}")?;
            }
            if let Some(expected) = &finding.expected {
                writeln!(f, "           expected: {expected}")?;
            }
            writeln!(f, "           fix:      {}", finding.fix)?;
        }
        match (&self.compared.base, &self.compared.reason) {
            (Some(base), _) => writeln!(f, "  boot area and clones: compared with {base}"),
            (None, Some(reason)) => writeln!(f, "  boot area: not compared, {reason}"),
            (None, None) => Ok(()),
        }
    }
}
