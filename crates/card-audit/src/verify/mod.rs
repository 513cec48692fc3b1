//! Cards compared with the profile, and with each other.
//!
//! Rendering a node looks at the system as it is on the card: on a right card no edit
//! changes anything. So a finding is an edit that would change something, unless a running
//! system or its owner rightly made the difference (docs/verify.md). [`rules`] says for each
//! thing on a card which of the two it is.

mod atoms;
mod attributes;
mod boot;
mod boot_area;
mod clones;
mod contents;
mod duplicates;
mod files;
mod fold;
mod identify;
mod ifupdown;
mod image_keys;
mod judgement;
mod login;
mod needed;
mod network;
mod partitions;
mod passwords;
mod report;
mod rules;
mod swarm;

use card_image::{FsError, FsResult, RootFs};
use cluster_keys::ClusterKeys;
use cluster_profile::{
    Cluster, FileEdit, NetworkBackEnd, Node, Note, Purpose, RenderError, SystemError,
    obstacles_on_card, render_node_regardless, render_shared_regardless,
};
use plain_text::{printable, with_causes};
use system_model::{CachedFiles, SystemFiles};

pub use self::identify::OtherIdentity;
pub(crate) use self::needed::{needed_edits, other_identity};
pub use self::report::{CardOutcome, CardReport, Compared, VerifyReport};
use self::{
    clones::Clones,
    fold::{fold, replaced_links},
};
use crate::{
    ApplyCommand, AuditError, BuildCommand, Card, ErrorKind, Facts, Finding, FindingCode, FixAction,
};

/// What cards are compared with.
#[derive(Debug, Clone, Copy)]
pub struct VerifyOptions<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Its keys.
    pub keys: &'a ClusterKeys,
    /// The base image.
    pub base: BaseReference<'a>,
    /// The node that the card should be; `None` detects it.
    pub node: Option<&'a Node>,
}

/// The base image, if cards can be compared with it.
#[derive(Debug, Clone, Copy)]
pub enum BaseReference<'a> {
    /// The opened base image.
    Card(&'a Card),
    /// The reason why there is none, as a clause: `the base image is not decoded`.
    Absent(&'a str),
}

/// A card and the node it is compared with.
struct Subject<'a> {
    cluster: &'a Cluster,
    keys: &'a ClusterKeys,
    node: &'a Node,
    files: &'a RootFs,
    /// The same files, each of which is read once.
    system: &'a dyn SystemFiles,
}

/// Returns how the card can be corrected in place, if that is possible.
fn apply_command(options: &VerifyOptions<'_>, node: &Node, card: &Card) -> Option<ApplyCommand> {
    let base = match options.base {
        BaseReference::Card(base) => Some(base.name().to_owned()),
        BaseReference::Absent(_) => None,
    };
    let of_profile = options.cluster.base.path.display().to_string();
    card.can_be_corrected().then(|| ApplyCommand {
        profile: options.cluster.path.clone(),
        node: node.name.clone(),
        target: card.name().to_owned(),
        base: base.filter(|base| *base != of_profile),
        grow: false,
    })
}

/// A card and its report, or why there is none.
type Audited = Result<(Card, CardReport), AuditError>;

/// Compares cards with the profile, and with each other. The report also lists the cards
/// that could not be opened.
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

