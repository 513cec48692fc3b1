//! The cards of one session: what each of them holds, and writing them.

use std::sync::Arc;

use block_io::Extents;
use card_flash::{
    CardMarks, CardSource, FlashJob, FlashProgress, Medium, OldContents,
    device::{Exposure, OpenedTarget, Refusal, TargetError},
    flash,
};
use card_image::{BaseStorage, BuildNote, Cancel, CardBuilder, PreparedCard};
use cluster_profile::Node;

use super::{FlashTarget, FlashedCard, named, refuse_any};
use crate::{Error, Project};

/// The number of other nodes whose cards a card is compared with to find its marks.
const OTHERS: usize = 3;

/// Returns what each card is to hold, in the order of the targets, and notes for the user.
/// Cards of one size share the grown base.
pub(super) fn prepare(
    project: &Project,
    builder: &CardBuilder,
    targets: &[FlashTarget],
) -> Result<(Vec<CardSource>, Vec<BuildNote>), Error> {
    refuse_too_small(targets, builder, &project.context.cancel)?;
    let mut sources: Vec<Option<CardSource>> = targets.iter().map(|_| None).collect();
    let mut notes = Vec::new();
    for size in sizes(targets) {
        let of_size = |position: &usize| targets[*position].target.size() == size;
        let positions: Vec<usize> = (0..targets.len()).filter(of_size).collect();
        let group: Vec<&FlashTarget> = positions.iter().map(|&at| &targets[at]).collect();
        let nodes: Result<Vec<&Node>, Error> =
            group.iter().map(|target| project.node(&target.node)).collect();
        let cards = builder.cards(size, &nodes?, &project.context.cancel);
        let cards = cards.map_err(|source| Error::CardsFor {
            targets: named(&group),
            source: Box::new(source),
        })?;
        notes.extend(cards.notes);
        for (position, card) in positions.into_iter().zip(cards.cards) {
            let PreparedCard { name, layer, used, changed, .. } = card;
            sources[position] = Some(CardSource { node: name, layer, used, changed });
        }
    }
    Ok((sources.into_iter().flatten().collect(), notes))
}

/// Returns what a node's card is to hold, notes for the user, and the marks by which it is
/// recognized later.
pub(super) fn prepare_marked(
    project: &Project,
    builder: &CardBuilder,
    target: &FlashTarget,
) -> Result<(CardSource, Vec<BuildNote>, CardMarks), Error> {
    refuse_too_small(std::slice::from_ref(target), builder, &project.context.cancel)?;
    let node = project.node(&target.node)?;
    let others = project.cluster.nodes.iter().filter(|other| other.name != node.name);
    let nodes: Vec<&Node> = std::iter::once(node).chain(others.take(OTHERS)).collect();
    let failed = |source: card_image::Error| Error::CardsFor {
        targets: named(&[target]),
        source: Box::new(source),
    };
    let cards = builder.cards(target.target.size(), &nodes, &project.context.cancel);
    let cards = cards.map_err(failed)?;
    let sources = cards.cards.into_iter().map(|card| {
        let PreparedCard { name, layer, used, changed, own, .. } = card;
        (CardSource { node: name, layer, used, changed }, own)
    });
    let mut sources: Vec<(CardSource, Extents)> = sources.collect();
    let others = sources.split_off(1);
    let others: Vec<&CardSource> = others.iter().map(|(source, _)| source).collect();
    let Some((source, own)) = sources.pop() else { return Err(Error::NoTargets) };
    let marks = CardMarks::choose(&source, &own, &others);
    let marks = marks.map_err(|error| failed(card_image::Error::Storage(error)))?;
    Ok((source, cards.notes, marks))
}

fn refuse_too_small(
    targets: &[FlashTarget],
    builder: &CardBuilder,
    cancel: &Cancel,
) -> Result<(), Error> {
    let mut refused = Vec::new();
    for target in targets {
        if let Err(needed) = builder.check_card_size(target.target.size(), cancel)? {
            refused.push(target.refused(too_small_error(target, needed)));
        }
    }
    refuse_any(refused)
}

pub(super) fn too_small_error(target: &FlashTarget, needed: u64) -> TargetError {
    let refusal = Refusal::TooSmall { size: target.target.size(), needed, file: target.file() };
    TargetError::new(target.path(), refusal)
}

/// The different sizes of the targets in bytes, the smallest first.
fn sizes(targets: &[FlashTarget]) -> Vec<u64> {
    let mut sizes: Vec<u64> = targets.iter().map(|target| target.target.size()).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// Takes files that are to hold private keys away from other users. Returns notes about those that
/// others could read.
pub(super) fn make_private(opened: &[OpenedTarget]) -> Vec<BuildNote> {
    let note = |opened: &OpenedTarget| {
        let file = opened.path().to_owned();
        Some(match opened.make_private()? {
            Exposure::Ended => BuildNote::MadePrivate { file },
            Exposure::Remains => BuildNote::Exposed { file },
        })
    };
    opened.iter().filter_map(note).collect()
}

/// Writes and verifies all cards. Returns what became of each, in the order of the targets.
pub(super) fn write(
    builder: &CardBuilder,
    targets: &[FlashTarget],
    cards: Vec<CardSource>,
    opened: &[OpenedTarget],
    old_contents: OldContents,
    progress: &dyn FlashProgress,
    cancel: &Cancel,
) -> Vec<FlashedCard> {
    let shared: Arc<BaseStorage> = builder.storage();
    let media = opened.iter().map(|medium| medium as &dyn Medium);
    let job = FlashJob { shared, cards: cards.into_iter().zip(media).collect(), old_contents };
    let outcomes = flash(&job, progress, cancel);
    targets.iter().zip(outcomes).map(|(target, outcome)| target.flashed(outcome)).collect()
}
