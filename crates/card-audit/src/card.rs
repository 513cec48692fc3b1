//! A card, an image of one, or a compressed image, open for reading only.

use std::{io::ErrorKind, path::Path, sync::Arc};

use block_io::{Cancel, FileStorage, Layer, ReadAt, Stoppable, Window};
use card_image::{BaseError, BaseOptions, FsError, ImageFile, Layout, RootFs};
use ext4_offline::FilesystemInfo;
use platform::FileInfo;

use crate::{AuditError, cached::Cached};

/// A filesystem whose superblock names a larger size is damaged.
const MAX_FILESYSTEM: u64 = 1 << 44;

/// A card or image, open for reading.
///
/// If the journal needs to be replayed, that happens in memory, and the card stays as it is.
#[derive(Debug)]
pub struct Card {
    name: String,
    storage: Arc<dyn ReadAt>,
    layout: Layout,
    root: FilesystemInfo,
    files: RootFs,
    /// Whether the storage is the target itself, not a decoded copy of it.
    in_place: bool,
}

impl Card {
    /// Opens a block device, an image file or a compressed image file. A compressed one is
    /// decoded into a file without a name in the user's cache directory. `root` is the number
    /// of the root partition; `None` detects it.
    ///
    /// # Errors
    /// [`AuditError`] if the target cannot be read, or if it has no partition table or no
    /// root filesystem.
    pub fn open(
        path: &Path,
        root: Option<u32>,
        options: BaseOptions<'_>,
    ) -> Result<Self, AuditError> {
        let target = path.display().to_string();
        let cancel = options.cancel;
        let found = match FileInfo::at(path) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(AuditError::NotFound { target });
            }
            Err(source) => {
                let source = block_io::Error::Open { path: path.to_owned(), source };
                return Err(AuditError::Read { target, source });
            }
        };
        let (storage, in_place): (Arc<dyn ReadAt>, bool) = if found.is_file() {
            let image = open_image(path, options);
            image.map_err(|error| AuditError::Image(Box::new(error)))?
        } else if found.is_block_device() {
            let device = FileStorage::open(path);
            let device =
                device.map_err(|source| AuditError::Read { target: target.clone(), source })?;
            (Arc::new(device), true)
        } else {
            return Err(AuditError::WrongKind { target });
        };
        let card = Self::stoppable(target, storage, root, cancel)?;
        Ok(Card { in_place, ..card })
    }

    /// Opens the card in a storage. Messages call it `name`.
    ///
    /// # Errors
    /// The errors of [`open`](Self::open).
    pub fn from_storage(
        name: String,
        storage: Arc<dyn ReadAt>,
        root: Option<u32>,
    ) -> Result<Self, AuditError> {
        Self::stoppable(name, storage, root, &Cancel::new())
    }

    /// Opens the card in a storage, of which nothing can be read once `cancel` is set.
    ///
    /// # Errors
    /// The errors of [`open`](Self::open).
    pub fn stoppable(
        name: String,
        storage: Arc<dyn ReadAt>,
        root: Option<u32>,
        cancel: &Cancel,
    ) -> Result<Self, AuditError> {
        let storage = Stoppable::new(Cached::new(storage), cancel.clone());
        let storage: Arc<dyn ReadAt> = Arc::new(storage);
        let layout = layout(&name, &storage, root)?;
        let files = |source| AuditError::Files { target: name.clone(), source: Box::new(source) };
        let filesystem = |error| files(FsError::from(error));
        let range = layout.root_range();
        let window = Window::new(storage.clone(), range.start, range.end - range.start)
            .map_err(|source| AuditError::Read { target: name.clone(), source })?;
        let info = ext4_offline::inspect(&window).map_err(filesystem)?;
        // If the end of the filesystem is cut off, the rest can still be read.
        let size = window.size().max(info.size().min(MAX_FILESYSTEM));
        let layer = Arc::new(Layer::new(Arc::new(window), size));
        let opened = RootFs::open(layer).and_then(|opened| opened.with_boot(&storage, &layout));
        let opened = opened.map_err(files)?;
        Ok(Card { root: info, files: opened, name, storage, layout, in_place: true })
    }

    /// Returns the name of the card in messages: the path that was opened.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the storage of the whole card.
    pub fn storage(&self) -> &Arc<dyn ReadAt> {
        &self.storage
    }

    /// Returns the layout of the card: its partitions, and which one is the root partition.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns the files of the root filesystem.
    pub fn files(&self) -> &RootFs {
        &self.files
    }

    /// Returns whether changes to the root filesystem can be committed in place.
    pub(crate) fn can_be_corrected(&self) -> bool {
        let (range, info) = (self.layout.root_range(), &self.root);
        self.in_place
            && info.has_feature("has_journal")
            && !info.errors
            && info.size() <= range.end - range.start
    }

    pub(crate) fn root(&self) -> &FilesystemInfo {
        &self.root
    }

    /// Adds the card's name to an error of its filesystem.
    pub(crate) fn files_error(&self) -> impl Fn(FsError) -> AuditError + '_ {
        |source| AuditError::Files { target: self.name.clone(), source: Box::new(source) }
    }

    /// Adds the card's name to an error of its storage.
    pub(crate) fn read_error(&self) -> impl Fn(block_io::Error) -> AuditError + '_ {
        |source| AuditError::Read { target: self.name.clone(), source }
    }
}

/// Opens an image file. Returns its bytes, which are decoded if it is compressed, and whether
/// they are those of the file itself.
fn open_image(path: &Path, options: BaseOptions<'_>) -> Result<(Arc<dyn ReadAt>, bool), BaseError> {
    let image = ImageFile::open(path)?;
    let in_place = !image.is_compressed();
    Ok((image.into_private_base(options)?.storage(), in_place))
}

/// Finds the layout of the card in a storage. Messages call it `name`.
///
/// # Errors
/// [`AuditError`] if there is no partition table or no root filesystem.
pub(crate) fn layout(
    name: &str,
    storage: &Arc<dyn ReadAt>,
    root: Option<u32>,
) -> Result<Layout, AuditError> {
    Layout::find(storage, root).map_err(|error| of_target(name, error))
}

/// Turns an error of card-image into one about a card.
fn of_target(name: &str, error: card_image::Error) -> AuditError {
    let target = name.to_owned();
    match error {
        card_image::Error::Table(source) => AuditError::Table { target, source: source.into() },
        card_image::Error::Root(source) => AuditError::Root { target, source: source.into() },
        card_image::Error::Storage(source) => AuditError::Read { target, source },
        card_image::Error::Files(source) => AuditError::Files { target, source: source.into() },
        card_image::Error::Ext4(source) => {
            AuditError::Files { target, source: Box::new(source.into()) }
        }
        other => other.into(),
    }
}
