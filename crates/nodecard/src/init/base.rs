//! Base images: where people have them, and what a profile has to know about one.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use card_audit::Card;
use card_image::{BaseImage, ImageFile};
use cluster_profile::has_docker;

use crate::{Context, Error};

/// What images for boards end with.
const ENDINGS: [&str; 6] = [".img", ".img.xz", ".img.gz", ".img.zst", ".img.bz2", ".zip"];

/// A smaller file is not an image, whatever its name.
const SMALLEST: u64 = 64 << 10;

/// What a profile has to know about a base image.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BaseFacts {
    /// Its size in bytes, decoded.
    pub size: u64,
    /// The system's name and version.
    pub release: Option<String>,
    /// What sets addresses at boot.
    pub back_end: Option<&'static str>,
    /// The interface that the network configuration names, if it names one.
    pub interface: Option<String>,
    /// Root, and the users with ids from 1000.
    pub users: Vec<BaseUser>,
    /// The users whom cloud-init would make at the first boot.
    pub new_users: Vec<String>,
    /// Whether Docker is installed.
    pub has_docker: bool,
}

/// A user of a base image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUser {
    /// The login name.
    pub name: String,
    /// Whether the password is one that everybody knows.
    pub has_default_password: bool,
}

impl BaseFacts {
    /// Opens a base image, which decodes a compressed one into the cache, where building finds
    /// it.
    ///
    /// # Errors
    /// [`Error::Image`], [`Error::Audit`] if it cannot be read.
    pub fn read(path: &Path, context: &Context) -> Result<Self, Error> {
        let base =
            BaseImage::open(path, context.base_options()).map_err(card_image::Error::from)?;
        let name = path.display().to_string();
        let card = Card::stoppable(name, base.storage(), None, &context.cancel)?;
        let pure = context.cancel.begin_pure();
        let inspection = card_audit::inspect(&card);
        drop(pure);
        context.cancel.check()?;
        let inspection = inspection?;
        let system = inspection.system;
        let users = system.iter().flat_map(|system| &system.users);
        let users = users.map(|user| BaseUser {
            name: user.name.clone(),
            has_default_password: user.password == "default",
        });
        Ok(BaseFacts {
            size: card.storage().size(),
            release: system.as_ref().and_then(|system| system.release.clone()),
            back_end: system.as_ref().and_then(|system| system.back_end),
            interface: system
                .as_ref()
                .filter(|system| system.is_interface_known)
                .map(|system| system.interface.clone()),
            users: users.collect(),
            new_users: inspection.first_boot.map(|boot| boot.new_users).unwrap_or_default(),
            has_docker: has_docker(card.files()).unwrap_or(false),
        })
    }

    /// Returns it in words: `Debian GNU/Linux 12 (bookworm), ifupdown on eth0`.
    pub fn words(&self) -> Option<String> {
        let network = self.back_end.map(|back_end| match &self.interface {
            Some(interface) => format!("{back_end} on {interface}"),
            None => back_end.to_owned(),
        });
        let docker = self.has_docker.then(|| "Docker".to_owned());
        let words: Vec<String> =
            self.release.iter().cloned().chain(network).chain(docker).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }

    /// Returns the users that a profile lists by default: root, and the first other one, whom the
    /// profile has to make if only cloud-init would.
    pub fn usual_users(&self) -> Vec<&str> {
        let names = || self.users.iter().map(|user| user.name.as_str());
        let new = self.new_users.iter().map(String::as_str);
        let other = names().chain(new).find(|name| *name != "root");
        names().find(|name| *name == "root").into_iter().chain(other).collect()
    }
}

/// Checks by its first bytes that a file holds an image, or may hold a compressed one.
///
/// # Errors
/// [`Error::Image`] if it does not, or cannot be read.
pub fn check_base(path: &Path) -> Result<(), Error> {
    ImageFile::open(path).map_err(card_image::Error::from)?;
    Ok(())
}

/// Returns the files in these directories that look like images, the newest first. What
/// nodecard built itself is left out.
pub fn find_bases(directories: &[PathBuf]) -> Vec<PathBuf> {
    let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
    for directory in directories {
        let Ok(entries) = fs::read_dir(directory) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            let Ok(metadata) = fs::metadata(&path) else { continue };
            let is_built = directory.join("manifest.json").exists()
                && directory.join(format!("{name}.bmap")).exists();
            if metadata.is_file()
                && metadata.len() >= SMALLEST
                && ENDINGS.iter().any(|ending| name.ends_with(ending))
                && !is_built
            {
                let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                found.push((changed, path));
            }
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    // The home directory may be the current one, and Downloads a link.
    let mut seen = HashSet::new();
    found.retain(|(_, path)| fs::canonicalize(path).is_ok_and(|path| seen.insert(path)));
    found.into_iter().map(|(_, path)| path).collect()
}
