//! Writing cards: inspect the targets, have each of them confirmed, write and verify.

mod cards;
mod image;
mod one_reader;
mod progress_file;
mod report;

use std::path::{Path, PathBuf};

use card_flash::{
    CardSource, FlashProgress, OldContents,
    device::{OpenedTarget, Refusal, Target, TargetError, TargetLimits},
};
use card_image::{BaseError, BuildInputs, BuildNote, CardBuilder};

pub use self::{
    image::{ConfirmedImageFlash, ImageFlash, flash_image},
    one_reader::{Decision, OneReader, Operator, ReaderEvent},
    progress_file::FinishedCard,
    report::{FlashReport, FlashedCard},
};
use crate::{Error, Project, RefusedTarget};

/// How to write cards.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FlashRequest {
    /// Which devices are accepted as cards.
    pub limits: TargetLimits,
    /// Whether what a card holds already is kept, overwritten or discarded.
    pub old_contents: OldContents,
}

/// A node and the device or file that is to become its card.
#[derive(Debug, Clone)]
pub struct FlashTarget {
    node: String,
    target: Target,
    recognized: Option<FinishedCard>,
}

impl FlashTarget {
    fn new(node: String, target: Target) -> Self {
        FlashTarget { node, target, recognized: None }
    }

    /// Returns the finished card of the cluster that it is now, if a session with one reader
    /// has recognized it.
    pub fn recognized(&self) -> Option<&FinishedCard> {
        self.recognized.as_ref()
    }

    /// Returns whether an answer confirms that the target is overwritten: what
    /// [`confirmation`](Self::confirmation) returns, or the path.
    pub fn is_confirmed_by(&self, answer: &str) -> bool {
        self.target.is_named(answer)
    }

    /// Returns the node's name.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Returns the device or file as it was inspected.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Returns the path as it was given.
    pub fn path(&self) -> &Path {
        self.target.path()
    }

    /// Returns what a user types to confirm that the target is overwritten: the kernel's name
    /// of a device (`sdb`), or a file's name.
    pub fn confirmation(&self) -> String {
        self.target.name()
    }

    /// Returns the path if it is not a device.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        self.target.device().is_none().then(|| self.path().to_owned())
    }

    pub(crate) fn refused(&self, error: TargetError) -> RefusedTarget {
        RefusedTarget { node: Some(self.node.clone()), error }
    }
}

/// Inspected targets, none of which has been written to.
///
/// Show [`targets`](Self::targets) to the user, then [`confirm`](Self::confirm) each of them.
#[derive(Debug)]
pub struct FlashSession<'a> {
    request: FlashRequest,
    project: &'a Project,
    builder: CardBuilder<'a>,
    targets: Vec<FlashTarget>,
    cards: Vec<CardSource>,
    notes: Vec<BuildNote>,
}

/// Targets that were confirmed one by one and may be overwritten.
#[derive(Debug)]
pub struct ConfirmedFlash<'a>(FlashSession<'a>);

impl Project {
    /// Inspects targets, opens the base image, and prepares the card of each node. Makes the
    /// cluster's keys if they are missing. Writes to no target.
    ///
    /// Targets are a node's name and the path of a whole device or a file. Every reason to
    /// refuse one of them is found here, save for those that arise later: each target is
    /// compared with what was inspected when it is opened.
    ///
    /// # Errors
    /// [`Error::Refused`] with all reasons at once, or any other [`Error`].
    pub fn flash<N, P>(
        &self,
        targets: &[(N, P)],
        request: FlashRequest,
    ) -> Result<FlashSession<'_>, Error>
    where
        N: AsRef<str>,
        P: AsRef<Path>,
    {
        // Refusals that cost nothing come before the base image is decoded.
        let targets = self.inspect_targets(targets, &request.limits)?;
        self.fetch_base()?;
        let sizes = targets.iter().map(|target| target.target.size());
        let inputs = self.inputs(self.create_keys(None)?);
        let inputs = BuildInputs { largest_card: sizes.max(), ..inputs };
        let builder = CardBuilder::open(inputs, &*self.context.progress, &self.context.cancel);
        let builder = builder.map_err(|error| too_large_for(&targets, error))?;
        let (cards, notes) = cards::prepare(self, &builder, &targets)?;
        let notes = self.key_note().into_iter().chain(notes).collect();
        Ok(FlashSession { request, project: self, builder, targets, cards, notes })
    }

