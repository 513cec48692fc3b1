//! Reading a small file without checking the whole filesystem.

use block_io::ReadAt;

use crate::{
    FatError,
    dir::Directory,
    geometry::{DirPlace, FatVariant, Geometry},
    name::Record,
    table::{Entries, OnStorage, chain},
};

/// The largest file that [`read_file`] reads, in bytes: configuration files of boot loaders
/// are far smaller.
pub const MAX_FILE_SIZE: u32 = 1 << 20;

/// Returns the contents of a file by its path from the root directory (`boot.ini`,
/// `extlinux/extlinux.conf`), or `None` if there is no such file. Upper and lower case are
/// the same.
///
/// # Errors
/// [`FatError::TooLarge`] beyond [`MAX_FILE_SIZE`]; [`FatError::NotFat`],
/// [`FatError::Chain`] or [`FatError::Storage`].
pub fn read_file(storage: &dyn ReadAt, path: &str) -> Result<Option<Vec<u8>>, FatError> {
    let geometry = Geometry::read(storage)?;
    let table = OnStorage { storage, geometry: &geometry };
    let Some(record) = find(storage, &geometry, &table, path)? else { return Ok(None) };
    if record.is_directory() {
        return Ok(None);
    }
    contents(storage, &geometry, &table, &record, path, MAX_FILE_SIZE.into()).map(Some)
}

/// Returns the names of a path.
pub(crate) fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|name| !name.is_empty() && *name != ".")
}

/// Returns the record of a path, or `None` if there is none. The root directory has none.
pub(crate) fn find(
    storage: &dyn ReadAt,
    geometry: &Geometry,
    table: &dyn Entries,
    path: &str,
) -> Result<Option<Record>, FatError> {
    let mut place = geometry.root.clone();
    let mut found: Option<Record> = None;
    for name in names(path) {
        if let Some(above) = &found {
            if !above.is_directory() {
                return Ok(None);
            }
            place = DirPlace::Chain(first_cluster(geometry, above));
        }
        let directory = Directory::read(storage, geometry, table, &place)?;
        let mut records = directory.parsed.records.into_iter();
        found = records.find(|record| !record.is_label() && record.is_named(name));
        if found.is_none() {
            return Ok(None);
        }
    }
    Ok(found)
}

/// Returns the contents of a file.
pub(crate) fn contents(
    storage: &dyn ReadAt,
    geometry: &Geometry,
    table: &dyn Entries,
    record: &Record,
    path: &str,
    limit: u64,
) -> Result<Vec<u8>, FatError> {
    let size = u64::from(record.size());
    if size > limit {
        return Err(FatError::TooLarge { path: path.to_owned(), size, limit });
    }
    let mut contents = Vec::new();
    if size == 0 {
        return Ok(contents);
    }
    let first = first_cluster(geometry, record);
    let mut left = size;
    for cluster in chain(table, geometry, first, size.div_ceil(geometry.cluster_size))? {
        let Some(range) = geometry.cluster(cluster) else { break };
        let length = left.min(geometry.cluster_size);
        contents.extend(storage.read_vec(range.start, usize::try_from(length).unwrap_or(0))?);
        left -= length;
    }
    if left > 0 {
        return Err(FatError::Chain { first, reason: "is shorter than its file" });
    }
    Ok(contents)
}

/// Returns a record's first cluster.
pub(crate) fn first_cluster(geometry: &Geometry, record: &Record) -> u32 {
    record.first_cluster(geometry.variant == FatVariant::Fat32)
}
