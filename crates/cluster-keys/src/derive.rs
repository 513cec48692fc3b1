//! Values derived from the cluster's seed.

use sha2::{Digest, Sha256};

/// HMAC-SHA-256 of `message` under `key` (RFC 2104).
fn hmac_sha256(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    // SHA-256 works on blocks of 64 bytes; the key is padded to one.
    let mut inner_pad = [0x36u8; 64];
    let mut outer_pad = [0x5cu8; 64];
    for ((inner, outer), byte) in inner_pad.iter_mut().zip(outer_pad.iter_mut()).zip(key) {
        *inner ^= byte;
        *outer ^= byte;
    }
    let inner = Sha256::new().chain_update(inner_pad).chain_update(message).finalize();
    Sha256::new().chain_update(outer_pad).chain_update(inner).finalize().into()
}

/// 32 bytes that nobody without the seed can guess, the same for the same
/// seed, purpose and node.
pub(crate) fn derive(seed: &[u8; 32], purpose: &str, node: &str) -> [u8; 32] {
    // The purpose's length goes first, so that no two pairs make one message.
    let mut message = Vec::with_capacity(8 + purpose.len() + node.len());
    message.extend_from_slice(&(purpose.len() as u64).to_be_bytes());
    message.extend_from_slice(purpose.as_bytes());
    message.extend_from_slice(node.as_bytes());
    hmac_sha256(seed, &message)
}

/// The first 16 bytes with the version and variant bits of a random UUID
/// (RFC 9562, version 4), which machine-id(5) asks for.
pub(crate) fn uuid_v4(derived: [u8; 32]) -> [u8; 16] {
    let mut uuid = [0u8; 16];
    for (to, from) in uuid.iter_mut().zip(derived) {
        *to = from;
    }
    uuid[6] = (uuid[6] & 0x0f) | 0x40;
    uuid[8] = (uuid[8] & 0x3f) | 0x80;
    uuid
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The 32 bytes that 64 hexadecimal digits stand for.
pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let bytes: Vec<u8> =
        digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |n, d| n << 4 | *d as u8)).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 1 (its 20-byte key, zero-padded, is the same key to HMAC).
    #[test]
    fn hmac_agrees_with_the_rfc() {
        let mut key = [0u8; 32];
        key[..20].fill(0x0b);
        assert_eq!(
            hex(&hmac_sha256(&key, b"Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
    }

    #[test]
    fn purposes_and_nodes_do_not_run_together() {
        let seed = [7; 32];
        assert_ne!(derive(&seed, "ab", "c"), derive(&seed, "a", "bc"));
        assert_ne!(derive(&seed, "a", "b"), derive(&[8; 32], "a", "b"));
    }

    #[test]
    fn hex_goes_both_ways() {
        let bytes: [u8; 32] = std::array::from_fn(|i| (i * 9) as u8);
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        assert_eq!(unhex(&hex(&bytes)[1..]), None);
        assert_eq!(unhex(&format!("{}zz", &hex(&bytes)[2..])), None);
        assert_eq!(unhex(""), None);
    }
}
