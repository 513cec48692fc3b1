//! What only Linux has.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use crate::{devices::LoopStatus, invoker::InvokerError};

/// No rights can be taken.
pub(crate) struct RootRights;

impl RootRights {
    pub(crate) fn take() -> Option<Self> {
        None
    }
}

pub(crate) fn become_invoker() -> Vec<InvokerError> {
    Vec::new()
}

pub(crate) fn split_number(device: u64) -> (u32, u32) {
    ((device >> 32) as u32, device as u32)
}

pub(crate) fn path_of(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

pub(crate) fn use_page_cache(_: &File) -> io::Result<()> {
    Ok(())
}

pub(crate) fn sector_size(_: &File) -> io::Result<u32> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn reread_partition_table(_: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn discard(_: &File, _: u64) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn loop_status(_: &File) -> io::Result<LoopStatus> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn open_unshared(_: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn end_lease(_: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
