//! Holes in files, free space, and what is known about a file.
#![allow(unsafe_code)]

use std::{
    ffi::c_void,
    fs::File,
    io,
    mem::{size_of, zeroed},
    ops::Range,
    os::windows::io::AsRawHandle as _,
    path::Path,
    ptr,
};

use windows_sys::Win32::{
    Foundation::{ERROR_INVALID_FUNCTION, ERROR_MORE_DATA, ERROR_NOT_SUPPORTED},
    Storage::FileSystem::{
        BY_HANDLE_FILE_INFORMATION, FILE_BASIC_INFO, FileBasicInfo, GetDiskFreeSpaceExW,
        GetFileInformationByHandle, GetFileInformationByHandleEx,
    },
    System::{
        IO::DeviceIoControl,
        Ioctl::{
            FILE_ALLOCATED_RANGE_BUFFER, FILE_ZERO_DATA_INFORMATION, FSCTL_QUERY_ALLOCATED_RANGES,
            FSCTL_SET_SPARSE, FSCTL_SET_ZERO_DATA,
        },
    },
};

use super::text::wide_path;
use crate::info::FileStamp;

/// Asks the filesystem for something. Returns how many bytes it answered; an answer that is longer
/// than `output` is cut off.
fn control(file: &File, code: u32, input: &[i64], output: &mut [i64]) -> io::Result<usize> {
    let mut length = 0;
    // SAFETY: the sizes that are passed are those of the two slices.
    let done = unsafe {
        DeviceIoControl(
            file.as_raw_handle(),
            code,
            input.as_ptr().cast::<c_void>(),
            size_of_val(input) as u32,
            output.as_mut_ptr().cast::<c_void>(),
            size_of_val(output) as u32,
            &raw mut length,
            ptr::null_mut(),
        )
    };
    if done == 0 {
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(ERROR_MORE_DATA.cast_signed()) {
            return Err(error);
        }
    }
    Ok(length as usize)
}

pub(crate) fn prepare_sparse(file: &File) {
    // A filesystem that cannot (FAT) has files without holes.
    let _ = control(file, FSCTL_SET_SPARSE, &[], &mut []);
}

fn signed(number: u64) -> io::Result<i64> {
    i64::try_from(number).map_err(|_| io::ErrorKind::InvalidInput.into())
}

pub(crate) fn next_data(file: &File, from: u64, size: u64) -> io::Result<Option<Range<u64>>> {
    const RANGE: usize = size_of::<FILE_ALLOCATED_RANGE_BUFFER>();
    const { assert!(RANGE == 16) };
    let mut found = [0; 2];
    let asked = [signed(from)?, signed(size - from)?];
    match control(file, FSCTL_QUERY_ALLOCATED_RANGES, &asked, &mut found) {
        Ok(RANGE) => {
            let [start, length] = found.map(|number| u64::try_from(number).unwrap_or(0));
            Ok(Some(start..start.saturating_add(length)))
        }
        Ok(_) => Ok(None),
        // Some filesystems have no holes.
        Err(_) => Ok(Some(from..size)),
    }
}

pub(crate) fn punch_hole(file: &File, range: Range<u64>) -> io::Result<()> {
    const { assert!(size_of::<FILE_ZERO_DATA_INFORMATION>() == 16) };
    let asked = [signed(range.start)?, signed(range.end)?];
    let done = control(file, FSCTL_SET_ZERO_DATA, &asked, &mut []).map(drop);
    done.map_err(|error| match error.raw_os_error().map(i32::cast_unsigned) {
        // What filesystems answer that do not know the request.
        Some(ERROR_NOT_SUPPORTED | ERROR_INVALID_FUNCTION) => io::ErrorKind::Unsupported.into(),
        _ => error,
    })
}

pub(crate) fn free_space(directory: &Path) -> io::Result<u64> {
    let path = wide_path(directory)?;
    let mut free = 0;
    // SAFETY: the path ends with zero; the numbers that are not wanted may be null.
    let done = unsafe {
        GetDiskFreeSpaceExW(path.as_ptr(), &raw mut free, ptr::null_mut(), ptr::null_mut())
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(free) }
}

/// Returns the serial number of a file's volume, its index there, and its size in bytes.
pub(super) fn place(file: &File) -> io::Result<(u64, u64, u64)> {
    // SAFETY: zeros are a valid value of this structure, which has only numbers.
    let mut found: BY_HANDLE_FILE_INFORMATION = unsafe { zeroed() };
    // SAFETY: the handle is open.
    if unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut found) } == 0 {
        return Err(io::Error::last_os_error());
    }
    let join = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
    Ok((
        found.dwVolumeSerialNumber.into(),
        join(found.nFileIndexHigh, found.nFileIndexLow),
        join(found.nFileSizeHigh, found.nFileSizeLow),
    ))
}

pub(crate) fn stamp(file: &File) -> io::Result<FileStamp> {
    let (_, inode, size) = place(file)?;
    // SAFETY: zeros are a valid value of this structure, which has only numbers.
    let mut found: FILE_BASIC_INFO = unsafe { zeroed() };
    // SAFETY: the size that is passed is that of the structure.
    let done = unsafe {
        GetFileInformationByHandleEx(
            file.as_raw_handle(),
            FileBasicInfo,
            (&raw mut found).cast(),
            size_of::<FILE_BASIC_INFO>() as u32,
        )
    };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    let (modified, changed) = (time(found.LastWriteTime), time(found.ChangeTime));
    Ok(FileStamp { inode, size, modified, changed })
}

/// Converts a time in units of 100 ns since 1601 to seconds since 1970 and nanoseconds.
fn time(units: i64) -> (i64, i64) {
    const UNITS: i64 = 10_000_000;
    (units.div_euclid(UNITS) - 11_644_473_600, units.rem_euclid(UNITS) * 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_from_1970() {
        assert_eq!(time(0), (-11_644_473_600, 0));
        assert_eq!(time(116_444_736_000_000_001), (0, 100));
    }
}
