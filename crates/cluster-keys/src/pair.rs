//! An ed25519 key pair in OpenSSH's format.

use std::{fmt, io, path::Path};

use platform::Privacy;
use ssh_key::{
    HashAlg, LineEnding, PrivateKey, PublicKey,
    private::{Ed25519Keypair, KeypairData},
    rand_core::{OsRng, RngCore},
};

use crate::{
    error::KeyError,
    source::Source,
    store::{self, Keep},
};

/// An ed25519 key pair, with both halves as OpenSSH writes them.
#[derive(Clone)]
pub struct KeyPair {
    private: String,
    public: String,
    fingerprint: String,
}

impl KeyPair {
    /// Returns the file of the private key: PEM lines with a final line end.
    pub fn private(&self) -> &str {
        &self.private
    }

    /// Returns the private key as dropbear keeps it (dropbear's ed25519.c,
    /// `buf_put_ed25519_priv_key`): the algorithm, then the secret and the public key of 32 bytes
    /// each as one string; each string with its length in front (RFC 4251, section 5).
    ///
    /// # Errors
    /// [`KeyError::Encode`] if it cannot be read from OpenSSH's format.
    pub fn dropbear(&self) -> Result<Vec<u8>, KeyError> {
        const ALGORITHM: &[u8] = b"ssh-ed25519";
        let key = encode(PrivateKey::from_openssh(&self.private))?;
        let pair = encode(key.key_data().ed25519().ok_or(ssh_key::Error::AlgorithmUnknown))?;
        let mut file = Vec::with_capacity(83);
        for string in [ALGORITHM, &pair.to_bytes()] {
            file.extend((string.len() as u32).to_be_bytes());
            file.extend(string);
        }
        Ok(file)
    }

    /// Returns the file of the public key: `ssh-ed25519 AAAA… COMMENT` and a line end.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// Returns the SHA-256 fingerprint as ssh shows it: `SHA256:…`.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Returns the algorithm and the key without the comment, as in lines of known_hosts.
    pub fn public_without_comment(&self) -> String {
        self.public.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }
}

// A derived Debug would write the private half to logs.
impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public", &self.public).finish_non_exhaustive()
    }
}

/// Returns 32 random bytes of the operating system.
pub(crate) fn random() -> Result<[u8; 32], KeyError> {
    let mut bytes = [0; 32];
    OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| KeyError::Random { source: io::Error::other(error.to_string()) })?;
    Ok(bytes)
}

fn encode<T>(result: ssh_key::Result<T>) -> Result<T, KeyError> {
    result.map_err(|error| KeyError::Encode { source: error.into() })
}

fn public_line(key: &PrivateKey) -> Result<String, KeyError> {
    Ok(encode(key.public_key().to_openssh())? + "\n")
}

/// Returns the pair that derives from a secret of 32 bytes.
pub(crate) fn from_seed(seed: &[u8; 32], comment: &str) -> Result<KeyPair, KeyError> {
    let pair = Ed25519Keypair::from_seed(seed);
    let key = encode(PrivateKey::new(KeypairData::Ed25519(pair), comment))?;
    Ok(KeyPair {
        private: encode(key.to_openssh(LineEnding::LF))?.to_string(),
        public: public_line(&key)?,
        fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
    })
}

/// Reads the pair whose private half has this name.
pub(crate) fn read(source: &Source, name: &str) -> Result<KeyPair, KeyError> {
    let path = source.path_of(name);
    let Some(text) = source.read(name, Privacy::Private)? else {
        return Err(KeyError::Missing {
            path,
            fix: "restore it from a backup, or build the cards to have it created",
        });
    };
    let (key, private) = parse(&path, &text)?;
    let public = source.read(&format!("{name}.pub"), Privacy::Public)?;
    join(&path, &key, private, public)
}

/// Reads the pair whose private half is at `path`, or creates it with this comment if there is
/// none, on disk or in memory. Returns whether it was created.
pub(crate) fn read_or_create(
    path: &Path,
    comment: &str,
    keep: Keep,
) -> Result<(KeyPair, bool), KeyError> {
    let public_path = path.with_extension("pub");
    let existing = store::read(path, Privacy::Private)?;
    let is_new = existing.is_none();
    let (key, private) = match existing {
        Some(text) => parse(path, &text)?,
        None => {
            if store::exists(&public_path)? {
                return Err(KeyError::Missing {
                    path: path.to_owned(),
                    fix: "restore the private key from a backup, or remove the .pub file beside \
                          it to have a new pair created",
                });
            }
            let pair = Ed25519Keypair::from_seed(&random()?);
            let key = encode(PrivateKey::new(KeypairData::Ed25519(pair), comment))?;
            let text = encode(key.to_openssh(LineEnding::LF))?;
            keep.file(path, text.as_bytes(), Privacy::Private)?;
            (key, text.to_string())
        }
    };
    let public = store::read(&public_path, Privacy::Public)?;
    // A run that was interrupted between the two files left only the private half.
    let lacks_public = public.is_none();
    let pair = join(path, &key, private, public)?;
    if lacks_public {
        keep.file(&public_path, pair.public.as_bytes(), Privacy::Public)?;
    }
    Ok((pair, is_new))
}

/// Makes a pair of a private half, which was read from `path`, and what the file beside it
/// contains. Without that file, the public half follows from the private one.
fn join(
    path: &Path,
    key: &PrivateKey,
    private: String,
    public: Option<String>,
) -> Result<KeyPair, KeyError> {
    let public = match public {
        None => public_line(key)?,
        Some(text) => {
            let public_path = path.with_extension("pub");
            let stored =
                PublicKey::from_openssh(text.trim_end()).map_err(|error| KeyError::Damaged {
                    path: public_path.clone(),
                    reason: "not a public key in OpenSSH's format",
                    fix: "remove it to have it created again from the private key",
                    source: Some(error.into()),
                })?;
            if stored.key_data() != key.public_key().key_data() {
                return Err(KeyError::Mismatch { private: path.to_owned(), public: public_path });
            }
            format!("{}\n", text.trim_end())
        }
    };
    let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
    Ok(KeyPair { private, public, fingerprint })
}

fn parse(path: &Path, text: &str) -> Result<(PrivateKey, String), KeyError> {
    let damaged = |reason, source| KeyError::Damaged {
        path: path.to_owned(),
        reason,
        fix: "restore it from a backup, or move it and its .pub file away to have a new pair \
              created",
        source,
    };
    let key = PrivateKey::from_openssh(text)
        .map_err(|error| damaged("not a private key in OpenSSH's format", Some(error.into())))?;
    if key.is_encrypted() {
        return Err(damaged("locked with a passphrase, which nodes cannot type", None));
    }
    if key.key_data().ed25519().is_none() {
        return Err(damaged("not an ed25519 key", None));
    }
    Ok((key, format!("{}\n", text.trim_end())))
}
