//! Card images: opens a base image offline, grows its root filesystem to the size of the card,
//! writes each node's files into it, and writes one image for every node.
//!
//! - [`build`] does all of that,
//! - [`save()`] makes an image of a card,
//! - [`CardBuilder`] stops before the image files, for programs that write cards or only report
//!   what would be written,
//! - [`BaseImage`] and [`ImageFile`] open images, raw or compressed,
//! - [`Layout`] finds the partitions of an image, and which of them is the root filesystem,
//! - [`RootFs`] reads and edits the files in it.
//!
//! ```
//! use std::{path::Path, sync::Arc};
//!
//! use block_io::ReadAt;
//! use card_image::{BaseImage, BaseOptions, Cancel, Layout};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles/sample-base.img.xz");
//! let cache = tempfile::tempdir()?;
//! let options = BaseOptions {
//!     cache_dir: Some(cache.path()),
//!     sha256: None,
//!     limit: None,
//!     progress: &(),
//!     cancel: &Cancel::new(),
//! };
//! let base = BaseImage::open(&path, options)?;
//! let storage: Arc<dyn ReadAt> = base.storage();
//! let layout = Layout::find(&storage, None)?;
//! for partition in &layout.partitions {
//!     println!("{}: {}", partition.number, partition.kind);
//! }
//! assert_eq!(layout.root, 2, "{}", layout.root_reason);
//! # Ok(())
//! # }
//! ```

mod base;
mod block_map;
mod build;
mod error;
mod find_root;
mod grown;
mod layout;
mod manifest;
mod note;
mod output;
mod prepare;
mod progress;
mod publish;
mod rootfs;
mod save;
mod shrunk;
mod storage_error;
mod used;
mod xz_number;

pub use base::{
    BaseError, BaseFormat, BaseImage, BaseOptions, BaseStorage, CertificateFault, ImageFile,
    NotAnImage, SumCheck, cache_directory, download, download_path,
};
pub use block_io::{Cancel, Cancelled};
pub use block_map::{BlockMap, BlockMapError};
pub use build::{BuildOptions, BuildOutcome, build};
pub use error::{Error, ErrorKind};
pub use ext4_offline::FileKind;
pub use fat_offline::free_bytes as fat_free_bytes;
pub use find_root::{ChooseError, Evidence, FsKind, RootCandidate};
pub use grown::END_RESERVE;
pub use layout::{Layout, LayoutPartition, growth_note};
pub use manifest::{BaseRecord, EarlierImage, ImageRecord, Manifest, RootRecord};
pub use note::BuildNote;
pub use output::{ImageFormat, OutputError};
pub use prepare::{BuildInputs, CardBuilder, LARGEST_BASE, PreparedCard, PreparedCards};
pub use progress::{BuildProgress, BuildStage};
pub use rootfs::{
    BootEdit, FsError, FsResult, Metadata, RootFs, RootFsEditor, SourceError, edit_boot_in_place,
};
pub use save::{
    LostBytes, LostOwner, SaveContents, SaveError, SaveOptions, SaveOutcome, SaveSize, save,
};
