//! What a path of a root filesystem holds.

use card_image::{FileKind, FsResult, Metadata, RootFs};

/// nodecard writes nothing that is larger.
const LARGEST: u64 = 16 << 20;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing.
    Missing,
    /// A regular file.
    File { contents: Vec<u8>, metadata: Metadata },
    /// A directory, and how many names are in it.
    Directory { metadata: Metadata, names: usize },
    /// A symlink, and where it points.
    Symlink { target: Vec<u8> },
    /// Something else, or a file that is too large, in words.
    Other(String),
}

impl State {
    /// Reads what is at a path, symlinks followed.
    pub fn read(files: &RootFs, path: &str) -> FsResult<Self> {
        Self::of(files, path, files.metadata_followed(path))
    }

    /// Reads what is at a path; a symlink is not followed.
    pub fn read_link(files: &RootFs, path: &str) -> FsResult<Self> {
        if let Some(target) = files.read_link(path)? {
            return Ok(State::Symlink { target });
        }
        Self::of(files, path, files.metadata(path))
    }

    fn of(files: &RootFs, path: &str, metadata: FsResult<Option<Metadata>>) -> FsResult<Self> {
        let metadata = match metadata {
            Ok(Some(metadata)) => metadata,
            Ok(None) => return Ok(State::Missing),
            Err(error) if error.is_symlink_loop() => {
                return Ok(State::Other("a loop of symlinks".into()));
            }
            Err(error) => return Err(error),
        };
        Ok(match metadata.kind {
            FileKind::Regular if metadata.size > LARGEST => {
                State::Other(format!("a file of {} bytes", metadata.size))
            }
            FileKind::Regular => match files.read(path, LARGEST)? {
                Some(contents) => State::File { contents, metadata },
                None => State::Missing,
            },
            FileKind::Directory => {
                State::Directory { names: files.list(path)?.unwrap_or_default().len(), metadata }
            }
            kind => State::Other(kind.name().to_owned()),
        })
    }

    /// Describes it for people.
    pub fn describe(&self) -> String {
        match self {
            State::Missing => "nothing".into(),
            State::File { contents, .. } => {
                format!("a file of {}", plain_text::count(contents.len(), "byte"))
            }
            State::Directory { names, .. } => {
                format!("a directory with {}", plain_text::count(*names, "name"))
            }
            State::Symlink { target } => {
                format!("a symlink to {}", plain_text::printable(&String::from_utf8_lossy(target)))
            }
            State::Other(what) => what.clone(),
        }
    }
}
