//! The main job: one base image and one cluster to an image for every node.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use block_io::ReadAt;
use cluster_keys::ClusterKeys;
use cluster_profile::{Cluster, Node};

use crate::{
    Base, BaseOptions, Blame, Cancel, Error, Format, Progress,
    grown::Grown,
    layout::Layout,
    manifest::{BaseRecord, ImageRecord, Manifest, RootRecord},
    output::{Card, Directory, Emitted, Job, emit, hex},
    publish::{self, Earlier},
    rootfs::RootFs,
};

/// What to build, and where.
#[derive(Debug)]
pub struct BuildOptions<'a> {
    /// The cluster.
    pub cluster: &'a Cluster,
    /// Those of its nodes that get an image.
    pub nodes: Vec<&'a Node>,
    /// The cluster's keys.
    pub keys: &'a ClusterKeys,
    /// The base image.
    pub base: &'a Path,
    /// What the base file's SHA-256 sum must be.
    pub base_sha256: Option<[u8; 32]>,
    /// The size of a card in bytes.
    pub card_size: u64,
    /// The number of the root partition, where it is not to be found.
    pub root: Option<u32>,
    /// The directory for the images.
    pub out: &'a Path,
    /// The form of the images.
    pub format: Format,
    /// Whether SHA256SUMS is to have raw images too. Summing up a card's worth of
    /// zeros takes longer than writing what it holds.
    pub raw_sums: bool,
    /// The time of every change, in seconds since 1970; else that of the last
    /// change in the base.
    pub time: Option<u64>,
    /// Where decoded bases are kept; else the user's cache directory.
    pub cache: Option<&'a Path>,
}

/// What was built.
#[derive(Debug)]
#[non_exhaustive]
pub struct Built {
    /// What manifest.json says.
    pub manifest: Manifest,
    /// The directory that holds the images.
    pub out: PathBuf,
    /// Why the root partition was taken for that.
    pub root_reason: String,
    /// What the user should know about the image or the profile.
    pub notes: Vec<String>,
}

/// Builds an image for each node.
///
/// # Errors
/// [`Error`]. No file under a final name has been made or changed then.
pub fn build(
    options: &BuildOptions,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<Built, Error> {
    // The cheap refusals come before the decoding.
    let directory = Directory::open(options.out)?;
    let names = options.nodes.iter().map(|node| node.name.as_str());
    directory.check_targets(&publish::names(names, options.format), options.base)?;
    let earlier = Earlier::read(&directory)?;
    let base = Base::open(
        options.base,
        BaseOptions { cache_dir: options.cache, sha256: options.base_sha256, progress, cancel },
    )?;
    let built = build_from(&base, options, &directory, &earlier, progress, cancel);
    built.map_err(|error| match base.check_unchanged() {
        // A base that changed meanwhile can cause any error.
        Err(changed) if error.blame() != Blame::Interrupted => changed.into(),
        _ => error,
    })
}

fn build_from(
    base: &Base,
    options: &BuildOptions,
    directory: &Directory,
    earlier: &Earlier,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<Built, Error> {
    let storage: Arc<dyn ReadAt> = base.storage();
    let layout = Layout::find(&storage, options.root)?;
    let time = match options.time {
        Some(time) => time,
        None => layout.root_written(&storage)?,
    };

    let mut notes = Vec::new();
    let render_shared = |files: &RootFs| {
        let rendered = cluster_profile::render_shared(options.cluster, options.keys, files, time)?;
        notes.extend(rendered.notes);
        Ok(rendered.edits)
    };
    let grown = Grown::new(base.storage(), &layout, options.card_size, time, render_shared)?;
    let mut cards = Vec::new();
    for node in &options.nodes {
        cancel.check()?;
        let render_node = |files: &RootFs| {
            let rendered =
                cluster_profile::render_node(options.cluster, node, options.keys, files, time)?;
            notes.extend(rendered.notes);
            Ok(rendered.edits)
        };
        let layer = grown.node(time, render_node)?;
        let used = grown.used(&layer)?;
        cards.push(Card { name: node.name.clone(), layer, used });
    }

    let job = Job {
        base: base.storage(),
        shared: grown.layer().clone(),
        shared_used: grown.used(grown.layer())?,
        cards,
        raw_sums: options.raw_sums,
    };
    let emitted = emit(&job, directory, options.format, progress, cancel)?;
    base.check_unchanged()?;

    let manifest = Manifest {
        version: 1,
        cluster: options.cluster.name.clone(),
        base: BaseRecord {
            file: options.base.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            size: storage.size(),
            sha256: base.sha256().map(|sum| hex(&sum)),
        },
        card_size: options.card_size,
        root: RootRecord {
            partition: layout.root,
            size_in_base: grown.root_before,
            size: grown.root_after(),
        },
        time,
        images: image_records(options, &emitted)?,
    };
    let nodes: Vec<_> = options.cluster.nodes.iter().map(|node| node.name.clone()).collect();
    let (manifest, note) = publish::publish(directory, earlier, emitted, manifest, &nodes)?;
    let mut notes: Vec<_> = notes.iter().map(ToString::to_string).collect();
    notes.extend(note);
    notes.dedup();
    Ok(Built { manifest, out: options.out.to_owned(), root_reason: layout.reason, notes })
}

fn image_records(options: &BuildOptions, emitted: &[Emitted]) -> Result<Vec<ImageRecord>, Error> {
    let record = |(node, emitted): (&&Node, &Emitted)| {
        Ok(ImageRecord {
            node: node.name.clone(),
            address: node.address.to_string(),
            file: emitted.image.name().to_owned(),
            sha256: emitted.sum.as_ref().map(hex),
            bmap: emitted.bmap.name().to_owned(),
            used_bytes: emitted.used_bytes,
            machine_id: options.keys.machine_id(&node.name),
            host_key: options.keys.host(&node.name)?.fingerprint().to_owned(),
        })
    };
    options.nodes.iter().zip(emitted).map(record).collect()
}
