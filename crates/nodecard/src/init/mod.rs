//! The first profile of a cluster: proposals from this computer and a base image, and the text.

mod base;
mod network;
mod profile;

use std::{
    io::Write as _,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

use cluster_profile::{Cluster, PasswordHash, ProfileError};
use platform::{Privacy, access::create_new};

pub use self::{
    base::{BaseFacts, BaseUser, check_base, find_bases},
    network::LocalNetwork,
};
use crate::Error;

/// What a new profile says.
#[derive(Debug, Clone)]
pub struct NewProfile {
    /// The cluster's name.
    pub cluster: String,
    /// The base image, as the profile names it.
    pub base: String,
    /// What the base image holds, in words, for a comment.
    pub base_words: Option<String>,
    /// The size of the cards, as the profile has it: `8GB`.
    pub card: String,
    /// The interface of the nodes.
    pub interface: String,
    /// The length of the network prefix in bits.
    pub prefix: u8,
    /// The default gateway.
    pub gateway: Option<Ipv4Addr>,
    /// Name servers.
    pub dns: Vec<Ipv4Addr>,
    /// Names and addresses of the nodes.
    pub nodes: Vec<(String, Ipv4Addr)>,
    /// Paths of public keys of the owner, as the profile names them.
    pub keys: Vec<String>,
    /// The users who log in by key, with what becomes of their passwords.
    pub users: Vec<NewUser>,
    /// The services of a swarm, if the nodes form one.
    pub swarm: Option<SwarmServices>,
}

/// A user of a new profile.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The login name.
    pub name: String,
    /// Whether the image does not have the user.
    pub create: bool,
    /// The password.
    pub password: NewPassword,
}

/// The password of a user of a new profile.
#[derive(Debug, Clone)]
pub enum NewPassword {
    /// The one of the image.
    OfImage,
    /// None is accepted.
    Locked,
    /// The one with this hash.
    Hash(PasswordHash),
}

/// The services of a new swarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwarmServices {
    /// None.
    None,
    /// Those of the article "ODROID-MC1 Docker Swarm", for 32-bit ARM.
    OfArticle,
}

/// Returns the names and addresses of this number of nodes: `name` with numbers from 1, and
/// consecutive addresses. `None` if there are not so many addresses.
pub fn numbered_nodes(name: &str, first: Ipv4Addr, count: u32) -> Option<Vec<(String, Ipv4Addr)>> {
    let width = if count < 10 { 1 } else { count.to_string().len() };
    (0..count)
        .map(|number| {
            let address = Ipv4Addr::from_bits(first.to_bits().checked_add(number)?);
            Some((format!("{name}{:0width$}", number + 1), address))
        })
        .collect()
}

impl NewProfile {
    /// Returns the text of the profile, with comments.
    pub fn text(&self) -> String {
        profile::text(self)
    }

    /// Tries an answer in a small profile. Returns what is wrong with it, and what to write.
    ///
    /// # Errors
    /// The first problem of the profile, in words.
    pub fn try_answer(answer: impl FnOnce(&mut NewProfile)) -> Result<(), String> {
        let mut profile = NewProfile {
            cluster: "cluster".to_owned(),
            base: "base.img".to_owned(),
            base_words: None,
            card: "8GB".to_owned(),
            interface: "eth0".to_owned(),
            prefix: 24,
            gateway: None,
            dns: Vec::new(),
            nodes: vec![("node1".to_owned(), Ipv4Addr::new(192, 168, 1, 80))],
            keys: Vec::new(),
            users: Vec::new(),
            swarm: None,
        };
        answer(&mut profile);
        match Cluster::parse(&profile.text(), Path::new("profile.yaml")) {
            Ok(_) => Ok(()),
            Err(ProfileError::Invalid(found)) => {
                let Some(first) = found.problems.first() else { return Ok(()) };
                let help = first.help.as_ref().map(|help| format!("; {help}"));
                Err(first.message.clone() + &help.unwrap_or_default())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Writes the profile to a file that must not exist, after checking it.
    ///
    /// # Errors
    /// [`Error::Profile`] if it has problems, such as an address outside the network;
    /// [`Error::ProfileExists`], [`Error::Write`].
    pub fn write(&self, path: &Path) -> Result<Cluster, Error> {
        let exists = || Error::ProfileExists { path: path.to_owned() };
        if path.symlink_metadata().is_ok() {
            return Err(exists());
        }
        let text = self.text();
        let cluster = Cluster::parse(&text, path)?;
        let failed = |source| Error::Write { path: path.to_owned(), source };
        // It may have hashes of passwords.
        let mut file = match create_new(path, self.privacy()) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(exists()),
            opened => opened.map_err(failed)?,
        };
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        Ok(cluster)
    }

    /// Returns who may read the file.
    fn privacy(&self) -> Privacy {
        let has_hash = |user: &NewUser| matches!(user.password, NewPassword::Hash(_));
        if self.users.iter().any(has_hash) { Privacy::Private } else { Privacy::Public }
    }
}

/// Returns the public keys in a `.ssh` directory, the one that ssh tries first in front.
pub fn find_public_keys(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut keys: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "pub"))
        .filter(|path| path.is_file())
        .collect();
    let rank = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let order = ["id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub"];
        (order.iter().position(|one| *one == name).unwrap_or(order.len()), name)
    };
    keys.sort_by_key(rank);
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_numbered_with_as_many_digits_as_needed() {
        let first = Ipv4Addr::new(192, 168, 1, 80);
        let nodes = numbered_nodes("xu4-node", first, 4).unwrap();
        assert_eq!(nodes[0], ("xu4-node1".into(), first));
        assert_eq!(nodes[3], ("xu4-node4".into(), Ipv4Addr::new(192, 168, 1, 83)));
        assert_eq!(numbered_nodes("n", first, 60).unwrap()[0].0, "n01");
        assert!(numbered_nodes("n", Ipv4Addr::BROADCAST, 2).is_none());
    }
}
