//! What the steps of the workflow share with the program that runs them.

use std::{fmt, path::PathBuf, sync::Arc};

use card_flash::device::HostSystem;
use card_image::{BaseOptions, BuildProgress, Cancel};

/// The surroundings of the work: who is told about progress, who may stop it, where decoded
/// base images are kept, and which machine's devices are meant.
///
/// [`Context::default`] reports to nobody, is never cancelled, and uses this machine and the
/// user's cache directory.
#[derive(Clone)]
#[non_exhaustive]
pub struct Context {
    /// Receives the progress of decoding, checking and writing images.
    pub progress: Arc<dyn BuildProgress>,
    /// Stops the work when somebody calls [`Cancel::cancel`] on a clone of it.
    pub cancel: Cancel,
    /// The directory for decoded base images; by default `nodecard` in `$XDG_CACHE_HOME` or
    /// `$HOME/.cache`.
    pub cache: Option<PathBuf>,
    /// The machine whose block devices are inspected.
    pub system: HostSystem,
}

impl Default for Context {
    fn default() -> Self {
        Context {
            progress: Arc::new(()),
            cancel: Cancel::new(),
            cache: None,
            system: HostSystem::this(),
        }
    }
}

impl Context {
    /// Returns the default context, with progress and cancellation of the caller's own.
    pub fn new(progress: Arc<dyn BuildProgress>, cancel: Cancel) -> Self {
        Context { progress, cancel, ..Context::default() }
    }

    /// Returns the options for opening an image whose checksum is not known.
    pub(crate) fn base_options(&self) -> BaseOptions<'_> {
        BaseOptions {
            cache_dir: self.cache.as_deref(),
            sha256: None,
            limit: None,
            progress: &*self.progress,
            cancel: &self.cancel,
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("cancel", &self.cancel)
            .field("cache", &self.cache)
            .field("system", &self.system)
            .finish_non_exhaustive()
    }
}
