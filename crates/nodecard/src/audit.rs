//! Looking at cards: verifying, planning and inspecting. Nothing here writes.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use card_audit::{
    AuditError, BaseReference, Card, ChangePlan, Inspection, PlanNote, PlanOptions, VerifyOptions,
    VerifyReport,
};
use card_image::{BaseError, BaseImage, CardBuilder};
use cluster_keys::ClusterKeys;
use platform::FileInfo;

use crate::{Context, Error, Project};

/// What verifying cards came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Verification {
    /// The cards and their findings.
    pub report: VerifyReport,
    /// Why the cards were not compared with the base image, if they were not.
    pub base_absence: Option<BaseAbsence>,
}

/// Why cards are not compared with the base image. Without it, the boot area is not checked,
/// and identities that were copied from the base image are not detected.
///
/// Its text is a clause: `the base image xu4.img.xz is not decoded`.
#[derive(Debug)]
#[non_exhaustive]
pub enum BaseAbsence {
    /// It is compressed, and no earlier run has decoded it.
    NotDecoded {
        /// The base image.
        path: PathBuf,
    },
    /// It does not exist.
    Missing {
        /// The base image.
        path: PathBuf,
    },
    /// It cannot be read.
    Unusable {
        /// Why.
        source: Box<Error>,
    },
}

impl fmt::Display for BaseAbsence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BaseAbsence::NotDecoded { path } => {
                write!(f, "the base image {} is not decoded", path.display())
            }
            BaseAbsence::Missing { path } => {
                write!(f, "the base image {} does not exist", path.display())
            }
            BaseAbsence::Unusable { source } => {
                write!(f, "the base image cannot be used: {}", plain_text::with_causes(source))
            }
        }
    }
}

/// The base image to compare with, as far as it is available.
#[derive(Debug)]
pub(crate) enum OpenedBase {
    Card(Box<Card>),
    Absent { absence: BaseAbsence, reason: String },
}

impl OpenedBase {
    /// Opens the base image that the caller chose, decoding it if need be; or the profile's,
    /// if that takes no decoding.
    pub(crate) fn open(project: &Project) -> Result<Self, Error> {
        let opened = match project.chosen_base() {
            Some(path) => Ok(open_base(project, path)?),
            None => open_ready_base(project),
        };
        Ok(match opened {
            Ok(card) => OpenedBase::Card(Box::new(card)),
            Err(absence) => OpenedBase::Absent { reason: absence.to_string(), absence },
        })
    }

    pub(crate) fn reference(&self) -> BaseReference<'_> {
        match self {
            OpenedBase::Card(card) => BaseReference::Card(card),
            OpenedBase::Absent { reason, .. } => BaseReference::Absent(reason),
        }
    }
}

fn open_base(project: &Project, path: &Path) -> Result<Card, Error> {
    let options = project.context.base_options();
    let base = BaseImage::open(path, options).map_err(card_image::Error::from)?;
    let name = path.display().to_string();
    Ok(Card::stoppable(name, base.storage(), project.root(), &project.context.cancel)?)
}

fn open_ready_base(project: &Project) -> Result<Card, BaseAbsence> {
    let path = project.base();
    let unusable = |source| BaseAbsence::Unusable { source: Box::new(source) };
    let base = match BaseImage::open_if_ready(path, project.context.base_options()) {
        Ok(Some(base)) => base,
        Ok(None) => return Err(BaseAbsence::NotDecoded { path: path.to_owned() }),
        Err(BaseError::NotFound { .. }) => {
            return Err(BaseAbsence::Missing { path: path.to_owned() });
        }
        Err(error) => return Err(unusable(card_image::Error::from(error).into())),
    };
    let name = path.display().to_string();
    Card::stoppable(name, base.storage(), project.root(), &project.context.cancel)
        .map_err(|error| unusable(error.into()))
}

/// Which cards to plan.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct PlanRequest {
    /// The nodes to plan; all of them if this is empty.
    pub nodes: Vec<String>,
    /// The size of a card in bytes, instead of the profile's, or if that has none.
    pub card_size: Option<u64>,
}

