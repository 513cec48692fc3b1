//! Plans: what building cards, or correcting a card, would change. The changes are made in
//! layers in memory, and nothing is written.

mod change;
mod note;
mod show;

use std::sync::Arc;

use block_io::{Layer, ReadAt, Window, WriteAt};
use card_image::{Cancel, CardBuilder, END_RESERVE, Layout, RootFs, RootFsEditor};
use cluster_keys::ClusterKeys;
use cluster_profile::{
    Change, Cluster, FileEdit, Node, RenderError, Rendered, obstacles_on_card, render_node,
    render_shared_on_card,
};
use ext4_offline::{FilesystemInfo, Timestamp};
use plain_text::{decimal_size, size, with_causes};
use serde::Serialize;

pub use self::{change::FileChange, note::PlanNote};
use crate::{AuditError, Card};

/// The options of [`plan_against`].
#[derive(Debug)]
pub struct PlanOptions<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Its keys.
    pub keys: &'a ClusterKeys,
    /// The node that the card is for.
    pub node: &'a Node,
    /// The time of every change, in seconds since 1970. `None` is the time of the last change
    /// to the card.
    pub time: Option<u64>,
}

/// The changes that building or correcting cards would make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ChangePlan {
    /// What the cards are compared with: the base image, or a card.
    pub against: String,
    /// The changes to partitions and the root filesystem, as sentences.
    pub card: Vec<String>,
    /// What the user should know.
    pub notes: Vec<PlanNote>,
    /// The changes that several nodes have in common.
    pub shared: Vec<FileChange>,
    /// The changes of each node alone.
    pub nodes: Vec<NodePlan>,
}

/// The changes for one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NodePlan {
    /// The node.
    pub node: String,
    /// The files that change, in the order of their paths.
    pub files: Vec<FileChange>,
}

/// Plans cards of `card_size` bytes for these nodes. Messages call the base image `base`.
///
/// # Errors
/// [`AuditError`] if the cards cannot be built.
pub fn plan(
    builder: &CardBuilder<'_>,
    card_size: u64,
    nodes: &[&Node],
    base: &str,
    cancel: &Cancel,
) -> Result<ChangePlan, AuditError> {
    let set = builder.cards(card_size, nodes, cancel)?;
    let layout = builder.layout();
    let before = Card::from_storage(base.to_owned(), builder.storage(), Some(layout.root))?;
    let range = &set.root_range;
    let mut plans = Vec::new();
    let mut info = None;
    for (node, card) in nodes.iter().zip(&set.cards) {
        let window = Window::new(card.layer.clone(), range.start, range.end - range.start)
            .map_err(card_image::Error::from)?;
        info = Some(ext4_offline::inspect(&window).map_err(card_image::Error::from)?);
        let whole: Arc<dyn ReadAt> = card.layer.clone();
        let after = read_only(Arc::new(window)).and_then(|root| root.with_boot(&whole, layout));
        let after = after.map_err(card_image::Error::from)?;
        let edits: Vec<FileEdit> = set.edits.iter().chain(&card.edits).cloned().collect();
        plans.push(compare(node, &before, &after, &edits)?);
    }
    let mut card = vec![format!("cards of {}", decimal_size(card_size))];
    card.extend(describe_growth(layout, range.end, before.root(), info.as_ref()));
    let notes = set.notes.into_iter().map(PlanNote::Build).collect();
    Ok(finish(base, card, notes, plans))
}

