//! The extended attributes of one inode: their values, and changes to them.
//!
//! Their format is below, in `xattr`; values in inodes of their own need the contents of
//! files as well.

mod acl;
mod large;
mod store;

use crate::{
    Result,
    source::Source,
    xattr::{Attributes, INLINE, Value},
};
pub(crate) use large::verify_large;
pub(crate) use store::release_inode;

impl Attributes {
    /// Returns names and values as users see them, without that of inline contents.
    ///
    /// # Errors
    /// Damage to an inode that holds a value.
    pub fn list(&self, source: &dyn Source) -> Result<Vec<(String, Vec<u8>)>> {
        self.iter()
            .filter(|attribute| !attribute.is(INLINE))
            .map(|attribute| {
                let value = match &attribute.value {
                    Value::Bytes(bytes) => bytes.clone(),
                    Value::Inode { number, size, .. } => large::read(source, *number, *size)?,
                };
                Ok((attribute.full_name(), value))
            })
            .collect()
    }
}
