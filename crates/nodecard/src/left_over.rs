//! Images that earlier runs left in the output directory.

use std::{fs, path::Path, time::SystemTime};

use card_image::{ImageRecord, Manifest};
use cluster_keys::ClusterKeys;
use cluster_profile::Cluster;
use serde::Serialize;

/// An image that an earlier run made, and that this one left as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LeftOver {
    /// The node's name.
    pub node: String,
    /// The address in the image.
    pub address: String,
    /// The image file's name.
    pub file: String,
    /// Whether the image is still what the profile describes.
    pub state: LeftOverState,
}

/// Whether an image of an earlier run is still what the profile describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LeftOverState {
    /// Nothing speaks against it.
    Current,
    /// The profile has no node of this name any more.
    NotInProfile,
    /// The profile gives the node another address.
    OtherAddress,
    /// It was made with other keys.
    OtherKeys,
    /// It is older than the profile.
    OlderThanProfile,
}

impl LeftOverState {
    /// Returns whether a card should not be written from the image.
    pub fn is_stale(self) -> bool {
        self != LeftOverState::Current
    }
}

/// Returns the images in a manifest that are not those of the nodes in `made`.
pub(crate) fn left_over(
    manifest: &Manifest,
    made: &[String],
    out: &Path,
    cluster: &Cluster,
    keys: &ClusterKeys,
) -> Vec<LeftOver> {
    let changed = modified(&cluster.path);
    let state = |image: &ImageRecord| {
        let Some(node) = cluster.nodes.iter().find(|node| node.name == image.node) else {
            return LeftOverState::NotInProfile;
        };
        let has_key = keys.host(&node.name).is_ok_and(|key| key.fingerprint() == image.host_key);
        if node.address.to_string() != image.address {
            LeftOverState::OtherAddress
        } else if !has_key || keys.machine_id(&node.name) != image.machine_id {
            LeftOverState::OtherKeys
        } else if modified(&out.join(&image.file)) < changed {
            LeftOverState::OlderThanProfile
        } else {
            LeftOverState::Current
        }
    };
    let others = manifest.images.iter().filter(|image| !made.contains(&image.node));
    others
        .map(|image| LeftOver {
            node: image.node.clone(),
            address: image.address.clone(),
            file: image.file.clone(),
            state: state(image),
        })
        .collect()
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|found| found.modified()).ok()
}
