//! The `images:` of a swarm: archives on this computer.

use std::{
    fs::File,
    io::{self, Read, Seek as _},
    path::Path,
};

use sha2::{Digest, Sha256};

use super::archive::{self, Compression};
use crate::{
    load::{
        fields::{Fields, Problems, Spanned},
        inputs::{Inputs, open_regular, too_large},
    },
    swarm::{ImageArchive, full_name},
};

/// An archive stays in memory while cards are built.
const LARGEST_ARCHIVE: u64 = 2 << 30;

/// Reads which images the archives contain, and their checksums.
pub(super) fn read(fields: &mut Fields<'_>, inputs: &Inputs) -> Vec<ImageArchive> {
    let problems = fields.problems;
    let mut archives: Vec<Spanned<ImageArchive>> = Vec::new();
    for at in fields.scalars("images") {
        let Some(archive) = read_one(&at, inputs, problems) else { continue };
        for other in &archives {
            let message = if other.value.file_name() == archive.file_name() {
                Some(format!("two archives are named {}", archive.file_name()))
            } else {
                shared_name(&other.value, &archive)
                    .map(|name| format!("two archives contain the image {name}"))
            };
            if let Some(message) = message {
                let help = "keep one of them, or give them different names";
                problems.conflict(&at.place, message, help, (&other.place, "the first archive"));
            }
        }
        archives.push(Spanned { value: archive, place: at.place });
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

fn read_one(at: &Spanned<String>, inputs: &Inputs, problems: &Problems) -> Option<ImageArchive> {
    let path = inputs.resolve(at, problems)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let odd = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+'));
    let fail = |message: String, help: &str| {
        problems.add(&at.place, message, help);
    };
    if name.is_empty() || name.starts_with(['.', '-']) || name.contains(odd) {
        let help = "rename the file: use letters, digits, dots, hyphens and underscores";
        fail(format!("{name:?} cannot be the name of a file on the card"), help);
        return None;
    }
    match inspect(&path) {
        Ok(archive) => Some(archive),
        Err((message, help)) => {
            fail(format!("cannot use {}: {message}", path.display()), help);
            None
        }
    }
}

/// A message, and what to do about it.
type Rejection = (String, &'static str);

fn inspect(path: &Path) -> Result<ImageArchive, Rejection> {
    const CREATE: &str = "create it with `docker save -o FILE.tar IMAGE:TAG` on a computer that \
                          has the image; relative paths start at the directory of the profile";
    let reject = |error: io::Error| (error.to_string(), CREATE);
    // One opened file for all three readings: the path may lead elsewhere the next moment.
    let (mut file, size) = open_regular(path).map_err(reject)?;
    if size > LARGEST_ARCHIVE {
        let message = too_large(LARGEST_ARCHIVE).to_string();
        return Err((message, "let the nodes pull large images from a registry"));
    }
    let mut head = Vec::new();
    (&file).take(512).read_to_end(&mut head).map_err(reject)?;
    let Some(compression) = Compression::detect(&head) else {
        let message = "it is not a tar archive, nor one compressed by gzip".to_owned();
        return Err((message, CREATE));
    };
    let images = archive::images(&mut file, compression).map_err(|message| (message, CREATE))?;
    let (size, sha256) = sum(&mut file).map_err(reject)?;
    Ok(ImageArchive { path: path.to_owned(), size, sha256, images })
}

fn sum(file: &mut File) -> io::Result<(u64, [u8; 32])> {
    file.rewind()?;
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
