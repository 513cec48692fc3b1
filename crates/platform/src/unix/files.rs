//! Files, and what is known about them.

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io,
    ops::Range,
    os::unix::fs::{FileExt, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::Path,
};

use rustix::{
    fs::{Access, OFlags, SeekFrom},
    io::Errno,
};

use crate::info::{FileId, FileInfo, FileKind, FileStamp};

pub(crate) fn read_at(file: &File, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    FileExt::read_at(file, buf, offset)
}

pub(crate) fn write_at(file: &File, buf: &[u8], offset: u64) -> io::Result<usize> {
    FileExt::write_at(file, buf, offset)
}

pub(crate) fn open_at_once(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    options.custom_flags(flags.bits().cast_signed()).open(path)
}

pub(crate) fn is_pipe_without_reader(error: &io::Error) -> bool {
    is(error, Errno::NXIO)
}

pub(crate) fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

pub(crate) fn prepare_sparse(_: &File) {}

pub(crate) fn next_data(file: &File, from: u64, size: u64) -> io::Result<Option<Range<u64>>> {
    let start = match rustix::fs::seek(file, SeekFrom::Data(from)) {
        Ok(start) => start,
        Err(Errno::NXIO) => return Ok(None),
        // Block devices and some filesystems have no holes.
        Err(_) => return Ok(Some(from..size)),
    };
    if start >= size {
        return Ok(None);
    }
    let end = match rustix::fs::seek(file, SeekFrom::Hole(start)) {
        Ok(end) => end,
        Err(Errno::NXIO) => size,
        Err(errno) => return Err(errno.into()),
    };
    Ok(Some(start..end))
}

pub(crate) fn free_space(directory: &Path) -> io::Result<u64> {
    let space = rustix::fs::statvfs(directory)?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}

pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

pub(crate) fn is_writable(directory: &Path) -> bool {
    rustix::fs::access(directory, Access::WRITE_OK).is_ok()
}

pub(crate) fn info_at(path: &Path) -> io::Result<FileInfo> {
    Ok(info(&fs::metadata(path)?))
}

pub(crate) fn info_at_link(path: &Path) -> io::Result<FileInfo> {
    Ok(info(&fs::symlink_metadata(path)?))
}

pub(crate) fn info_of(file: &File) -> io::Result<FileInfo> {
    Ok(info(&file.metadata()?))
}

fn info(metadata: &Metadata) -> FileInfo {
    let found = metadata.file_type();
    let kind = if found.is_file() {
        FileKind::Regular
    } else if found.is_dir() {
        FileKind::Directory
    } else if found.is_block_device() {
        FileKind::BlockDevice
    } else if found.is_fifo() {
        FileKind::Pipe
    } else {
        FileKind::Other
    };
    FileInfo {
        kind,
        id: FileId { device: metadata.dev(), inode: metadata.ino() },
        size: metadata.len(),
        device: found.is_block_device().then(|| metadata.rdev()),
        group: Some(metadata.gid()),
    }
}

pub(crate) fn stamp(file: &File) -> io::Result<FileStamp> {
    let metadata = file.metadata()?;
    Ok(FileStamp {
        inode: metadata.ino(),
        size: metadata.size(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::{fs::symlink, net::UnixListener};

    use crate::{open_lock, open_regular};

    use super::*;

    /// Makes a named pipe.
    fn make_pipe(path: &Path) {
        let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    }

    #[test]
    fn opens_nothing_but_regular_files() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("file"), b"x").unwrap();
        symlink("file", at("link")).unwrap();
        make_pipe(&at("pipe"));
        let _socket = UnixListener::bind(at("socket")).unwrap();
        symlink("/dev/tty", at("tty")).unwrap();
        for good in ["file", "link"] {
            open_regular(&at(good), OpenOptions::new().read(true)).unwrap();
        }
        open_lock(&at("file")).unwrap();
        open_lock(&at("new")).unwrap();
        assert!(open_lock(&at("link")).is_err(), "a symlink to a lock is not followed");
        let odd = [at("pipe"), at("socket"), at("tty"), at("."), "/dev/null".into()];
        for odd in odd {
            for writable in [false, true] {
                let mut options = OpenOptions::new();
                let error = open_regular(&odd, options.read(true).write(writable)).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{odd:?}: {error}");
            }
            assert!(open_lock(&odd).is_err(), "{odd:?}");
        }
    }
}
