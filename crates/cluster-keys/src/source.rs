//! Where existing keys are read from: a directory, or a tar archive of one.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{self, BufRead as _, BufReader, ErrorKind, Read},
    path::{Component, Path, PathBuf},
};

use block_io::Cancel;
use platform::{Access, FileInfo, FileKind, Privacy, open_regular};

use crate::{
    error::KeyError,
    pipe::Pipe,
    store::{self, LARGEST_FILE},
};

/// An archive of the keys of a thousand nodes has two MiB. A larger one is something else.
const LARGEST_ARCHIVE: u64 = 64 << 20;

/// Existing keys.
pub(crate) enum Source {
    Directory(PathBuf),
    /// The files of a directory of keys, by their names in it.
    Archive {
        path: PathBuf,
        files: BTreeMap<String, Vec<u8>>,
    },
}

impl Source {
    /// Opens a directory, or reads an archive (tar, or tar compressed with gzip). An archive may
    /// be a pipe, which is waited for until `cancel` asks to stop.
    pub fn open(path: &Path, cancel: &Cancel) -> Result<Self, KeyError> {
        let found = match FileInfo::at(path) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(KeyError::Missing {
                    path: path.to_owned(),
                    fix: "build the cards to have it created",
                });
            }
            Err(error) => return Err(store::io("read", path)(error)),
        };
        if found.kind == FileKind::Directory {
            store::check_directory(path)?;
            return Ok(Source::Directory(path.to_owned()));
        }
        let is_pipe = found.kind == FileKind::Pipe;
        if !found.is_file() && !is_pipe {
            return Err(KeyError::WrongKind { path: path.to_owned(), wanted: "directory" });
        }
        let unpacked = if is_pipe {
            unpack(Pipe::open(path, cancel))
        } else {
            let file = open_regular(path, OpenOptions::new().read(true));
            unpack(file.map_err(store::io("open", path))?)
        };
        cancel.check()?;
        let files = unpacked.map_err(|source| KeyError::Damaged {
            path: path.to_owned(),
            reason: "not a tar archive of a key directory",
            fix: "give the directory of the cluster's keys, or an archive of it: tar -cf \
                  mc1.keys.tar mc1.keys",
            source: Some(source.into()),
        })?;
        // Of a file that holds no keys, its permissions do not matter.
        if !is_pipe {
            let access = Access::at(path).map_err(store::io("read", path))?;
            store::check_owner(path, &access)?;
            store::check_private(path, &access, 0o600)?;
        }
        Ok(Source::Archive { path: path.to_owned(), files })
    }

    /// Returns what messages call a file.
    pub fn path_of(&self, name: &str) -> PathBuf {
        match self {
            Source::Directory(path) | Source::Archive { path, .. } => path.join(name),
        }
    }

    /// Reads a text file. Returns `None` if there is none.
    pub fn read(&self, name: &str, privacy: Privacy) -> Result<Option<String>, KeyError> {
        match self {
            Source::Directory(path) => store::read(&path.join(name), privacy),
            Source::Archive { files, .. } => {
                let Some(bytes) = files.get(name) else { return Ok(None) };
                store::to_text(&self.path_of(name), bytes.clone()).map(Some)
            }
        }
    }
}

/// Returns the files of the directory of keys in an archive: the one that holds `seed`.
fn unpack(file: impl Read) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut file = BufReader::new(file.take(LARGEST_ARCHIVE));
    let is_gzip = file.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let tar: Box<dyn Read> =
        if is_gzip { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut archive = tar::Archive::new(tar.take(LARGEST_ARCHIVE));
    let mut files = BTreeMap::new();
    for entry in archive.entries()? {
        let entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let Some(name) = name(&entry.path()?) else { continue };
        let mut bytes = Vec::new();
        entry.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
        files.insert(name, bytes);
    }
    let seeds = files.keys().filter_map(|name| name.strip_suffix("seed"));
    let roots = seeds.filter(|root| root.is_empty() || root.ends_with('/'));
    let root = roots.min_by_key(|root| root.len()).map(str::to_owned);
    let root = root.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "it holds no `seed`"))?;
    let inside = files.into_iter().filter_map(|(name, bytes)| {
        let name = name.strip_prefix(&root)?.to_owned();
        Some((name, bytes))
    });
    Ok(inside.collect())
}

/// Returns a path as names with `/` between them, without a leading `./`. `None` if it leads
/// elsewhere.
fn name(path: &Path) -> Option<String> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => names.push(name.to_str()?),
            _ => return None,
        }
    }
    Some(names.join("/"))
}
