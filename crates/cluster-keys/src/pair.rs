//! An ed25519 key pair in OpenSSH's format.

use std::{fmt, io, path::Path};

use ssh_key::{
    HashAlg, LineEnding, PrivateKey, PublicKey,
    private::{Ed25519Keypair, KeypairData},
    rand_core::{OsRng, RngCore},
};

use crate::{error::KeyError, store};

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

/// How a pair is created that does not exist.
#[derive(Clone, Copy)]
pub(crate) struct NewPair<'a> {
    pub comment: &'a str,
    pub keep: store::Keep,
}

/// Reads the pair whose private half is at `path`. If there is none, creates it as `create`
/// says.
pub(crate) fn load(path: &Path, create: Option<NewPair<'_>>) -> Result<KeyPair, KeyError> {
    let public_path = path.with_extension("pub");
    let key = match (store::read(path, store::Privacy::Private)?, create) {
        (Some(text), _) => parse(path, &text)?,
        (None, Some(NewPair { comment, keep })) => {
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
            keep.file(path, text.as_bytes(), 0o600)?;
            (key, text.to_string())
        }
        (None, None) => {
            return Err(KeyError::Missing {
                path: path.to_owned(),
                fix: "restore it from a backup, or build the cards to have it created",
            });
        }
    };
    let (key, private) = key;
    let derived = public_line(&key)?;
    let public = match store::read(&public_path, store::Privacy::Public)? {
        Some(text) => {
            let stored =
                PublicKey::from_openssh(text.trim_end()).map_err(|error| KeyError::Damaged {
                    path: public_path.clone(),
                    reason: "not a public key in OpenSSH's format",
                    fix: "remove it to have it created again from the private key",
                    source: Some(error.into()),
                })?;
            if stored.key_data() != key.public_key().key_data() {
                return Err(KeyError::Mismatch {
                    private: path.to_owned(),
                    public: public_path.clone(),
                });
            }
            format!("{}\n", text.trim_end())
        }
        // A run that was interrupted between the two files left only the private half.
        None => {
            if let Some(NewPair { keep, .. }) = create {
                keep.file(&public_path, derived.as_bytes(), 0o644)?;
            }
            derived
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
