//! Everything that can read a tree of files.

pub mod debugfs;
pub mod ext4_view;
pub mod kernel;
pub mod own;
