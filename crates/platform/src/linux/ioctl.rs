//! The three requests to block devices that have no safe wrapper.
//!
//! Everything else about a device is in sysfs, or has a wrapper in rustix.
#![allow(unsafe_code)]

use std::{fs::File, io};

use rustix::ioctl::{Getter, NoArg, Opcode, Setter, ioctl, opcode};

use crate::devices::LoopStatus;

/// The request to read the partition table again.
const BLKRRPART: Opcode = opcode::none(0x12, 95);
/// The request to discard a range, given by its start and length in bytes.
const BLKDISCARD: Opcode = opcode::none(0x12, 119);
/// The request for the state of a loop device, which has a number from before the scheme.
const LOOP_GET_STATUS64: Opcode = 0x4c05;

/// The beginning of `struct loop_info64` of `linux/loop.h`, and the size of the rest.
#[repr(C)]
struct LoopInfo {
    device: u64,
    inode: u64,
    rdevice: u64,
    rest: [u64; 26],
}

/// Lets the kernel read the partition table again.
pub(crate) fn reread_partition_table(device: &File) -> io::Result<()> {
    // SAFETY: BLKRRPART takes no argument and touches no memory of ours.
    unsafe { ioctl(device, NoArg::<BLKRRPART>::new())? };
    Ok(())
}

/// Discards the first `length` bytes of the device.
pub(crate) fn discard(device: &File, length: u64) -> io::Result<()> {
    let range: [u64; 2] = [0, length];
    // SAFETY: BLKDISCARD reads two 64-bit integers from its argument, which is
    // `range`, and writes nothing.
    unsafe { ioctl(device, Setter::<BLKDISCARD, [u64; 2]>::new(range))? };
    Ok(())
}

/// Returns what is behind a loop device.
pub(crate) fn loop_status(device: &File) -> io::Result<LoopStatus> {
    const { assert!(size_of::<LoopInfo>() == 232) };
    // SAFETY: LOOP_GET_STATUS64 fills its argument, a `struct loop_info64` of 232 bytes, for
    // which every bit pattern of `LoopInfo` is valid.
    let info = unsafe { ioctl(device, Getter::<LOOP_GET_STATUS64, LoopInfo>::new())? };
    Ok(LoopStatus { device: info.device, inode: info.inode, rdevice: info.rdevice })
}
