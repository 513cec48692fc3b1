//! Adding the files of a run to the output directory, beside those of an earlier one.

use std::collections::BTreeSet;

use plain_text::to_hex;

use crate::{
    BuildNote, EarlierImage, Error, ImageFormat, Manifest, OutputError,
    manifest::ImageRecord,
    output::{EmittedImage, MANIFEST, OutputDirectory, SUMS, sum},
};

/// What is added to the name of a node for that of its block map, in whatever format the image is.
pub(crate) const MAP_ENDING: &str = ".img.bmap";

/// Returns the name of a node's block map.
pub(crate) fn bmap_name(node: &str) -> String {
    format!("{node}{MAP_ENDING}")
}

/// Returns the names of all files that a run makes.
pub(crate) fn names<'a>(nodes: impl Iterator<Item = &'a str>, format: ImageFormat) -> Vec<String> {
    let of_node = |node| [format!("{node}.{}", format.extension()), bmap_name(node)];
    nodes.flat_map(of_node).chain([MANIFEST.to_owned(), SUMS.to_owned()]).collect()
}

/// Returns the name of the node whose image has this name.
fn node_of(image: &str) -> &str {
    ImageFormat::of_name(image).map_or(image, |(node, _)| node)
}

fn foreign(directory: &OutputDirectory, name: &str) -> OutputError {
    let path = directory.path().join(name);
    let what = match name {
        MANIFEST | SUMS => "already exists, and was not made by nodecard",
        _ => "already exists, and manifest.json does not list it",
    };
    OutputError::Occupied { path, what }
}

/// The records of earlier runs in the directory.
#[derive(Debug, Default)]
pub(crate) struct EarlierRun {
    manifest: Option<Manifest>,
    /// The lines of SHA256SUMS.
    sums: Vec<String>,
    /// The images that nodecard made here, and for which clusters.
    known: BTreeSet<EarlierImage>,
}

impl EarlierRun {
    /// Reads the records of earlier runs, if there are any: the manifest, and that of a run which
    /// was interrupted while it named its files.
    ///
    /// # Errors
    /// [`OutputError::Occupied`] if a record that is not nodecard's would be replaced.
    pub fn read(directory: &OutputDirectory) -> Result<Self, OutputError> {
        let foreign = |name| Err(foreign(directory, name));
        let mut known = BTreeSet::new();
        let interrupted: Option<Manifest> =
            directory.interrupted().and_then(|json| serde_json::from_str(json).ok());
        known.extend(interrupted.iter().flat_map(Manifest::known));
        let Some(json) = directory.read(MANIFEST) else {
            if directory.has_file(SUMS) {
                return foreign(SUMS);
            }
            return Ok(EarlierRun { known, ..EarlierRun::default() });
        };
        let Ok(manifest) = serde_json::from_str::<Manifest>(&json) else {
            return foreign(MANIFEST);
        };
        known.extend(manifest.known());
        let sums = directory.read(SUMS).unwrap_or_default();
        let sums = sums.lines().map(|line| format!("{line}\n")).collect();
        Ok(EarlierRun { manifest: Some(manifest), sums, known })
    }

    /// Returns the names of the images.
    pub fn image_names(&self) -> Vec<String> {
        let images = self.manifest.iter().flat_map(|earlier| &earlier.images);
        images.map(|image| image.file.clone()).collect()
    }

