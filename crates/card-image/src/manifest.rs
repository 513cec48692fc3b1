//! manifest.json: the images of a run, for programs.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{ImageFormat, publish::bmap_name};

/// The images that runs of [`build`](crate::build) have made.
///
/// The files that it names are replaced and removed. So reading one fails if a record names any
/// file but an image of its node, directly in the directory.
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
    #[serde(deserialize_with = "own_images")]
    pub images: Vec<ImageRecord>,
    /// Other images in the directory that earlier runs made, from other bases, for other cards or
    /// other clusters. A run for their cluster may replace them.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "own_earlier_images"
    )]
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

/// A record names a file that [`build`](crate::build) never makes.
#[derive(Debug, thiserror::Error)]
#[error("{file:?} is not a name that an image of a node has")]
struct ForeignName {
    file: String,
}

impl ImageRecord {
    fn checked(self) -> Result<Self, ForeignName> {
        let foreign = |file: &String| Err(ForeignName { file: file.clone() });
        if node_of(&self.file) != Some(&self.node) {
            foreign(&self.file)
        } else if self.bmap != bmap_name(&self.node) {
            foreign(&self.bmap)
        } else {
            Ok(self)
        }
    }
}

impl EarlierImage {
    fn checked(self) -> Result<Self, ForeignName> {
        if node_of(&self.file).is_some() { Ok(self) } else { Err(ForeignName { file: self.file }) }
    }
}

/// Returns the node whose image has this name, if an image can have it.
fn node_of(file: &str) -> Option<&str> {
    let (node, _) = ImageFormat::of_name(file)?;
    // Stricter than any system's rules for paths, and no stricter than those for host names.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    (node.chars().all(is_plain) && !node.starts_with('.')).then_some(node)
}

fn own_images<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<ImageRecord>, D::Error> {
    let records = Vec::<ImageRecord>::deserialize(from)?;
    records.into_iter().map(|record| record.checked().map_err(D::Error::custom)).collect()
}

fn own_earlier_images<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<EarlierImage>, D::Error> {
    let records = Vec::<EarlierImage>::deserialize(from)?;
    records.into_iter().map(|record| record.checked().map_err(D::Error::custom)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(node: &str, file: &str, bmap: &str, earlier: &str) -> Option<Manifest> {
        let json = serde_json::json!({
            "version": 1,
            "cluster": "demo",
            "base": { "file": "base.img", "size": 1, "sha256": null },
            "card_size": 1,
            "root": { "partition": 2, "size_in_base": 1, "size": 1 },
            "time": 0,
            "images": [{
                "node": node, "address": "10.0.0.1", "file": file, "sha256": null, "bmap": bmap,
                "used_bytes": 1, "machine_id": "", "host_key": "",
            }],
            "earlier": [{ "cluster": "demo", "file": earlier }],
        });
        serde_json::from_value(json).ok()
    }

    #[test]
    fn only_images_of_their_own_node_are_listed() {
        for extension in ["img", "img.xz", "img.zst", "img.gz"] {
            let file = format!("node1.{extension}");
            assert!(manifest("node1", &file, "node1.img.bmap", &file).is_some(), "{file}");
        }
        assert!(manifest("a.img", "a.img.img.xz", "a.img.img.bmap", "b.img").is_some());
        for file in [
            "notes.txt",
            "../precious.txt",
            "/etc/passwd",
            "../node1.img",
            "/node1.img",
            "./node1.img",
            "..\\node1.img",
            "c:node1.img",
            "node1",
            "node1.img.bmap",
            ".img",
            "..img",
            "",
        ] {
            assert!(manifest("node1", file, "node1.img.bmap", "b.img").is_none(), "{file}");
            assert!(manifest("node1", "node1.img", "node1.img.bmap", file).is_none(), "{file}");
            let node = file.strip_suffix(".img").unwrap_or(file);
            let bmap = format!("{node}.img.bmap");
            assert!(manifest(node, file, &bmap, "b.img").is_none(), "{file}");
        }
        assert!(manifest("node1", "node2.img", "node1.img.bmap", "b.img").is_none());
        assert!(manifest("node1", "node1.img", "node2.img.bmap", "b.img").is_none());
        assert!(manifest("node1", "node1.img", "../notes.txt", "b.img").is_none());
    }
}