/// Plans the correction of an existing card.
///
/// # Errors
/// [`AuditError`] if the card cannot be read, or if its root filesystem cannot be edited.
pub fn plan_against(options: &PlanOptions<'_>, card: &Card) -> Result<ChangePlan, AuditError> {
    let PlanOptions { cluster, keys, node, .. } = options;
    let time = options.time.unwrap_or(card.root().last_written.unsigned_seconds());
    let layout = card.layout();
    let range = layout.root_range();
    let length = card.storage().size();
    let whole: Arc<dyn WriteAt> = Arc::new(Layer::new(card.storage().clone(), length));
    let window = Window::new(whole.clone(), range.start, range.end - range.start)
        .map_err(card.read_error())?;
    let layer: Arc<dyn WriteAt> = Arc::new(window);
    let mut notes = Vec::new();
    if card.root().errors {
        clear_error_flag(card, &layer, time)?;
        notes.push(PlanNote::ErrorsFlagged { partition: layout.root });
    }
    let files = RootFsEditor::open(layer.clone(), time);
    let files = files.and_then(|files| files.with_boot(&whole, layout));
    let mut files = files.map_err(card.files_error())?;
    let rendered = |result: Result<Rendered, RenderError>| {
        result.map_err(|first| {
            let all = obstacles_on_card(cluster, node, keys, card.files(), time);
            AuditError::from(match all {
                Ok(all) if !all.is_empty() => card_image::Error::Refused(all),
                _ => card_image::Error::Render(first),
            })
        })
    };
    let shared = rendered(render_shared_on_card(cluster, node, keys, &*files, time))?;
    let passwords = cluster_profile::default_password_notes(cluster, &*files)
        .map_err(|error| AuditError::from(card_image::Error::Render(error)))?;
    files.apply(&shared.edits).map_err(card.files_error())?;
    let own = rendered(render_node(cluster, node, keys, &*files, time))?;
    files.apply(&own.edits).map_err(card.files_error())?;
    files.close().map_err(card.files_error())?;
    let all = shared.notes.into_iter().chain(own.notes).chain(passwords);
    for note in all.map(PlanNote::from) {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    let readable: Arc<dyn ReadAt> = Arc::new(whole);
    let after = RootFs::open(layer).and_then(|root| root.with_boot(&readable, layout));
    let after = after.map_err(card.files_error())?;
    let edits: Vec<FileEdit> = shared.edits.into_iter().chain(own.edits).collect();
    let changes = compare(node, card, &after, &edits)?;
    let whole = Layer::new(card.storage().clone(), length);
    let words = match layout.table().grow(&whole, layout.root, END_RESERVE) {
        Ok(grown) => {
            notes.extend(card_image::growth_note(&grown, length).map(PlanNote::Build));
            describe_growth(layout, grown.after.bytes().end, card.root(), None)
        }
        Err(error) => vec![format!("the partition table does not change: {}", with_causes(&error))],
    };
    Ok(finish(card.name(), words, notes, vec![changes]))
}

/// Clears the error flag of a copy of the root filesystem, if a check finds no errors.
fn clear_error_flag(card: &Card, layer: &Arc<dyn WriteAt>, time: u64) -> Result<(), AuditError> {
    let check = || {
        ext4_offline::clear_errors(layer)?;
        ext4_offline::recover(layer, Timestamp::saturating(time))?;
        ext4_offline::check(layer).map(drop)
    };
    check().map_err(|error| card.files_error()(error.into()))
}

/// Opens a filesystem with a layer's changes for reading.
pub(crate) fn read_only(window: Arc<dyn ReadAt>) -> card_image::FsResult<RootFs> {
    let size = window.size();
    RootFs::open(Arc::new(Layer::new(window, size)))
}

/// Returns what edits changed, file by file.
pub(crate) fn compare(
    node: &Node,
    before: &Card,
    after: &RootFs,
    edits: &[FileEdit],
) -> Result<NodePlan, AuditError> {
    let mut paths: Vec<&str> = edits.iter().map(|edit| edit.path.as_str()).collect();
    paths.sort_unstable();
    paths.dedup();
    let mut files = Vec::new();
    for path in paths {
        // These edits follow a symlink. Others replace or remove it.
        let followed = edits.iter().any(|edit| {
            let through = matches!(
                edit.change,
                Change::Write { .. } | Change::Copy { .. } | Change::Touch { .. }
            );
            edit.path == path && through
        });
        // One secret edit of a path makes its contents secret.
        let purposes = edits.iter().filter(|edit| edit.path == path).map(|edit| &edit.purpose);
        let Some(purpose) = purposes.max_by_key(|purpose| purpose.is_secret()) else { continue };
        let change = FileChange::between(before.files(), after, path, purpose, followed);
        files.extend(change.map_err(before.files_error())?);
    }
    Ok(NodePlan { node: node.name.clone(), files })
}

/// Describes how the root partition grows to end at the byte `end`, and how its filesystem
/// grows from `info` to `after`; returns nothing if both stay as they are.
pub(crate) fn describe_growth(
    before: &Layout,
    end: u64,
    info: &FilesystemInfo,
    after: Option<&FilesystemInfo>,
) -> Vec<String> {
    let range = before.root_range();
    let (old, new) = (range.end - range.start, end - range.start);
    let number = before.root;
    let verb = |old: u64, new: u64| if old < new { "grows" } else { "shrinks" };
    let partition = if old == new {
        format!("partition {number} (root) stays at {}", size(old))
    } else {
        format!(
            "partition {number} (root) {} from {} to {}, sectors {} to {}",
            verb(old, new),
            size(old),
            size(new),
            range.start / 512,
            end / 512 - 1
        )
    };
    let now = after.map_or(new, FilesystemInfo::size);
    let filesystem = if info.size() == now {
        format!("its filesystem stays at {}", size(now))
    } else {
        let free = |info: &FilesystemInfo| size(info.free_blocks * u64::from(info.block_size));
        let free = after.map(|after| format!(", {} free (was {})", free(after), free(info)));
        let (old, free) = (size(info.size()), free.unwrap_or_default());
        let verb = verb(info.size(), now);
        format!("its filesystem {verb} from {old} to {}{free}", size(now))
    };
    if old == new && info.size() == now {
        return Vec::new();
    }
    let names = |info: &FilesystemInfo| info.features.names();
    let gained = after.map(|after| {
        let old = names(info);
        names(after).into_iter().filter(|name| !old.contains(name)).collect::<Vec<_>>()
    });
    let mut words = vec![partition, filesystem];
    if let Some(gained) = gained.filter(|gained| !gained.is_empty()) {
        words.push(format!("its filesystem gains the features {}", gained.join(" ")));
    }
    words
}

/// Returns a plan, in which the changes that all nodes have in common are listed once.
pub(crate) fn finish(
    against: &str,
    card: Vec<String>,
    notes: Vec<PlanNote>,
    mut nodes: Vec<NodePlan>,
) -> ChangePlan {
    let mut shared = Vec::new();
    if let [first, others @ ..] = nodes.as_slice()
        && !others.is_empty()
    {
        let everywhere =
            |change: &&FileChange| others.iter().all(|node| node.files.contains(*change));
        shared = first.files.iter().filter(everywhere).cloned().collect();
        for node in &mut nodes {
            node.files.retain(|change| !shared.contains(change));
        }
    }
    ChangePlan { against: against.to_owned(), card, notes, shared, nodes }
}
