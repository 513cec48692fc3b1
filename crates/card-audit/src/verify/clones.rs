//! State that a card's own system makes again: it may be there, unless it came with the
//! base image and every other card has it too.

use card_image::{FileKind, FsResult, Metadata, RootFs};
use cluster_profile::ClonedState;

/// A directory with more files than this does not hold leases.
const MAX_FILES: usize = 64;
/// A swarm's state is not nested deeper than this.
const MAX_DEPTH: usize = 4;
const LARGEST: u64 = 64 << 10;
/// What identifies a node in its swarm, in the directory of the swarm's state.
pub(super) const SWARM_CERTIFICATE: &str = "certificates/swarm-node.crt";

/// How a file is known to be the base's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clone {
    /// The base has the same bytes at the same path.
    SameAsBase,
    /// It is no younger than the card's machine id, which is the last file that making a
    /// card writes.
    AsOldAsCard,
}

/// What distinguishes clones from what the card's system made itself.
pub(super) struct Clones<'a> {
    pub files: &'a RootFs,
    pub base: Option<&'a RootFs>,
    /// When the card was made, if its machine id is the right one.
    pub made: Option<i64>,
}

impl Clones<'_> {
    /// Returns the file at a path, or one below a directory there, that came with the base.
    ///
    /// Of a swarm's state only the node's certificate counts: the rest may be the same on
    /// two nodes that are right, and removing it would take the node out of its swarm.
    pub fn find(&self, path: &str, state: ClonedState) -> FsResult<Option<(String, Clone)>> {
        let mut visited = 0;
        let start = match state {
            ClonedState::DockerSwarm => format!("{path}/{SWARM_CERTIFICATE}"),
            _ => path.to_owned(),
        };
        self.search(&start, 0, &mut visited)
    }

    fn search(
        &self,
        path: &str,
        depth: usize,
        visited: &mut usize,
    ) -> FsResult<Option<(String, Clone)>> {
        *visited += 1;
        if depth > MAX_DEPTH || *visited > MAX_FILES {
            return Ok(None);
        }
        let Some(metadata) = self.files.metadata(path)? else { return Ok(None) };
        match metadata.kind {
            FileKind::Regular => {
                let clone = self.judge(path, &metadata)?;
                Ok(clone.map(|clone| (path.to_owned(), clone)))
            }
            FileKind::Directory => {
                for name in crate::facts::names(self.files, path)? {
                    let found = self.search(&format!("{path}/{name}"), depth + 1, visited)?;
                    if found.is_some() {
                        return Ok(found);
                    }
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    fn judge(&self, path: &str, metadata: &Metadata) -> FsResult<Option<Clone>> {
        if metadata.size == 0 || metadata.size > LARGEST {
            return Ok(None);
        }
        let Some(base) = self.base else {
            let old = self.made.is_some_and(|made| metadata.modified.seconds() <= made);
            return Ok(old.then_some(Clone::AsOldAsCard));
        };
        let in_base = base.metadata(path)?;
        let alike =
            |other: Metadata| other.kind == FileKind::Regular && other.size == metadata.size;
        if !in_base.is_some_and(alike) {
            return Ok(None);
        }
        let same = self.files.read(path, LARGEST)? == base.read(path, LARGEST)?;
        Ok(same.then_some(Clone::SameAsBase))
    }
}
