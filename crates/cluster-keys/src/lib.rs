//! The keys of a cluster: created once, kept in a directory, and reused, so that a card that
//! is built again keeps its identity.
//!
//! The directory (mode 0700) contains:
//!
//! | file | contents |
//! |---|---|
//! | `seed` | 32 random bytes, from which machine ids, UUIDs and further pairs derive |
//! | `created` | when the directory was created, in seconds since 1970 |
//! | `id_ed25519`, `.pub` | the pair that lets users log in from any node to any other |
//! | `hosts/NODE/ssh_host_ed25519_key`, `.pub` | the host key of a node |
//!
//! Existing files are never overwritten, and a damaged one is an error. Two runs at the same
//! time wait for each other and get the same keys.
//!
//! # Examples
//!
//! ```
//! use cluster_keys::ClusterKeys;
//!
//! let directory = tempfile::tempdir()?;
//! let path = directory.path().join("mc1.keys");
//! let nodes = ["xu4-node1".to_owned(), "xu4-node2".to_owned()];
//!
//! // The first run creates the keys.
//! let keys = ClusterKeys::open_or_create(&path, "mc1", &nodes)?;
//! assert!(keys.cluster().public().starts_with("ssh-ed25519 "));
//! assert!(keys.host("xu4-node1")?.fingerprint().starts_with("SHA256:"));
//!
//! // Later runs read them.
//! let again = ClusterKeys::open(&path, &nodes)?;
//! assert_eq!(again.machine_id("xu4-node2"), keys.machine_id("xu4-node2"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod derive;
mod error;
mod pair;
mod pipe;
mod source;
mod store;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use block_io::Cancel;
use source::Source;
use store::Keep;

pub use error::KeyError;
pub use pair::KeyPair;
use plain_text::{from_hex, to_hex};
use platform::Privacy;

/// The keys of one cluster and of its nodes.
pub struct ClusterKeys {
    directory: PathBuf,
    created: u64,
    seed: [u8; 32],
    cluster: KeyPair,
    hosts: BTreeMap<String, KeyPair>,
    is_kept: bool,
    new: NewKeys,
}

/// What follows the name of the cluster in the comment of the key that all nodes share.
const CLUSTER_KEY: &str = " cluster key";

/// Returns the name of the cluster whose shared key a line in a .pub file is, by its comment.
pub fn is_cluster_key_of(line: &str) -> Option<&str> {
    line.splitn(3, ' ').nth(2)?.strip_suffix(CLUSTER_KEY)
}

/// The keys that [`ClusterKeys::open_or_create`] or [`ClusterKeys::open_or_generate`] created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NewKeys {
    /// None: all keys existed.
    #[default]
    None,
    /// The host keys of these nodes.
    Hosts(Vec<String>),
    /// All: the cluster has a new identity.
    Cluster,
}

impl ClusterKeys {
    /// Opens the keys in `directory`, and creates what is missing: the directory itself, or
    /// the host keys of a new node.
    ///
    /// The names of the cluster and of the nodes become comments of the keys.
    ///
    /// # Errors
    /// [`KeyError`] if other users can access the directory or a private file, a file is
    /// damaged, half of a pair is missing, or the operating system refuses an operation.
    pub fn open_or_create(
        directory: &Path,
        cluster: &str,
        nodes: &[String],
    ) -> Result<Self, KeyError> {
        Self::open_or_create_unless(&Cancel::new(), directory, cluster, nodes)
    }

    /// Like [`open_or_create`](Self::open_or_create), and stops waiting for another run if
    /// `cancel` asks for that.
    ///
    /// # Errors
    /// Also [`KeyError::Cancelled`].
    pub fn open_or_create_unless(
        cancel: &Cancel,
        directory: &Path,
        cluster: &str,
        nodes: &[String],
    ) -> Result<Self, KeyError> {
        check_names(nodes)?;
        let is_new = !store::exists(directory)?;
        Keep::OnDisk.directory(directory)?;
        store::check_directory(directory)?;
        let _lock = store::lock(directory, cancel)?;
        let opened = Self::read_or_create(directory, cluster, nodes, Keep::OnDisk);
        if is_new && opened.is_err() {
            store::remove_if_unused(directory);
        }
        opened
    }

