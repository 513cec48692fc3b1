//! Files that a card's own system makes anew: right to be there, unless they came
//! with the base and every other card has them too.

use card_image::{FileKind, FsResult, Metadata, RootFs};

/// More files than this are no leases.
const MAX_FILES: usize = 64;
/// Deeper than a swarm's state goes.
const MAX_DEPTH: usize = 4;
const LARGEST: u64 = 64 << 10;
/// Docker's part of a swarm.
const SWARM: &str = "/var/lib/docker/swarm";
/// What makes a node itself in its swarm.
pub(super) const SWARM_CERTIFICATE: &str = "/var/lib/docker/swarm/certificates/swarm-node.crt";

/// How a file is known to be the base's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clone {
    /// The base has the same bytes at the same path.
    SameAsBase,
    /// It is no younger than the card's machine id, which making the card wrote last.
    AsOldAsCard,
}

/// What tells clones from what the card made itself.
pub(super) struct Clones<'a> {
    pub files: &'a RootFs,
    pub base: Option<&'a RootFs>,
    /// When the card was made, if its machine id is the right one.
    pub made: Option<i64>,
}

impl Clones<'_> {
    /// Whether the file at a path, or one below a directory there, came with the base.
    ///
    /// Of a swarm's state only the node's certificate counts: the rest may well be the same
    /// on two sound nodes, and taking it away would take the node out of its swarm.
    pub fn find(&self, path: &str) -> FsResult<Option<(String, Clone)>> {
        let mut looked_at = 0;
        match path {
            SWARM => self.look(SWARM_CERTIFICATE, 0, &mut looked_at),
            _ => self.look(path, 0, &mut looked_at),
        }
    }

    fn look(
        &self,
        path: &str,
        depth: usize,
        looked_at: &mut usize,
    ) -> FsResult<Option<(String, Clone)>> {
        *looked_at += 1;
        if depth > MAX_DEPTH || *looked_at > MAX_FILES {
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
                    let found = self.look(&format!("{path}/{name}"), depth + 1, looked_at)?;
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
