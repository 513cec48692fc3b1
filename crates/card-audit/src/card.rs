//! A card, an image of one, or a compressed image: opened to be read, never written.

use std::{fs, os::unix::fs::FileTypeExt as _, path::Path, sync::Arc};

use block_io::{FileStorage, Layer, ReadAt, Window};
use card_image::{BaseImage, BaseOptions, FsError, Layout, RootFs};
use ext4_offline::FilesystemInfo;

use crate::{AuditError, cached::Cached};

/// A filesystem that claims to be larger than any card is damaged.
const MAX_FILESYSTEM: u64 = 1 << 44;

/// A card or image, open for reading.
///
/// A dirty journal is replayed into memory: the card itself stays as it is.
#[derive(Debug)]
pub struct Card {
    name: String,
    storage: Arc<dyn ReadAt>,
    layout: Layout,
    root: FilesystemInfo,
    files: RootFs,
    /// Whether what was opened is the card's bytes themselves.
    plain: bool,
}

impl Card {
    /// Opens a block device, an image file, or a compressed one, which is decoded into
    /// a file without a name in the user's cache. `root` is the number of the root partition, where it is not to
    /// be found out.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn open(
        path: &Path,
        root: Option<u32>,
        options: BaseOptions<'_>,
    ) -> Result<Self, AuditError> {
        let target = path.display().to_string();
        let no_target = |reason| AuditError::NoTarget { target: target.clone(), reason };
        let kind = match fs::metadata(path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(no_target("is not there: check the path"));
            }
            Err(source) => {
                let source = block_io::Error::Open { path: path.to_owned(), source };
                return Err(AuditError::Read { target, source });
            }
        };
        if !kind.is_file() && !kind.is_block_device() {
            return Err(no_target("is neither an image nor a card: it is no file and no disk"));
        }
        let image = |source| AuditError::Image { target: target.clone(), source: Box::new(source) };
        let compressed = kind.is_file() && BaseImage::is_compressed(path).map_err(image)?;
        let storage: Arc<dyn ReadAt> = if compressed {
            BaseImage::open_private(path, options).map_err(image)?.storage()
        } else {
            let open = FileStorage::open(path);
            Arc::new(open.map_err(|source| AuditError::Read { target: target.clone(), source })?)
        };
        let card = Self::from_storage(target, storage, root)?;
        Ok(Card { plain: !compressed, ..card })
    }

    /// As [`open`](Self::open), for any storage; `name` stands for it in messages.
    ///
    /// # Errors
    /// [`AuditError`].
    pub fn from_storage(
        name: String,
        storage: Arc<dyn ReadAt>,
        root: Option<u32>,
    ) -> Result<Self, AuditError> {
        let storage: Arc<dyn ReadAt> = Arc::new(Cached::new(storage));
        let layout = Layout::find(&storage, root).map_err(|error| of_target(&name, error))?;
        let files = |source| AuditError::Files { target: name.clone(), source: Box::new(source) };
        let filesystem = |error| files(FsError::from(error));
        let range = layout.root_range();
        let window = Window::new(storage.clone(), range.start, range.end - range.start)
            .map_err(|source| AuditError::Read { target: name.clone(), source })?;
        let info = ext4_offline::inspect(&window).map_err(filesystem)?;
        // Of a filesystem that was cut off, what is left can be read all the same.
        let size = window.size().max(info.size().min(MAX_FILESYSTEM));
        let layer = Arc::new(Layer::new(Arc::new(window), size));
        let opened = RootFs::open(layer).map_err(files)?;
        Ok(Card { root: info, files: opened, name, storage, layout, plain: true })
    }

    /// How it was named.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its bytes.
    pub fn storage(&self) -> &Arc<dyn ReadAt> {
        &self.storage
    }

    /// Where things lie on it.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The files of its root filesystem.
    pub fn files(&self) -> &RootFs {
        &self.files
    }

    /// Whether a change to it can be committed in place.
    pub(crate) fn can_be_corrected(&self) -> bool {
        let (range, info) = (self.layout.root_range(), &self.root);
        self.plain
            && info.has_feature("has_journal")
            && !info.errors
            && info.size() <= range.end - range.start
    }

    pub(crate) fn root(&self) -> &FilesystemInfo {
        &self.root
    }

    /// Names the card in an error of its filesystem.
    pub(crate) fn files_error(&self) -> impl Fn(FsError) -> AuditError + '_ {
        |source| AuditError::Files { target: self.name.clone(), source: Box::new(source) }
    }

    pub(crate) fn read_error(&self) -> impl Fn(block_io::Error) -> AuditError + '_ {
        |source| AuditError::Read { target: self.name.clone(), source }
    }
}

/// An error of the library for base images, about a card.
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
