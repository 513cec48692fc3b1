//! Files by path, in the shape of `std::fs`.

mod edit;
mod file;
mod read;
mod remove;
mod walk;

pub use edit::Editor;
pub use file::File;
pub use read::Reader;

use crate::{FileKind, Metadata, PathError, PathErrorKind, PathOperation, PathResult};

/// Returns a function that turns an error at `path` into one that names the operation.
fn at<'a, E: Into<PathErrorKind>>(
    operation: PathOperation,
    path: &'a [u8],
) -> impl Fn(E) -> PathError + use<'a, E> {
    move |error| PathError::new(operation, path, error.into())
}

/// Returns an error unless the file is of the kind that the operation is for.
fn require(
    metadata: &Metadata,
    kind: FileKind,
    operation: PathOperation,
    path: &[u8],
) -> PathResult<()> {
    if metadata.kind == kind {
        return Ok(());
    }
    let kind = PathErrorKind::WrongKind { found: metadata.kind, wanted: kind.name() };
    Err(PathError::new(operation, path, kind))
}