    fn inspect_targets<N, P>(
        &self,
        targets: &[(N, P)],
        limits: &TargetLimits,
    ) -> Result<Vec<FlashTarget>, Error>
    where
        N: AsRef<str>,
        P: AsRef<Path>,
    {
        if targets.is_empty() {
            return Err(Error::NoTargets);
        }
        let mut accepted: Vec<FlashTarget> = Vec::new();
        let mut refused = Vec::new();
        for (position, (name, path)) in targets.iter().enumerate() {
            let (name, path) = (name.as_ref(), path.as_ref());
            let node = self.node(name)?.name.clone();
            if targets[..position].iter().any(|(other, _)| other.as_ref() == name) {
                return Err(Error::NodeTwice { node });
            }
            match self.inspect_target(path, limits) {
                Err(error) => refused.push(RefusedTarget { node: Some(node), error }),
                Ok(target) => {
                    let same = accepted.iter().find(|other| other.target.is_same_place(&target));
                    if let Some(other) = same {
                        let error = TargetError::new(path, Refusal::GivenTwice(other.node.clone()));
                        refused.push(RefusedTarget { node: Some(node.clone()), error });
                    }
                    accepted.push(FlashTarget::new(node, target));
                }
            }
        }
        refuse_any(refused)?;
        Ok(accepted)
    }

    pub(crate) fn inspect_target(
        &self,
        path: &Path,
        limits: &TargetLimits,
    ) -> Result<Target, TargetError> {
        Target::inspect(&self.context.system, path, self.base(), limits)
    }
}

/// Turns the error about a base that is larger than all cards into one about the cards.
fn too_large_for(targets: &[FlashTarget], error: card_image::Error) -> Error {
    let needed = match &error {
        card_image::Error::Base(BaseError::LargerThanCards { stated, limit, .. }) => {
            stated.unwrap_or(limit.saturating_add(1)).div_ceil(card_image::LARGEST_BASE)
        }
        _ => return error.into(),
    };
    let refused = |target: &FlashTarget| target.refused(cards::too_small_error(target, needed));
    Error::Refused { targets: targets.iter().map(refused).collect() }
}

/// Returns an error if any target was refused.
pub(crate) fn refuse_any(refused: Vec<RefusedTarget>) -> Result<(), Error> {
    if refused.is_empty() { Ok(()) } else { Err(Error::Refused { targets: refused }) }
}

impl<'a> FlashSession<'a> {
    /// Returns the targets, in the order they were given.
    pub fn targets(&self) -> &[FlashTarget] {
        &self.targets
    }

    /// Returns why the root partition of the base image was chosen.
    pub fn root_reason(&self) -> &str {
        self.builder.root_reason()
    }

    /// Returns what the user should know about the base image and the profile.
    pub fn notes(&self) -> &[BuildNote] {
        &self.notes
    }

    /// Asks about each target whether it may be overwritten. No question follows the first
    /// refusal.
    ///
    /// # Errors
    /// [`Error::NotConfirmed`] if `agrees` returned `false` for a target.
    pub fn confirm(
        self,
        mut agrees: impl FnMut(&FlashTarget) -> bool,
    ) -> Result<ConfirmedFlash<'a>, Error> {
        match self.targets.iter().find(|target| !agrees(target)) {
            Some(target) => Err(Error::NotConfirmed { path: target.path().to_owned() }),
            None => Ok(ConfirmedFlash(self)),
        }
    }
}

impl ConfirmedFlash<'_> {
    /// Returns the targets, in the order they were given. `progress` counts them from 0.
    pub fn targets(&self) -> &[FlashTarget] {
        &self.0.targets
    }

    /// Opens all targets, or none; writes all cards at once, from one reading of the base
    /// image; verifies each of them. Only what differs is written to a card that already
    /// holds mostly the same, unless the request says otherwise. A card's partition table and
    /// boot loader come last, so that a card that was interrupted does not start.
    ///
    /// A card that fails leaves the others alone, and is in the report.
    ///
    /// # Errors
    /// [`Error::Refused`] if a target is in use, or is no longer what was inspected. Nothing
    /// is written then.
    pub fn write(self, progress: &dyn FlashProgress) -> Result<FlashReport, Error> {
        let FlashSession { request, project, builder, targets, cards, notes } = self.0;
        let opened = open_all(project, &targets, &request.limits)?;
        let mut report = FlashReport::new(&builder, notes);
        report.add_notes(cards::make_private(&opened));
        let (cancel, old) = (&project.context.cancel, request.old_contents);
        report.add(cards::write(&builder, &targets, cards, &opened, old, progress, cancel));
        report.stopped = builder.check_unchanged().err().map(Error::from);
        Ok(report)
    }
}

fn open_all(
    project: &Project,
    targets: &[FlashTarget],
    limits: &TargetLimits,
) -> Result<Vec<OpenedTarget>, Error> {
    let mut opened = Vec::new();
    let mut refused = Vec::new();
    for target in targets {
        match target.target.open(&project.context.system, limits) {
            Ok(medium) => opened.push(medium),
            Err(error) => refused.push(target.refused(error)),
        }
    }
    refuse_any(refused)?;
    Ok(opened)
}

/// The targets of an error: nodes and paths.
pub(crate) fn named(targets: &[&FlashTarget]) -> Vec<(String, PathBuf)> {
    targets.iter().map(|target| (target.node.clone(), target.path().to_owned())).collect()
}
