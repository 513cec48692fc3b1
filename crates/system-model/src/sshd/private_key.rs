//! The public half of a private key's file.
//!
//! Formats: OpenSSH's own (PROTOCOL.key), which has the public half in clear even if the
//! private one is encrypted; PKCS#1, SEC1, PKCS#8 and DSA in PEM; PuTTY's; dropbear's.

use data_encoding::{BASE64, BASE64_NOPAD};

/// What a private key's file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PrivateKeyFile {
    /// The public half in base64, as authorized_keys has it; `None` if it cannot be derived.
    pub public: Option<String>,
    /// Whether a passphrase protects the private half.
    pub encrypted: bool,
}

/// Returns whether a file holds a private key of ssh.
pub fn is_private_key(contents: &[u8]) -> bool {
    read(contents).is_some()
}

/// Returns whether a file that begins like this holds a private key, of ssh or of another
/// program: in PEM, also after certificates, in the armour of PGP and SSH2, or as PuTTY and
/// dropbear write it.
pub fn begins_with_private_key(start: &[u8]) -> bool {
    const MARK: &[u8] = b"PRIVATE KEY";
    let is_header = |line: &[u8]| {
        let label = line.trim_ascii_start().strip_prefix(b"----");
        let label = label.map(|label| label.strip_prefix(b"-").unwrap_or(label).trim_ascii_start());
        let label = label.and_then(|label| label.strip_prefix(b"BEGIN "));
        label.is_some_and(|label| label.windows(MARK.len()).any(|words| words == MARK))
    };
    start.starts_with(b"PuTTY-User-Key-File-")
        || start.starts_with(b"SSH PRIVATE KEY FILE FORMAT")
        || start.split(|&byte| byte == b'\n' || byte == b'\r').any(is_header)
        || dropbear(start).is_some()
}

/// Returns what a file says if it is a private key.
pub(super) fn read(contents: &[u8]) -> Option<PrivateKeyFile> {
    if let Some(key) = dropbear(contents) {
        return Some(key);
    }
    let text = std::str::from_utf8(contents).ok()?;
    if text.starts_with("PuTTY-User-Key-File-") {
        return Some(putty(text));
    }
    let (label, body) = pem(text)?;
    let encrypted_header = body.contains("ENCRYPTED");
    let data: String = body
        .lines()
        .filter(|line| !line.contains(':'))
        .flat_map(|line| line.chars().filter(|c| !c.is_whitespace()))
        .collect();
    let der = BASE64.decode(data.as_bytes()).or_else(|_| BASE64_NOPAD.decode(data.as_bytes()));
    let der = der.unwrap_or_default();
    if label == "OPENSSH PRIVATE KEY" {
        return Some(openssh(&der));
    }
    if encrypted_header || label == "ENCRYPTED PRIVATE KEY" {
        return Some(PrivateKeyFile { public: None, encrypted: true });
    }
    let blob = match label {
        "RSA PRIVATE KEY" => pkcs1(&der),
        "EC PRIVATE KEY" => sec1(&der, None),
        "DSA PRIVATE KEY" => dsa(&der),
        "PRIVATE KEY" => pkcs8(&der),
        _ => return None,
    };
    Some(PrivateKeyFile { public: blob.map(|blob| BASE64.encode(&blob)), encrypted: false })
}

/// Returns the label and the body of the first private key in PEM.
fn pem(text: &str) -> Option<(&str, &str)> {
    let start = text.find("-----BEGIN ")?;
    let rest = text.get(start + 11..)?;
    let (label, rest) = rest.split_once("-----")?;
    if !label.ends_with("PRIVATE KEY") {
        return None;
    }
    let (body, _) = rest.split_once("-----END ")?;
    Some((label, body))
}

fn openssh(bytes: &[u8]) -> PrivateKeyFile {
    let read = || {
        let rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
        let (cipher, rest) = field(rest)?;
        let (_kdf, rest) = field(rest)?;
        let (_options, rest) = field(rest)?;
        let (public, _) = field(rest.get(4..)?)?;
        Some((BASE64.encode(public), cipher != b"none"))
    };
    match read() {
        Some((public, encrypted)) => PrivateKeyFile { public: Some(public), encrypted },
        None => PrivateKeyFile { public: None, encrypted: false },
    }
}

fn putty(text: &str) -> PrivateKeyFile {
    let mut lines = text.lines();
    let encrypted = !text.lines().any(|line| line == "Encryption: none");
    let count = lines.find_map(|line| line.strip_prefix("Public-Lines: ")?.parse::<usize>().ok());
    let public: String = lines.take(count.unwrap_or(0).min(1000)).collect();
    PrivateKeyFile { public: Some(public).filter(|public| !public.is_empty()), encrypted }
}

