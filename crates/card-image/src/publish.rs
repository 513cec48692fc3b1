//! What a run adds to the output directory, beside what an earlier one left.

use crate::{
    Error, ImageFormat, Manifest, OutputError,
    manifest::ImageRecord,
    output::{Directory, Emitted, MANIFEST, SUMS, hex, sum},
};

/// The name of a node's block map.
fn bmap_name(node: &str) -> String {
    format!("{node}.img.bmap")
}

/// The names of all files that a run makes.
pub(crate) fn names<'a>(nodes: impl Iterator<Item = &'a str>, format: ImageFormat) -> Vec<String> {
    let of_node = |node| [format!("{node}.{}", format.extension()), bmap_name(node)];
    nodes.flat_map(of_node).chain([MANIFEST.to_owned(), SUMS.to_owned()]).collect()
}

/// What an earlier run recorded in the directory.
#[derive(Debug, Default)]
pub(crate) struct Earlier {
    manifest: Option<Manifest>,
    /// The lines of SHA256SUMS.
    sums: Vec<String>,
}

impl Earlier {
    /// # Errors
    /// [`OutputError::Occupied`] if somebody else's record would be replaced.
    pub fn read(directory: &Directory) -> Result<Self, OutputError> {
        let foreign = |name| {
            let path = directory.path().join(name);
            Err(OutputError::Occupied { path, what: "is there already, and not nodecard's" })
        };
        let Some(json) = directory.read(MANIFEST) else {
            return match directory.has_file(SUMS) {
                true => foreign(SUMS),
                false => Ok(Earlier::default()),
            };
        };
        let Ok(manifest) = serde_json::from_str(&json) else { return foreign(MANIFEST) };
        let sums = directory.read(SUMS).unwrap_or_default();
        let sums = sums.lines().map(|line| format!("{line}\n")).collect();
        Ok(Earlier { manifest: Some(manifest), sums })
    }

    /// Images of other nodes that belong to the same cards as those in
    /// `manifest`, and whether there are any that do not.
    fn others(&self, directory: &Directory, manifest: &Manifest) -> (Vec<ImageRecord>, bool) {
        let Some(earlier) = &self.manifest else { return (Vec::new(), false) };
        let remade = |image: &ImageRecord| manifest.images.iter().any(|new| new.node == image.node);
        let left: Vec<_> = earlier
            .images
            .iter()
            .filter(|image| !remade(image) && directory.has_file(&image.file))
            .cloned()
            .collect();
        match earlier.same_cards(manifest) {
            true => (left, false),
            false => (Vec::new(), !left.is_empty()),
        }
    }

    /// Images of nodes in `manifest` in other formats.
    fn outdated(&self, manifest: &Manifest) -> Vec<String> {
        let images = self.manifest.iter().flat_map(|earlier| &earlier.images);
        let is_outdated = |image: &&ImageRecord| {
            manifest.images.iter().any(|new| new.node == image.node && new.file != image.file)
        };
        images.filter(is_outdated).map(|image| image.file.clone()).collect()
    }
}

/// Gives all files their final names; the sums come last. Images that an
/// earlier run made of the same cards stay in the records. Answers with the
/// whole record, and what else the user should know.
pub(crate) fn publish(
    directory: &Directory,
    earlier: &Earlier,
    emitted: Vec<Emitted>,
    mut manifest: Manifest,
    nodes: &[String],
) -> Result<(Manifest, Option<String>), Error> {
    let mut sums = String::new();
    let mut line = |sum: &[u8; 32], name: &str| sums += &format!("{}  {name}\n", hex(sum));
    for image in &emitted {
        if let Some(sum) = &image.sum {
            line(sum, image.image.name());
        }
        line(&image.bmap_sum, image.bmap.name());
    }
    let outdated = earlier.outdated(&manifest);
    let (others, strangers) = earlier.others(directory, &manifest);
    for image in &others {
        let of_image = |line: &&String| {
            let name = line.trim_end().split_once("  ").map(|(_, name)| name);
            name.is_some_and(|name| name == image.file || name == image.bmap)
        };
        sums.extend(earlier.sums.iter().filter(of_image).cloned());
    }
    manifest.images.extend(others);
    let place = |image: &ImageRecord| nodes.iter().position(|node| *node == image.node);
    manifest.images.sort_by_key(place);

    let json = serde_json::to_string_pretty(&manifest).map_err(|error| OutputError::Io {
        operation: "write",
        path: directory.path().join(MANIFEST),
        source: error.into(),
    })? + "\n";
    let manifest_file = directory.begin_with(MANIFEST, json.as_bytes())?;
    sums += &format!("{}  {MANIFEST}\n", hex(&sum(json.as_bytes())));
    let sums = directory.begin_with(SUMS, sums.as_bytes())?;
    let images = emitted.into_iter().flat_map(|image| [image.image, image.bmap]);
    directory.publish(images.chain([manifest_file, sums]).collect(), &outdated)?;
    let note = strangers.then(|| {
        format!(
            "{} still holds images of an earlier build from another base, or for other cards; \
             {SUMS} and {MANIFEST} no longer speak of them",
            directory.path().display()
        )
    });
    Ok((manifest, note))
}