    /// Makes sure that no file in the place of an image or a block map is somebody else's, or
    /// another cluster's. An image counts as this cluster's only if a manifest lists it by its very
    /// name, as `save` may have made one of another format. Block maps belong to all images of
    /// their node. A block map proves nothing: it stays when somebody puts another image in the
    /// place of its own.
    ///
    /// # Errors
    /// [`OutputError::Occupied`], [`OutputError::OtherCluster`].
    pub fn check_images<'a>(
        &self,
        directory: &OutputDirectory,
        cluster: &str,
        nodes: impl Iterator<Item = &'a str>,
        format: ImageFormat,
    ) -> Result<(), OutputError> {
        for node in nodes {
            let image = format!("{node}.{}", format.extension());
            self.check_file(directory, cluster, &image, |known| known.file == image)?;
            let of_node = |known: &EarlierImage| node_of(&known.file) == node;
            self.check_file(directory, cluster, &bmap_name(node), of_node)?;
            // bmaptool takes that of an image that `save` made before the one that is ours.
            let other_map = format!("{image}.bmap");
            if other_map != bmap_name(node) && directory.is_taken(&other_map) {
                return Err(foreign(directory, &other_map));
            }
        }
        Ok(())
    }

    /// Makes sure that the file `name`, if there is one, is that of a known image of this cluster.
    fn check_file(
        &self,
        directory: &OutputDirectory,
        cluster: &str,
        name: &str,
        is_its: impl Fn(&EarlierImage) -> bool,
    ) -> Result<(), OutputError> {
        if !directory.is_taken(name) {
            return Ok(());
        }
        let mut clusters =
            self.known.iter().filter(|known| is_its(known)).map(|known| &known.cluster).peekable();
        let Some(first) = clusters.peek().copied() else { return Err(foreign(directory, name)) };
        if clusters.any(|made_for| made_for == cluster) {
            return Ok(());
        }
        let (path, cluster) = (directory.path().join(name), first.clone());
        Err(OutputError::OtherCluster { path, cluster })
    }

    /// Returns the images that are not in a manifest of this run, and still there after it.
    fn unlisted(&self, directory: &OutputDirectory, manifest: &Manifest) -> Vec<EarlierImage> {
        let outdated = self.outdated(manifest);
        let of_cluster = |image: &EarlierImage| image.cluster == manifest.cluster;
        let is_left = |image: &&EarlierImage| {
            let is_new = manifest.images.iter().any(|new| new.file == image.file);
            !(of_cluster(image) && (is_new || outdated.contains(&image.file)))
        };
        let is_there = |image: &&EarlierImage| {
            let node = node_of(&image.file);
            // A block map of a node of this run is that of the new image.
            let has_new = of_cluster(image) && manifest.images.iter().any(|new| new.node == node);
            directory.has_file(&image.file) || !has_new && directory.has_file(&bmap_name(node))
        };
        self.known.iter().filter(is_left).filter(is_there).cloned().collect()
    }

    /// Returns the images of other nodes that were made from the same base for the same cards
    /// as those in `manifest`, and whether there are images for which this is not so.
    fn others(&self, directory: &OutputDirectory, manifest: &Manifest) -> (Vec<ImageRecord>, bool) {
        let Some(earlier) = &self.manifest else { return (Vec::new(), false) };
        let remade = |image: &ImageRecord| manifest.images.iter().any(|new| new.node == image.node);
        let left: Vec<_> = earlier
            .images
            .iter()
            .filter(|image| !remade(image) && directory.has_file(&image.file))
            .cloned()
            .collect();
        if earlier.same_cards(manifest) { (left, false) } else { (Vec::new(), !left.is_empty()) }
    }

    /// Returns the images of nodes in `manifest` that have other formats.
    fn outdated(&self, manifest: &Manifest) -> Vec<String> {
        let of_cluster = self.manifest.iter().filter(|old| old.cluster == manifest.cluster);
        let images = of_cluster.flat_map(|earlier| &earlier.images);
        let is_outdated = |image: &&ImageRecord| {
            manifest.images.iter().any(|new| new.node == image.node && new.file != image.file)
        };
        images.filter(is_outdated).map(|image| image.file.clone()).collect()
    }
}

