//! The report, for people and for programs.

use std::{collections::BTreeSet, fmt, net::Ipv4Addr};

use plain_text::{count, printable, with_causes};
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::{AuditError, Facts, Finding, FixAction, Severity};

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
    /// The fixed addresses that some interface gets at boot; `None` if no program that is known
    /// sets any.
    #[serde(skip)]
    pub(super) fixed_addresses: Option<BTreeSet<Ipv4Addr>>,
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
    /// Returns whether the card matches the profile; notes do not count.
    pub fn matches_profile(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Note)
    }

    pub(super) fn sort(&mut self) {
        // What has to be fixed before the card boots comes first.
        let is_later = |finding: &Finding| {
            !matches!(
                finding.fix.action,
                FixAction::RewriteBeforeBoot | FixAction::CheckProgram { .. }
            )
        };
        self.findings
            .sort_by_key(|finding| (std::cmp::Reverse(finding.severity), is_later(finding)));
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
    /// Returns whether every card was compared and matches the profile.
    pub fn matches_profile(&self) -> bool {
        let matches = |card: &CardOutcome| match card {
            CardOutcome::Audited(card) => card.matches_profile(),
            CardOutcome::Refused { .. } => false,
        };
        self.cards.iter().all(matches)
    }

    /// Returns the reports on the cards that were compared.
    pub fn audited(&self) -> impl Iterator<Item = &CardReport> {
        self.cards.iter().filter_map(|card| match card {
            CardOutcome::Audited(card) => Some(card),
            CardOutcome::Refused { .. } => None,
        })
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

/// The cards that were compared, and a summary. Why others could not be compared is in
/// [`errors`](VerifyReport::errors).
impl fmt::Display for VerifyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cards: Vec<&CardReport> = self.audited().collect();
        let shared = shared_notes(&cards);
        let mut is_after_line = false;
        for card in &cards {
            let own =
                |finding: &&Finding| !shared.iter().any(|(shared, _)| is_same(shared, finding));
            let findings: Vec<&Finding> = card.findings.iter().filter(own).collect();
            // Cards without findings are lines below each other; others stand apart.
            if !findings.is_empty() && is_after_line {
                writeln!(f)?;
            }
            card.write(f, &findings)?;
            is_after_line = findings.is_empty();
            if !is_after_line {
                writeln!(f)?;
            }
        }
        if is_after_line {
            writeln!(f)?;
        }
        for notes in shared.chunk_by(|(_, targets), (_, others)| targets == others) {
            let targets = notes.first().map(|(_, targets)| targets.as_slice()).unwrap_or_default();
            if targets.len() == cards.len() {
                writeln!(f, "every card:")?
            } else {
                writeln!(f, "{}:", targets.join(", "))?
            }
            write_findings(f, &notes.iter().map(|(note, _)| *note).collect::<Vec<_>>())?;
            writeln!(f)?;
        }
        let right = cards.iter().filter(|card| card.matches_profile()).count();
        write!(f, "{}: {right} as expected", count(self.cards.len(), "card"))?;
        for (number, what) in
            [(cards.len() - right, "with differences"), (self.cards.len() - cards.len(), "refused")]
        {
            if number > 0 {
                write!(f, ", {number} {what}")?;
            }
        }
        if let Some(base) = cards.iter().find_map(|card| card.compared.base.as_ref()) {
            write!(f, "; compared with the profile and {}", printable(base))?;
        }
        writeln!(f)
    }
}

/// Returns the notes that several cards have in common, each with the cards.
fn shared_notes<'a>(cards: &[&'a CardReport]) -> Vec<(&'a Finding, Vec<String>)> {
    let mut shared: Vec<(&Finding, Vec<String>)> = Vec::new();
    for card in cards {
        for note in card.findings.iter().filter(|finding| finding.severity == Severity::Note) {
            let target = printable(&card.target);
            match shared.iter_mut().find(|(other, _)| is_same(other, note)) {
                Some((_, targets)) => targets.push(target),
                None => shared.push((note, vec![target])),
            }
        }
    }
    shared.retain(|(_, targets)| targets.len() > 1);
    shared
}

/// Returns whether two findings say the same of their cards.
fn is_same(one: &Finding, other: &Finding) -> bool {
    let fix = other.fix.clone();
    *one == Finding { fix: crate::Fix { action: fix.action, ..one.fix.clone() }, ..other.clone() }
}

impl CardReport {
    /// Writes the target, the node, what identified the node, and these findings. Without findings
    /// it is one line.
    fn write(&self, f: &mut fmt::Formatter<'_>, findings: &[&Finding]) -> fmt::Result {
        write!(f, "{}: {} ({}), ", printable(&self.target), self.node, self.address)?;
        if findings.is_empty() {
            return writeln!(f, "as expected");
        }
        match self.known_by.as_slice() {
            [] => writeln!(f, "as given; nothing on the card identifies it as this node")?,
            by => writeln!(f, "by its {}", by.join(", "))?,
        }
        write_findings(f, findings)
    }
}

impl fmt::Display for CardReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, &self.findings.iter().collect::<Vec<_>>())
    }
}

fn write_findings(f: &mut fmt::Formatter<'_>, findings: &[&Finding]) -> fmt::Result {
    for finding in findings {
        let line = format!(
            "  {:8} {:20} {}",
            finding.severity.name(),
            finding.code,
            printable(&finding.place())
        );
        writeln!(f, "{}", line.trim_end())?;
        writeln!(f, "           {}", finding.what)?;
        if let Some(found) = &finding.found {
            writeln!(f, "           found:    {found}")?;
        }
        if let Some(expected) = &finding.expected {
            writeln!(f, "           expected: {expected}")?;
        }
        writeln!(f, "           fix:      {}", finding.fix)?;
    }
    Ok(())
}
