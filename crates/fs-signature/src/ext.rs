//! ext2, ext3 and ext4.

use block_io::{ReadAt, Result};

use crate::{FsKind, Signature, table::label_text};

/// Detects an ext filesystem by its superblock, 1024 bytes into the filesystem: see the
/// kernel's `Documentation/filesystems/ext4/super.rst`.
pub(crate) fn detect(storage: &dyn ReadAt) -> Result<Option<FsKind>> {
    if storage.size() < 2048 {
        return Ok(None);
    }
    let mut block = [0; 256];
    storage.read_at(1024, &mut block)?;
    let u32_at = |at: usize| {
        block.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
    };
    let (compat, incompat, ro_compat) = (u32_at(0x5c), u32_at(0x60), u32_at(0x64));
    let log_block_size = u32_at(0x18);
    if block.get(0x38..0x3a) != Some(&[0x53, 0xef]) || log_block_size > 6 {
        return Ok(None);
    }
    if incompat & 0x8 != 0 {
        return Ok(Some(FsKind::Other { signature: Signature::ExtJournal, label: None }));
    }
    // ext3 has filetype, recover, journal_dev and meta_bg; sparse_super, large_file and
    // btree_dir. Any other feature makes it ext4, and has_journal at least ext3.
    let version = if incompat & !0x1e != 0 || ro_compat & !0x7 != 0 {
        4
    } else if compat & 0x4 != 0 {
        3
    } else {
        2
    };
    let mut uuid = String::new();
    for (place, byte) in block.iter().skip(0x68).take(16).enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            uuid.push('-');
        }
        uuid.push_str(&format!("{byte:02x}"));
    }
    let label = block.get(0x78..0x88).and_then(label_text);
    Ok(Some(FsKind::Ext { version, uuid, label }))
}
