//! The `images:` of a swarm: archives on this machine.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use sha2::{Digest, Sha256};

use super::archive::{self, Compression};
use crate::{
    load::{
        fields::{At, Fields, Problems},
        inputs::{Inputs, open_regular},
    },
    swarm::{ImageArchive, full_name},
};

/// All nodes' cards share them in memory while they are made.
const LARGEST_ARCHIVE: u64 = 2 << 30;

/// Reads what the archives hold, and their sums.
pub(super) fn read(fields: &mut Fields<'_>, inputs: &Inputs) -> Vec<ImageArchive> {
    let problems = fields.problems;
    let mut archives: Vec<At<ImageArchive>> = Vec::new();
    for at in fields.scalars("images") {
        let Some(archive) = read_one(&at, inputs, problems) else { continue };
        for other in &archives {
            let same_file = other.value.file_name() == archive.file_name();
            let message = match same_file {
                true => Some(format!("two archives are called {}", archive.file_name())),
                false => shared_name(&other.value, &archive)
                    .map(|name| format!("two archives hold the image {name}")),
            };
            if let Some(message) = message {
                let help = "keep one of them, or give them different names";
                problems.clash(&at.place, message, help, (&other.place, "the first one"));
            }
        }
        archives.push(At { value: archive, place: at.place });
    }
    archives.into_iter().map(|at| at.value).collect()
}

fn shared_name(a: &ImageArchive, b: &ImageArchive) -> Option<String> {
    let names = |archive: &ImageArchive| -> Vec<String> {
        archive.images.iter().flat_map(|image| &image.names).map(|name| full_name(name)).collect()
    };
    let theirs = names(a);
    names(b).into_iter().find(|name| theirs.contains(name))
}

fn read_one(at: &At<String>, inputs: &Inputs, problems: &Problems) -> Option<ImageArchive> {
    let path = inputs.resolve(at, problems)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+'));
    let fail = |message: String, help: &str| {
        problems.add(&at.place, message, help);
    };
    if name.is_empty() || name.starts_with(['.', '-']) || name.contains(odd) {
        let help = "rename the file: letters, digits, dots, hyphens and underscores";
        fail(format!("{:?} cannot be the archive's name on a card", name), help);
        return None;
    }
    match inspect(&path) {
        Ok(archive) => Some(archive),
        Err((message, help)) => {
            fail(format!("{}: {message}", path.display()), help);
            None
        }
    }
}

/// A message, and what to do about it.
type Refusal = (String, &'static str);

fn inspect(path: &Path) -> Result<ImageArchive, Refusal> {
    const MAKE: &str = "make it with `docker save -o FILE.tar IMAGE:TAG` on a machine that has \
                        the image; relative paths are taken from the profile's own directory";
    let refuse = |error: io::Error| (error.to_string(), MAKE);
    let (file, size) = open_regular(path).map_err(|message| (message, MAKE))?;
    if size > LARGEST_ARCHIVE {
        let message = format!("it is larger than {} GiB", LARGEST_ARCHIVE >> 30);
        return Err((message, "have the nodes pull large images from a registry"));
    }
    let mut head = Vec::new();
    file.take(512).read_to_end(&mut head).map_err(refuse)?;
    let Some(compression) = Compression::of(&head) else {
        let message = "it is neither a tar archive nor one compressed by gzip".to_owned();
        return Err((message, MAKE));
    };
    let images = archive::images(path, compression).map_err(|message| (message, MAKE))?;
    let (size, sha256) = sum(path).map_err(refuse)?;
    Ok(ImageArchive { path: path.to_owned(), size, sha256, images })
}

fn sum(path: &Path) -> io::Result<(u64, [u8; 32])> {
    let mut file = File::open(path)?;
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    let mut size = 0;
    loop {
        let count = file.read(&mut buffer)?;
        let Some(read) = buffer.get(..count).filter(|read| !read.is_empty()) else { break };
        sum.update(read);
        size += count as u64;
    }
    Ok((size, sum.finalize().into()))
}
