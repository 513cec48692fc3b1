//! The two requests to block devices that have no safe wrapper.
//!
//! This is the crate's only unsafe code. Everything else about a device is in sysfs, or has
//! a wrapper in rustix.
#![allow(unsafe_code)]

use std::{fs::File, io};

use rustix::ioctl::{NoArg, Opcode, Setter, ioctl, opcode};

/// The request to read the partition table again.
const BLKRRPART: Opcode = opcode::none(0x12, 95);
/// The request to discard a range, given by its start and length in bytes.
const BLKDISCARD: Opcode = opcode::none(0x12, 119);

/// Lets the kernel read the partition table again.
///
/// # Errors
/// Those of the kernel: `EBUSY` while a partition is in use, `EINVAL` if it does not look for
/// partitions on such devices.
pub(super) fn reread_partition_table(device: &File) -> io::Result<()> {
    // SAFETY: BLKRRPART takes no argument and touches no memory of ours.
    unsafe { ioctl(device, NoArg::<BLKRRPART>::new())? };
    Ok(())
}

/// Discards the first `length` bytes of the device.
///
/// # Errors
/// Those of the kernel: `EOPNOTSUPP` if the device or its reader does not support it.
pub(super) fn discard(device: &File, length: u64) -> io::Result<()> {
    let range: [u64; 2] = [0, length];
    // SAFETY: BLKDISCARD reads two 64-bit integers from its argument, which is
    // `range`, and writes nothing.
    unsafe { ioctl(device, Setter::<BLKDISCARD, [u64; 2]>::new(range))? };
    Ok(())
}
