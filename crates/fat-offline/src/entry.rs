//! What a directory says of a file.

use crate::name::Record;

/// A file or directory in a directory's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name that people see.
    pub name: String,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// The size of a file in bytes; 0 for a directory.
    pub size: u32,
}

impl From<Record> for Entry {
    fn from(record: Record) -> Self {
        Entry { is_directory: record.is_directory(), size: record.size(), name: record.name }
    }
}
