//! What the checksums of a base should be, by the profile and by the files
//! that downloads come with.
//!
//! For a base `x.img.xz`, these files beside it are read: `x.img.xz.sha256`,
//! `.sha256sum`, `.md5`, `.md5sum`, and `SHA256SUMS` and `MD5SUMS`. In each,
//! the lines that name `x.img.xz` count. If there are none, the lines that
//! name `x.img` count, for the decoded image. If there are none of these
//! either, a file with a single sum in it is about `x.img.xz` whatever name
//! the line has, as the file's own name says so (images get renamed);
//! `SHA256SUMS` and `MD5SUMS` are about other files then.

mod lines;

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use self::lines::{Kind, Sum, find};
pub(super) use self::lines::{Subject, parse_hex};
use super::{
    BaseError,
    source::{Digests, hex},
};

/// Checksum files larger than this are none, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// The files of one base, by what follows its name.
const OWN: [(&str, Kind); 4] = [
    (".sha256", Kind::Sha256),
    (".sha256sum", Kind::Sha256),
    (".md5", Kind::Md5),
    (".md5sum", Kind::Md5),
];

/// The files of a directory.
const SHARED: [(&str, Kind); 2] = [("SHA256SUMS", Kind::Sha256), ("MD5SUMS", Kind::Md5)];

#[derive(Debug)]
struct Expectation {
    subject: Subject,
    sum: Sum,
    from: String,
}

/// All that is expected of one base.
#[derive(Debug, Default)]
pub(super) struct Expected(Vec<Expectation>);

impl Expected {
    /// Collects the profile's sum and those of the checksum files.
    ///
    /// # Errors
    /// [`BaseError::ChecksumFile`]: a checksum that cannot be used is not the
    /// same as none.
    pub(super) fn gather(path: &Path, profile: Option<[u8; 32]>) -> Result<Self, BaseError> {
        let from_profile = profile.map(|sum| Expectation {
            subject: Subject::File,
            sum: Sum::Sha256(sum),
            from: "the profile".to_owned(),
        });
        let mut all: Vec<_> = from_profile.into_iter().collect();
        let Some(name) = path.file_name() else { return Ok(Expected(all)) };
        let directory = path.parent().unwrap_or(Path::new(""));
        for (suffix, kind) in OWN {
            let mut own = name.to_owned();
            own.push(suffix);
            collect(path, directory.join(own), kind, true, &mut all)?;
        }
        for (file, kind) in SHARED {
            collect(path, directory.join(file), kind, false, &mut all)?;
        }
        Ok(Expected(all))
    }

    /// Whether any sum of the subject is expected.
    pub(super) fn any(&self, subject: Subject) -> bool {
        self.about(subject).next().is_some()
    }

    /// Whether an MD5 sum of the subject is expected.
    pub(super) fn md5(&self, subject: Subject) -> bool {
        self.about(subject).any(|one| matches!(one.sum, Sum::Md5(_)))
    }

    /// Whether `digests` are enough to check all that is expected of the subject.
    pub(super) fn can_check(&self, subject: Subject, digests: &Digests) -> bool {
        digests.md5.is_some() || !self.md5(subject)
    }

    /// # Errors
    /// [`BaseError::ChecksumMismatch`].
    pub(super) fn check(
        &self,
        subject: Subject,
        path: &Path,
        digests: &Digests,
    ) -> Result<(), BaseError> {
        for one in self.about(subject) {
            let (algorithm, actual, expected) = match one.sum {
                Sum::Sha256(sum) => ("SHA-256", Some(hex(&digests.sha256)), hex(&sum)),
                Sum::Md5(sum) => ("MD5", digests.md5.map(|md5| hex(&md5)), hex(&sum)),
            };
            if actual.as_ref() != Some(&expected) {
                let from = match subject {
                    Subject::File => one.from.clone(),
                    Subject::Image => format!("{}, of the unpacked image,", one.from),
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

    fn about(&self, subject: Subject) -> impl Iterator<Item = &Expectation> {
        self.0.iter().filter(move |one| one.subject == subject)
    }
}

/// Adds what one checksum file, if it exists, says of the base.
fn collect(
    base: &Path,
    sums: PathBuf,
    kind: Kind,
    own: bool,
    all: &mut Vec<Expectation>,
) -> Result<(), BaseError> {
    let fail = |reason: String| BaseError::ChecksumFile {
        path: base.to_owned(),
        sums: sums.clone(),
        reason,
    };
    let text = match read(&sums) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fail(error.to_string())),
    };
    let name = base.file_name().unwrap_or_default().to_string_lossy();
    let found = find(&text, kind, &name, own).map_err(fail)?;
    all.extend(found.into_iter().map(|(subject, sum)| Expectation {
        subject,
        sum,
        from: sums.display().to_string(),
    }));
    Ok(())
}

fn read(path: &Path) -> io::Result<String> {
    // A directory or a named pipe of such a name is not what we look for.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(io::Error::other("it is too large for a checksum file"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
