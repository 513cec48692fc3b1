//! What came of it, for people and for programs.

use std::{fmt, net::Ipv4Addr};

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::{
    AuditError, Facts, Finding, Severity,
    text::{count, printable},
};

/// What came of comparing cards.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct VerifyReport {
    /// The cluster's name.
    pub cluster: String,
    /// The cards, in the order they were given.
    pub cards: Vec<CardOutcome>,
}

/// What came of one card.
#[derive(Debug)]
pub enum CardOutcome {
    /// It was compared.
    Audited(CardReport),
    /// It could not be.
    Refused {
        /// The target as given.
        target: String,
        /// Why.
        error: AuditError,
    },
}

/// How one card compares.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct CardReport {
    /// The target as given.
    pub target: String,
    /// The node it is.
    pub node: String,
    /// That node's address in the profile.
    pub address: Ipv4Addr,
    /// By what it was known: `host key`, `machine id`, `host name`, `address`.
    pub known_by: Vec<&'static str>,
    /// The size of the card or image in bytes.
    pub size: u64,
    /// Who it says it is.
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
    /// The base image, if it was at hand.
    pub base: Option<String>,
    /// Why it was not.
    pub reason: Option<String>,
}

impl CardReport {
    /// Whether all is as it should be; notes do not count.
    pub fn is_right(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Note)
    }

    pub(super) fn sort(&mut self) {
        self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        // What hangs together stands together.
        let mut seen: Vec<Finding> = Vec::new();
        self.findings.retain(|finding| {
            let new = !seen.contains(finding);
            seen.extend(new.then(|| finding.clone()));
            new
        });
    }
}

impl VerifyReport {
    /// Whether every card was compared, and all is as it should be.
    pub fn is_right(&self) -> bool {
        self.cards.iter().all(|card| matches!(card, CardOutcome::Audited(card) if card.is_right()))
    }

    /// Why cards could not be compared.
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
                fields.serialize_field("error", &plain_text::with_causes(error))?;
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
                    writeln!(
                        f,
                        "{}: refused\n  {}\n",
                        printable(target),
                        plain_text::with_causes(error)
                    )?;
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
            [] => "nothing speaks for it".to_owned(),
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
            writeln!(f, "           mend:     {}", finding.mend)?;
        }
        match (&self.compared.base, &self.compared.reason) {
            (Some(base), _) => writeln!(f, "  boot area and clones: compared with {base}"),
            (None, Some(reason)) => writeln!(f, "  boot area: not compared, {reason}"),
            (None, None) => Ok(()),
        }
    }
}