/// Gives all files their final names; the checksums come last. Images that an earlier run made
/// for the same cards stay in the records. Returns the whole manifest, and a note for the user.
pub(crate) fn publish(
    directory: &OutputDirectory,
    earlier: &EarlierRun,
    emitted: Vec<EmittedImage>,
    mut manifest: Manifest,
    nodes: &[String],
) -> Result<(Manifest, Option<BuildNote>), Error> {
    let mut sums = String::new();
    let mut line = |sum: &[u8; 32], name: &str| sums += &format!("{}  {name}\n", to_hex(sum));
    for image in &emitted {
        if let Some(sum) = &image.sum {
            line(sum, image.image.name());
        }
        line(&image.bmap_sum, image.bmap.name());
    }
    let outdated = earlier.outdated(&manifest);
    let (others, has_unrelated) = earlier.others(directory, &manifest);
    for image in &others {
        let of_image = |line: &&String| {
            let name = line.trim_end().split_once("  ").map(|(_, name)| name);
            name.is_some_and(|name| name == image.file || name == image.bmap)
        };
        sums.extend(earlier.sums.iter().filter(of_image).cloned());
    }
    manifest.images.extend(others);
    // Nodes that the profile no longer has come last.
    let place = |image: &ImageRecord| {
        nodes.iter().position(|node| *node == image.node).unwrap_or(nodes.len())
    };
    manifest.images.sort_by_key(place);

    manifest.earlier = earlier.unlisted(directory, &manifest);

    let json = serde_json::to_string_pretty(&manifest).map_err(|error| OutputError::Io {
        operation: "write",
        path: directory.path().join(MANIFEST),
        source: error.into(),
    })? + "\n";
    let manifest_file = directory.begin_manifest(json.as_bytes())?;
    sums += &format!("{}  {MANIFEST}\n", to_hex(&sum(json.as_bytes())));
    let sums = directory.begin_with(SUMS, sums.as_bytes())?;
    let images = emitted.into_iter().flat_map(|image| [image.image, image.bmap]);
    directory.publish(images.chain([manifest_file, sums]).collect(), &outdated)?;
    let directory = directory.path().to_owned();
    let note = has_unrelated.then_some(BuildNote::UnlistedImages { directory });
    Ok((manifest, note))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn manifest(images: &[(&str, &str)]) -> String {
        let record = |(node, file): &(&str, &str)| {
            serde_json::json!({
                "node": node, "address": "10.0.0.1", "file": file, "sha256": null,
                "bmap": bmap_name(node), "used_bytes": 1, "machine_id": "", "host_key": "",
            })
        };
        serde_json::json!({
            "version": 1,
            "cluster": "demo",
            "base": { "file": "base.img", "size": 1, "sha256": null },
            "card_size": 1,
            "root": { "partition": 2, "size_in_base": 1, "size": 1 },
            "time": 0,
            "images": images.iter().map(record).collect::<Vec<_>>(),
        })
        .to_string()
    }

    #[test]
    fn a_manifest_that_lists_other_files_is_refused_and_removes_nothing() {
        let temp = tempfile::tempdir().unwrap();
        let precious = temp.path().join("precious.txt");
        fs::write(&precious, "mine").unwrap();
        let out = temp.path().join("out");
        fs::create_dir(&out).unwrap();
        for file in ["../precious.txt", precious.to_str().unwrap(), "notes.txt"] {
            fs::write(out.join(MANIFEST), manifest(&[("node1", file)])).unwrap();
            let directory = OutputDirectory::open(&out).unwrap();
            let error = EarlierRun::read(&directory).unwrap_err();
            assert!(matches!(error, OutputError::Occupied { .. }), "{error}");
        }
        // That of a run which was interrupted is not asked for anything either.
        fs::rename(out.join(MANIFEST), out.join(".manifest.json.nodecard-partial")).unwrap();
        let directory = OutputDirectory::open(&out).unwrap();
        assert_eq!(EarlierRun::read(&directory).unwrap().known.len(), 0);
        assert_eq!(fs::read(precious).unwrap(), b"mine");
    }
    #[test]
    fn only_a_listed_name_is_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let out = temp.path();
        let check = |format| {
            let directory = OutputDirectory::open(out).unwrap();
            let earlier = EarlierRun::read(&directory).unwrap();
            earlier.check_images(&directory, "demo", ["node1"].into_iter(), format)
        };
        let refused = |format, name: &str| match check(format).unwrap_err() {
            OutputError::Occupied { path, .. } => assert_eq!(path, out.join(name)),
            error => panic!("{error}"),
        };
        fs::write(out.join(MANIFEST), manifest(&[("node1", "node1.img")])).unwrap();
        fs::write(out.join("node1.img"), "built").unwrap();
        fs::write(out.join("node1.img.bmap"), "built").unwrap();
        check(ImageFormat::Raw).unwrap();
        check(ImageFormat::Xz).unwrap();
        // What `save` made.
        fs::write(out.join("node1.img.xz"), "saved").unwrap();
        fs::write(out.join("node1.img.gz.bmap"), "saved").unwrap();
        refused(ImageFormat::Xz, "node1.img.xz");
        refused(ImageFormat::Gz, "node1.img.gz.bmap");
        check(ImageFormat::Raw).unwrap();
    }

    #[test]
    fn an_image_of_another_format_stays_known_as_long_as_it_is_there() {
        let temp = tempfile::tempdir().unwrap();
        let out = temp.path();
        let read = |images: &[(&str, &str)]| -> Manifest {
            serde_json::from_str(&manifest(images)).unwrap()
        };
        let mut old = read(&[("node1", "node1.img")]);
        let earlier = |file: &str| EarlierImage { cluster: "demo".into(), file: file.into() };
        old.earlier = vec![earlier("node1.img.gz"), earlier("node1.img.zst")];
        fs::write(out.join(MANIFEST), serde_json::to_string(&old).unwrap()).unwrap();
        for file in ["node1.img", "node1.img.gz", "node1.img.bmap"] {
            fs::write(out.join(file), "built").unwrap();
        }
        let directory = OutputDirectory::open(out).unwrap();
        let run = EarlierRun::read(&directory).unwrap();
        let new = read(&[("node1", "node1.img.xz")]);
        assert_eq!(run.outdated(&new), ["node1.img"]);
        assert_eq!(run.unlisted(&directory, &new), [earlier("node1.img.gz")]);
    }
}
