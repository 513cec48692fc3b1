//! The checksums that a base should have, according to the profile and to the files
//! that downloads come with.
//!
//! For a base `x.img.xz`, these files beside it are read: `x.img.xz.sha256`,
//! `.sha256sum`, `.md5`, `.md5sum`, and `SHA256SUMS` and `MD5SUMS`. In each,
//! the lines that name `x.img.xz` count. Without any, the lines that
//! name `x.img` count, for the decoded image. Without these
//! either, a file that belongs to `x.img.xz` by its own name and holds a single sum is
//! about it, whatever name the line has, because images get renamed; `SHA256SUMS` and
//! `MD5SUMS` are about other files then.

mod lines;

use std::{
    fs::OpenOptions,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use plain_text::to_hex;
use platform::open_regular;

pub(super) use self::lines::SumSubject;
use self::lines::{Checksum, SumKind, find};
use super::{BaseError, file::Digests};

/// The largest checksum file that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// The checksum files of one base, by what follows its name.
const OWN: [(&str, SumKind); 4] = [
    (".sha256", SumKind::Sha256),
    (".sha256sum", SumKind::Sha256),
    (".md5", SumKind::Md5),
    (".md5sum", SumKind::Md5),
];

/// The checksum files of a directory.
const SHARED: [(&str, SumKind); 2] = [("SHA256SUMS", SumKind::Sha256), ("MD5SUMS", SumKind::Md5)];

#[derive(Debug)]
struct ExpectedSum {
    subject: SumSubject,
    sum: Checksum,
    from: String,
}

/// All checksums that one base should have.
#[derive(Debug, Default)]
pub(super) struct ExpectedSums(Vec<ExpectedSum>);

impl ExpectedSums {
    /// Collects the profile's sum and those of the checksum files.
    ///
    /// # Errors
    /// [`BaseError::ChecksumFile`] and [`BaseError::ReadChecksumFile`]: a checksum that
    /// cannot be used must not pass for no checksum.
    pub(super) fn gather(path: &Path, profile: Option<[u8; 32]>) -> Result<Self, BaseError> {
        let from_profile = profile.map(|sum| ExpectedSum {
            subject: SumSubject::File,
            sum: Checksum::Sha256(sum),
            from: "the profile".to_owned(),
        });
        let mut all: Vec<_> = from_profile.into_iter().collect();
        let Some(name) = path.file_name() else { return Ok(ExpectedSums(all)) };
        let directory = path.parent().unwrap_or(Path::new(""));
        for (suffix, kind) in OWN {
            let mut own = name.to_owned();
            own.push(suffix);
            collect(path, directory.join(own), kind, true, &mut all)?;
        }
        for (file, kind) in SHARED {
            collect(path, directory.join(file), kind, false, &mut all)?;
        }
        Ok(ExpectedSums(all))
    }

    /// Returns whether any sum of the subject is expected.
    pub(super) fn any(&self, subject: SumSubject) -> bool {
        self.about(subject).next().is_some()
    }

    /// Returns whether an MD5 sum of the subject is expected.
    pub(super) fn md5(&self, subject: SumSubject) -> bool {
        self.about(subject).any(|one| matches!(one.sum, Checksum::Md5(_)))
    }

    /// Returns whether `digests` are enough to check all expected sums of the subject.
    pub(super) fn can_check(&self, subject: SumSubject, digests: &Digests) -> bool {
        digests.md5.is_some() || !self.md5(subject)
    }

    /// Compares digests with all expected sums of the subject.
    ///
    /// # Errors
    /// [`BaseError::ChecksumMismatch`].
    pub(super) fn check(
        &self,
        subject: SumSubject,
        path: &Path,
        digests: &Digests,
    ) -> Result<(), BaseError> {
        for one in self.about(subject) {
            let (algorithm, actual, expected) = match one.sum {
                Checksum::Sha256(sum) => ("SHA-256", Some(to_hex(&digests.sha256)), to_hex(&sum)),
                Checksum::Md5(sum) => ("MD5", digests.md5.map(|md5| to_hex(&md5)), to_hex(&sum)),
            };
            if actual.as_ref() != Some(&expected) {
                let from = match subject {
                    SumSubject::File => one.from.clone(),
                    SumSubject::Image => format!("{}, of the unpacked image,", one.from),
                };
                let actual = actual.unwrap_or_else(|| "unknown".to_owned());
                let path = path.to_owned();
                return Err(BaseError::ChecksumMismatch {
                    path,
                    algorithm,
                    actual,
                    expected,
                    from,
                });
            }
        }
        Ok(())
    }

    fn about(&self, subject: SumSubject) -> impl Iterator<Item = &ExpectedSum> {
        self.0.iter().filter(move |one| one.subject == subject)
    }
}

/// Adds the sums of the base from one checksum file, if it exists.
fn collect(
    base: &Path,
    sums: PathBuf,
    kind: SumKind,
    own: bool,
    all: &mut Vec<ExpectedSum>,
) -> Result<(), BaseError> {
    let fail = |reason: String| BaseError::ChecksumFile {
        path: base.to_owned(),
        sums: sums.clone(),
        reason,
    };
    let text = match read(&sums) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(BaseError::ReadChecksumFile { sums, source }),
    };
    let name = base.file_name().unwrap_or_default().to_string_lossy();
    let found = find(&text, kind, &name, own).map_err(fail)?;
    all.extend(found.into_iter().map(|(subject, sum)| ExpectedSum {
        subject,
        sum,
        from: sums.display().to_string(),
    }));
    Ok(())
}

fn read(path: &Path) -> io::Result<String> {
    // A directory or a named pipe of that name is not a checksum file.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut bytes = Vec::new();
    open_regular(path, OpenOptions::new().read(true))?
        .take(MAX_FILE + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other("the file is too large for a checksum file"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
