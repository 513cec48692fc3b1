//! Card images: opens a base image offline, grows its root filesystem to the
//! size of the card, writes each node's files into it, and emits one image for
//! every node.
//!
//! [`build`] does all of it; [`CardBuilder`] ends before the image files, for who
//! writes cards instead, or only tells what would be written. What it stands on is
//! public where other tools need it: [`BaseImage`] opens images, [`Layout`] tells where
//! things lie in them, and [`RootFs`] reads and edits their files.

mod base;
mod build;
mod error;
mod failed;
mod fat;
mod find_root;
mod grown;
mod layout;
mod manifest;
mod output;
mod prepare;
mod progress;
mod publish;
mod rootfs;
mod used;
mod xz_number;

pub use base::{BaseError, BaseFormat, BaseImage, BaseOptions, ImageFile, NotAnImage};
pub use block_io::{Cancel, Cancelled};
pub use build::{BuildOptions, BuildOutcome, build};
pub use error::{Error, ErrorKind};
pub use ext4_offline::FileKind;
pub use fat::free_bytes as fat_free_bytes;
pub use find_root::{ChooseError, Evidence, FsKind, RootCandidate};
pub use grown::END_RESERVE;
pub use layout::{Layout, LayoutPartition};
pub use manifest::{BaseRecord, ImageRecord, Manifest, RootRecord};
pub use output::{ImageFormat, OutputError};
pub use prepare::{BuildInputs, CardBuilder, PreparedCard, PreparedCards};
pub use progress::{BuildProgress, BuildStage};
pub use rootfs::{FsError, FsResult, Metadata, RootFs, RootFsEditor, SourceError};
