//! Image files for cards, and what goes with them.

mod bmap;
mod compressed;
mod digest;
mod directory;
mod emit;
mod error;
mod partial;
mod pieces;
mod raw;
mod reflink;
mod xz;

pub(crate) use digest::{hex, sum};
pub(crate) use directory::{Directory, MANIFEST, SUMS};
pub(crate) use emit::{Emitted, Job, emit};
pub use error::OutputError;

/// The form an image file is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ImageFormat {
    /// A sparse file, byte for byte what the card gets.
    #[default]
    Raw,
    /// Compressed by xz, in several blocks.
    Xz,
    /// Compressed by Zstandard, in several frames.
    Zst,
    /// Compressed by gzip, in several members.
    Gz,
}

impl ImageFormat {
    /// What image files of this format are called after the node's name.
    pub fn extension(self) -> &'static str {
        match self {
            ImageFormat::Raw => "img",
            ImageFormat::Xz => "img.xz",
            ImageFormat::Zst => "img.zst",
            ImageFormat::Gz => "img.gz",
        }
    }
}
