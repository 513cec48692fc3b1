//! What building the cards, or correcting one, would change. Nothing is written: all is
//! done in layers in memory.

mod change;
mod show;

use std::sync::Arc;

use block_io::{Layer, ReadAt, Window, WriteAt};
use card_image::{Cancel, Layout, Prepared, RESERVE, RootFs, RootFsEditor};
use cluster_keys::ClusterKeys;
use cluster_profile::{Change, Cluster, FileEdit, Node, render_node, render_shared};
use ext4_offline::{FilesystemInfo, Timestamp};
use serde::Serialize;

pub use self::change::FileChange;
use crate::{
    AuditError, Card,
    text::{self, size},
};

/// What a card that exists is planned with.
#[derive(Debug)]
pub struct PlanOptions<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Its keys.
    pub keys: &'a ClusterKeys,
    /// The node whose card it is to be.
    pub node: &'a Node,
    /// The time of every change, in seconds since 1970; else that of the last change on
    /// the card.
    pub time: Option<u64>,
}

/// What would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// What would be changed: the base, or a card.
    pub against: String,
    /// What becomes of partitions and filesystem, in words.
    pub card: Vec<String>,
    /// What the user should know.
    pub notes: Vec<String>,
    /// Changes that are the same for all planned nodes, if there are several.
    pub shared: Vec<FileChange>,
    /// Each node's own.
    pub nodes: Vec<NodePlan>,
}

/// What would change for one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NodePlan {
    /// The node.
    pub node: String,
    /// Its files, in the order of their paths.
    pub files: Vec<FileChange>,
}

/// Plans building cards of `size` bytes for these nodes; `base` names what they are made
/// from.
///
/// # Errors
/// [`AuditError`].
pub fn plan(
    prepared: &Prepared<'_>,
    size: u64,
    nodes: &[&Node],
    base: &str,
    cancel: &Cancel,
) -> Result<Plan, AuditError> {
    let made = prepared.cards(size, nodes, cancel)?;
    let layout = prepared.layout();
    let before = Card::from_storage(base.to_owned(), prepared.storage(), Some(layout.root))?;
    let range = &made.root_range;
    let mut plans = Vec::new();
    let mut info = None;
    for (node, card) in nodes.iter().zip(&made.cards) {
        let window = Window::new(card.layer.clone(), range.start, range.end - range.start)
            .map_err(card_image::Error::from)?;
        info = Some(ext4_offline::inspect(&window).map_err(card_image::Error::from)?);
        let after = read_only(Arc::new(window)).map_err(card_image::Error::from)?;
        let edits: Vec<FileEdit> = made.edits.iter().chain(&card.edits).cloned().collect();
        plans.push(compare(node, &before, &after, &edits)?);
    }
    let sizes = (text::size(size), text::size(prepared.base_size()));
    let mut card = vec![format!("cards of {}, made from an image of {}", sizes.0, sizes.1)];
    card.extend(grown(layout, range.end, before.root(), info.as_ref()));
    Ok(finish(base, card, made.notes, plans))
}

