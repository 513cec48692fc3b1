//! What a Linux system on an image will do at boot, and who can log in to it, read from its
//! files the way its own programs read them.
//!
//! Nothing here runs or writes anything. The files come through [`SystemFiles`], so the
//! same questions can be asked of a base image, of a card in a reader, and of a system made
//! up in memory ([`MemoryFiles`]).

mod files;
mod memory;

pub use files::{BootPartition, FileKind, FileMetadata, SystemError, SystemFiles};
pub use memory::MemoryFiles;

pub mod accounts;
pub mod docker;
mod file_line;
pub mod network;
mod pattern;
pub mod sshd;
mod units;
mod walk;
mod yaml;

pub use file_line::FileLine;