    /// Opens the keys in `directory`, and creates what is missing in memory only. Nothing is
    /// written, so the next call, or a build, creates other keys; [`new_keys`] returns which.
    ///
    /// [`new_keys`]: ClusterKeys::new_keys
    ///
    /// # Errors
    /// The errors of [`ClusterKeys::open_or_create`].
    pub fn open_or_generate(
        directory: &Path,
        cluster: &str,
        nodes: &[String],
    ) -> Result<Self, KeyError> {
        check_names(nodes)?;
        if store::exists(directory)? {
            store::check_directory(directory)?;
        }
        Self::read_or_create(directory, cluster, nodes, Keep::InMemory)
    }

    fn read_or_create(
        directory: &Path,
        cluster: &str,
        nodes: &[String],
        keep: Keep,
    ) -> Result<Self, KeyError> {
        let source = Source::Directory(directory.to_owned());
        let hosts = directory.join("hosts");
        let seed_path = directory.join("seed");
        let is_new = !store::exists(&seed_path)?;
        let (seed, created) = if is_new {
            // The seed is created first. If it is missing but keys exist, it was lost, and a
            // new seed would silently give every node a new identity.
            if store::exists(&directory.join("id_ed25519"))? || store::exists(&hosts)? {
                return Err(KeyError::Missing {
                    path: seed_path,
                    fix: "restore it from a backup, or move the whole directory away to give the \
                          cluster a new identity",
                });
            }
            let new_seed = pair::random()?;
            let line = to_hex(&new_seed) + "\n";
            keep.file(&seed_path, line.as_bytes(), Privacy::Private)?;
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            let seconds = now.map_or(0, |now| now.as_secs());
            keep.file(
                &directory.join(CREATED),
                format!("{seconds}\n").as_bytes(),
                Privacy::Public,
            )?;
            (new_seed, seconds)
        } else {
            (read_seed(&source)?, read_created(&source)?)
        };
        let id_path = directory.join("id_ed25519");
        if !store::exists(&id_path)? && store::exists(&hosts)? {
            return Err(KeyError::Missing {
                path: id_path,
                fix: "restore it from a backup, or move the whole directory away to give the \
                      cluster a new identity",
            });
        }
        let comment = format!("{cluster}{CLUSTER_KEY}");
        let (pair, _) = pair::read_or_create(&id_path, &comment, keep)?;
        keep.directory(&hosts)?;
        let mut host_keys = BTreeMap::new();
        let mut new_hosts = Vec::new();
        for node in nodes {
            keep.directory(&hosts.join(node))?;
            let path = hosts.join(node).join("ssh_host_ed25519_key");
            let (host, is_new) = pair::read_or_create(&path, &format!("root@{node}"), keep)?;
            host_keys.insert(node.clone(), host);
            new_hosts.extend(is_new.then(|| node.clone()));
        }
        let new = match new_hosts {
            _ if is_new => NewKeys::Cluster,
            hosts if hosts.is_empty() => NewKeys::None,
            hosts => NewKeys::Hosts(hosts),
        };
        Ok(ClusterKeys {
            directory: directory.to_owned(),
            created,
            seed,
            cluster: pair,
            hosts: host_keys,
            is_kept: keep == Keep::OnDisk || new == NewKeys::None,
            new,
        })
    }

    /// Opens existing keys: a directory, which may be read-only, or a tar archive of one, which
    /// may be compressed with gzip and may be a pipe. Creates and changes nothing.
    ///
    /// # Errors
    /// The errors of [`ClusterKeys::open_or_create`], and [`KeyError::Missing`] if a key is
    /// missing.
    pub fn open(directory: &Path, nodes: &[String]) -> Result<Self, KeyError> {
        Self::open_unless(&Cancel::new(), directory, nodes)
    }

    /// Like [`open`](Self::open), and stops waiting for a pipe if `cancel` asks for that.
    ///
    /// # Errors
    /// Also [`KeyError::Cancelled`].
    pub fn open_unless(
        cancel: &Cancel,
        directory: &Path,
        nodes: &[String],
    ) -> Result<Self, KeyError> {
        check_names(nodes)?;
        let source = Source::open(directory, cancel)?;
        let seed = read_seed(&source)?;
        let cluster = pair::read(&source, "id_ed25519")?;
        let mut hosts = BTreeMap::new();
        for node in nodes {
            let name = format!("hosts/{node}/ssh_host_ed25519_key");
            hosts.insert(node.clone(), pair::read(&source, &name)?);
        }
        let created = read_created(&source)?;
        let directory = directory.to_owned();
        Ok(ClusterKeys {
            directory,
            created,
            seed,
            cluster,
            hosts,
            is_kept: true,
            new: NewKeys::None,
        })
    }

