//! `nodecard flash`.

mod bars;
mod one_reader;
mod report;
mod resume;

use std::sync::Arc;

use block_io::FileStorage;
use card_flash::{
    FlashJob, Medium,
    device::{HostSystem, OpenedTarget, Refusal, Target, TargetError, TargetLimits},
    flash,
};
use card_image::{Cancel, CardBuilder};
use cluster_profile::{Cluster, Node};

use crate::{
    args::FlashArgs,
    failure::{Failure, tell},
    progress::Shown,
    setup::{ask, cancel_on_interrupt, gigabytes, keys, sources},
};
use bars::Bars;
use report::{Line, Report};

pub fn run(args: &FlashArgs) -> Result<(), Failure> {
    let cluster = Cluster::load(&args.profile)?;
    if let Some(reader) = &args.one_reader {
        return one_reader::run(args, &cluster, reader);
    }
    if args.resume {
        return Err(Failure::Usage("--resume carries on with --one-reader DEVICE".to_owned()));
    }
    let flasher = Flasher::new(args, &cluster);
    // The cheap refusals come before the decoding.
    let chosen = flasher.chosen(&args.targets)?;
    let keys = keys(&cluster)?;
    let sources = sources(&cluster, &keys, args.base.as_deref(), args.root)?;
    let prepared = CardBuilder::open(sources, &Shown::default(), &flasher.cancel)?;
    let mut report = Report::new(&prepared);
    let cards = flasher.cards(&prepared, &chosen, &mut report)?;
    flasher.agree(&chosen)?;
    let opened = flasher.open(&chosen)?;
    let lines = flasher.write(&prepared, &chosen, cards, &opened);
    report.cards.extend(lines);
    // The report comes in any case: the cards are written.
    let printed = report.print(args);
    prepared.check_unchanged()?;
    printed
}

/// Targets are refused before the first write to any.
fn refused(mut messages: Vec<String>) -> Failure {
    messages.push("nothing was written".to_owned());
    Failure::Refused(messages)
}

/// A node and where its card is.
type Chosen<'a> = (&'a Node, Target);

/// What all steps of flashing need.
struct Flasher<'a> {
    args: &'a FlashArgs,
    cluster: &'a Cluster,
    system: HostSystem,
    limits: TargetLimits,
    cancel: Cancel,
}

impl<'a> Flasher<'a> {
    fn new(args: &'a FlashArgs, cluster: &'a Cluster) -> Self {
        let (system, limits) = (HostSystem::this(), TargetLimits::from(&args.limits));
        Flasher { args, cluster, system, limits, cancel: cancel_on_interrupt() }
    }

    fn inspect(&self, path: &std::path::Path) -> Result<Target, TargetError> {
        let base = self.args.base.as_deref().unwrap_or(&self.cluster.base.path);
        Target::inspect(&self.system, path, base, &self.limits)
    }

