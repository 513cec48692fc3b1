//! Images of a cluster whose keys are missing.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use card_image::{EarlierImage, Manifest};
use cluster_profile::Cluster;

use crate::Error;

/// The most directories beside the profile that are looked into.
const MOST_DIRECTORIES: usize = 1000;

/// Returns an error if the directory of the cluster's keys is missing, but there are images of
/// the cluster: in `out`, beside the profile's keys, or in a directory there. New keys would
/// give every node a new identity. The same holds for the host key of a node with an image.
pub(crate) fn check(cluster: &Cluster, out: Option<&Path>) -> Result<(), Error> {
    let Some(lacking) = nodes_without_keys(cluster) else {
        return match find(cluster, out, |manifest, directory| {
            has_images(manifest, directory, cluster)
        }) {
            Some(images) => Err(Error::KeysLost { keys: cluster.keys.clone(), images }),
            None => Ok(()),
        };
    };
    for node in lacking {
        let has_image = |manifest: &Manifest, directory: &Path| {
            let mut images = manifest.images.iter().filter(|image| image.node == node);
            manifest.cluster == cluster.name
                && images.any(|image| directory.join(&image.file).is_file())
        };
        if let Some(images) = find(cluster, out, has_image) {
            let (node, keys) = (node.to_owned(), cluster.keys.clone());
            return Err(Error::HostKeyLost { node, keys, images });
        }
    }
    Ok(())
}

/// Returns the nodes without a host key in the directory of the cluster's keys; `None` if there
/// is no directory.
fn nodes_without_keys(cluster: &Cluster) -> Option<Vec<&str>> {
    fs::symlink_metadata(&cluster.keys).ok()?;
    let is_lacking = |name: &&str| {
        let host = cluster.keys.join("hosts").join(name).join("ssh_host_ed25519_key");
        fs::symlink_metadata(host).is_err_and(|error| error.kind() == ErrorKind::NotFound)
    };
    Some(cluster.nodes.iter().map(|node| node.name.as_str()).filter(is_lacking).collect())
}

/// Returns the directory of images whose manifest is `wanted`.
fn find(
    cluster: &Cluster,
    out: Option<&Path>,
    wanted: impl Fn(&Manifest, &Path) -> bool,
) -> Option<PathBuf> {
    let beside = match cluster.keys.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let inside = fs::read_dir(beside).into_iter().flatten().flatten().take(MOST_DIRECTORIES);
    let mut candidates = out
        .map(Path::to_owned)
        .into_iter()
        .chain([beside.to_owned()])
        .chain(inside.map(|entry| beside.join(entry.file_name())));
    candidates.find(|directory| manifest(directory).is_some_and(|found| wanted(&found, directory)))
}

fn has_images(manifest: &Manifest, directory: &Path, cluster: &Cluster) -> bool {
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
