//! The keys of a cluster: made once, kept in a directory, reused, so that a card
//! made again keeps its identity.
//!
//! The directory (0700) holds:
//!
//! | file | what |
//! |---|---|
//! | `seed` | 32 random bytes in hexadecimal; machine ids, UUIDs and further key pairs derive from it |
//! | `id_ed25519`, `.pub` | the pair with which any node's users reach any other node |
//! | `hosts/NODE/ssh_host_ed25519_key`, `.pub` | the pair with which a node's sshd proves itself |
//!
//! A file that exists is never written again: one that is damaged is an error
//! that says so. Two runs at once wait for each other and agree.

mod derive;
mod error;
mod pair;
mod store;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::SystemTime,
};

pub use error::KeyError;
pub use pair::KeyPair;

/// The keys of one cluster and of its nodes.
pub struct ClusterKeys {
    directory: PathBuf,
    created: u64,
    seed: [u8; 32],
    cluster: KeyPair,
    hosts: BTreeMap<String, KeyPair>,
}

impl ClusterKeys {
    /// Opens the keys in `directory`, and makes what is not there yet: the
    /// directory itself, or the host keys of a node that is new.
    ///
    /// `cluster` and the nodes' names go into the keys' comments.
    ///
    /// # Errors
    /// [`KeyError`] if the directory or a private file is open to others, a file
    /// is damaged, part of a pair is lost, or the operating system refuses.
    pub fn open_or_create(
        directory: &Path,
        cluster: &str,
        nodes: &[String],
    ) -> Result<Self, KeyError> {
        check_names(nodes)?;
        store::make_directory(directory)?;
        store::check_directory(directory)?;
        let _lock = store::lock(directory)?;
        let hosts = directory.join("hosts");
        let seed_path = directory.join("seed");
        if !store::exists(&seed_path)? {
            // The seed is made first. Where it is gone and keys are there, it was lost, and a
            // new one would quietly give every node another identity.
            if store::exists(&directory.join("id_ed25519"))? || store::exists(&hosts)? {
                return Err(KeyError::Missing {
                    path: seed_path,
                    help: "keys made with it are there: restore it from a backup, or move the \
                           whole directory away to give the cluster a new identity",
                });
            }
            let line = derive::hex(&pair::random()?) + "\n";
            store::create(&seed_path, line.as_bytes(), 0o600)?;
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let seconds = now.map_or(0, |now| now.as_secs());
            store::create(&directory.join(CREATED), format!("{seconds}\n").as_bytes(), 0o644)?;
        }
        let id_path = directory.join("id_ed25519");
        if !store::exists(&id_path)? && store::exists(&hosts)? {
            return Err(KeyError::Missing {
                path: id_path,
                help: "the nodes' keys are there: restore it from a backup, or move the whole \
                       directory away to give the cluster a new identity",
            });
        }
        let comment = format!("{cluster} cluster key");
        let pair = pair::load(&id_path, Some(&comment))?;
        store::make_directory(&hosts)?;
        let mut host_keys = BTreeMap::new();
        for node in nodes {
            store::make_directory(&hosts.join(node))?;
            let path = hosts.join(node).join("ssh_host_ed25519_key");
            host_keys.insert(node.clone(), pair::load(&path, Some(&format!("root@{node}")))?);
        }
        let seed = read_seed(&seed_path)?;
        let created = read_created(directory)?;
        Ok(ClusterKeys {
            directory: directory.to_owned(),
            created,
            seed,
            cluster: pair,
            hosts: host_keys,
        })
    }

    /// Opens the keys in `directory` and makes nothing: every one has to be there.
    ///
    /// # Errors
    /// As [`ClusterKeys::open_or_create`], and [`KeyError::Missing`] for what is
    /// not there.
    pub fn open(directory: &Path, nodes: &[String]) -> Result<Self, KeyError> {
        check_names(nodes)?;
        if !store::exists(directory)? {
            return Err(KeyError::Missing {
                path: directory.to_owned(),
                help: "it is made when the cluster's cards are built for the first time",
            });
        }
        store::check_directory(directory)?;
        let seed = read_seed(&directory.join("seed"))?;
        let cluster = pair::load(&directory.join("id_ed25519"), None)?;
        let mut hosts = BTreeMap::new();
        for node in nodes {
            let path = directory.join("hosts").join(node).join("ssh_host_ed25519_key");
            hosts.insert(node.clone(), pair::load(&path, None)?);
        }
        let created = read_created(directory)?;
        Ok(ClusterKeys { directory: directory.to_owned(), created, seed, cluster, hosts })
    }

