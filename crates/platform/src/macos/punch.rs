//! Making holes with F_PUNCHHOLE, which has no safe wrapper.
//!
//! This is all unsafe code on macOS.
#![allow(unsafe_code)]

use std::{fs::File, io, ops::Range, os::fd::AsRawFd as _};

use crate::PositionedFile as _;

/// Holes begin and end at multiples of the filesystem's block size, in bytes.
const BLOCK: u64 = 4096;

pub(crate) fn punch_hole(file: &File, range: Range<u64>) -> io::Result<()> {
    let start = range.start.next_multiple_of(BLOCK).min(range.end);
    let end = (range.end / BLOCK * BLOCK).max(start);
    for part in [range.start..start, end..range.end] {
        file.write_all_at(&vec![0; (part.end - part.start) as usize], part.start)?;
    }
    if start == end {
        return Ok(());
    }
    let too_large = |_| io::Error::from(io::ErrorKind::InvalidInput);
    let hole = libc::fpunchhole_t {
        fp_flags: 0,
        reserved: 0,
        fp_offset: i64::try_from(start).map_err(too_large)?,
        fp_length: i64::try_from(end - start).map_err(too_large)?,
    };
    // SAFETY: F_PUNCHHOLE reads a `fpunchhole_t` from its argument, which lives until the call
    // returns, and writes nothing.
    let done = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_PUNCHHOLE, &raw const hole) };
    if done == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
