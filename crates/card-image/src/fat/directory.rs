//! Finding and reading a file.

use block_io::ReadAt;

use super::{
    FatError, Geometry, Variant,
    geometry::Root,
    name::{ENTRY, Entries, Item, Meaning},
};

/// No file is read that is larger than this (in bytes): boot files that say
/// where the root filesystem is are far smaller.
pub const MAX_FILE_SIZE: u32 = 1 << 20;

/// No directory is larger than this (the specification's limit, in bytes).
const MAX_DIRECTORY_SIZE: u64 = 2 << 20;

/// Reads a file by its path from the root directory (`boot.ini`,
/// `extlinux/extlinux.conf`); upper and lower case are the same. `None` if
/// there is no such file.
///
/// # Errors
/// [`FatError::TooLarge`] beyond [`MAX_FILE_SIZE`]; [`FatError::NotFat`],
/// [`FatError::Chain`] or [`FatError::Storage`].
pub fn read_file(storage: &dyn ReadAt, path: &str) -> Result<Option<Vec<u8>>, FatError> {
    let geometry = Geometry::read(storage)?;
    let mut names = path.split('/').filter(|name| !name.is_empty()).peekable();
    let mut directory = geometry.root.clone();
    while let Some(name) = names.next() {
        let Some(item) = find(&geometry, storage, &directory, name)? else { return Ok(None) };
        let first = geometry.first_cluster(&item);
        match (names.peek().is_some(), item.is_directory) {
            (true, true) => directory = Root::Chain(first),
            (false, false) => return read(&geometry, storage, &item, path, first).map(Some),
            _ => return Ok(None),
        }
    }
    Ok(None)
}

impl Geometry {
    fn first_cluster(&self, item: &Item) -> u32 {
        // The high half means something else before FAT32.
        if self.variant == Variant::Fat32 {
            item.first_cluster
        } else {
            item.first_cluster & 0xffff
        }
    }
}

fn find(
    geometry: &Geometry,
    storage: &dyn ReadAt,
    directory: &Root,
    name: &str,
) -> Result<Option<Item>, FatError> {
    let limit = MAX_DIRECTORY_SIZE / geometry.cluster_size;
    let ranges = match directory {
        Root::Fixed(range) => vec![range.clone()],
        Root::Chain(first) => {
            let chain = geometry.chain(storage, *first, limit)?;
            chain.into_iter().filter_map(|cluster| geometry.cluster(cluster)).collect()
        }
    };
    let mut entries = Entries::default();
    for range in ranges {
        // A cluster, or a root directory of at most 2^16 entries.
        let length = usize::try_from(range.end - range.start).unwrap_or(0);
        for entry in storage.read_vec(range.start, length)?.as_chunks::<ENTRY>().0 {
            match entries.take(entry) {
                Meaning::Item(item) if item.is_named(name) => return Ok(Some(item)),
                Meaning::Item(_) | Meaning::Nothing => {}
                Meaning::End => return Ok(None),
            }
        }
    }
    Ok(None)
}

fn read(
    geometry: &Geometry,
    storage: &dyn ReadAt,
    item: &Item,
    path: &str,
    first: u32,
) -> Result<Vec<u8>, FatError> {
    let size = item.size;
    if size > MAX_FILE_SIZE {
        return Err(FatError::TooLarge { name: path.to_owned(), size });
    }
    let mut content = Vec::new();
    if size == 0 {
        return Ok(content);
    }
    let mut left = u64::from(size);
    for cluster in geometry.chain(storage, first, left.div_ceil(geometry.cluster_size))? {
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
