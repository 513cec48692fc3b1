//! Building image files.

use std::path::PathBuf;

use card_image::{BuildInputs, BuildNote, BuildOptions, BuildOutcome, ImageFormat, Manifest};

use crate::{
    BaseSystem, Error, Project,
    left_over::{LeftOver, left_over},
};

/// Which images to build, and where.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BuildRequest {
    /// The directory for the images. It is made if it does not exist.
    pub out: PathBuf,
    /// The nodes to build; all of them if this is empty.
    pub nodes: Vec<String>,
    /// The size of a card in bytes, instead of the profile's, or if that has none.
    pub card_size: Option<u64>,
    /// The format of the images.
    pub format: ImageFormat,
    /// Whether SHA256SUMS lists raw images too, which it does not by default. Their checksums
    /// take longer to compute than the images take to write; block maps have checksums of
    /// everything that is written. Compressed images are always listed.
    pub raw_sums: bool,
    /// Whether raw images of an earlier run are changed, where most of them stays the same, instead
    /// of being replaced: only blocks that differ are written, and no space for second copies is
    /// needed. An image that was being changed when the build failed is gone.
    pub update: bool,
}

impl BuildRequest {
    /// Returns a request for raw images of all nodes, for cards of the profile's size.
    pub fn new(out: impl Into<PathBuf>) -> Self {
        BuildRequest {
            out: out.into(),
            nodes: Vec::new(),
            card_size: None,
            format: ImageFormat::Raw,
            raw_sums: false,
            update: false,
        }
    }
}

/// The images that were built.
#[derive(Debug)]
#[non_exhaustive]
pub struct BuildReport {
    /// The contents of manifest.json.
    pub manifest: Manifest,
    /// The directory that holds the images.
    pub out: PathBuf,
    /// Why the root partition of the base image was chosen.
    pub root_reason: String,
    /// What the user should know about the keys, the base image or the profile.
    pub notes: Vec<BuildNote>,
    /// The names of the nodes whose images this run made.
    pub made: Vec<String>,
    /// The images of earlier runs that the manifest still lists.
    pub left_over: Vec<LeftOver>,
    /// The system in the base image.
    pub system: BaseSystem,
}

impl Project {
    /// Builds an image for each node, with a block map for bmaptool, and describes them in
    /// manifest.json and SHA256SUMS. Makes the cluster's keys if they are missing.
    ///
    /// Files have temporary names until all of them are complete.
    ///
    /// # Errors
    /// [`Error`]; then no file has been made or changed under its final name, unless
    /// [`update`](BuildRequest::update) allows it.
    pub fn build(&self, request: &BuildRequest) -> Result<BuildReport, Error> {
        let card_size = self.card_size(request.card_size)?;
        let nodes = self.nodes(&request.nodes)?;
        let made = nodes.iter().map(|node| node.name.clone()).collect::<Vec<_>>();
        self.fetch_base()?;
        let keys = self.create_keys(Some(&request.out))?;
        let options = BuildOptions {
            inputs: BuildInputs { largest_card: Some(card_size), ..self.inputs(keys) },
            nodes,
            card_size,
            out: &request.out,
            format: request.format,
            raw_sums: request.raw_sums,
            update: request.update,
        };
        let built = card_image::build(&options, &*self.context.progress, &self.context.cancel)?;
        let BuildOutcome { manifest, out, root_reason, base, notes, .. } = built;
        let notes = self.key_note().into_iter().chain(notes).collect();
        let left_over = left_over(&manifest, &made, &out, &self.cluster, keys);
        let system = BaseSystem::read(self, base, manifest.root.partition);
        Ok(BuildReport { manifest, out, root_reason, notes, made, left_over, system })
    }
}
