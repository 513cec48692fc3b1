//! Saving a card as an image: as a backup, or as a base image for other nodes.

use std::{path::Path, path::PathBuf, sync::Arc};

use block_io::ReadAt;
use card_audit::Card;
use card_flash::{
    Presence,
    device::{ReadError, ReadOnlyTarget},
};
use card_image::{ImageFile, SaveContents, SaveError, SaveOptions, SaveOutcome, SaveSize};
use cluster_keys::ClusterKeys;
use cluster_profile::Cluster;
use platform::FileInfo;

use crate::{Context, Error, Project};

/// How to save a card.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SaveRequest {
    /// The image to write. Its name says the format: `.img`, `.img.xz`, `.img.zst` or
    /// `.img.gz`. A block map and a checksum are written beside it.
    pub out: PathBuf,
    /// Whether the image is to be a base image, without the identity of the node, or a backup
    /// with all files. By default it is a base image if there is a profile.
    pub as_base: Option<bool>,
    /// The size of the image.
    pub size: SaveSize,
    /// Whether an image that exists is replaced.
    pub overwrite: bool,
    /// Whether zeros take the place of what cannot be read.
    pub keep_going: bool,
    /// The number of the root partition; `None` detects it, or takes the profile's.
    pub root: Option<u32>,
    /// The time of every change in the image, in seconds since 1970; by default that of the last
    /// change on the card.
    pub time: Option<u64>,
}

impl SaveRequest {
    /// Returns a request for an image that is as small as its contents.
    pub fn new(out: impl Into<PathBuf>) -> Self {
        SaveRequest {
            out: out.into(),
            as_base: None,
            size: SaveSize::Contents,
            overwrite: false,
            keep_going: false,
            root: None,
            time: None,
        }
    }
}

/// A card that was saved.
#[derive(Debug)]
#[non_exhaustive]
pub struct SaveReport {
    /// Whether the image is a base image, without the identity of the node.
    pub is_base: bool,
    /// The image, and what is in it.
    pub outcome: SaveOutcome,
}

/// Saves a card, or the image of one, without the profile of its cluster. The card is only
/// read.
///
/// # Errors
/// [`Error::Read`], [`Error::Save`]; [`Error::Audit`] if a compressed image cannot be decoded. No
/// file has a final name then.
pub fn save_card(
    card: impl AsRef<Path>,
    request: &SaveRequest,
    context: &Context,
) -> Result<SaveReport, Error> {
    let is_base = request.as_base.unwrap_or(false);
    let contents = if is_base { SaveContents::Base(None) } else { SaveContents::Exact };
    save(card.as_ref(), request, contents, context)
}

impl Project {
    /// Saves a card of the cluster, or the image of one. The card is only read.
    ///
    /// # Errors
    /// As for [`save_card`]; [`Error::Keys`] if the cluster's keys cannot be used;
    /// [`Error::OtherCluster`] if a card that is to become a base image has another cluster's.
    pub fn save(&self, card: impl AsRef<Path>, request: &SaveRequest) -> Result<SaveReport, Error> {
        let (root, time) = (request.root.or(self.root()), request.time.or(self.time()));
        let request = &SaveRequest { root, time, ..request.clone() };
        if !request.as_base.unwrap_or(true) {
            return save(card.as_ref(), request, SaveContents::Exact, &self.context);
        }
        // A card that was set up by hand has none of the cluster's keys, which may not exist yet.
        let keys = self.preview_keys()?;
        let contents = SaveContents::Base(Some((&self.cluster, &keys)));
        save(card.as_ref(), request, contents, &self.context)
    }
}

fn save(
    card: &Path,
    request: &SaveRequest,
    contents: SaveContents<'_>,
    context: &Context,
) -> Result<SaveReport, Error> {
    let target = Arc::new(ReadOnlyTarget::open(&context.system, card, &request.out)?);
    let is_device = FileInfo::at(card).is_ok_and(|found| found.is_block_device());
    let image = |error| Error::from(card_audit::AuditError::Image(Box::new(error)));
    let storage: Arc<dyn ReadAt> = if is_device {
        target.clone()
    } else {
        match ImageFile::open(card).map_err(image)? {
            file if file.is_compressed() => {
                file.into_private_base(context.base_options()).map_err(image)?.storage()
            }
            _ => target.clone(),
        }
    };
    if let SaveContents::Base(Some((cluster, keys))) = contents {
        let pure = context.cancel.begin_pure();
        let refused = refuse_other_cluster(card, &storage, request.root, (cluster, keys), context);
        drop(pure);
        context.cancel.check()?;
        refused?;
    }
    let options = SaveOptions {
        card: storage,
        path: card,
        is_present: Box::new(move || target.presence() == Presence::Same),
        root: request.root,
        out: &request.out,
        contents,
        size: request.size,
        overwrite: request.overwrite,
        keep_going: request.keep_going,
        time: request.time,
    };
    let outcome = card_image::save(options, &*context.progress, &context.cancel)?;
    Ok(SaveReport { is_base: matches!(contents, SaveContents::Base(_)), outcome })
}

/// Returns an error for a card with the keys of another cluster: only those of `cluster` would be
/// removed from the image.
fn refuse_other_cluster(
    path: &Path,
    storage: &Arc<dyn ReadAt>,
    root: Option<u32>,
    (cluster, keys): (&Cluster, &ClusterKeys),
    context: &Context,
) -> Result<(), Error> {
    let name = path.display().to_string();
    // Saving says itself what is wrong with a card that cannot be opened.
    let Ok(card) = Card::stoppable(name, storage.clone(), root, &context.cancel) else {
        return Ok(());
    };
    match card_audit::other_cluster(&card, keys)? {
        Some(found) => {
            Err(Error::OtherCluster { card: path.to_owned(), found, cluster: cluster.name.clone() })
        }
        None => Ok(()),
    }
}

impl From<SaveError> for Error {
    fn from(error: SaveError) -> Self {
        Error::Save(Box::new(error))
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        Error::Read(Box::new(error))
    }
}
