//! Images of a cluster whose keys are missing.

use std::{
    fs,
    path::{Path, PathBuf},
};

use card_image::{EarlierImage, Manifest};
use cluster_profile::Cluster;

use crate::Error;

/// The most directories beside the profile that are looked into.
const MOST_DIRECTORIES: usize = 1000;

/// Returns an error if the directory of the cluster's keys is missing, but there are images of
/// the cluster: in `out`, beside the profile's keys, or in a directory there. New keys would
/// give every node a new identity.
pub(crate) fn check(cluster: &Cluster, out: Option<&Path>) -> Result<(), Error> {
    if fs::symlink_metadata(&cluster.keys).is_ok() {
        return Ok(());
    }
    let beside = match cluster.keys.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let inside = fs::read_dir(beside).into_iter().flatten().flatten().take(MOST_DIRECTORIES);
    let candidates = out
        .map(Path::to_owned)
        .into_iter()
        .chain([beside.to_owned()])
        .chain(inside.map(|entry| beside.join(entry.file_name())));
    match candidates.into_iter().find(|directory| has_images(directory, cluster)) {
        Some(images) => Err(Error::KeysLost { keys: cluster.keys.clone(), images }),
        None => Ok(()),
    }
}

fn has_images(directory: &Path, cluster: &Cluster) -> bool {
    let Some(manifest) = manifest(directory) else { return false };
    let exists = |file: &String| directory.join(file).is_file();
    let of_cluster = |earlier: &&EarlierImage| earlier.cluster == cluster.name;
    manifest.cluster == cluster.name && manifest.images.iter().any(|image| exists(&image.file))
        || manifest.earlier.iter().filter(of_cluster).any(|image| exists(&image.file))
}

/// Returns the manifest of the images in a directory.
fn manifest(directory: &Path) -> Option<Manifest> {
    let path: PathBuf = directory.join("manifest.json");
    if !fs::metadata(&path).ok()?.is_file() {
        return None;
    }
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