impl Project {
    /// Compares cards or images with the profile and with each other. `node` is the node that
    /// the card is meant to be; by default, each card's node is detected.
    ///
    /// A target that is not a card of the cluster has an error in the report; the others are
    /// still compared.
    ///
    /// # Errors
    /// [`Error`] if nothing can be compared: no such node, no keys, a target given twice, a
    /// node given for several targets, or an unusable base image that was chosen by
    /// [`with_base`](Project::with_base).
    pub fn verify<P: AsRef<Path>>(
        &self,
        targets: &[P],
        node: Option<&str>,
    ) -> Result<Verification, Error> {
        let node = node.map(|name| self.node(name)).transpose()?;
        if node.is_some() && targets.len() > 1 {
            return Err(Error::OneNodeForSeveralTargets { targets: targets.len() });
        }
        refuse_duplicates(targets)?;
        let keys = self.keys()?;
        let base = OpenedBase::open(self)?;
        let open = |target: &P| {
            let path = target.as_ref();
            let card = Card::open(path, self.root(), self.context.base_options());
            (path.display().to_string(), card)
        };
        let options = VerifyOptions { cluster: &self.cluster, keys, base: base.reference(), node };
        let cards = targets.iter().map(open).collect();
        let pure = self.context.cancel.begin_pure();
        let report = card_audit::verify(&options, cards);
        drop(pure);
        self.context.cancel.check()?;
        let base_absence = match base {
            OpenedBase::Card(_) => None,
            OpenedBase::Absent { absence, .. } => Some(absence),
        };
        Ok(Verification { report, base_absence })
    }

    /// Returns what building cards would change in the base image, file by file. Nothing is
    /// written: keys that do not exist yet are made in memory, and a note in the plan says so.
    ///
    /// # Errors
    /// [`Error`]: all that keeps cards from being built.
    pub fn plan(&self, request: &PlanRequest) -> Result<ChangePlan, Error> {
        let size = self.card_size(request.card_size)?;
        let nodes = self.nodes(&request.nodes)?;
        let keys = self.preview_keys()?;
        self.fetch_base()?;
        let inputs = self.inputs(&keys);
        let builder = CardBuilder::open(inputs, &*self.context.progress, &self.context.cancel)?;
        let base = self.base().display().to_string();
        let _pure = self.context.cancel.begin_pure();
        let plan = card_audit::plan(&builder, size, &nodes, &base, &self.context.cancel);
        self.context.cancel.check()?;
        let plan = plan?;
        Ok(with_keys_note(plan, &keys))
    }

    /// Returns what making an existing card or image the card of `node` would change.
    /// Nothing is written.
    ///
    /// # Errors
    /// [`Error`].
    pub fn plan_against(&self, target: impl AsRef<Path>, node: &str) -> Result<ChangePlan, Error> {
        let node = self.node(node)?;
        let keys = self.preview_keys()?;
        let options = PlanOptions { cluster: &self.cluster, keys: &keys, node, time: self.time() };
        let card = Card::open(target.as_ref(), self.root(), self.context.base_options())?;
        let _pure = self.context.cancel.begin_pure();
        let plan = card_audit::plan_against(&options, &card);
        self.context.cancel.check()?;
        Ok(with_keys_note(plan?, &keys))
    }
}

/// Inspects a card, an image or a compressed image. `root` is the number of its root
/// partition, from 1; `None` detects it. Nothing is written.
///
/// # Errors
/// [`Error::Audit`].
pub fn inspect(
    target: impl AsRef<Path>,
    root: Option<u32>,
    context: &Context,
) -> Result<Inspection, Error> {
    let card = Card::open(target.as_ref(), root, context.base_options())?;
    let _pure = context.cancel.begin_pure();
    let inspection = card_audit::inspect(&card);
    context.cancel.check()?;
    Ok(inspection?)
}

/// Adds a note to a plan if some of its keys exist in memory only.
fn with_keys_note(mut plan: ChangePlan, keys: &ClusterKeys) -> ChangePlan {
    if !keys.is_kept() {
        plan.notes.push(PlanNote::KeysInMemory { directory: keys.directory().to_owned() });
    }
    plan
}

/// Refuses a card that was given twice, under whatever names: it would look like its own
/// clone.
fn refuse_duplicates<P: AsRef<Path>>(targets: &[P]) -> Result<(), Error> {
    let mut seen = Vec::new();
    for target in targets {
        let Ok(found) = FileInfo::at(target.as_ref()) else { continue };
        // A device is the same by its number, a file by its inode.
        let identity = found.device.ok_or(found.id);
        if seen.contains(&identity) {
            return Err(Error::TargetTwice { path: target.as_ref().to_owned() });
        }
        seen.push(identity);
    }
    Ok(())
}

impl From<AuditError> for Error {
    fn from(error: AuditError) -> Self {
        Error::Audit(Box::new(error))
    }
}
