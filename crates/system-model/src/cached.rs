//! Files that are read once, however often they are asked for.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::{BootPartition, FileMetadata, Starts, SystemError, SystemFiles, WantedFiles};

/// Larger contents are read again: nothing asks for them often, and they would stay in memory.
const MAX_CONTENTS: usize = 256 << 10;

/// What was found at a path; `None` where there is nothing of that kind.
type Found<T> = RefCell<HashMap<String, Option<T>>>;

/// The files of a system that does not change meanwhile, which remembers every answer.
///
/// Whoever models a boot asks for the same units and directories again and again, and in an
/// image each answer costs a walk through its directories.
pub struct CachedFiles<'a> {
    files: &'a dyn SystemFiles,
    contents: Found<Vec<u8>>,
    names: Found<Vec<String>>,
    metadata: Found<FileMetadata>,
    links: Found<String>,
    exists: RefCell<HashMap<String, bool>>,
    boot_partitions: Vec<BootPartition>,
}

impl<'a> CachedFiles<'a> {
    /// Returns a view of `files`, which must not change as long as it is used.
    pub fn new(files: &'a dyn SystemFiles) -> Self {
        CachedFiles {
            files,
            contents: Found::default(),
            names: Found::default(),
            metadata: Found::default(),
            links: Found::default(),
            exists: RefCell::default(),
            boot_partitions: files.boot_partitions(),
        }
    }
}

/// Returns the answer of earlier, or asks. Errors are not remembered.
fn remembered<T: Clone>(
    answers: &RefCell<HashMap<String, T>>,
    path: &str,
    ask: impl FnOnce() -> Result<T, SystemError>,
) -> Result<T, SystemError> {
    if let Some(answer) = answers.borrow().get(path) {
        return Ok(answer.clone());
    }
    let answer = ask()?;
    answers.borrow_mut().insert(path.to_owned(), answer.clone());
    Ok(answer)
}

impl SystemFiles for CachedFiles<'_> {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SystemError> {
        if let Some(contents) = self.contents.borrow().get(path) {
            return Ok(contents.clone());
        }
        let contents = self.files.read(path)?;
        if contents.as_ref().is_none_or(|contents| contents.len() <= MAX_CONTENTS) {
            self.contents.borrow_mut().insert(path.to_owned(), contents.clone());
        }
        Ok(contents)
    }

    fn read_start(&self, path: &str, most: usize) -> Result<Option<Vec<u8>>, SystemError> {
        if let Some(contents) = self.contents.borrow().get(path) {
            let start = |contents: &Vec<u8>| contents.iter().copied().take(most).collect();
            return Ok(contents.as_ref().map(start));
        }
        let start = self.files.read_start(path, most)?;
        // Then it is all of it.
        let is_small = |start: &Vec<u8>| start.len() < most && start.len() <= MAX_CONTENTS;
        if start.as_ref().is_none_or(is_small) {
            self.contents.borrow_mut().insert(path.to_owned(), start.clone());
        }
        Ok(start)
    }

    fn list(&self, path: &str) -> Result<Option<Vec<String>>, SystemError> {
        remembered(&self.names, path, || self.files.list(path))
    }

    fn metadata(&self, path: &str) -> Result<Option<FileMetadata>, SystemError> {
        remembered(&self.metadata, path, || self.files.metadata(path))
    }

    fn read_link(&self, path: &str) -> Result<Option<String>, SystemError> {
        remembered(&self.links, path, || self.files.read_link(path))
    }

    fn starts(
        &self,
        directory: &str,
        wanted: &WantedFiles,
        skips: &dyn Fn(&str) -> bool,
    ) -> Result<Starts, SystemError> {
        self.files.starts(directory, wanted, skips)
    }

    fn boot_partitions(&self) -> Vec<BootPartition> {
        self.boot_partitions.clone()
    }

    fn exists(&self, path: &str) -> Result<bool, SystemError> {
        remembered(&self.exists, path, || self.files.exists(path))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::{FileKind, MemoryFiles};

    /// Counts the questions that reach the files.
    struct Counted(MemoryFiles, Cell<usize>);

    impl Counted {
        fn count(&self) -> &MemoryFiles {
            self.1.set(self.1.get() + 1);
            &self.0
        }
    }

    impl SystemFiles for Counted {
        fn read(&self, path: &str) -> Result<Option<Vec<u8>>, SystemError> {
            self.count().read(path)
        }
        fn list(&self, path: &str) -> Result<Option<Vec<String>>, SystemError> {
            self.count().list(path)
        }
        fn metadata(&self, path: &str) -> Result<Option<FileMetadata>, SystemError> {
            self.count().metadata(path)
        }
        fn read_link(&self, path: &str) -> Result<Option<String>, SystemError> {
            self.count().read_link(path)
        }
        fn boot_partitions(&self) -> Vec<BootPartition> {
            self.0.boot_partitions()
        }
    }

    #[test]
    fn each_question_is_asked_once() {
        let mut files = MemoryFiles::new();
        let large = "x".repeat(MAX_CONTENTS + 1);
        files.write("/etc/a", "1").symlink("/b", "etc/a").write("/large", large.as_str());
        let counted = Counted(files, Cell::new(0));
        let cached = CachedFiles::new(&counted);
        for _ in 0..3 {
            assert_eq!(cached.read_text("/b").unwrap().as_deref(), Some("1"));
            assert_eq!(cached.read("/none").unwrap(), None);
            assert_eq!(cached.list("/etc").unwrap(), Some(vec!["a".to_owned()]));
            assert_eq!(cached.list("/none").unwrap(), None);
            assert_eq!(cached.metadata("/b").unwrap().unwrap().kind, FileKind::Regular);
            assert_eq!(cached.read_link("/b").unwrap().as_deref(), Some("etc/a"));
            assert_eq!(cached.read_link("/etc/a").unwrap(), None);
            assert!(cached.exists("/b").unwrap() && !cached.exists("/none").unwrap());
        }
        assert_eq!(counted.1.get(), 9);
        for _ in 0..2 {
            assert_eq!(cached.read("/large").unwrap().unwrap().len(), large.len());
        }
        assert_eq!(counted.1.get(), 11, "large contents are not kept");
    }
}
