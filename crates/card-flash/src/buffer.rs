//! Buffers that O_DIRECT accepts.

use crate::write_plan::{BLOCK, PIECE};

/// Room for one piece, at an address that is a multiple of [`BLOCK`].
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    start: usize,
}

impl Buffer {
    pub fn new() -> Self {
        let bytes = vec![0; (PIECE + BLOCK) as usize];
        // A larger buffer is used from an aligned address on: an aligned allocation would
        // need unsafe code.
        let start = bytes.as_ptr().align_offset(BLOCK as usize).min(BLOCK as usize);
        Buffer { bytes, start }
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[self.start..][..PIECE as usize]
    }

    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..][..PIECE as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_aligned() {
        let mut buffer = Buffer::new();
        assert_eq!(buffer.bytes().as_ptr() as u64 % BLOCK, 0);
        assert_eq!(buffer.bytes().len() as u64, PIECE);
    }
}
