//! Cards compared with the profile, and with each other.
//!
//! Rendering a node looks at the system as it is on the card: on a right card all its
//! edits change nothing. So a finding is an edit that would change something, save for
//! what a running system changes by itself and what its owner may (docs/verify.md).

mod atoms;
mod attributes;
mod boot_area;
mod clones;
mod contents;
mod duplicates;
mod files;
mod fold;
mod homes;
mod identify;
mod mend;
mod partitions;
mod passwords;
mod report;
mod rules;
mod swarm;

use card_image::{FsError, FsResult, RootFs};
use cluster_keys::ClusterKeys;
use cluster_profile::{Cluster, FileEdit, Node, RenderError, render_node, render_shared};

pub(crate) use self::mend::{mending, stranger};
pub use self::report::{CardOutcome, CardReport, Compared, VerifyReport};
use self::{clones::Clones, fold::fold};
use crate::{AuditError, Card, ErrorKind, Facts, Finding, text::shell_word};

/// What cards are compared with.
#[derive(Debug, Clone, Copy)]
pub struct VerifyOptions<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Its keys.
    pub keys: &'a ClusterKeys,
    /// The base image.
    pub base: BaseReference<'a>,
    /// The node that the card is meant to be; else that is found out.
    pub node: Option<&'a Node>,
}

/// The base image, as far as it is at hand.
#[derive(Debug, Clone, Copy)]
pub enum BaseReference<'a> {
    /// It is.
    Card(&'a Card),
    /// It is not, and why.
    Absent(&'a str),
}

/// A card and the node it is compared with.
struct Subject<'a> {
    cluster: &'a Cluster,
    keys: &'a ClusterKeys,
    node: &'a Node,
    files: &'a RootFs,
    /// The command that mends in place what an edit mends, if the card can be changed.
    apply: Option<String>,
}

impl Subject<'_> {
    /// How to mend what no edit mends.
    fn remake(&self) -> String {
        let profile = shell_word(&self.cluster.path.display().to_string());
        format!("make the card again: nodecard build {profile} --node {}", self.node.name)
    }

    /// How to mend what an edit mends, and is not a matter of one line.
    fn rewrite(&self) -> String {
        self.apply.clone().unwrap_or_else(|| self.remake())
    }

    fn correct(&self) -> String {
        format!("correct the line, {}", self.otherwise())
    }

    fn add_line(&self) -> String {
        format!("add the line, {}", self.otherwise())
    }

    fn remove_line(&self) -> String {
        format!("remove the line, {}", self.otherwise())
    }

    fn otherwise(&self) -> String {
        match &self.apply {
            Some(apply) => format!("or: {apply}"),
            None => "or make the card again".into(),
        }
    }

    /// Names the command beside what the node's owner can do.
    fn with_apply(&self, mut finding: Finding) -> Finding {
        if let Some(apply) = &self.apply
            && finding.mend.starts_with("on the node: ")
            && mend::is_mended(&finding)
        {
            finding.mend += &format!("; or with the card in a reader: {apply}");
        }
        finding
    }
}

/// The command that corrects the card in place, if that can be done.
fn apply_command(options: &VerifyOptions<'_>, node: &Node, card: &Card) -> Option<String> {
    if !card.can_be_corrected() {
        return None;
    }
    let path = |path: &std::path::Path| shell_word(&path.display().to_string());
    let target = shell_word(&format!("{}={}", node.name, card.name()));
    let base = match options.base {
        BaseReference::Card(base)
            if base.name() != options.cluster.base.path.display().to_string() =>
        {
            format!(" --base {}", shell_word(base.name()))
        }
        _ => String::new(),
    };
    Some(format!("nodecard apply {} {target}{base}", path(&options.cluster.path)))
}

/// A card and how it compares, or why it does not.
type Audited = Result<(Card, CardReport), AuditError>;

/// Compares cards with the profile, and with each other. Cards that could not be opened
/// are passed on.
pub fn verify(
    options: &VerifyOptions<'_>,
    cards: Vec<(String, Result<Card, AuditError>)>,
) -> VerifyReport {
    let mut audited: Vec<(String, Audited)> = cards
        .into_iter()
        .map(|(target, card)| {
            let report = card.and_then(|card| {
                let report = one(options, &card)?;
                Ok((card, report))
            });
            (target, report)
        })
        .collect();
    let pairs = audited.iter_mut().filter_map(|(_, result)| result.as_mut().ok());
    let (cards, mut reports): (Vec<&Card>, Vec<&mut CardReport>) =
        pairs.map(|(card, report)| (&*card, report)).unzip();
    duplicates::find(&cards, &mut reports);
    let outcomes = audited.into_iter().map(|(target, result)| match result {
        Ok((_, mut report)) => {
            report.sort();
            CardOutcome::Audited(report)
        }
        Err(error) => CardOutcome::Refused { target, error },
    });
    VerifyReport { cluster: options.cluster.name.clone(), cards: outcomes.collect() }
}

