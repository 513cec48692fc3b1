//! FAT32's FSInfo sector: hints about free clusters.

use block_io::ReadAt;

use crate::{FatError, geometry::Geometry, staged::Staged};

const LEAD: [u8; 4] = *b"RRaA";
const STRUCT: [u8; 4] = *b"rrAa";
const UNKNOWN: u32 = 0xffff_ffff;

/// Returns the offset of the FSInfo structure's counts, if there is a valid one.
fn counts(storage: &dyn ReadAt, geometry: &Geometry) -> Result<Option<u64>, FatError> {
    let Some(offset) = geometry.fsinfo else { return Ok(None) };
    let mut sector = [0; 512];
    storage.read_at(offset, &mut sector)?;
    let valid = sector.starts_with(&LEAD) && sector[484..488] == STRUCT;
    Ok(valid.then_some(offset + 488))
}

/// Returns the free count that the sector states, if it states one.
pub(crate) fn free(storage: &dyn ReadAt, geometry: &Geometry) -> Result<Option<u32>, FatError> {
    let Some(offset) = counts(storage, geometry)? else { return Ok(None) };
    let mut count = [0; 4];
    storage.read_at(offset, &mut count)?;
    let count = u32::from_le_bytes(count);
    Ok((count != UNKNOWN).then_some(count))
}

/// Writes the free count, unless the sector says that it is unknown.
pub(crate) fn set_free(
    staged: &mut Staged,
    geometry: &Geometry,
    free: u32,
) -> Result<(), FatError> {
    if self::free(staged, geometry)?.is_some()
        && let Some(offset) = counts(staged, geometry)?
    {
        staged.write(offset, &free.to_le_bytes())?;
    }
    Ok(())
}
