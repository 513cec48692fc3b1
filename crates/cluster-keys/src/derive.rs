//! Values that derive from the cluster's seed.

use sha2::{Digest, Sha256};

/// Returns the HMAC-SHA-256 of `message` under `key` (RFC 2104).
fn hmac_sha256(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    // SHA-256 works on blocks of 64 bytes, so the key is padded to one block.
    let mut inner_pad = [0x36u8; 64];
    let mut outer_pad = [0x5cu8; 64];
    for ((inner, outer), byte) in inner_pad.iter_mut().zip(outer_pad.iter_mut()).zip(key) {
        *inner ^= byte;
        *outer ^= byte;
    }
    let inner = Sha256::new().chain_update(inner_pad).chain_update(message).finalize();
    Sha256::new().chain_update(outer_pad).chain_update(inner).finalize().into()
}

/// Returns 32 bytes that nobody can guess without the seed. The same seed, purpose and node
/// give the same bytes.
pub(crate) fn derive(seed: &[u8; 32], purpose: &str, node: &str) -> [u8; 32] {
    // With the length of the purpose in front, no two pairs give the same message.
    let mut message = Vec::with_capacity(8 + purpose.len() + node.len());
    message.extend_from_slice(&(purpose.len() as u64).to_be_bytes());
    message.extend_from_slice(purpose.as_bytes());
    message.extend_from_slice(node.as_bytes());
    hmac_sha256(seed, &message)
}

/// Returns the first 16 bytes as a random UUID (RFC 9562, version 4), as machine-id(5)
/// recommends.
pub(crate) fn uuid_v4(derived: [u8; 32]) -> [u8; 16] {
    let mut uuid = [0u8; 16];
    for (to, from) in uuid.iter_mut().zip(derived) {
        *to = from;
    }
    uuid[6] = (uuid[6] & 0x0f) | 0x40;
    uuid[8] = (uuid[8] & 0x3f) | 0x80;
    uuid
}

#[cfg(test)]
mod tests {
    use plain_text::to_hex;

    use super::*;

    /// RFC 4231, test case 1 (its 20-byte key, zero-padded, is the same key to HMAC).
    #[test]
    fn hmac_matches_the_test_vector_of_the_rfc() {
        let mut key = [0u8; 32];
        key[..20].fill(0x0b);
        assert_eq!(
            to_hex(&hmac_sha256(&key, b"Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
    }

    #[test]
    fn purposes_and_nodes_are_kept_apart() {
        let seed = [7; 32];
        assert_ne!(derive(&seed, "ab", "c"), derive(&seed, "a", "bc"));
        assert_ne!(derive(&seed, "a", "b"), derive(&[8; 32], "a", "b"));
    }
}