/// Plans correcting a card that exists.
///
/// # Errors
/// [`AuditError`], also if the card's root filesystem cannot be edited.
pub fn plan_against(options: &PlanOptions<'_>, card: &Card) -> Result<Plan, AuditError> {
    let PlanOptions { cluster, keys, node, .. } = options;
    let time = options.time.unwrap_or(card.root().last_written.unsigned_seconds());
    let range = card.layout().root_range();
    let window = Window::new(card.storage().clone(), range.start, range.end - range.start)
        .map_err(card.read_error())?;
    let length = window.size();
    let layer: Arc<dyn WriteAt> = Arc::new(Layer::new(Arc::new(window), length));
    let mut notes = Vec::new();
    if card.root().errors {
        notes.extend(without_errors(card, &layer, time)?);
    }
    let mut files = RootFsEditor::open(layer.clone(), time).map_err(card.files_error())?;
    let rendered = |result: Result<cluster_profile::Rendered, _>| {
        result.map_err(|error| AuditError::from(card_image::Error::Render(error)))
    };
    let shared = rendered(render_shared(cluster, keys, &*files, time))?;
    let passwords = cluster_profile::default_password_notes(cluster, &*files)
        .map_err(|error| AuditError::from(card_image::Error::Render(error)))?;
    files.apply(&shared.edits).map_err(card.files_error())?;
    let own = rendered(render_node(cluster, node, keys, &*files, time))?;
    files.apply(&own.edits).map_err(card.files_error())?;
    files.close().map_err(card.files_error())?;
    let all = shared.notes.iter().chain(&own.notes).chain(&passwords);
    for note in all.map(ToString::to_string) {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    let after = RootFs::open(layer).map_err(card.files_error())?;
    let edits: Vec<FileEdit> = shared.edits.into_iter().chain(own.edits).collect();
    let changes = compare(node, card, &after, &edits)?;
    let whole = Layer::new(card.storage().clone(), card.storage().size());
    let layout = card.layout();
    let words = match layout.table().grow_last(&whole, layout.root, RESERVE) {
        Ok(after) => grown(layout, after.after.bytes().end, card.root(), None),
        Err(error) => vec![format!("the partition table stays as it is: {error}")],
    };
    Ok(finish(card.name(), words, notes, vec![changes]))
}

/// Takes the mark of errors off a copy, if none are to be found. Answers what the user
/// should know.
fn without_errors(
    card: &Card,
    layer: &Arc<dyn WriteAt>,
    time: u64,
) -> Result<Option<String>, AuditError> {
    let look = || {
        ext4_offline::clear_errors(layer)?;
        ext4_offline::recover(layer, Timestamp::saturating(time))?;
        ext4_offline::check(layer)
    };
    look().map_err(|error| card.files_error()(error.into()))?;
    Ok(Some(format!(
        "the kernel has marked the root filesystem as having errors, though none are to be found; \
         `e2fsck -f` on partition {} has to come before any change",
        card.layout().root
    )))
}

/// Opens what a layer made of a filesystem, to be read.
pub(crate) fn read_only(window: Arc<dyn ReadAt>) -> card_image::FsResult<RootFs> {
    let size = window.size();
    RootFs::open(Arc::new(Layer::new(window, size)))
}

/// What edits changed, file by file.
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
        // Other edits replace a symlink, or remove it.
        let followed = edits.iter().any(|edit| {
            let through = matches!(
                edit.change,
                Change::Write { .. } | Change::Copy { .. } | Change::Touch { .. }
            );
            edit.path == path && through
        });
        let change = FileChange::between(before.files(), after, path, followed);
        files.extend(change.map_err(before.files_error())?);
    }
    Ok(NodePlan { node: node.name.clone(), files })
}

/// What becomes of the root partition, that is to end at `end`, and its filesystem.
pub(crate) fn grown(
    before: &Layout,
    end: u64,
    info: &FilesystemInfo,
    after: Option<&FilesystemInfo>,
) -> Vec<String> {
    let range = before.root_range();
    let (old, new) = (range.end - range.start, end - range.start);
    let number = before.root;
    let partition = match old == new {
        true => format!("partition {number} (root) stays as it is, {}", size(old)),
        false => format!(
            "partition {number} (root) grows from {} to {}, sectors {} to {}",
            size(old),
            size(new),
            range.start / 512,
            end / 512 - 1
        ),
    };
    let now = after.map_or(new, FilesystemInfo::size);
    let filesystem = match info.size() == now {
        true => format!("its filesystem stays as it is, {}", size(now)),
        false => {
            let free = after.map(|after| {
                let free =
                    |info: &FilesystemInfo| size(info.free_blocks * u64::from(info.block_size));
                format!(", {} free in place of {}", free(after), free(info))
            });
            let free = free.unwrap_or_default();
            format!("its filesystem grows from {} to {}{free}", size(info.size()), size(now))
        }
    };
    let names = |info: &FilesystemInfo| info.features.names();
    let gained = after.map(|after| {
        let old = names(info);
        names(after).into_iter().filter(|name| !old.contains(name)).collect::<Vec<_>>()
    });
    let mut words = vec![partition, filesystem];
    match gained.filter(|gained| !gained.is_empty()) {
        Some(gained) => words.push(format!("its features change: + {}", gained.join(" "))),
        None if after.is_some() => words.push("its features stay the same".into()),
        None => {}
    }
    words
}

/// Takes out of the nodes' changes what is the same for all of them.
pub(crate) fn finish(
    against: &str,
    card: Vec<String>,
    notes: Vec<String>,
    mut nodes: Vec<NodePlan>,
) -> Plan {
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
    Plan { against: against.to_owned(), card, notes, shared, nodes }
}
