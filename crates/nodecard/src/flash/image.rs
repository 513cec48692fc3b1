//! Writing an image file to a card: one that was built, or any other with its block map.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use block_io::{Extents, Layer, ReadAt as _};
use card_flash::{
    CardSource, FlashJob, FlashProgress, Medium,
    device::{Refusal, Target, TargetError},
    flash,
};
use card_image::{BaseStorage, BlockMap, BuildNote, ImageFile};
use platform::Access;

use super::{FlashReport, FlashRequest, FlashTarget, cards};
use crate::{Context, Error, RefusedTarget};

/// An image and the inspected target that it is to be written to. Nothing was written yet.
#[derive(Debug)]
pub struct ImageFlash<'a> {
    context: &'a Context,
    request: FlashRequest,
    target: FlashTarget,
    image: Arc<BaseStorage>,
    /// Whether only the image's owner can read it, as with all images that hold keys.
    is_private: bool,
    used: Extents,
    notes: Vec<BuildNote>,
}

/// An image whose target was confirmed.
#[derive(Debug)]
pub struct ConfirmedImageFlash<'a>(ImageFlash<'a>);

/// Inspects a target, opens an image, decoding it if need be, and compares it with the block
/// map beside it. Without a block map, the whole image is written. Writes nothing.
///
/// # Errors
/// [`Error::Refused`], [`Error::BlockMap`], or any other [`Error`].
pub fn flash_image<'a>(
    image: &Path,
    target: &Path,
    request: FlashRequest,
    context: &'a Context,
) -> Result<ImageFlash<'a>, Error> {
    let name = image.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let inspected = Target::inspect(&context.system, target, image, &request.limits);
    let target = inspected.map_err(|error| {
        let error = about_image(error);
        Error::Refused { targets: vec![RefusedTarget { node: None, error }] }
    })?;
    let target = FlashTarget { node: name, target, recognized: None };
    let opened = ImageFile::open(image)
        .and_then(|file| file.into_private_base(context.base_options()))
        .map_err(|error| Error::FlashedImage(Box::new(error)))?;
    let storage = opened.storage();
    let mut notes = Vec::new();
    let used = match BlockMap::beside(image) {
        Some(path) => read_map(&path, &storage, context, &mut notes)?,
        None => {
            notes.push(BuildNote::NoBlockMap { image: image.to_owned() });
            std::iter::once(0..storage.size()).collect()
        }
    };
    let (size, needed) = (target.target.size(), storage.size());
    if size < needed {
        let refusal = Refusal::SmallerThanImage { size, image: needed, file: target.file() };
        let error = TargetError::new(target.path(), refusal);
        return Err(Error::Refused { targets: vec![target.refused(error)] });
    }
    if size > needed {
        notes.push(BuildNote::RestUnused { unused: size - needed });
    }
    let is_private = Access::at(image).is_ok_and(|access| !access.is_exposed());
    Ok(ImageFlash { context, request, target, image: storage, is_private, used, notes })
}

/// Turns reasons that are about a base image into those about the image that is written.
fn about_image(mut error: TargetError) -> TargetError {
    for refusal in &mut error.refusals {
        match refusal {
            Refusal::IsBase => *refusal = Refusal::IsImage,
            Refusal::HoldsBase => *refusal = Refusal::HoldsImage,
            _ => {}
        }
    }
    error
}

fn read_map(
    path: &PathBuf,
    image: &BaseStorage,
    context: &Context,
    notes: &mut Vec<BuildNote>,
) -> Result<Extents, Error> {
    let error = |source| Error::BlockMap { path: path.clone(), source };
    let bytes =
        fs::read(path).map_err(|source| Error::OpenTarget { path: path.clone(), source })?;
    let map = BlockMap::parse(&String::from_utf8_lossy(&bytes)).map_err(error)?;
    map.check(image, &context.cancel).map_err(error)?;
    if !map.has_sums() {
        notes.push(BuildNote::NoMapSums { map: path.clone() });
    }
    Ok(map.extents())
}

impl<'a> ImageFlash<'a> {
    /// Returns the target.
    pub fn target(&self) -> &FlashTarget {
        &self.target
    }

    /// Asks whether the target may be overwritten.
    ///
    /// # Errors
    /// [`Error::NotConfirmed`].
    pub fn confirm(
        self,
        agrees: impl FnOnce(&FlashTarget) -> bool,
    ) -> Result<ConfirmedImageFlash<'a>, Error> {
        if agrees(&self.target) {
            Ok(ConfirmedImageFlash(self))
        } else {
            Err(Error::NotConfirmed { path: self.target.path().to_owned() })
        }
    }
}

impl ConfirmedImageFlash<'_> {
    /// Writes the image and reads it back, as [`ConfirmedFlash`](super::ConfirmedFlash) does.
    ///
    /// # Errors
    /// [`Error::Refused`] if the target is in use, or is no longer what was inspected.
    pub fn write(self, progress: &dyn FlashProgress) -> Result<FlashReport, Error> {
        let ImageFlash { context, request, target, image, is_private, used, mut notes } = self.0;
        let opened = target
            .target
            .open(&context.system, &request.limits)
            .map_err(|error| Error::Refused { targets: vec![target.refused(error)] })?;
        if is_private {
            notes.extend(cards::make_private(std::slice::from_ref(&opened)));
        }
        let layer = Arc::new(Layer::new(image.clone(), target.target.size()));
        let source = CardSource { node: target.node.clone(), layer, used, changed: Extents::new() };
        let medium: &dyn Medium = &opened;
        let job = FlashJob {
            shared: image,
            cards: vec![(source, medium)],
            old_contents: request.old_contents,
        };
        let outcomes = flash(&job, progress, &context.cancel);
        let mut report = FlashReport {
            cards: Vec::new(),
            root_reason: String::new(),
            notes: Vec::new(),
            stopped: None,
        };
        report.add_notes(notes);
        report.add(outcomes.into_iter().map(|outcome| target.flashed(outcome)).collect());
        Ok(report)
    }
}
