//! Card images: opens a base image offline, grows its root filesystem to the
//! size of the card, writes each node's files into it, and emits one image for
//! every node.
//!
//! [`build`] does all of it; [`Prepared`] ends before the image files, for who
//! writes cards instead, or only tells what would be written. What it stands on is
//! public where other tools need it: [`Base`] opens images, [`Layout`] tells where
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

pub use base::{Base, BaseError, BaseOptions};
pub use block_io::{Cancel, Cancelled};
pub use build::{BuildOptions, Built, build};
pub use error::{Blame, Error};
pub use ext4_offline::FileKind;
pub use fat::free_bytes as fat_free_bytes;
pub use find_root::{ChooseError, Evidence, Finding, FsKind};
pub use grown::RESERVE;
pub use layout::{Layout, Part};
pub use manifest::{BaseRecord, ImageRecord, Manifest, RootRecord};
pub use output::{Format, OutputError};
pub use prepare::{Card, Cards, Prepared, Sources};
pub use progress::{NoProgress, Progress, Stage};
pub use rootfs::{FsError, FsResult, Metadata, RootFs, RootFsEditor, SourceError};
