//! What differs between Linux, macOS and Windows, behind one interface.
//!
//! | module | purpose |
//! |---|---|
//! | [`access`] | Private files and directories; who owns a file, and who else can get at it |
//! | [`devices`] | Block devices, which only Linux lists |
//! | [`directories`] | The user's home and caches |
//! | [`invoker`] | The user who called sudo (Linux) |
//! | [`opening`] | Opening only regular files, and those that nobody else has open |
//! | [`rights`] | The rights of root for a single call (Linux) |
//! | [`sparse`] | Holes in files, and files that share blocks |
//! | [`terminal`] | Typing that is not shown |
//!
//! All code that depends on the operating system is here: in `linux/`, `macos/`, `windows/`, and in
//! `unix/` what the first two have in common. So is all unsafe code, in the files
//! `linux/ioctl.rs`, `linux/lease.rs`, `macos/punch.rs`, `unix/quit.rs` and `windows/*.rs`, for
//! requests that no crate wraps.
//!
//! ```
//! use std::fs::File;
//!
//! use platform::PositionedFile as _;
//!
//! # fn main() -> std::io::Result<()> {
//! let directory = tempfile::tempdir()?;
//! let path = directory.path().join("card.img");
//! let file = platform::access::create_new(&path, platform::Privacy::Private)?;
//! platform::sparse::prepare(&file);
//! file.set_len(1 << 30)?;
//! file.write_all_at(b"data", 1 << 29)?;
//! assert!(!platform::access::Access::of(&File::open(&path)?)?.is_exposed());
//! # Ok(())
//! # }
//! ```

pub mod access;
pub mod devices;
pub mod directories;
mod info;
pub mod invoker;
pub mod opening;
mod positioned;
pub mod rights;
pub mod sparse;
pub mod terminal;
#[cfg(unix)]
mod unix;
#[cfg(not(target_os = "linux"))]
mod unsupported;

#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
mod system;
#[cfg(target_os = "macos")]
#[path = "macos/mod.rs"]
mod system;
#[cfg(windows)]
#[path = "windows/mod.rs"]
mod system;

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
compile_error!("only Linux, macOS and Windows are supported; see crates/platform");

use std::{io, path::Path};

pub use access::{Access, Owner, Permissions, Privacy};
pub use info::{FileId, FileInfo, FileKind, FileStamp};
pub use opening::{open_lock, open_regular};
pub use positioned::PositionedFile;

/// Returns the number of bytes that the user can still write to the filesystem of a directory.
///
/// # Errors
/// Those of the operating system.
pub fn free_space(directory: &Path) -> io::Result<u64> {
    system::free_space(directory)
}

/// Waits until the names in a directory are on the disk. Does nothing on Windows, where directories
/// cannot be flushed.
///
/// # Errors
/// Those of the operating system.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    system::sync_directory(directory)
}

/// Returns whether the user may create files in a directory, as far as the system tells without
/// trying.
pub fn is_writable(directory: &Path) -> bool {
    system::is_writable(directory)
}
