//! The record beside a decoded image.

use serde::{Deserialize, Serialize};

use plain_text::{from_hex, to_hex};

use crate::base::{
    file::{Digests, FileIdentity},
    piece_sums::PieceSums,
};

/// The version of the format; records of any other version are ignored.
pub(super) const VERSION: u32 = 2;

/// The contents of an entry's JSON file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::base) struct CacheRecord {
    version: u32,
    /// The compressed file's sums. The first is the entry's name.
    compressed: RecordedSums,
    /// The compressed file's size in bytes.
    pub(in crate::base) compressed_size: u64,
    /// The decoded image's sums, if they were ever computed.
    decoded: Option<RecordedSums>,
    /// The decoded image's file, as it was when it was complete.
    pub(super) image: FileIdentity,
    /// The checksum of the checksums of the decoded image's pieces.
    pieces: String,
    /// The files that are known to have these contents.
    pub(super) sources: Vec<FileIdentity>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct RecordedSums {
    sha256: String,
    md5: Option<String>,
}

impl CacheRecord {
    pub(in crate::base) fn new(
        compressed: &Digests,
        compressed_size: u64,
        decoded: Option<&Digests>,
        image: FileIdentity,
        pieces: [u8; 32],
    ) -> Self {
        CacheRecord {
            version: VERSION,
            compressed: compressed.into(),
            compressed_size,
            decoded: decoded.map(RecordedSums::from),
            image,
            pieces: to_hex(&pieces),
            sources: Vec::new(),
        }
    }

    /// Returns the name of the entry's files, without their endings.
    pub(super) fn name(&self) -> &str {
        &self.compressed.sha256
    }

    /// Returns whether the record has this version and belongs to this name.
    pub(super) fn is_valid(&self, name: &str) -> bool {
        self.version == VERSION && self.name() == name && self.compressed().is_some()
    }

    /// Returns whether these are the checksums of the decoded image's pieces.
    pub(super) fn has_pieces(&self, sums: &PieceSums) -> bool {
        self.pieces == to_hex(&sums.total())
    }

    /// Returns the compressed file's sums.
    pub(in crate::base) fn compressed(&self) -> Option<Digests> {
        self.compressed.parse()
    }

    pub(in crate::base) fn set_compressed(&mut self, digests: &Digests) {
        self.compressed = digests.into();
    }

    /// Returns the decoded image's sums, if they are known.
    pub(in crate::base) fn decoded(&self) -> Option<Digests> {
        self.decoded.as_ref()?.parse()
    }

    pub(in crate::base) fn set_decoded(&mut self, digests: &Digests) {
        self.decoded = Some(digests.into());
    }

    /// Records that this file has the entry's contents. It replaces any file that was
    /// recorded for the same path.
    pub(in crate::base) fn add_source(&mut self, source: &FileIdentity) {
        self.sources.retain(|known| !known.same_path(source));
        self.sources.push(source.clone());
    }

    /// Forgets the file at the source's path, and all files that are gone. Returns whether
    /// there were any.
    pub(super) fn forget_sources(&mut self, source: &FileIdentity) -> bool {
        let before = self.sources.len();
        self.sources.retain(|known| !known.same_path(source) && !known.is_gone());
        self.sources.len() < before
    }

    /// Returns whether this very file is known to have the entry's contents.
    pub(in crate::base) fn has_source(&self, source: &FileIdentity) -> bool {
        self.sources.contains(source)
    }
}

impl From<&Digests> for RecordedSums {
    fn from(digests: &Digests) -> Self {
        RecordedSums { sha256: to_hex(&digests.sha256), md5: digests.md5.map(|md5| to_hex(&md5)) }
    }
}

impl RecordedSums {
    fn parse(&self) -> Option<Digests> {
        let md5 = match &self.md5 {
            Some(md5) => Some(from_hex(md5)?),
            None => None,
        };
        Some(Digests { sha256: from_hex(&self.sha256)?, md5 })
    }
}
