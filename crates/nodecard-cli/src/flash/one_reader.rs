//! `nodecard flash --one-reader`: one card after another.

use std::{path::Path, thread::sleep, time::Duration};

use block_io::FileStorage;
use card_flash::device::{DeviceIdentity, OpenedTarget, Refusal, Target, wait_for_swap};
use card_image::CardBuilder;
use cluster_profile::{Cluster, Node};

use super::{Chosen, Flasher, Report, describe, refused, resume::Done};
use crate::{
    args::FlashArgs,
    failure::{Failure, tell},
    progress::Shown,
    setup::{keys, sources},
};

/// How often a card that is refused is looked at again: its owner may unmount it.
const INTERVAL: Duration = Duration::from_millis(500);

pub fn run(args: &FlashArgs, cluster: &Cluster, reader: &Path) -> Result<(), Failure> {
    let flasher = Flasher::new(args, cluster);
    // An empty reader is no reason to stop; all else that is wrong with it is.
    if let Err(error) = flasher.inspect(reader)
        && error.refusals != [Refusal::NoMedium]
    {
        return Err(refused(vec![error.to_string()]));
    }
    let keys = keys(cluster)?;
    let sources = sources(cluster, &keys, args.base.as_deref(), args.root)?;
    let mut done = Done::open(&cluster.keys, sources.base, args.resume)?;
    let prepared = CardBuilder::open(sources, &Shown::default(), &flasher.cancel)?;
    let mut report = Report::new(&prepared);
    let mut turns = Turns { flasher: &flasher, reader, before: None, written: Vec::new() };
    let waiting: Vec<&Node> = cluster.nodes.iter().filter(|node| !done.has(&node.name)).collect();
    for node in waiting {
        match turns.take(node, &prepared, &mut report) {
            Ok(true) => done.add(&node.name)?,
            Ok(false) => {
                tell(format_args!("nodecard: carry on with --resume when you have another card"));
                return report.print(args);
            }
            // What is written is written, whatever became of the next card.
            Err(error) if !report.cards.is_empty() => {
                report.print(args)?;
                return Err(error);
            }
            Err(error) => return Err(error),
        }
    }
    done.forget();
    let printed = report.print(args);
    prepared.check_unchanged()?;
    printed
}

/// The cards of one reader.
struct Turns<'a> {
    flasher: &'a Flasher<'a>,
    reader: &'a Path,
    /// The card that was in it last, and is not wanted any more.
    before: Option<DeviceIdentity>,
    /// The cards that are written already.
    written: Vec<card_flash::CardSource>,
}

impl Turns<'_> {
    /// Writes one node's card. Answers whether it came out well.
    fn take(
        &mut self,
        node: &Node,
        prepared: &CardBuilder,
        report: &mut Report,
    ) -> Result<bool, Failure> {
        let (target, opened) = self.wait_for(node, prepared)?;
        self.before = Some(target.identity().clone());
        let chosen: [Chosen; 1] = [(node, target)];
        let cards = self.flasher.cards(prepared, &chosen, report)?;
        let kept = cards.clone();
        let lines = self.flasher.write(prepared, &chosen, cards, &[opened]);
        let finished = lines.iter().all(|line| line.is_done());
        if finished {
            self.written.extend(kept);
        }
        report.cards.extend(lines);
        Ok(finished)
    }

    /// Waits for a card that may be written, and that the user agrees to.
    fn wait_for(
        &mut self,
        node: &Node,
        prepared: &CardBuilder,
    ) -> Result<(Target, OpenedTarget), Failure> {
        let Flasher { system, limits, cancel, .. } = self.flasher;
        loop {
            let reader = self.reader.display();
            match &self.before {
                Some(before) => {
                    tell(format_args!("Take the card out of {reader} and put in {}'s.", node.name));
                    wait_for_swap(system, self.reader, before, cancel)?;
                }
                None if DeviceIdentity::of(system, self.reader).is_none() => {
                    tell(format_args!("Put {}'s card into {reader}.", node.name));
                }
                None => {}
            }
            let Some(target) = self.acceptable(prepared)? else { continue };
            describe(node, &target);
            if let Some(written) = self.is_written(&target) {
                tell(format_args!("This is {written}'s card, which is finished."));
                self.before = Some(target.identity().clone());
                continue;
            }
            match self.flasher.agrees(node, &target)? {
                None => {
                    let message = format!("{reader} was not agreed to");
                    return Err(Failure::Refused(vec![message]));
                }
                Some(false) => {
                    tell(format_args!("It stays as it is."));
                    self.before = Some(target.identity().clone());
                }
                Some(true) => match target.open(system, limits) {
                    Ok(opened) => return Ok((target, opened)),
                    Err(error) if self.flasher.args.yes => {
                        return Err(Failure::Refused(vec![error.to_string()]));
                    }
                    // It was swapped meanwhile, or mounted by the desktop.
                    Err(error) => tell(format_args!("{error}")),
                },
            }
        }
    }

    /// Waits until what is in the reader is no longer refused; `None` if the card
    /// was taken out instead.
    fn acceptable(&mut self, prepared: &CardBuilder) -> Result<Option<Target>, Failure> {
        let mut told = String::new();
        loop {
            self.flasher.cancel.check()?;
            let message = match self.flasher.inspect(self.reader) {
                Ok(target) if target.size() < prepared.base_size() => {
                    let needed = prepared.base_size();
                    let refusal = Refusal::TooSmall { size: target.size(), needed };
                    self.before = Some(target.identity().clone());
                    tell(format_args!("{}: {refusal}", self.reader.display()));
                    return Ok(None);
                }
                Ok(target) => return Ok(Some(target)),
                Err(error) if error.refusals.iter().all(is_empty) => String::new(),
                Err(error) => error.to_string(),
            };
            if !message.is_empty() && message != told {
                tell(format_args!("{message}"));
                told = message;
            }
            sleep(INTERVAL);
        }
    }

    /// The node whose finished card is in the reader again, as happens when one
    /// card is put in twice.
    fn is_written(&self, target: &Target) -> Option<&str> {
        let storage = FileStorage::open(target.path()).ok()?;
        let written = self.written.iter().find(|card| card.is_written_to(&storage));
        written.map(|card| card.node.as_str())
    }
}

/// Whether there is no card yet. The devices of some readers go with the card.
fn is_empty(refusal: &Refusal) -> bool {
    matches!(refusal, Refusal::NoMedium | Refusal::NotFound(_))
}
