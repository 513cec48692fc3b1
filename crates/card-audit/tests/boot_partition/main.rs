//! Files on FAT boot partitions: written where the system mounts them, planned and verified as
//! files of the root filesystem are.
#![allow(missing_docs)]

mod apply;
mod bed;
mod build;
#[path = "../common/mod.rs"]
mod common;
mod damage;