/// Compares one card.
pub(crate) fn one(options: &VerifyOptions<'_>, card: &Card) -> Result<CardReport, AuditError> {
    let (cluster, keys) = (options.cluster, options.keys);
    let files = card.files();
    let facts = Facts::read(files).map_err(card.files_error())?;
    let (node, known_by) = match options.node {
        Some(node) => (node, identify::matching(keys, &facts, node)),
        None => identify::identify(cluster, keys, &facts).ok_or_else(|| AuditError::NotOurs {
            target: card.name().to_owned(),
            cluster: cluster.name.clone(),
            found: identify::describe(&facts),
        })?,
    };
    let apply = apply_command(options, node, card);
    let mut findings = partitions::check(card, cluster, apply.as_ref());
    let system = &CachedFiles::new(files);
    let subject = Subject { cluster, keys, node, files, system };
    let compared = match options.base {
        BaseReference::Card(base) => {
            findings.extend(boot_area::compare(card, base).map_err(card.read_error())?);
            Compared { base: Some(base.name().to_owned()), reason: None }
        }
        BaseReference::Absent(reason) => Compared { base: None, reason: Some(reason.to_owned()) },
    };
    let clones = clones(options, &subject, &facts).map_err(card.files_error())?;
    let Edits { edits: all, unfit, findings: found } = edits(&subject, card)?;
    findings.extend(found);
    let mut reasons = unfit_reasons(&subject, unfit);
    reasons.retain(|reason| !boot::reports(reason));
    // Those about logins are reported by user and login, if they are found there too.
    let (kept_out, reasons): (Vec<_>, Vec<_>) =
        reasons.into_iter().partition(|reason| matches!(reason, RenderError::KeptOut { .. }));
    add_unfit(&mut findings, &reasons);
    let links = replaced_links(files, &all);
    let folded = fold(all);
    for edit in &folded {
        // What keeps users out is reported by user below.
        if edit.purpose == Purpose::Login {
            continue;
        }
        let obstacle = files::obstacle(&subject, &edit.path).map_err(card.files_error())?;
        let is_removed = |path: &String| folded.iter().any(|edit| edit.path == *path);
        let obstacle = obstacle.filter(|path| !is_removed(path));
        match files::compare(&subject, &clones, edit) {
            Ok(found) if links.contains(&edit.path) && !found.is_empty() => {
                let mut finding =
                    files::foreign_link(&subject, edit).map_err(card.files_error())?;
                finding.fix.apply.clone_from(&apply);
                findings.push(finding);
            }
            Ok(found) => findings.extend(found.into_iter().map(|mut finding| {
                if let Some(path) = &obstacle {
                    finding.fix.action = FixAction::RemoveObstacle { path: path.clone() };
                }
                let by_hand = matches!(finding.fix.action, FixAction::RemoveObstacle { .. });
                if needed::is_fixed_by_edit(&finding) && !by_hand {
                    finding.fix.apply.clone_from(&apply);
                }
                finding
            })),
            Err(error) => findings.push(unreadable(card, &edit.path, error)?),
        }
    }
    let mut fixed_addresses = None;
    match boot::Boot::read(&subject) {
        Ok(boot) => {
            let seed = folded.iter().filter(|edit| edit.purpose == Purpose::CloudSeed);
            let seed: Vec<&str> = seed.map(|edit| edit.path.as_str()).collect();
            boot.judge(&mut findings, &seed, apply.as_ref());
            let units = boot.later_boots();
            match boot.overlay(&subject) {
                Ok(found) => findings.extend(found),
                Err(error) => system_error(error, card, &mut findings)?,
            }
            match login::check(&subject, units, &findings, apply.as_ref()) {
                Ok(found) => findings.extend(found),
                Err(error) => system_error(error, card, &mut findings)?,
            }
            match network::CardNetwork::read(&subject, units) {
                Ok(network) => {
                    findings.extend(network.rivals(&subject, &findings));
                    findings.extend(network.obstacles(&subject, &findings));
                    fixed_addresses = network.fixed_addresses();
                }
                Err(error) => system_error(error, card, &mut findings)?,
            }
        }
        Err(error) => system_error(error, card, &mut findings)?,
    }
    let kept_out = login::advise(&mut findings, kept_out);
    add_unfit(&mut findings, &kept_out);
    match image_keys::check(&subject, &clones, apply.as_ref()) {
        Ok(found) => findings.extend(found),
        Err(error) => system_error(error, card, &mut findings)?,
    }
    findings.extend(passwords::check(&subject).map_err(card.files_error())?);
    findings.extend(swarm::check(&subject).map_err(card.files_error())?);
    for finding in &mut findings {
        let (profile, node) = (cluster.path.clone(), node.name.clone());
        finding.fix.rebuild = Some(BuildCommand { profile, node });
    }
    Ok(CardReport {
        target: card.name().to_owned(),
        node: node.name.clone(),
        address: node.address,
        known_by,
        size: card.storage().size(),
        facts,
        compared,
        findings,
        fixed_addresses,
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

/// Returns when the card was made: its machine id is written then and never again.
fn made(subject: &Subject<'_>, facts: &Facts) -> FsResult<Option<i64>> {
    let wanted = subject.keys.machine_id(&subject.node.name);
    if facts.machine_id.as_deref() != Some(wanted.as_str()) {
        return Ok(None);
    }
    Ok(subject
        .files
        .metadata_followed("/etc/machine-id")?
        .map(|metadata| metadata.modified.seconds()))
}

/// Returns a finding for a damaged file, or the error of a card that cannot be read.
fn unreadable(card: &Card, path: &str, error: FsError) -> Result<Finding, AuditError> {
    let what = format!("it cannot be read: {}", with_causes(&error));
    if error.is_symlink_loop() {
        // No damage: e2fsck would find nothing.
        let fix = FixAction::Adapt { advice: Some("remove the loop of symlinks".to_owned()) };
        return Ok(Finding::error(FindingCode::UnreadableFile, printable(&what), fix).at(path));
    }
    let error = card.files_error()(error);
    if error.kind() == ErrorKind::Io {
        return Err(error);
    }
    let fix = FixAction::CheckFilesystemOrRebuild { partition: card.layout().root };
    Ok(Finding::error(FindingCode::UnreadableFile, printable(&what), fix).at(path))
}

/// Adds a finding for a file that cannot be read, if it is damaged.
fn system_error(
    error: SystemError,
    card: &Card,
    findings: &mut Vec<Finding>,
) -> Result<(), AuditError> {
    match error.reason.downcast::<FsError>() {
        Ok(source) => {
            let finding = unreadable(card, &error.path, *source)?;
            if !findings.contains(&finding) {
                findings.push(finding);
            }
            Ok(())
        }
        Err(source) => Err(AuditError::System { target: card.name().to_owned(), source }),
    }
}

fn unfit(error: &RenderError) -> Finding {
    let what = format!("the system on the card does not fit the profile: {}", with_causes(error));
    Finding::error(FindingCode::UnfitSystem, what, FixAction::Adapt { advice: error.fix() })
}

/// Adds a finding for each reason why the system does not fit the profile.
fn add_unfit(findings: &mut Vec<Finding>, reasons: &[RenderError]) {
    for reason in reasons {
        let finding = unfit(reason);
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
}

/// Returns all reasons why the card cannot be made the node's, if rendering ended with one.
fn unfit_reasons(subject: &Subject<'_>, first: Vec<RenderError>) -> Vec<RenderError> {
    if first.is_empty() {
        return first;
    }
    let Subject { cluster, keys, node, system, .. } = subject;
    match obstacles_on_card(cluster, node, keys, *system, 0) {
        Ok(all) if !all.is_empty() => all.into_iter().map(|one| one.reason).collect(),
        _ => first,
    }
}

/// What rendering a card as it is comes to.
struct Edits {
    /// All edits that would make the card the node's.
    edits: Vec<FileEdit>,
    /// Why some are missing: the system lacks what the profile needs.
    unfit: Vec<RenderError>,
    /// What else is wrong.
    findings: Vec<Finding>,
}

/// Returns all edits that would make the card the node's.
fn edits(subject: &Subject<'_>, card: &Card) -> Result<Edits, AuditError> {
    let Subject { cluster, keys, node, system, .. } = subject;
    let (mut edits, mut findings) = (Vec::new(), Vec::new());
    // A time of 0 lets the age of the keys decide on the clock's stamp.
    let shared = render_shared_regardless(cluster, node, keys, *system, 0);
    let (shared, obstacle) = match shared {
        Ok((rendered, obstacle)) => (Ok(rendered), obstacle),
        Err(error) => (Err(error), None),
    };
    let obstacle = obstacle.filter(|error| !boot::reports(error));
    let mut unfit: Vec<RenderError> = obstacle.into_iter().collect();
    for rendered in [shared, render_node_regardless(cluster, node, keys, *system, 0)] {
        match rendered {
            Ok(rendered) => {
                let hindrances = rendered
                    .notes
                    .iter()
                    .filter(|note| note.is_hindrance() && !matches!(note, Note::RootOverlay(_)));
                findings.extend(hindrances.map(|note| match note {
                    Note::FilesHidden { at, .. } => {
                        let fix = FixAction::unmount(at);
                        let what = note.to_string();
                        Finding::warning(FindingCode::HiddenFiles, what, fix).at(&at.path)
                    }
                    _ => {
                        let fix = FixAction::ChangeSetting;
                        Finding::note(FindingCode::SshHindrance, note.to_string(), fix)
                    }
                }));
                edits.extend(rendered.edits);
            }
            Err(RenderError::System(error)) => system_error(error, card, &mut findings)?,
            Err(error) => unfit.push(error),
        }
    }
    // Other words of interfaces(5) may say the same.
    let is_ifupdowns = |edit: &FileEdit| edit.purpose == Purpose::Address(NetworkBackEnd::Ifupdown);
    if edits.iter().any(is_ifupdowns) {
        match ifupdown::is_right(subject) {
            Ok(true) => edits.retain(|edit| !is_ifupdowns(edit)),
            Ok(false) => {}
            Err(error) => system_error(error, card, &mut findings)?,
        }
    }
    Ok(Edits { edits, unfit, findings })
}
