//! One ed25519 key pair in OpenSSH's format.

use std::{fmt, path::Path};

use ssh_key::{
    HashAlg, LineEnding, PrivateKey, PublicKey,
    private::{Ed25519Keypair, KeypairData},
    rand_core::{OsRng, RngCore},
};

use crate::{error::KeyError, store};

/// An ed25519 key pair, both halves as OpenSSH writes them.
#[derive(Clone)]
pub struct KeyPair {
    private: String,
    public: String,
    fingerprint: String,
}

impl KeyPair {
    /// The private key's file: PEM lines, the last one ended.
    pub fn private(&self) -> &str {
        &self.private
    }

    /// The public key's file: `ssh-ed25519 AAAA… COMMENT` and a line end.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The SHA-256 fingerprint as ssh shows it: `SHA256:…`.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Algorithm and key, without the comment: what known_hosts lines hold.
    pub fn public_without_comment(&self) -> String {
        self.public.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }
}

// The private half must not reach a log by way of a derived Debug.
impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public", &self.public).finish_non_exhaustive()
    }
}

/// 32 bytes from the operating system.
pub(crate) fn random() -> Result<[u8; 32], KeyError> {
    let mut bytes = [0; 32];
    OsRng
        .try_fill_bytes(&mut bytes)
        .map_err(|error| KeyError::Random { reason: error.to_string() })?;
    Ok(bytes)
}

fn encode<T>(result: ssh_key::Result<T>) -> Result<T, KeyError> {
    result.map_err(|error| KeyError::Encode { reason: error.to_string() })
}

fn public_line(key: &PrivateKey) -> Result<String, KeyError> {
    Ok(encode(key.public_key().to_openssh())? + "\n")
}

/// The pair that a secret of 32 bytes stands for.
pub(crate) fn from_seed(seed: &[u8; 32], comment: &str) -> Result<KeyPair, KeyError> {
    let pair = Ed25519Keypair::from_seed(seed);
    let key = encode(PrivateKey::new(KeypairData::Ed25519(pair), comment))?;
    Ok(KeyPair {
        private: encode(key.to_openssh(LineEnding::LF))?.to_string(),
        public: public_line(&key)?,
        fingerprint: key.fingerprint(HashAlg::Sha256).to_string(),
    })
}

/// Reads the pair whose private half is at `path`, or makes it where `create`
/// holds a comment and there is none.
pub(crate) fn load(path: &Path, create: Option<&str>) -> Result<KeyPair, KeyError> {
    let public_path = path.with_extension("pub");
    let key = match (store::read(path, store::Privacy::Private)?, create) {
        (Some(text), _) => parse(path, &text)?,
        (None, Some(comment)) => {
            if store::exists(&public_path)? {
                return Err(KeyError::Missing {
                    path: path.to_owned(),
                    help: "its public half is there: restore the private key from a backup, or \
                           remove the .pub file to have a new pair made",
                });
            }
            let pair = Ed25519Keypair::from_seed(&random()?);
            let key = encode(PrivateKey::new(KeypairData::Ed25519(pair), comment))?;
            let text = encode(key.to_openssh(LineEnding::LF))?;
            store::create(path, text.as_bytes(), 0o600)?;
            (key, text.to_string())
        }
        (None, None) => {
            return Err(KeyError::Missing {
                path: path.to_owned(),
                help: "restore it from a backup, or build the cluster's cards once to have it made",
            });
        }
    };
    let (key, private) = key;
    let derived = public_line(&key)?;
    let public = match store::read(&public_path, store::Privacy::Public)? {
        Some(text) => {
            let damaged = |reason: String| KeyError::Damaged {
                path: public_path.clone(),
                reason,
                help: "remove it, and it is made again from the private key",
            };
            let stored = PublicKey::from_openssh(text.trim_end())
                .map_err(|error| damaged(format!("no public key in OpenSSH's format ({error})")))?;
            if stored.key_data() != key.public_key().key_data() {
                return Err(KeyError::Mismatch {
                    private: path.to_owned(),
                    public: public_path.clone(),
                });
            }
            format!("{}\n", text.trim_end())
        }
        // A run that ended between the two files leaves the private half alone.
        None => {
            if create.is_some() {
                store::create(&public_path, derived.as_bytes(), 0o644)?;
            }
            derived
        }
    };
    let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
    Ok(KeyPair { private, public, fingerprint })
}

fn parse(path: &Path, text: &str) -> Result<(PrivateKey, String), KeyError> {
    let damaged = |reason: String| KeyError::Damaged {
        path: path.to_owned(),
        reason,
        help: "restore it from a backup, or move it and its .pub file away to have a new pair made",
    };
    let key = PrivateKey::from_openssh(text)
        .map_err(|error| damaged(format!("no private key in OpenSSH's format ({error})")))?;
    if key.is_encrypted() {
        return Err(damaged("it is locked with a passphrase, which nodes cannot type".into()));
    }
    if key.key_data().ed25519().is_none() {
        return Err(damaged("it is not an ed25519 key".into()));
    }
    Ok((key, format!("{}\n", text.trim_end())))
}
