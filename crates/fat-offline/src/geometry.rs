//! Where the parts of a FAT filesystem lie.

pub(crate) use fs_signature::{FatGeometry as Geometry, FatRoot as DirPlace, FatVariant};
