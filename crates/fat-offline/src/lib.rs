//! An unmounted FAT filesystem: checked, read and edited, without a kernel.
//!
//! Boot partitions of small boards are FAT12, FAT16 or FAT32, whatever the partition
//! table says. This crate works on anything that implements [`block_io::ReadAt`] and begins
//! where the filesystem does, such as a window on a partition. What a boot sector says is read
//! by [`fs_signature::FatGeometry`].
//!
//! - [`read_file`] reads a small file by its path,
//! - [`used_extents`] returns the bytes that are in use,
//! - [`owners`] names the files that bytes belong to,
//! - [`check`] walks the whole filesystem and rejects damage,
//! - [`Reader`] reads files and directories by path,
//! - [`Editor`] creates, replaces and removes files and directories, also on a card in use
//!   ([`Editor::open_in_place`]).
//!
//! An editor checks first, so whatever is damaged is refused before the first write. Each
//! edit happens as a whole or not at all, and writes only the sectors that change. Nothing
//! here reads a clock, so the same edits of the same image give the same bytes.
//!
//! The format is that of Microsoft's *FAT32 File System Specification*, version 1.03, with
//! the checks that Linux makes (`fs/fat/inode.c`) and the lower case flags of short names
//! (`fs/fat/dir.c`). Offsets are in bytes, relative to the start of the filesystem.
//!
//! ```
//! use std::sync::Arc;
//!
//! use block_io::{Layer, Memory};
//! use fat_offline::{Editor, Reader};
//!
//! # let mut bytes = vec![0; 64 * 512];
//! # // 512-byte sectors, one in a cluster, one reserved, one table of one sector, 16 entries in
//! # // the root directory, 64 sectors, a fixed disk.
//! # bytes[..3].copy_from_slice(&[0xeb, 0x3c, 0x90]);
//! # bytes[11..24].copy_from_slice(&[0, 2, 1, 1, 0, 1, 16, 0, 64, 0, 0xf8, 1, 0]);
//! # bytes[510..515].copy_from_slice(&[0x55, 0xaa, 0xf8, 0xff, 0xff]);
//! # let image = Arc::new(Memory::new(bytes));
//! // The image of a boot partition stays unchanged below the layer.
//! let layer = Arc::new(Layer::new(image, 64 * 512));
//! let mut editor = Editor::open(layer.clone(), 0)?;
//! editor.write("config.txt", b"arm_64bit=1\n")?;
//!
//! let files = Reader::open(layer)?;
//! assert_eq!(files.read("CONFIG.TXT", 1024)?.as_deref(), Some(&b"arm_64bit=1\n"[..]));
//! # Ok::<(), fat_offline::FatError>(())
//! ```

mod check;
mod dir;
mod editor;
mod entry;
mod error;
mod fsinfo;
mod geometry;
mod name;
mod owners;
mod read;
mod reader;
mod staged;
mod table;
mod time;
mod used;

pub use check::{CheckReport, check};
pub use editor::Editor;
pub use entry::Entry;
pub use error::FatError;
pub use owners::{ClusterOwner, owners};
pub use read::{MAX_FILE_SIZE, read_file};
pub use reader::Reader;
pub use used::{free_bytes, used_extents};
