//! Writing all cards of a cluster with one reader, one after another.

use std::{
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

use block_io::FileStorage;
use card_flash::{
    FlashProgress,
    device::{DeviceIdentity, OpenedTarget, Refusal, TargetError, wait_for_swap},
};
use card_image::{BuildInputs, CardBuilder};
use cluster_profile::Node;

use super::{
    FlashReport, FlashRequest, FlashTarget, cards,
    progress_file::{FinishedCard, ProgressFile},
};
use crate::{Error, Project, RefusedTarget};

/// How often a refused card is inspected again: its owner may unmount it.
const INTERVAL: Duration = Duration::from_millis(500);

/// Something that happened at the reader.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReaderEvent<'a> {
    /// The reader is empty: the first card, this node's, is to be inserted.
    Insert {
        /// The node's name.
        node: &'a str,
    },
    /// The card in the reader is to be replaced by this node's.
    Swap {
        /// The node's name.
        node: &'a str,
    },
    /// The card in the reader is refused. It is inspected again until that changes.
    Refused(&'a TargetError),
    /// A card that may become this node's is in the reader. Unless it is finished already,
    /// [`Operator::decide`] follows.
    Found(&'a FlashTarget),
    /// The card in the reader is one that this session, or the one that it resumes, has
    /// finished.
    AlreadyFinished(&'a FinishedCard),
    /// The card stays as it is, as [`Decision::Keep`] asked for.
    Kept,
}

/// What becomes of the card in the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It is overwritten.
    Overwrite,
    /// It stays as it is; another one is asked for.
    Keep,
    /// The session ends.
    Stop,
}

/// Swaps the cards in the reader, and decides about each of them.
pub trait Operator {
    /// Receives an event.
    fn notify(&mut self, event: ReaderEvent<'_>);

    /// Decides about the card that was found last.
    fn decide(&mut self, target: &FlashTarget) -> Decision;

    /// Returns whether somebody is there who can do something about a card that cannot be
    /// opened, such as unmounting it. Otherwise such a card ends the session.
    fn is_present(&self) -> bool {
        true
    }

    /// Returns whether somebody is there who puts another card into the reader. Otherwise the
    /// session ends when it needs one.
    fn can_swap(&self) -> bool {
        true
    }

    /// Returns who is told about the progress of a card.
    fn progress(&mut self, target: &FlashTarget) -> Box<dyn FlashProgress>;
}

/// A session that writes all cards of a cluster with one reader.
#[derive(Debug)]
pub struct OneReader<'a> {
    project: &'a Project,
    request: FlashRequest,
    reader: PathBuf,
    builder: CardBuilder<'a>,
    finished: ProgressFile,
    /// The card that was in the reader last and is not to be written.
    previous: Option<DeviceIdentity>,
}

impl Project {
    /// Prepares writing the cards of all nodes with one reader. With `resume`, nodes whose
    /// cards an earlier session has finished are left out. Makes the cluster's keys if they
    /// are missing. Writes to no card.
    ///
    /// # Errors
    /// [`Error::Refused`] if the reader is not acceptable, unless it is empty, or any other
    /// [`Error`].
    pub fn flash_one_reader(
        &self,
        reader: impl Into<PathBuf>,
        resume: bool,
        request: FlashRequest,
    ) -> Result<OneReader<'_>, Error> {
        let reader = reader.into();
        if let Err(error) = self.inspect_target(&reader, &request.limits)
            && !matches!(error.refusals.as_slice(), [Refusal::NoMedium])
        {
            return Err(Error::Refused { targets: vec![RefusedTarget { node: None, error }] });
        }
        self.fetch_base()?;
        let keys = self.create_keys(None)?;
        let inputs = self.inputs(keys);
        let inputs = BuildInputs { largest_card: Some(request.limits.max_size), ..inputs };
        let finished = ProgressFile::open(self.progress_path(keys), inputs.base, resume)?;
        let builder = CardBuilder::open(inputs, &*self.context.progress, &self.context.cancel)?;
        Ok(OneReader { project: self, request, reader, builder, finished, previous: None })
    }
}

impl OneReader<'_> {
    /// Returns the path of the reader.
    pub fn reader(&self) -> &Path {
        &self.reader
    }

    /// Asks for one card after another, writes and verifies each. Ends with the last node,
    /// with a card that fails, or with [`Decision::Stop`]; what is finished then is noted for
    /// a session that resumes.
    ///
    /// # Errors
    /// [`Error`] if the session ends before any card was written. Else it is in
    /// [`FlashReport::stopped`].
    pub fn run(mut self, operator: &mut dyn Operator) -> Result<FlashReport, Error> {
        let project = self.project;
        let notes = project.key_note().into_iter().collect();
        let mut report = FlashReport::new(&self.builder, notes);
        let is_waiting = |node: &&Node| !self.finished.has(&node.name);
        let waiting: Vec<&Node> = project.cluster.nodes.iter().filter(is_waiting).collect();
        for node in waiting {
            match self.write_next(node, operator, &mut report) {
                Ok(true) => {}
                Ok(false) => return Ok(report),
                Err(error) if report.cards.is_empty() => return Err(error),
                Err(error) => {
                    report.stopped = Some(error);
                    return Ok(report);
                }
            }
        }
        self.finished.remove();
        report.stopped = self.builder.check_unchanged().err().map(Error::from);
        Ok(report)
    }

    /// Writes one node's card. Returns whether it was verified.
    fn write_next(
        &mut self,
        node: &Node,
        operator: &mut dyn Operator,
        report: &mut FlashReport,
    ) -> Result<bool, Error> {
        let (target, opened) = self.wait_for_card(node, operator)?;
        self.previous = Some(target.target.identity().clone());
        let progress = operator.progress(&target);
        let cancel = &self.project.context.cancel;
        let (source, notes, marks) = cards::prepare_marked(self.project, &self.builder, &target)?;
        report.add_notes(notes);
        report.add_notes(cards::make_private(std::slice::from_ref(&opened)));
        let old_contents = self.request.old_contents;
        let flashed = cards::write(
            &self.builder,
            &[target],
            vec![source],
            &[opened],
            old_contents,
            &*progress,
            cancel,
        );
        let is_verified = flashed.iter().all(|card| card.is_verified());
        report.add(flashed);
        if is_verified {
            self.finished.add(&node.name, marks)?;
        }
        Ok(is_verified)
    }

    /// Waits for a card that may be overwritten.
    fn wait_for_card(
        &mut self,
        node: &Node,
        operator: &mut dyn Operator,
    ) -> Result<(FlashTarget, OpenedTarget), Error> {
        let context = &self.project.context;
        loop {
            match &self.previous {
                Some(_) if !operator.can_swap() => return Err(self.next_card(node)),
                Some(previous) => {
                    operator.notify(ReaderEvent::Swap { node: &node.name });
                    wait_for_swap(&context.system, &self.reader, previous, &context.cancel)?;
                }
                None if DeviceIdentity::of(&context.system, &self.reader).is_none() => {
                    operator.notify(ReaderEvent::Insert { node: &node.name });
                }
                None => {}
            }
            let Some(mut target) = self.wait_until_accepted(node, operator)? else { continue };
            target.recognized = self.recognize(&target);
            operator.notify(ReaderEvent::Found(&target));
            if let Some(finished) = target.recognized.as_ref().filter(|card| card.is_done) {
                operator.notify(ReaderEvent::AlreadyFinished(finished));
                self.previous = Some(target.target.identity().clone());
                continue;
            }
            match operator.decide(&target) {
                Decision::Stop => return Err(Error::NotConfirmed { path: self.reader.clone() }),
                Decision::Keep => {
                    operator.notify(ReaderEvent::Kept);
                    self.previous = Some(target.target.identity().clone());
                }
                Decision::Overwrite => {
                    match target.target.open(&context.system, &self.request.limits) {
                        Ok(opened) => return Ok((target, opened)),
                        Err(error) if !operator.is_present() => {
                            return Err(Error::Refused { targets: vec![target.refused(error)] });
                        }
                        // It was swapped meanwhile, or the desktop has mounted it.
                        Err(error) => operator.notify(ReaderEvent::Refused(&error)),
                    }
                }
            }
        }
    }

    /// Waits until the card in the reader is no longer refused. Returns `None` if another
    /// card is needed.
    fn wait_until_accepted(
        &mut self,
        node: &Node,
        operator: &mut dyn Operator,
    ) -> Result<Option<FlashTarget>, Error> {
        let mut reported = Vec::new();
        loop {
            self.project.context.cancel.check()?;
            match self.project.inspect_target(&self.reader, &self.request.limits) {
                Ok(target) => {
                    let target = FlashTarget::new(node.name.clone(), target);
                    let (size, cancel) = (target.target.size(), &self.project.context.cancel);
                    let Err(needed) = self.builder.check_card_size(size, cancel)? else {
                        return Ok(Some(target));
                    };
                    self.previous = Some(target.target.identity().clone());
                    let error = cards::too_small_error(&target, needed);
                    operator.notify(ReaderEvent::Refused(&error));
                    return Ok(None);
                }
                Err(error) if error.refusals.iter().all(is_empty) => {
                    if !operator.can_swap() {
                        return Err(self.next_card(node));
                    }
                }
                Err(error) if !operator.can_swap() => {
                    let node = Some(node.name.clone());
                    return Err(Error::Refused { targets: vec![RefusedTarget { node, error }] });
                }
                Err(error) if error.refusals == reported => {}
                Err(error) => {
                    operator.notify(ReaderEvent::Refused(&error));
                    reported = error.refusals;
                }
            }
            sleep(INTERVAL);
        }
    }

    /// Returns the error of a session that needs a card which nobody inserts.
    fn next_card(&self, node: &Node) -> Error {
        Error::NextCard { reader: self.reader.clone(), node: node.name.clone() }
    }

    /// Returns the finished card of this cluster that is in the reader, as happens when a card
    /// is inserted a second time, or a session is resumed with it.
    fn recognize(&self, target: &FlashTarget) -> Option<FinishedCard> {
        let storage = FileStorage::open(target.path()).ok()?;
        self.finished.recognize(&self.project.cluster.name, &storage)
    }
}

/// Returns whether a card is still missing. The devices of some readers go with the card.
fn is_empty(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::NoMedium | Refusal::NotFound(_))
}
