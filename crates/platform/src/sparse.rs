//! Files with holes, files that share blocks, and advice to the cache.

use std::{fs::File, io, ops::Range, path::Path};

use crate::system;

/// How a file will be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Advice {
    /// No particular way.
    Normal,
    /// From its beginning to its end.
    Sequential,
    /// No longer: what was written can go to the disk.
    DontNeed,
}

/// Lets a new file have holes. Only Windows has to be asked; if it cannot, the file is not sparse.
pub fn prepare(file: &File) {
    system::prepare_sparse(file);
}

/// Returns the next part of a file of `size` bytes, from `from` on, that is not a hole. Where the
/// filesystem has no holes, that is all the rest.
///
/// # Errors
/// Those of the operating system.
pub fn next_data(file: &File, from: u64, size: u64) -> io::Result<Option<Range<u64>>> {
    if from >= size {
        return Ok(None);
    }
    let found = system::next_data(file, from, size)?;
    // A file can have grown behind the end that the caller knows.
    let found = found.map(|data| data.start.max(from)..data.end.min(size));
    Ok(found.filter(|data| data.start < data.end))
}

/// Makes a part of a file a hole, which reads as zeros. The size of the file stays.
///
/// # Errors
/// Those of the operating system, and [`io::ErrorKind::Unsupported`].
pub fn punch_hole(file: &File, range: Range<u64>) -> io::Result<()> {
    if range.is_empty() {
        return Ok(());
    }
    system::punch_hole(file, range)
}

/// Makes an empty file, which is at `path` and private to the user, share all blocks of `from`
/// until either is written.
///
/// Linux (FICLONE) and macOS (clonefile) can do this, on some filesystems. On macOS, `to` is
/// replaced by another open file.
///
/// # Errors
/// Those of the operating system, and [`io::ErrorKind::Unsupported`]. `to` stays empty then.
pub fn share_blocks(from: &File, to: &mut File, path: &Path) -> io::Result<()> {
    system::share_blocks(from, to, path)
}

/// Tells the system how a whole file will be used. It may ignore that.
pub fn advise(file: &File, advice: Advice) {
    system::advise(file, advice);
}

/// Drops a part of a file or device from the cache, if it was written out, so that the next
/// read is from the device itself. Only Linux can be asked to.
///
/// # Errors
/// Those of the operating system.
pub fn drop_cached(file: &File, offset: u64, length: u64) -> io::Result<()> {
    system::drop_cached(file, offset, length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PositionedFile as _;

    const BLOCK: u64 = 64 << 10;

    #[test]
    fn holes_are_found_and_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let file = crate::access::create_new(&path, crate::Privacy::Private).unwrap();
        prepare(&file);
        file.set_len(8 * BLOCK).unwrap();
        file.write_all_at(&[7; BLOCK as usize], 2 * BLOCK).unwrap();
        let data = next_data(&file, 0, 8 * BLOCK).unwrap().unwrap();
        assert!(data.start <= 2 * BLOCK && data.end >= 3 * BLOCK, "{data:?}");
        assert_eq!(next_data(&file, 8 * BLOCK, 8 * BLOCK).unwrap(), None);
        match punch_hole(&file, 2 * BLOCK + 10..3 * BLOCK) {
            Err(error) if error.kind() == io::ErrorKind::Unsupported => return,
            other => other.unwrap(),
        }
        let mut bytes = vec![1; BLOCK as usize];
        file.read_exact_at(&mut bytes, 2 * BLOCK).unwrap();
        assert!(bytes[..10].iter().all(|byte| *byte == 7));
        assert!(bytes[10..].iter().all(|byte| *byte == 0));
        assert_eq!(file.metadata().unwrap().len(), 8 * BLOCK);
    }

    #[test]
    fn what_shares_blocks_has_the_same_bytes_and_else_none() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name| directory.path().join(name);
        let from = crate::access::create_new(&at("from"), crate::Privacy::Public).unwrap();
        from.write_all_at(b"bytes", 0).unwrap();
        let mut to = crate::access::create_new(&at("to"), crate::Privacy::Private).unwrap();
        let shared = share_blocks(&from, &mut to, &at("to")).is_ok();
        let expected: &[u8] = if shared { b"bytes" } else { b"" };
        assert_eq!(std::fs::read(at("to")).unwrap(), expected);
        to.write_all_at(b"B", 0).unwrap();
        assert_eq!(std::fs::read(at("from")).unwrap(), b"bytes");
        assert!(!crate::Access::of(&to).unwrap().is_exposed());
    }
}
