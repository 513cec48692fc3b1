//! The images in a `docker save` archive.
//!
//! The file manifest.json in the archive lists images with their names and the path of each
//! one's configuration, which names its processor (the Docker Image Specification v1.2:
//! "Combined Image JSON + Filesystem Changeset Format"). Engines that save in the OCI layout
//! write manifest.json too.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, Read, Seek as _},
};

use flate2::read::MultiGzDecoder;
use serde::Deserialize;

use crate::swarm::ArchivedImage;

/// A manifest or a configuration has a few KiB.
const LARGEST_JSON: u64 = 4 << 20;

/// The compression of an archive. Even old engines load these with `docker load`.
#[derive(Clone, Copy)]
pub(super) enum Compression {
    None,
    Gzip,
}

impl Compression {
    /// Detects the compression from the first 512 bytes of an archive.
    pub fn detect(head: &[u8]) -> Option<Self> {
        // The magic number of POSIX and GNU tar, at byte 257 of a header.
        if head.get(257..262) == Some(b"ustar") {
            return Some(Compression::None);
        }
        head.starts_with(&[0x1f, 0x8b]).then_some(Compression::Gzip)
    }
}

/// An entry of manifest.json.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
}

/// The part of an image's configuration that is needed here.
#[derive(Deserialize)]
struct Config {
    architecture: String,
}

/// Reads which images an archive contains.
///
/// # Errors
/// The reason why it is not an archive of images, as a message.
pub(super) fn images(
    file: &mut File,
    compression: Compression,
) -> Result<Vec<ArchivedImage>, String> {
    let manifest = files(file, compression, |name| name == "manifest.json")?;
    let manifest =
        manifest.get("manifest.json").ok_or("it has no manifest.json, which lists images")?;
    let entries: Vec<Entry> = serde_json::from_slice(manifest)
        .map_err(|error| format!("its manifest.json cannot be read: {error}"))?;
    let wanted: Vec<&str> = entries.iter().map(|entry| entry.config.as_str()).collect();
    let configs = files(file, compression, |name| wanted.contains(&name))?;
    if entries.is_empty() {
        return Err("it contains no image".into());
    }
    entries
        .iter()
        .map(|entry| {
            let config = configs
                .get(&entry.config)
                .ok_or_else(|| format!("it lacks {}, which its manifest lists", entry.config))?;
            let config: Config = serde_json::from_slice(config)
                .map_err(|error| format!("{} cannot be read: {error}", entry.config))?;
            let names = entry.repo_tags.clone().unwrap_or_default();
            let fits =
                |name: &String| !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic());
            if names.is_empty() || !names.iter().all(fits) {
                return Err("it contains an image without a name".into());
            }
            Ok(ArchivedImage { names, architecture: config.architecture })
        })
        .collect()
}

/// Reads the files of an archive whose names are wanted.
fn files(
    file: &mut File,
    compression: Compression,
    wanted: impl Fn(&str) -> bool,
) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let damaged = |error: std::io::Error| format!("it cannot be read as a tar archive: {error}");
    file.rewind().map_err(damaged)?;
    let file = BufReader::with_capacity(1 << 18, file);
    let reader: Box<dyn Read + '_> = match compression {
        Compression::None => Box::new(file),
        Compression::Gzip => Box::new(MultiGzDecoder::new(file)),
    };
    let mut archive = tar::Archive::new(reader);
    let mut found = BTreeMap::new();
    for entry in archive.entries().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = name.trim_start_matches("./").to_owned();
        if !wanted(&name) {
            continue;
        }
        let mut bytes = Vec::new();
        entry.take(LARGEST_JSON + 1).read_to_end(&mut bytes).map_err(damaged)?;
        if bytes.len() as u64 > LARGEST_JSON {
            return Err(format!("its {name} is larger than {}", plain_text::size(LARGEST_JSON)));
        }
        found.insert(name, bytes);
    }
    Ok(found)
}