/// dropbear's keys are the fields of the public key, followed by the private ones.
fn dropbear(bytes: &[u8]) -> Option<PrivateKeyFile> {
    let (algorithm, rest) = field(bytes)?;
    let blob = match algorithm {
        b"ssh-ed25519" => {
            let (pair, _) = field(rest)?;
            let public = pair.get(32..64)?;
            [string(algorithm), string(public)].concat()
        }
        b"ssh-rsa" | b"ssh-dss" => {
            let count = if algorithm == b"ssh-rsa" { 2 } else { 4 };
            let mut blob = string(algorithm);
            let mut rest = rest;
            for _ in 0..count {
                let (number, after) = field(rest)?;
                blob.extend(string(number));
                rest = after;
            }
            // Without private fields it is a public key.
            field(rest)?;
            blob
        }
        ecdsa if ecdsa.starts_with(b"ecdsa-sha2-") => {
            let (curve, rest) = field(rest)?;
            let (point, rest) = field(rest)?;
            field(rest)?;
            [string(ecdsa), string(curve), string(point)].concat()
        }
        _ => return None,
    };
    Some(PrivateKeyFile { public: Some(BASE64.encode(&blob)), encrypted: false })
}

/// Splits off a string of the SSH protocol (RFC 4251, section 5).
fn field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
    let rest = bytes.get(4..)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(0);
    [&length.to_be_bytes(), bytes].concat()
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// Splits off a value of DER with this tag (X.690).
fn der(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    if found != tag {
        return None;
    }
    if first < 0x80 {
        return rest.split_at_checked(usize::from(first));
    }
    let count = usize::from(first & 0x7f);
    if count > 4 {
        return None;
    }
    let (length, rest) = rest.split_at_checked(count)?;
    let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    rest.split_at_checked(length)
}

/// `SEQUENCE { version, n, e, … }`. DER and the SSH protocol write integers alike.
fn pkcs1(bytes: &[u8]) -> Option<Vec<u8>> {
    let (inside, _) = der(bytes, SEQUENCE)?;
    let (_version, rest) = der(inside, INTEGER)?;
    let (n, rest) = der(rest, INTEGER)?;
    let (e, _) = der(rest, INTEGER)?;
    Some([string(b"ssh-rsa"), string(e), string(n)].concat())
}

/// `SEQUENCE { version, p, q, g, y, x }`
fn dsa(bytes: &[u8]) -> Option<Vec<u8>> {
    let (inside, _) = der(bytes, SEQUENCE)?;
    let (_version, mut rest) = der(inside, INTEGER)?;
    let mut blob = string(b"ssh-dss");
    for _ in 0..4 {
        let (number, after) = der(rest, INTEGER)?;
        blob.extend(string(number));
        rest = after;
    }
    Some(blob)
}

/// `SEQUENCE { version, private, [0] curve, [1] public }` (RFC 5915)
fn sec1(bytes: &[u8], curve: Option<&[u8]>) -> Option<Vec<u8>> {
    let (inside, _) = der(bytes, SEQUENCE)?;
    let (_version, rest) = der(inside, INTEGER)?;
    let (_private, mut rest) = der(rest, OCTET_STRING)?;
    let mut curve = curve;
    if let Some((parameters, after)) = der(rest, 0xa0) {
        curve = Some(der(parameters, OBJECT_ID)?.0);
        rest = after;
    }
    let (public, _) = der(rest, 0xa1)?;
    let (bits, _) = der(public, BIT_STRING)?;
    let point = bits.strip_prefix(&[0])?;
    let name: &[u8] = match curve? {
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7] => b"nistp256",
        [0x2b, 0x81, 0x04, 0, 0x22] => b"nistp384",
        [0x2b, 0x81, 0x04, 0, 0x23] => b"nistp521",
        _ => return None,
    };
    let algorithm = [b"ecdsa-sha2-", name].concat();
    Some([string(&algorithm), string(name), string(point)].concat())
}

/// `SEQUENCE { version, SEQUENCE { algorithm, parameters }, OCTET STRING }` (RFC 5958)
fn pkcs8(bytes: &[u8]) -> Option<Vec<u8>> {
    let (inside, _) = der(bytes, SEQUENCE)?;
    let (_version, rest) = der(inside, INTEGER)?;
    let (algorithm, rest) = der(rest, SEQUENCE)?;
    let (key, _) = der(rest, OCTET_STRING)?;
    let (id, parameters) = der(algorithm, OBJECT_ID)?;
    match id {
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1] => pkcs1(key),
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1] => {
            sec1(key, der(parameters, OBJECT_ID).map(|(curve, _)| curve))
        }
        // Ed25519 (RFC 8410): the seed alone.
        [0x2b, 0x65, 0x70] => {
            let seed: &[u8; 32] = der(key, OCTET_STRING)?.0.try_into().ok()?;
            let pair = ssh_key::private::Ed25519Keypair::from_seed(seed);
            Some([string(b"ssh-ed25519"), string(&pair.public.0)].concat())
        }
        _ => None,
    }
}