    /// Returns the keys that did not exist before.
    pub fn new_keys(&self) -> &NewKeys {
        &self.new
    }

    /// Returns whether all keys are on disk. Those that [`ClusterKeys::open_or_generate`] had to
    /// make are not.
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// Returns the directory or archive of the keys.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Returns when the keys were created, in seconds since 1970, or 0 if that is unknown.
    pub fn created(&self) -> u64 {
        self.created
    }

    /// Returns the pair that all nodes share.
    pub fn cluster(&self) -> &KeyPair {
        &self.cluster
    }

    /// Returns the host keys of a node.
    ///
    /// # Errors
    /// [`KeyError::UnknownNode`] if the keys were opened without that node.
    pub fn host(&self, node: &str) -> Result<&KeyPair, KeyError> {
        self.hosts.get(node).ok_or_else(|| KeyError::UnknownNode { name: node.to_owned() })
    }

    /// Returns a further pair for a purpose. It is always the same one, and nobody can guess
    /// it without the seed. `comment` becomes part of its public half.
    ///
    /// # Errors
    /// [`KeyError::Encode`] if it cannot be written in OpenSSH's format.
    pub fn pair(&self, purpose: &str, comment: &str) -> Result<KeyPair, KeyError> {
        pair::from_seed(&self.derive("ed25519", purpose), comment)
    }

    /// Returns the machine id of a node: 32 hexadecimal digits (machine-id(5)), which are as
    /// random as the seed and a valid UUID of version 4.
    pub fn machine_id(&self, node: &str) -> String {
        to_hex(&derive::uuid_v4(self.derive("machine-id", node)))
    }

    /// Returns a UUID (RFC 9562 version 4, `8-4-4-4-12`) for a purpose and a node.
    pub fn uuid(&self, purpose: &str, node: &str) -> String {
        let hex = to_hex(&derive::uuid_v4(self.derive(purpose, node)));
        let mut uuid = String::with_capacity(36);
        for (position, digit) in hex.chars().enumerate() {
            if matches!(position, 8 | 12 | 16 | 20) {
                uuid.push('-');
            }
            uuid.push(digit);
        }
        uuid
    }

    /// Returns 32 bytes for a purpose and a node. They are always the same ones, and nobody
    /// can guess them without the seed.
    pub fn derive(&self, purpose: &str, node: &str) -> [u8; 32] {
        derive::derive(&self.seed, purpose, node)
    }
}

/// The name of the file with the time at which the directory was created.
const CREATED: &str = "created";

fn read_created(source: &Source) -> Result<u64, KeyError> {
    let text = source.read(CREATED, Privacy::Public)?;
    // Older directories lack this file. Only the first setting of clocks depends on it.
    Ok(text.and_then(|text| text.trim().parse().ok()).unwrap_or(0))
}

// Neither the seed nor a private key must be written to logs.
impl fmt::Debug for ClusterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterKeys")
            .field("directory", &self.directory)
            .field("nodes", &self.hosts.keys())
            .finish_non_exhaustive()
    }
}

fn read_seed(source: &Source) -> Result<[u8; 32], KeyError> {
    let path = source.path_of("seed");
    let text = source.read("seed", Privacy::Private)?.ok_or_else(|| KeyError::Missing {
        path: path.clone(),
        fix: "restore it from a backup, or build the cards to have it created",
    })?;
    from_hex(text.trim_end()).ok_or_else(|| KeyError::Damaged {
        path,
        reason: "not 64 hexadecimal digits",
        fix: "restore it from a backup, or move the whole directory away to give the cluster a \
              new identity",
        source: None,
    })
}

/// Checks that names can be those of directories: each is one RFC 1123 label.
fn check_names(nodes: &[String]) -> Result<(), KeyError> {
    let fits = |name: &&String| {
        (1..=63).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !name.starts_with('-')
            && !name.ends_with('-')
    };
    if let Some(name) = nodes.iter().find(|name| !fits(name)) {
        return Err(KeyError::NodeName { name: name.clone() });
    }
    Ok(())
}
