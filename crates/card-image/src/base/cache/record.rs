//! What is noted down beside a decoded image.

use serde::{Deserialize, Serialize};

use crate::base::{
    checksums::parse_hex,
    source::{Digests, Identity, hex},
};

/// Changes when older records can no longer be understood.
pub(super) const VERSION: u32 = 1;

/// The contents of an entry's JSON file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::base) struct Record {
    version: u32,
    /// The compressed file's sums. The first is the entry's name.
    compressed: Sums,
    /// The compressed file's size in bytes.
    pub(in crate::base) compressed_size: u64,
    /// The decoded image's sums, where they were asked for.
    decoded: Option<Sums>,
    /// The decoded image's file, as it was when it was complete.
    pub(super) image: Identity,
    /// The files that are known to have these contents.
    pub(super) sources: Vec<Identity>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sums {
    sha256: String,
    md5: Option<String>,
}

impl Record {
    pub(in crate::base) fn new(
        compressed: &Digests,
        compressed_size: u64,
        decoded: Option<&Digests>,
        image: Identity,
    ) -> Self {
        Record {
            version: VERSION,
            compressed: compressed.into(),
            compressed_size,
            decoded: decoded.map(Sums::from),
            image,
            sources: Vec::new(),
        }
    }

    /// The name of the entry's files, without their endings.
    pub(super) fn name(&self) -> &str {
        &self.compressed.sha256
    }

    /// Whether the record is one that this version wrote for this name.
    pub(super) fn is_valid(&self, name: &str) -> bool {
        self.version == VERSION && self.name() == name && self.compressed().is_some()
    }

    /// The compressed file's sums.
    pub(in crate::base) fn compressed(&self) -> Option<Digests> {
        self.compressed.parse()
    }

    pub(in crate::base) fn set_compressed(&mut self, digests: &Digests) {
        self.compressed = digests.into();
    }

    /// The decoded image's sums, if they are known.
    pub(in crate::base) fn decoded(&self) -> Option<Digests> {
        self.decoded.as_ref()?.parse()
    }

    pub(in crate::base) fn set_decoded(&mut self, digests: &Digests) {
        self.decoded = Some(digests.into());
    }

    /// Notes that this file has the entry's contents. Whatever was at the same
    /// place before is no longer there.
    pub(in crate::base) fn add_source(&mut self, source: &Identity) {
        self.sources.retain(|known| !known.same_path(source));
        self.sources.push(source.clone());
    }

    /// Forgets what was at the source's place, and all files that are gone.
    /// Returns whether there were any.
    pub(super) fn forget_sources(&mut self, source: &Identity) -> bool {
        let before = self.sources.len();
        self.sources.retain(|known| !known.same_path(source) && !known.is_gone());
        self.sources.len() < before
    }

    pub(in crate::base) fn has_source(&self, source: &Identity) -> bool {
        self.sources.contains(source)
    }
}

impl From<&Digests> for Sums {
    fn from(digests: &Digests) -> Self {
        Sums { sha256: hex(&digests.sha256), md5: digests.md5.map(|md5| hex(&md5)) }
    }
}

impl Sums {
    fn parse(&self) -> Option<Digests> {
        let md5 = match &self.md5 {
            Some(md5) => Some(parse_hex(md5)?),
            None => None,
        };
        Some(Digests { sha256: parse_hex(&self.sha256)?, md5 })
    }
}
