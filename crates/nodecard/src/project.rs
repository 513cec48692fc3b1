//! A cluster's profile with everything that goes with it.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use card_image::{BuildInputs, BuildNote, ImageFile};
use cluster_keys::{ClusterKeys, KeyError, NewKeys};
use cluster_profile::{CardSize, Cluster, Node};

use crate::{Context, Error, lost_keys, not_a_profile};

/// A cluster: its profile, its base image and its keys.
///
/// All work on the cluster's cards starts here. The base image and the keys are opened when
/// a step needs them first; opening a project reads the profile only.
#[derive(Debug)]
pub struct Project {
    pub(crate) cluster: Cluster,
    pub(crate) context: Context,
    base: Option<PathBuf>,
    root: Option<u32>,
    time: Option<u64>,
    /// The directory or archive of keys that replaces the profile's.
    given_keys: Option<PathBuf>,
    /// Whether new keys may be made although images of the cluster exist.
    new_keys: bool,
    keys: OnceLock<ClusterKeys>,
}

impl Project {
    /// Reads and checks a profile.
    ///
    /// # Errors
    /// [`Error::Profile`] with everything that is wrong with it.
    pub fn open(profile: impl AsRef<Path>) -> Result<Self, Error> {
        let project = Project {
            cluster: load(profile.as_ref())?,
            context: Context::default(),
            base: None,
            root: None,
            time: None,
            given_keys: None,
            new_keys: false,
            keys: OnceLock::new(),
        };
        Ok(project.with_download_path())
    }

    /// Decides where a base image on the web is kept.
    fn with_download_path(mut self) -> Self {
        let base = &mut self.cluster.base;
        let path = |url: &String| card_image::download_path(self.context.cache.as_deref(), url);
        if let Some(path) = base.url.as_ref().and_then(path) {
            base.path = path;
        }
        self
    }

    /// Downloads the base image if it is on the web, and no earlier run has. Makes sure that there
    /// is an image: nobody needs keys without one.
    pub(crate) fn fetch_base(&self) -> Result<(), Error> {
        let spec = &self.cluster.base;
        if let (None, Some(url)) = (&self.base, &spec.url) {
            let mut options = self.context.base_options();
            options.sha256 = spec.sha256;
            card_image::download(url, options).map_err(card_image::Error::from)?;
        }
        ImageFile::open(self.base()).map_err(card_image::Error::from)?;
        Ok(())
    }

    /// Returns whether the base image is on the web, and was not downloaded yet.
    pub(crate) fn lacks_download(&self) -> bool {
        self.base.is_none() && self.cluster.base.url.is_some() && !self.cluster.base.path.is_file()
    }

    /// Returns the base image as the user gave it: a path, or an address.
    pub fn base_name(&self) -> String {
        match (&self.base, &self.cluster.base.url) {
            (None, Some(url)) => url.clone(),
            _ => self.base().display().to_string(),
        }
    }

    /// Sets who is told about progress and who may stop the work.
    #[must_use]
    pub fn with_context(self, context: Context) -> Self {
        Project { context, ..self }.with_download_path()
    }

    /// Uses this base image instead of the profile's, whose checksum then does not apply.
    #[must_use]
    pub fn with_base(self, base: impl Into<PathBuf>) -> Self {
        Project { base: Some(base.into()), ..self }
    }

    /// Sets the number of the root partition, from 1, instead of detecting it.
    #[must_use]
    pub fn with_root(self, root: u32) -> Self {
        Project { root: Some(root), ..self }
    }

    /// Sets the time of every change on the cards, in seconds since 1970. By default, built
    /// cards carry the time of the last change in the base image.
    #[must_use]
    pub fn with_time(self, time: u64) -> Self {
        Project { time: Some(time), ..self }
    }

    /// Uses the keys in this directory or archive instead of the profile's. None are made.
    #[must_use]
    pub fn with_keys(self, keys: impl Into<PathBuf>) -> Self {
        Project { given_keys: Some(keys.into()), ..self }
    }

    /// Allows making keys although there are images of the cluster, whose keys are lost.
    #[must_use]
    pub fn with_new_keys(self) -> Self {
        Project { new_keys: true, ..self }
    }

    /// Returns the cluster as the profile describes it.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Returns the size of the cards in bytes: `given`, or the profile's.
    ///
    /// # Errors
    /// [`Error::NoCardSize`] if there is neither.
    pub(crate) fn card_size(&self, given: Option<u64>) -> Result<u64, Error> {
        given
            .or(self.cluster.card.map(CardSize::bytes))
            .ok_or_else(|| Error::NoCardSize { profile: self.cluster.path.clone() })
    }

    /// Returns the path of the base image.
    pub fn base(&self) -> &Path {
        self.base.as_deref().unwrap_or(&self.cluster.base.path)
    }

    /// Returns the base image that replaces the profile's, if there is one.
    pub(crate) fn chosen_base(&self) -> Option<&Path> {
        self.base.as_deref()
    }

    /// Returns the number of the root partition, unless it is to be detected.
    pub(crate) fn root(&self) -> Option<u32> {
        self.root.or(self.cluster.root)
    }

    pub(crate) fn time(&self) -> Option<u64> {
        self.time
    }

    /// Returns the node with this name.
    ///
    /// # Errors
    /// [`Error::NoSuchNode`].
    pub fn node(&self, name: &str) -> Result<&Node, Error> {
        self.cluster.nodes.iter().find(|node| node.name == name).ok_or_else(|| Error::NoSuchNode {
            name: name.to_owned(),
            profile: self.cluster.path.clone(),
            known: self.cluster.nodes.iter().map(|node| node.name.clone()).collect(),
        })
    }

