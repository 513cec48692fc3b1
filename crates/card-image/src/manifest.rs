//! manifest.json: the images of a run, for programs.

use serde::{Deserialize, Serialize};

/// The images that runs of [`build`](crate::build) have made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Manifest {
    /// The version of this format.
    pub version: u32,
    /// The cluster's name.
    pub cluster: String,
    /// The base that the images were made from.
    pub base: BaseRecord,
    /// The size of each card in bytes.
    pub card_size: u64,
    /// The root filesystem on every card.
    pub root: RootRecord,
    /// The time of every change, in seconds since 1970.
    pub time: u64,
    /// One record for each image, in the order of the profile's nodes. Images of nodes that
    /// the profile no longer has come last.
    pub images: Vec<ImageRecord>,
    /// Other images in the directory that earlier runs made, from other bases, for other cards or
    /// other clusters. A run for their cluster may replace them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierImage>,
}

/// An image that an earlier run made, and that says nothing about this one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EarlierImage {
    /// The cluster's name.
    pub cluster: String,
    /// The image file's name.
    pub file: String,
}

/// What identifies a base image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BaseRecord {
    /// The file's name without its directory.
    pub file: String,
    /// The size of the decoded image in bytes.
    pub size: u64,
    /// The SHA-256 sum of the file as given, if it was computed.
    pub sha256: Option<String>,
}

/// The root filesystem, in the base and on the cards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RootRecord {
    /// The number of its partition.
    pub partition: u32,
    /// Its size in the base, in bytes.
    pub size_in_base: u64,
    /// Its size on the card, in bytes.
    pub size: u64,
}

/// One node's image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ImageRecord {
    /// The node's name.
    pub node: String,
    /// Its address.
    pub address: String,
    /// The image file's name.
    pub file: String,
    /// The SHA-256 sum of the image file, if it was computed.
    pub sha256: Option<String>,
    /// The name of the block map for bmaptool.
    pub bmap: String,
    /// The number of bytes of the card that have to be written.
    pub used_bytes: u64,
    /// The node's machine-id.
    pub machine_id: String,
    /// The fingerprint of the node's ssh host key, as ssh shows it.
    pub host_key: String,
}

impl Manifest {
    /// Returns all images that it knows of.
    pub(crate) fn known(&self) -> impl Iterator<Item = EarlierImage> {
        let of = |image: &ImageRecord| EarlierImage {
            cluster: self.cluster.clone(),
            file: image.file.clone(),
        };
        self.images.iter().map(of).chain(self.earlier.iter().cloned())
    }

    /// Returns whether both list images made from the same base, for the same cluster and the
    /// same cards.
    pub(crate) fn same_cards(&self, other: &Manifest) -> bool {
        let of = |manifest: &Manifest| Manifest {
            images: Vec::new(),
            earlier: Vec::new(),
            ..manifest.clone()
        };
        of(self) == of(other)
    }
}