/// How one card compares.
pub(crate) fn one(options: &VerifyOptions<'_>, card: &Card) -> Result<CardReport, AuditError> {
    let (cluster, keys) = (options.cluster, options.keys);
    let files = card.files();
    let facts = Facts::read(files).map_err(card.files_error())?;
    let (node, known_by) = match options.node {
        Some(node) => (node, identify::speaking(keys, &facts, node)),
        None => identify::identify(cluster, keys, &facts).ok_or_else(|| AuditError::NotOurs {
            target: card.name().to_owned(),
            cluster: cluster.name.clone(),
            found: identify::stranger(&facts),
        })?,
    };
    let apply = apply_command(options, node, card);
    let mut findings = partitions::check(card, cluster, apply.as_deref());
    let subject = Subject { cluster, keys, node, files, apply };
    let compared = match options.base {
        BaseReference::Card(base) => {
            findings.extend(boot_area::compare(card, base).map_err(card.read_error())?);
            Compared { base: Some(base.name().to_owned()), reason: None }
        }
        BaseReference::Absent(reason) => Compared { base: None, reason: Some(reason.to_owned()) },
    };
    let clones = clones(options, &subject, &facts).map_err(card.files_error())?;
    for edit in fold(edits(&subject, card, &mut findings)?) {
        match files::compare(&subject, &clones, &edit) {
            Ok(found) => {
                findings.extend(found.into_iter().map(|finding| subject.with_apply(finding)));
            }
            Err(error) => findings.push(unreadable(card, &edit.path, error)?),
        }
    }
    findings.extend(homes::check(&subject).map_err(card.files_error())?);
    findings.extend(passwords::check(&subject).map_err(card.files_error())?);
    findings.extend(swarm::check(&subject).map_err(card.files_error())?);
    Ok(CardReport {
        target: card.name().to_owned(),
        node: node.name.clone(),
        address: node.address,
        known_by,
        size: card.storage().size(),
        facts,
        compared,
        findings,
    })
}

fn clones<'a>(
    options: &VerifyOptions<'a>,
    subject: &Subject<'a>,
    facts: &Facts,
) -> FsResult<Clones<'a>> {
    let base = match options.base {
        BaseReference::Card(base) => Some(base.files()),
        BaseReference::Absent(_) => None,
    };
    Ok(Clones { files: subject.files, base, made: made(subject, facts)? })
}

/// When the card was made: its machine id is written then and never again.
fn made(subject: &Subject<'_>, facts: &Facts) -> FsResult<Option<i64>> {
    let wanted = subject.keys.machine_id(&subject.node.name);
    if facts.machine_id.as_deref() != Some(wanted.as_str()) {
        return Ok(None);
    }
    Ok(subject.files.metadata_followed("/etc/machine-id")?.map(|metadata| metadata.mtime))
}

/// A file that is damaged is a finding; a card that cannot be read is none.
fn unreadable(card: &Card, path: &str, error: FsError) -> Result<Finding, AuditError> {
    let what = format!("it cannot be read: {}", plain_text::with_causes(&error));
    let error = card.files_error()(error);
    if error.kind() == ErrorKind::Io {
        return Err(error);
    }
    let mend = format!("e2fsck -f on partition {}, or make the card again", card.layout().root);
    Ok(Finding::error("unreadable-file", crate::text::printable(&what), mend).at(path))
}

/// All edits that would make the card the node's. A system that lacks what the profile
/// takes for granted is a finding.
fn edits(
    subject: &Subject<'_>,
    card: &Card,
    findings: &mut Vec<Finding>,
) -> Result<Vec<FileEdit>, AuditError> {
    let Subject { cluster, keys, node, files, .. } = subject;
    let mut edits = Vec::new();
    // A time of 0 leaves the clock's stamp to the age of the keys.
    for rendered in
        [render_shared(cluster, keys, *files, 0), render_node(cluster, node, keys, *files, 0)]
    {
        match rendered {
            Ok(rendered) => {
                let hindrances = rendered.notes.iter().filter(|note| note.is_hindrance());
                findings.extend(hindrances.map(|note| {
                    Finding::note(
                        "ssh-hindrance",
                        note.to_string(),
                        "change it, if logins by key fail",
                    )
                }));
                edits.extend(rendered.edits);
            }
            Err(RenderError::System(source)) => match source.reason.downcast::<FsError>() {
                Ok(error) => findings.push(unreadable(card, &source.path, *error)?),
                Err(source) => {
                    return Err(AuditError::System { target: card.name().to_owned(), source });
                }
            },
            Err(error) => {
                let what = format!(
                    "the system on the card does not fit the profile: {}",
                    plain_text::with_causes(&error)
                );
                let finding = Finding::error("unfit-system", what, subject.remake());
                if !findings.contains(&finding) {
                    findings.push(finding);
                }
            }
        }
    }
    Ok(edits)
}