    /// The nodes and targets of the command line; all refusals at once.
    fn chosen(&self, targets: &[(String, std::path::PathBuf)]) -> Result<Vec<Chosen<'a>>, Failure> {
        if targets.is_empty() {
            return Err(Failure::Usage(
                "say which node's card is where, such as xu4-node1=/dev/sdb; `nodecard devices` \
                 lists the cards"
                    .to_owned(),
            ));
        }
        let mut chosen: Vec<Chosen> = Vec::new();
        let mut refused = Vec::new();
        for (number, (name, path)) in targets.iter().enumerate() {
            let node = self.cluster.nodes.iter().find(|node| node.name == *name);
            let node = node.ok_or_else(|| self.no_such_node(name))?;
            if targets[..number].iter().any(|(other, _)| other == name) {
                return Err(Failure::Usage(format!("the node {name} is given twice")));
            }
            match self.inspect(path) {
                Err(error) => refused.push(format!("{name} on {error}")),
                Ok(target) => {
                    let place = |other: &&Chosen| other.1.is_same_place(&target);
                    if let Some((other, _)) = chosen.iter().find(place) {
                        let twice = TargetError::new(path, Refusal::GivenTwice(other.name.clone()));
                        refused.push(format!("{name} on {twice}"));
                    }
                    chosen.push((node, target));
                }
            }
        }
        if refused.is_empty() { Ok(chosen) } else { Err(self::refused(refused)) }
    }

    fn no_such_node(&self, name: &str) -> Failure {
        let known: Vec<&str> = self.cluster.nodes.iter().map(|node| node.name.as_str()).collect();
        Failure::Usage(format!(
            "there is no node {name} in {}; its nodes are {}",
            self.cluster.path.display(),
            known.join(", ")
        ))
    }

    /// What each card is to hold, in their order. Cards of one size share the
    /// grown base.
    fn cards(
        &self,
        prepared: &CardBuilder,
        chosen: &[Chosen],
        report: &mut Report,
    ) -> Result<Vec<card_flash::CardSource>, Failure> {
        let needed = prepared.base_size();
        let refused: Vec<String> = chosen
            .iter()
            .filter(|(_, target)| target.size() < needed)
            .map(|(node, target)| {
                let refusal = Refusal::TooSmall { size: target.size(), needed };
                format!("{} on {}", node.name, TargetError::new(target.path(), refusal))
            })
            .collect();
        if !refused.is_empty() {
            return Err(self::refused(refused));
        }
        let mut made: Vec<Option<card_flash::CardSource>> = chosen.iter().map(|_| None).collect();
        let mut sizes: Vec<u64> = chosen.iter().map(|(_, target)| target.size()).collect();
        sizes.sort_unstable();
        sizes.dedup();
        for size in sizes {
            let places: Vec<usize> =
                (0..chosen.len()).filter(|&place| chosen[place].1.size() == size).collect();
            let nodes: Vec<&Node> = places.iter().map(|&place| chosen[place].0).collect();
            let cards = prepared.cards(size, &nodes, &self.cancel).map_err(|error| {
                let target = |&place: &usize| {
                    let (node, target) = &chosen[place];
                    format!("{} on {}", node.name, target.path().display())
                };
                let targets = places.iter().map(target).collect::<Vec<_>>().join(", ");
                Failure::CardsFor { targets, error: Box::new(error) }
            })?;
            report.add_notes(cards.notes);
            for (place, card) in places.into_iter().zip(cards.cards) {
                let card_image::PreparedCard { name, layer, used, changed, .. } = card;
                made[place] = Some(card_flash::CardSource { node: name, layer, used, changed });
            }
        }
        Ok(made.into_iter().flatten().collect())
    }

    /// Shows what would be overwritten, and asks for the name of each target.
    fn agree(&self, chosen: &[Chosen]) -> Result<(), Failure> {
        for (node, target) in chosen {
            describe(node, target);
        }
        for (node, target) in chosen {
            if !self.agrees(node, target)?.unwrap_or(false) {
                let message = format!("{} was not agreed to", target.path().display());
                return Err(refused(vec![message]));
            }
        }
        Ok(())
    }

    /// Whether the user agrees to one target; `None` if nobody answers.
    fn agrees(&self, node: &Node, target: &Target) -> Result<Option<bool>, Failure> {
        if self.args.yes {
            return Ok(Some(true));
        }
        let name = target.name();
        let answer = ask(format_args!(
            "Type {name} to overwrite {} with {}'s card:",
            target.path().display(),
            node.name
        ))?;
        Ok(answer.map(|answer| answer == name))
    }

    /// Opens all targets, or none.
    fn open(&self, chosen: &[Chosen]) -> Result<Vec<OpenedTarget>, Failure> {
        let mut opened = Vec::new();
        let mut refused = Vec::new();
        for (node, target) in chosen {
            match target.open(&self.system, &self.limits) {
                Ok(medium) => opened.push(medium),
                Err(error) => refused.push(format!("{} on {error}", node.name)),
            }
        }
        if refused.is_empty() { Ok(opened) } else { Err(self::refused(refused)) }
    }

    /// Writes and verifies all cards. Answers a line of the report for each.
    fn write(
        &self,
        prepared: &CardBuilder,
        chosen: &[Chosen],
        cards: Vec<card_flash::CardSource>,
        opened: &[OpenedTarget],
    ) -> Vec<Line> {
        let shared: Arc<FileStorage> = prepared.storage();
        let media = opened.iter().map(|medium| medium as &dyn Medium);
        let job = FlashJob {
            shared,
            cards: cards.into_iter().zip(media).collect(),
            discard: self.args.discard,
        };
        let titles = chosen
            .iter()
            .map(|(node, target)| format!("{} on {}", node.name, target.path().display()))
            .collect();
        let outcomes = flash(&job, &Bars::new(titles), &self.cancel);
        let line = |((node, target), outcome): (&Chosen, _)| Line::new(node, target, outcome);
        chosen.iter().zip(outcomes).map(line).collect()
    }
}

/// Tells what a target is, and what is on it now.
fn describe(node: &Node, target: &Target) {
    let device = target.device();
    let model = device.and_then(|device| device.model.as_deref());
    let serial = device.and_then(|device| device.serial.as_deref());
    let what = match device {
        None => "a file".to_owned(),
        Some(_) => {
            format!("{}, serial {}", model.unwrap_or("unknown model"), serial.unwrap_or("unknown"))
        }
    };
    tell(format_args!(
        "{}: {}, {}, {what}\n    now on it: {}",
        node.name,
        target.path().display(),
        gigabytes(target.size()),
        target.contents()
    ));
}
