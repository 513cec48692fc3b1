//! The main job: one base image and one cluster to an image for every node.

use std::path::{Path, PathBuf};

use cluster_profile::Node;

use crate::{
    BuildInputs, BuildProgress, Cancel, CardBuilder, Error, ImageFormat,
    manifest::{ImageRecord, Manifest},
    output::{Directory, Emitted, Job, emit, hex},
    publish::{self, Earlier},
};

/// What to build, and where.
#[derive(Debug)]
pub struct BuildOptions<'a> {
    /// What the images are made from.
    pub inputs: BuildInputs<'a>,
    /// Those of the cluster's nodes that get an image.
    pub nodes: Vec<&'a Node>,
    /// The size of a card in bytes.
    pub card_size: u64,
    /// The directory for the images.
    pub out: &'a Path,
    /// The form of the images.
    pub format: ImageFormat,
    /// Whether SHA256SUMS is to have raw images too. Summing up a card's worth of
    /// zeros takes longer than writing what it holds.
    pub raw_sums: bool,
}

/// What was built.
#[derive(Debug)]
#[non_exhaustive]
pub struct BuildOutcome {
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
    progress: &dyn BuildProgress,
    cancel: &Cancel,
) -> Result<BuildOutcome, Error> {
    // The cheap refusals come before the decoding.
    let directory = Directory::open(options.out)?;
    let names = options.nodes.iter().map(|node| node.name.as_str());
    directory.check_targets(&publish::names(names, options.format), options.inputs.base)?;
    let earlier = Earlier::read(&directory)?;
    let prepared = CardBuilder::open(options.inputs, progress, cancel)?;
    build_from(&prepared, options, &directory, &earlier, progress, cancel)
        .map_err(|error| prepared.blame_change(error))
}

fn build_from(
    prepared: &CardBuilder,
    options: &BuildOptions,
    directory: &Directory,
    earlier: &Earlier,
    progress: &dyn BuildProgress,
    cancel: &Cancel,
) -> Result<BuildOutcome, Error> {
    let cards = prepared.cards(options.card_size, &options.nodes, cancel)?;
    let job = Job {
        base: prepared.storage(),
        shared: cards.shared,
        shared_used: cards.shared_used,
        cards: cards.cards,
        raw_sums: options.raw_sums,
    };
    let emitted = emit(&job, directory, options.format, progress, cancel)?;
    prepared.check_unchanged()?;

    let cluster = options.inputs.cluster;
    let manifest = Manifest {
        version: 1,
        cluster: cluster.name.clone(),
        base: prepared.base_record(),
        card_size: options.card_size,
        root: cards.root,
        time: prepared.time(),
        images: image_records(options, &emitted)?,
    };
    let nodes: Vec<_> = cluster.nodes.iter().map(|node| node.name.clone()).collect();
    let (manifest, note) = publish::publish(directory, earlier, emitted, manifest, &nodes)?;
    let mut notes = cards.notes;
    notes.extend(note);
    let root_reason = prepared.root_reason().to_owned();
    Ok(BuildOutcome { manifest, out: options.out.to_owned(), root_reason, notes })
}

fn image_records(options: &BuildOptions, emitted: &[Emitted]) -> Result<Vec<ImageRecord>, Error> {
    let keys = options.inputs.keys;
    let record = |(node, emitted): (&&Node, &Emitted)| {
        Ok(ImageRecord {
            node: node.name.clone(),
            address: node.address.to_string(),
            file: emitted.image.name().to_owned(),
            sha256: emitted.sum.as_ref().map(hex),
            bmap: emitted.bmap.name().to_owned(),
            used_bytes: emitted.used_bytes,
            machine_id: keys.machine_id(&node.name),
            host_key: keys.host(&node.name)?.fingerprint().to_owned(),
        })
    };
    options.nodes.iter().zip(emitted).map(record).collect()
}
