//! Finding and reading a file.

use block_io::ReadAt;

use fs_signature::{FatGeometry, FatRoot, FatVariant};

use super::{
    FatError,
    name::{ENTRY, EntryMeaning, EntryReader, FatEntry},
    table::chain,
};

/// The largest file that is read, in bytes. Boot files that name the root filesystem are
/// far smaller.
pub const MAX_FILE_SIZE: u32 = 1 << 20;

/// The specification's limit for the size of a directory, in bytes.
const MAX_DIRECTORY_SIZE: u64 = 2 << 20;

/// Reads a file by its path from the root directory (`boot.ini`,
/// `extlinux/extlinux.conf`), whether in upper or lower case. Returns `None` if there is
/// no such file.
///
/// # Errors
/// [`FatError::TooLarge`] beyond [`MAX_FILE_SIZE`]; [`FatError::NotFat`],
/// [`FatError::Chain`] or [`FatError::Storage`].
pub fn read_file(storage: &dyn ReadAt, path: &str) -> Result<Option<Vec<u8>>, FatError> {
    let geometry = FatGeometry::read(storage)?;
    let mut names = path.split('/').filter(|name| !name.is_empty()).peekable();
    let mut directory = geometry.root.clone();
    while let Some(name) = names.next() {
        let Some(entry) = find(&geometry, storage, &directory, name)? else { return Ok(None) };
        let first = first_cluster(&geometry, &entry);
        match (names.peek().is_some(), entry.is_directory) {
            (true, true) => directory = FatRoot::Chain(first),
            (false, false) => return read(&geometry, storage, &entry, path, first).map(Some),
            _ => return Ok(None),
        }
    }
    Ok(None)
}

fn first_cluster(geometry: &FatGeometry, entry: &FatEntry) -> u32 {
    // Before FAT32, the high half has another meaning.
    if geometry.variant == FatVariant::Fat32 {
        entry.first_cluster
    } else {
        entry.first_cluster & 0xffff
    }
}

fn find(
    geometry: &FatGeometry,
    storage: &dyn ReadAt,
    directory: &FatRoot,
    name: &str,
) -> Result<Option<FatEntry>, FatError> {
    let limit = MAX_DIRECTORY_SIZE / geometry.cluster_size;
    let ranges = match directory {
        FatRoot::Fixed(range) => vec![range.clone()],
        FatRoot::Chain(first) => {
            let clusters = chain(geometry, storage, *first, limit)?;
            clusters.into_iter().filter_map(|cluster| geometry.cluster(cluster)).collect()
        }
    };
    let mut entries = EntryReader::default();
    for range in ranges {
        // A cluster, or a root directory of at most 2^16 entries.
        let length = usize::try_from(range.end - range.start).unwrap_or(0);
        for entry in storage.read_vec(range.start, length)?.as_chunks::<ENTRY>().0 {
            match entries.take(entry) {
                EntryMeaning::Entry(found) if found.is_named(name) => return Ok(Some(found)),
                EntryMeaning::Entry(_) | EntryMeaning::Nothing => {}
                EntryMeaning::End => return Ok(None),
            }
        }
    }
    Ok(None)
}

fn read(
    geometry: &FatGeometry,
    storage: &dyn ReadAt,
    entry: &FatEntry,
    path: &str,
    first: u32,
) -> Result<Vec<u8>, FatError> {
    let size = entry.size;
    if size > MAX_FILE_SIZE {
        return Err(FatError::TooLarge { name: path.to_owned(), size });
    }
    let mut content = Vec::new();
    if size == 0 {
        return Ok(content);
    }
    let mut left = u64::from(size);
    for cluster in chain(geometry, storage, first, left.div_ceil(geometry.cluster_size))? {
        let Some(range) = geometry.cluster(cluster) else { break };
        let length = left.min(geometry.cluster_size);
        content.extend(storage.read_vec(range.start, usize::try_from(length).unwrap_or(0))?);
        left -= length;
    }
    if left > 0 {
        return Err(FatError::Chain { first, reason: "is shorter than its file" });
    }
    Ok(content)
}