    /// The directory that holds the keys.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// When the keys were made, in seconds since 1970; 0 if that is not known.
    pub fn created(&self) -> u64 {
        self.created
    }

    /// The pair that all nodes share.
    pub fn cluster(&self) -> &KeyPair {
        &self.cluster
    }

    /// A node's host keys.
    ///
    /// # Errors
    /// [`KeyError::UnknownNode`] if these keys were not opened with that node.
    pub fn host(&self, node: &str) -> Result<&KeyPair, KeyError> {
        self.hosts.get(node).ok_or_else(|| KeyError::UnknownNode { name: node.to_owned() })
    }

    /// A further pair for a purpose: always the same one, and not to be guessed without
    /// the seed. `comment` goes into its public half.
    ///
    /// # Errors
    /// [`KeyError::Encode`] if it cannot be put into OpenSSH's format.
    pub fn pair(&self, purpose: &str, comment: &str) -> Result<KeyPair, KeyError> {
        pair::from_seed(&self.derive("ed25519", purpose), comment)
    }

    /// A node's machine id: 32 hexadecimal digits (machine-id(5)), as random as
    /// the seed and a valid version 4 UUID.
    pub fn machine_id(&self, node: &str) -> String {
        derive::hex(&derive::uuid_v4(self.derive("machine-id", node)))
    }

    /// A UUID (RFC 9562 version 4, `8-4-4-4-12`) for a purpose and a node.
    pub fn uuid(&self, purpose: &str, node: &str) -> String {
        let hex = derive::hex(&derive::uuid_v4(self.derive(purpose, node)));
        let mut uuid = String::with_capacity(36);
        for (position, digit) in hex.chars().enumerate() {
            if matches!(position, 8 | 12 | 16 | 20) {
                uuid.push('-');
            }
            uuid.push(digit);
        }
        uuid
    }

    /// 32 bytes for a purpose and a node: always the same ones, and not to be
    /// guessed without the seed.
    pub fn derive(&self, purpose: &str, node: &str) -> [u8; 32] {
        derive::derive(&self.seed, purpose, node)
    }
}

/// The file that says when the directory was made.
const CREATED: &str = "created";

fn read_created(directory: &Path) -> Result<u64, KeyError> {
    let text = store::read(&directory.join(CREATED), store::Privacy::Public)?;
    // Directories of before this file are as good; nothing but a clock depends on it.
    Ok(text.and_then(|text| text.trim().parse().ok()).unwrap_or(0))
}

// Neither the seed nor a private key may reach a log.
impl fmt::Debug for ClusterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterKeys")
            .field("directory", &self.directory)
            .field("nodes", &self.hosts.keys())
            .finish_non_exhaustive()
    }
}

fn read_seed(path: &Path) -> Result<[u8; 32], KeyError> {
    let text = store::read(path, store::Privacy::Private)?.ok_or_else(|| KeyError::Missing {
        path: path.to_owned(),
        help: "restore it from a backup, or build the cluster's cards once to have it made",
    })?;
    derive::unhex(text.trim_end()).ok_or_else(|| KeyError::Damaged {
        path: path.to_owned(),
        reason: "it does not hold 64 hexadecimal digits".into(),
        help: "restore it from a backup, or move the whole directory away to give the cluster a \
               new identity",
    })
}

/// A name becomes a directory's: it must be one RFC 1123 label and nothing else.
fn check_names(nodes: &[String]) -> Result<(), KeyError> {
    let fits = |name: &&String| {
        (1..=63).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !name.starts_with('-')
            && !name.ends_with('-')
    };
    match nodes.iter().find(|name| !fits(name)) {
        Some(name) => Err(KeyError::NodeName { name: name.clone() }),
        None => Ok(()),
    }
}
