//! Image files for cards, and the files beside them.

mod bmap;
mod compressed;
mod digest;
mod directory;
mod earlier;
mod emit;
mod error;
mod lock;
mod partial;
mod pieces;
mod raw;
mod reflink;
mod xz;

#[cfg(test)]
pub(crate) use bmap::render as render_block_map;
pub(crate) use digest::sum;
pub(crate) use directory::{MANIFEST, OutputDirectory, SUMS};
pub(crate) use emit::{EmitJob, EmittedImage, emit};
pub use error::OutputError;

/// The format of an image file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ImageFormat {
    /// A sparse file with the bytes of the card.
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
    /// All formats, the compressed ones first.
    const ALL: [ImageFormat; 4] =
        [ImageFormat::Xz, ImageFormat::Zst, ImageFormat::Gz, ImageFormat::Raw];

    /// Returns the format that a file name says, and the name without its extension.
    pub fn of_name(name: &str) -> Option<(&str, ImageFormat)> {
        let stem = |format: ImageFormat| {
            let stem = name.strip_suffix(format.extension())?.strip_suffix('.')?;
            (!stem.is_empty()).then_some((stem, format))
        };
        Self::ALL.into_iter().find_map(stem)
    }

    /// Returns the file name extension of this format.
    pub fn extension(self) -> &'static str {
        match self {
            ImageFormat::Raw => "img",
            ImageFormat::Xz => "img.xz",
            ImageFormat::Zst => "img.zst",
            ImageFormat::Gz => "img.gz",
        }
    }
}
