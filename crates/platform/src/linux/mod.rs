//! Linux.

mod devices;
mod files;
mod invoker;
mod ioctl;
mod lease;
mod rights;

pub(crate) use self::{
    devices::*,
    files::*,
    invoker::become_invoker,
    ioctl::{discard, loop_status, reread_partition_table},
    lease::{end_lease, open_unshared},
    rights::RootRights,
};
pub(crate) use crate::unix::*;

/// The variable that leads to caches, and their path below it.
pub(crate) const CACHES: (&str, &str) = ("HOME", ".cache");
