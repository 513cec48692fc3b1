//! Keys whose private half is in the image: everyone who has the image can log in with them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    authorized_keys::{self, AuthorizedKey},
    key_search, private_key,
};
use crate::{FileKind, SystemError, SystemFiles, accounts::Accounts};

/// Larger files are no keys.
pub(super) const MAX_KEY_SIZE: u64 = 64 * 1024;
/// More files in one directory are not looked through.
const MAX_NAMES: usize = 1000;

/// A private key in the image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageKey {
    /// The private half's path.
    pub private: String,
    /// The public half's path, if it lies beside the private one.
    pub public_file: Option<String>,
    /// The public half in base64, or `None` if it cannot be derived.
    pub public: Option<String>,
    /// Whether a passphrase protects the private half.
    pub encrypted: bool,
}

/// A line of an authorized_keys file that a private key in the image opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedLine {
    /// The user whom the line lets log in as.
    pub user: String,
    /// The file.
    pub file: String,
    /// The line and its key.
    pub key: AuthorizedKey,
    /// The private key's path.
    pub private: String,
}

/// The private keys in an image, and the lines that let them in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImageKeys {
    /// The private keys, sorted by path, those of the system (host keys) included.
    pub keys: Vec<ImageKey>,
    /// The lines that let them in, of every account.
    pub opened: Vec<OpenedLine>,
}

impl ImageKeys {
    /// Looks for private keys in every home and its .ssh, in homes without an account, in
    /// /etc/ssh, /etc/dropbear, /etc/skel and on boot partitions, and for lines that let
    /// them in in every account's authorized_keys. `key_files` are further values of
    /// AuthorizedKeysFile ([`SshdConfig::all_key_files`](super::SshdConfig::all_key_files)).
    ///
    /// # Errors
    /// [`SystemError`] if a directory cannot be read. Files that cannot be read are no keys.
    pub fn read(
        files: &dyn SystemFiles,
        accounts: &Accounts,
        key_files: &[String],
    ) -> Result<Self, SystemError> {
        let mut keys = BTreeMap::new();
        for directory in directories(files, accounts)? {
            scan(files, &directory, &mut keys)?;
        }
        let keys: Vec<ImageKey> = keys.into_values().collect();
        let opened = opened(files, accounts, key_files, &keys);
        Ok(ImageKeys { keys, opened })
    }

    /// The same, and looks for the private halves of `wanted` (public halves in base64) in the
    /// whole image, unless they are in the usual places: below /opt, /srv, /var, /usr/share,
    /// /usr/local, homes and other directories that packages do not own alone.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_wanted(
        files: &dyn SystemFiles,
        accounts: &Accounts,
        wanted: &BTreeSet<String>,
    ) -> Result<Self, SystemError> {
        let found = ImageKeys::read(files, accounts, &[])?;
        let missing = wanted.iter().map(String::as_str);
        let missing: BTreeSet<&str> =
            missing.filter(|public| found.find(public).is_none()).collect();
        if missing.is_empty() {
            return Ok(found);
        }
        let mut keys: BTreeMap<String, ImageKey> =
            found.keys.into_iter().map(|key| (key.private.clone(), key)).collect();
        key_search::search(files, missing, &mut keys)?;
        Ok(ImageKeys { keys: keys.into_values().collect(), ..found })
    }

    /// Returns the key with this public half (in base64).
    pub fn find(&self, public: &str) -> Option<&ImageKey> {
        self.keys.iter().find(|key| key.public.as_deref() == Some(public))
    }
}

fn directories(
    files: &dyn SystemFiles,
    accounts: &Accounts,
) -> Result<BTreeSet<String>, SystemError> {
    let mut homes: BTreeSet<String> = ["/root".to_owned(), "/etc/skel".to_owned()].into();
    for name in files.list("/home")?.unwrap_or_default() {
        homes.insert(format!("/home/{name}"));
    }
    let own = accounts.users().iter().filter(|user| user.has_home() && user.home != "/");
    // The homes of services are directories like /usr/sbin: only their .ssh is looked at.
    let (people, services): (Vec<_>, Vec<_>) =
        own.partition(|user| user.uid == 0 || user.uid >= 1000);
    homes.extend(people.iter().map(|user| user.home.trim_end_matches('/').to_owned()));
    let mut all: BTreeSet<String> = ["/etc/ssh".to_owned(), "/etc/dropbear".to_owned()].into();
    all.extend(services.iter().map(|user| user.in_home(".ssh")));
    for home in homes {
        let ssh = format!("{home}/.ssh");
        for name in files.list(&ssh).unwrap_or_default().unwrap_or_default() {
            let below = format!("{ssh}/{name}");
            let found = files.metadata(&below).ok().flatten();
            if found.is_some_and(|found| found.kind == FileKind::Directory) {
                all.insert(below);
            }
        }
        all.extend([ssh, home]);
    }
    all.extend(files.boot_partitions().into_iter().map(|partition| partition.prefix));
    Ok(all)
}

fn scan(
    files: &dyn SystemFiles,
    directory: &str,
    keys: &mut BTreeMap<String, ImageKey>,
) -> Result<(), SystemError> {
    let Ok(Some(names)) = files.list(directory) else { return Ok(()) };
    for name in names.iter().take(MAX_NAMES) {
        let path = format!("{directory}/{name}");
        // A loop of symlinks or a damaged file is no key.
        let Ok(Some(found)) = files.metadata(&path) else { continue };
        if found.kind != FileKind::Regular || found.size > MAX_KEY_SIZE {
            continue;
        }
        if let Some(key) = key_at(files, &path) {
            keys.insert(path, key);
        }
    }
    Ok(())
}

/// Returns the private key that a file holds, if it holds one.
pub(super) fn key_at(files: &dyn SystemFiles, path: &str) -> Option<ImageKey> {
    let contents = files.read(path).ok().flatten()?;
    let key = private_key::read(&contents)?;
    let public_file = format!("{path}.pub");
    let beside = files.read_text(&public_file).ok().flatten();
    let from_file = beside.as_deref().map(authorized_keys::parse);
    let from_file = from_file.and_then(|keys| keys.into_iter().next()).map(|key| key.key);
    Some(ImageKey {
        private: path.to_owned(),
        public_file: beside.is_some().then_some(public_file),
        public: key.public.or(from_file),
        encrypted: key.encrypted,
    })
}

fn opened(
    files: &dyn SystemFiles,
    accounts: &Accounts,
    key_files: &[String],
    keys: &[ImageKey],
) -> Vec<OpenedLine> {
    let by_public: BTreeMap<&str, &ImageKey> =
        keys.iter().filter_map(|key| Some((key.public.as_deref()?, key))).collect();
    let mut lines = Vec::new();
    let mut seen = BTreeSet::new();
    let usual = [".ssh/authorized_keys", ".ssh/authorized_keys2"].map(str::to_owned);
    for user in accounts.users() {
        for pattern in usual.iter().chain(key_files) {
            let Some(file) = super::key_files::expand(pattern, user) else { continue };
            if !seen.insert((user.name.clone(), file.clone())) {
                continue;
            }
            let Ok(Some(text)) = files.read_text(&file) else { continue };
            for key in authorized_keys::parse(&text) {
                if let Some(image_key) = by_public.get(key.key.as_str()) {
                    lines.push(OpenedLine {
                        user: user.name.clone(),
                        file: file.clone(),
                        key,
                        private: image_key.private.clone(),
                    });
                }
            }
        }
    }
    lines
}
