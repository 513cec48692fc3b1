//! Globally unique identifiers as a GPT stores them.

use std::fmt;

use crate::fields::array;

/// A GUID, in the byte order that it has on the disk. It is displayed in lower case, as Linux
/// and `/etc/fstab` write a PARTUUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Guid(pub [u8; 16]);

impl Guid {
    /// Returns whether all bytes are zero, as in an unused entry.
    pub fn is_nil(&self) -> bool {
        self.0 == [0; 16]
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The first three groups are little-endian numbers, the others are bytes.
        let first = u32::from_le_bytes(array(&self.0, 0));
        let second = u16::from_le_bytes(array(&self.0, 4));
        let third = u16::from_le_bytes(array(&self.0, 6));
        let fourth = u16::from_be_bytes(array(&self.0, 8));
        write!(f, "{first:08x}-{second:04x}-{third:04x}-{fourth:04x}-")?;
        self.0.iter().skip(10).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