    /// Returns the nodes with these names, in the profile's order; all nodes if `names` is
    /// empty.
    ///
    /// # Errors
    /// [`Error::NoSuchNode`].
    pub fn nodes<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<&Node>, Error> {
        for name in names {
            self.node(name.as_ref())?;
        }
        let is_chosen =
            |node: &&Node| names.is_empty() || names.iter().any(|name| name.as_ref() == node.name);
        Ok(self.cluster.nodes.iter().filter(is_chosen).collect())
    }

    /// Returns the cluster's keys, which must exist.
    ///
    /// # Errors
    /// [`Error::NoKeys`] if they were never made, or one of them is lost; [`Error::Keys`] if
    /// they cannot be used.
    pub fn keys(&self) -> Result<&ClusterKeys, Error> {
        self.keys_from(|names| {
            ClusterKeys::open_unless(&self.context.cancel, self.key_path(), names).map_err(
                |error| match error {
                    KeyError::Missing { .. } => Error::NoKeys(error),
                    other => keys_error(other),
                },
            )
        })
    }

    /// Returns the cluster's keys, and makes those that do not exist yet. Building and
    /// flashing do so; no other step makes keys. Keys that are complete are only read.
    ///
    /// # Errors
    /// [`Error::Keys`]; [`Error::KeysLost`] or [`Error::HostKeyLost`] if some are missing, but
    /// there are images made with them in `out` or beside the profile.
    pub fn create_keys(&self, out: Option<&Path>) -> Result<&ClusterKeys, Error> {
        self.keys_from(|names| {
            match ClusterKeys::open_unless(&self.context.cancel, self.key_path(), names) {
                Err(KeyError::Missing { .. }) if self.given_keys.is_none() => {
                    if !self.new_keys {
                        lost_keys::check(&self.cluster, out)?;
                    }
                    let Cluster { keys, name, .. } = &self.cluster;
                    let opened =
                        ClusterKeys::open_or_create_unless(&self.context.cancel, keys, name, names);
                    opened.map_err(keys_error)
                }
                Err(KeyError::Missing { path, .. }) => Err(KeyError::Missing {
                    path,
                    fix: "give a directory or an archive with all of the cluster's keys; new keys \
                          are only created where the profile keeps them",
                }
                .into()),
                opened => opened.map_err(keys_error),
            }
        })
    }

    /// Returns the cluster's keys, with those that do not exist yet made in memory: for plans,
    /// which write nothing.
    ///
    /// # Errors
    /// [`Error::Keys`].
    pub(crate) fn preview_keys(&self) -> Result<ClusterKeys, Error> {
        if let Some(path) = &self.given_keys {
            return ClusterKeys::open_unless(&self.context.cancel, path, &self.node_names())
                .map_err(keys_error);
        }
        Ok(ClusterKeys::open_or_generate(
            &self.cluster.keys,
            &self.cluster.name,
            &self.node_names(),
        )?)
    }

    fn node_names(&self) -> Vec<String> {
        self.cluster.nodes.iter().map(|node| node.name.clone()).collect()
    }

    /// Returns the path of the file that notes which cards are finished: beside the keys if their
    /// directory may be changed, or else in the cache, named by what the keys make unique.
    pub(crate) fn progress_path(&self, keys: &ClusterKeys) -> PathBuf {
        let directory = &self.cluster.keys;
        let beside_keys = directory.join("one-reader.json");
        if self.given_keys.is_none() && directory.is_dir() && platform::is_writable(directory) {
            return beside_keys;
        }
        match card_image::cache_directory(self.context.cache.as_deref()) {
            // No node has this name, so nothing else has this id.
            Some(cache) => cache.join(format!("one-reader-{}.json", keys.machine_id(""))),
            None => beside_keys,
        }
    }

    fn key_path(&self) -> &Path {
        self.given_keys.as_deref().unwrap_or(&self.cluster.keys)
    }

    /// Returns the path of the keys that this run made, if it did.
    pub fn new_keys(&self) -> Option<&Path> {
        let keys = self.keys.get()?;
        (*keys.new_keys() != NewKeys::None).then_some(keys.directory())
    }

    /// Returns what the user should know about the keys: that some are new.
    pub(crate) fn key_note(&self) -> Option<BuildNote> {
        let keys = self.keys.get()?;
        let directory = keys.directory().to_owned();
        match keys.new_keys() {
            NewKeys::Cluster => Some(BuildNote::NewKeys { directory, nodes: Vec::new() }),
            NewKeys::Hosts(nodes) => Some(BuildNote::NewKeys { directory, nodes: nodes.to_vec() }),
            _ => None,
        }
    }

    fn keys_from(
        &self,
        open: impl FnOnce(&[String]) -> Result<ClusterKeys, Error>,
    ) -> Result<&ClusterKeys, Error> {
        if let Some(keys) = self.keys.get() {
            return Ok(keys);
        }
        let keys = open(&self.node_names())?;
        Ok(self.keys.get_or_init(|| keys))
    }

    /// Returns what cards are made from.
    pub(crate) fn inputs<'a>(&'a self, keys: &'a ClusterKeys) -> BuildInputs<'a> {
        BuildInputs {
            cluster: &self.cluster,
            keys,
            base: self.base(),
            base_sha256: if self.base.is_none() { self.cluster.base.sha256 } else { None },
            root: self.root(),
            time: self.time,
            cache: self.context.cache.as_deref(),
            largest_card: None,
        }
    }
}

fn load(profile: &Path) -> Result<Cluster, Error> {
    Cluster::load(profile).map_err(|error| not_a_profile::explain(profile, error))
}

fn keys_error(error: KeyError) -> Error {
    match error {
        KeyError::Cancelled(_) => Error::Interrupted,
        other => Error::Keys(other),
    }
}
