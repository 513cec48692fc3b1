//! What a user can do about an error.

use super::Error;

impl Error {
    /// Returns whether the filesystem contradicts itself: e2fsck would repair it.
    pub fn is_damage(&self) -> bool {
        matches!(
            self,
            Error::SuperblockChecksum { .. }
                | Error::Superblock { .. }
                | Error::DescriptorChecksum { .. }
                | Error::Descriptor { .. }
                | Error::BitmapChecksum { .. }
                | Error::InodeChecksum { .. }
                | Error::InodeNumber { .. }
                | Error::Inode { .. }
                | Error::InodeField { .. }
                | Error::Bitmap { .. }
                | Error::Orphan { .. }
                | Error::Directory { .. }
                | Error::ResizeInode { .. }
                | Error::Attributes { .. }
                | Error::Journal { .. }
        )
    }

    /// Returns what a user can do about the error, as an imperative sentence without a full
    /// stop, or `None` if there is nothing to suggest.
    pub fn fix(&self) -> Option<String> {
        let fix = match self {
            error if error.is_damage() => "repair the filesystem with e2fsck",
            // Versions before do not look at the flag.
            Error::UnsupportedInode { .. } => "clear the flag with e2fsck 1.47.1 or later",
            Error::NotExt { .. } => "check that this is the right partition",
            Error::DirectoryFull { .. } => {
                "put the files in several directories, or allow a larger hash tree with \
                 `tune2fs -O large_dir`"
            }
            Error::NoJournal => "add a journal with `tune2fs -j`",
            Error::JournalTooSmall { larger, .. } => {
                return Some(format!(
                    "make the change in smaller steps, or give the filesystem a larger journal: \
                     `tune2fs -O ^has_journal`, then `tune2fs -J size={larger}`"
                ));
            }
            Error::CutShort { .. } => "use the whole image or partition",
            Error::Feature { feature, .. } => {
                let removable = ["quota", "project", "read-only", "mmp"];
                let removal = || format!("remove the feature with `tune2fs -O ^{feature}`");
                return removable.contains(&feature.as_str()).then(removal);
            }
            Error::NeedsRecovery { .. } | Error::Orphans { .. } => {
                "mount the filesystem once, or run e2fsck on it"
            }
            Error::JournalFeature { .. } => "mount the filesystem once, or run e2fsck on it",
            Error::ExternalJournal => {
                "attach the journal's device and mount the filesystem once, or run e2fsck on it"
            }
            Error::MarkedErroneous { .. } => "repair the filesystem with e2fsck",
            Error::NotClean { .. } => "check the filesystem with e2fsck",
            Error::DoesNotFit { minimum, .. } => {
                let mebibytes = minimum.div_ceil(1 << 20);
                return Some(format!(
                    "remove files, or choose a target of at least {mebibytes} MiB"
                ));
            }
            Error::Shrink { .. } => "choose a card or partition that is at least as large",
            Error::NoSpace { .. } => "enlarge the partition first",
            Error::NoRoomForTables { .. } => "grow the filesystem with resize2fs",
            _ => return None,
        };
        Some(fix.to_owned())
    }
}
