//! Building an image for every node from one base image and one cluster.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use cluster_profile::Node;
use plain_text::to_hex;

use crate::{
    BaseStorage, BuildInputs, BuildNote, BuildProgress, Cancel, CardBuilder, Error, ImageFormat,
    manifest::{ImageRecord, Manifest},
    output::{EmitJob, EmittedImage, OutputDirectory, emit},
    publish::{self, EarlierRun},
};

/// What to build, and where.
#[derive(Debug)]
pub struct BuildOptions<'a> {
    /// What the images are made from.
    pub inputs: BuildInputs<'a>,
    /// The nodes of the cluster that get an image.
    pub nodes: Vec<&'a Node>,
    /// The size of a card in bytes.
    pub card_size: u64,
    /// The directory for the images.
    pub out: &'a Path,
    /// The format of the images.
    pub format: ImageFormat,
    /// Whether SHA256SUMS lists raw images too. Computing the checksum of a card full of zeros
    /// takes longer than writing its contents.
    pub raw_sums: bool,
    /// Whether raw images of an earlier run are changed, where most of them stays the same, instead
    /// of being replaced.
    pub update: bool,
}

/// What was built.
#[derive(Debug)]
#[non_exhaustive]
pub struct BuildOutcome {
    /// The contents of manifest.json.
    pub manifest: Manifest,
    /// The directory that holds the images.
    pub out: PathBuf,
    /// Why the root partition was chosen.
    pub root_reason: String,
    /// The decoded base image, for reading only.
    pub base: Arc<BaseStorage>,
    /// What the user should know about the image or the profile.
    pub notes: Vec<BuildNote>,
}

/// Builds an image for each node.
///
/// # Errors
/// [`Error`]. No file with a final name has been made or changed then. With
/// [`update`](BuildOptions::update), images that were being changed have been removed.
pub fn build(
    options: &BuildOptions,
    progress: &dyn BuildProgress,
    cancel: &Cancel,
) -> Result<BuildOutcome, Error> {
    // Cheap checks come before the decoding.
    let directory = OutputDirectory::open(options.out)?;
    let _leftovers = cancel.remove_if_abandoned(directory.leftovers());
    let names = options.nodes.iter().map(|node| node.name.as_str());
    directory.check_targets(&publish::names(names.clone(), options.format), options.inputs.base)?;
    let earlier = EarlierRun::read(&directory)?;
    let cluster = &options.inputs.cluster.name;
    earlier.check_images(&directory, cluster, names, options.format)?;
    let builder = CardBuilder::open(options.inputs, progress, cancel)?;
    build_from(&builder, options, &directory, &earlier, progress, cancel)
        .map_err(|error| builder.blame_change(error))
}

fn build_from(
    builder: &CardBuilder,
    options: &BuildOptions,
    directory: &OutputDirectory,
    earlier: &EarlierRun,
    progress: &dyn BuildProgress,
    cancel: &Cancel,
) -> Result<BuildOutcome, Error> {
    let cards = builder.cards(options.card_size, &options.nodes, cancel)?;
    let job = EmitJob {
        base: Some(builder.storage()),
        shared: cards.shared,
        shared_used: cards.shared_used,
        cards: cards.cards,
        earlier: if options.update { earlier.image_names() } else { Vec::new() },
        map_ending: publish::MAP_ENDING.to_owned(),
        raw_sums: options.raw_sums,
    };
    let emitted = emit(&job, directory, options.format, progress, cancel)?;
    builder.check_unchanged()?;

    let cluster = options.inputs.cluster;
    let manifest = Manifest {
        version: 1,
        cluster: cluster.name.clone(),
        base: builder.base_record(),
        card_size: options.card_size,
        root: cards.root,
        time: builder.time(),
        images: image_records(options, &emitted)?,
        earlier: Vec::new(),
    };
    let nodes: Vec<_> = cluster.nodes.iter().map(|node| node.name.clone()).collect();
    let (manifest, note) = publish::publish(directory, earlier, emitted, manifest, &nodes)?;
    let mut notes = cards.notes;
    notes.extend(note);
    let root_reason = builder.root_reason().to_owned();
    let (out, base) = (options.out.to_owned(), builder.storage());
    Ok(BuildOutcome { manifest, out, root_reason, base, notes })
}

fn image_records(
    options: &BuildOptions,
    emitted: &[EmittedImage],
) -> Result<Vec<ImageRecord>, Error> {
    let keys = options.inputs.keys;
    let record = |(node, emitted): (&&Node, &EmittedImage)| {
        Ok(ImageRecord {
            node: node.name.clone(),
            address: node.address.to_string(),
            file: emitted.image.name().to_owned(),
            sha256: emitted.sum.as_ref().map(|sum| to_hex(sum)),
            bmap: emitted.bmap.name().to_owned(),
            used_bytes: emitted.used_bytes,
            machine_id: keys.machine_id(&node.name),
            host_key: keys.host(&node.name)?.fingerprint().to_owned(),
        })
    };
    options.nodes.iter().zip(emitted).map(record).collect()
}
