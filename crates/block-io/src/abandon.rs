//! Work that a program may leave undone when it ends.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::Cancel;

/// What is under way.
#[derive(Debug, Default)]
pub(crate) struct Work(Mutex<UnderWay>);

#[derive(Debug, Default)]
struct UnderWay {
    /// How much work is in memory only.
    pure: usize,
    /// Files to remove when it is abandoned.
    files: Vec<PathBuf>,
}

impl Work {
    // A panic while the lock is held cannot leave the list in an invalid state.
    fn lock(&self) -> MutexGuard<'_, UnderWay> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Work in memory. As long as this exists, nothing is lost if the program ends.
#[derive(Debug)]
pub struct PureWork(Cancel);

impl Drop for PureWork {
    fn drop(&mut self) {
        self.0.work().lock().pure -= 1;
    }
}

/// A file that is removed if the program abandons its work.
#[derive(Debug)]
pub struct RemovedFile(Cancel, PathBuf);

impl Drop for RemovedFile {
    fn drop(&mut self) {
        let mut work = self.0.work().lock();
        if let Some(at) = work.files.iter().position(|file| *file == self.1) {
            work.files.swap_remove(at);
        }
    }
}

impl Cancel {
    /// Says that the caller works in memory only from now on, without looking for requests to
    /// stop. Once there is one, the program need not wait for the work.
    pub fn begin_pure(&self) -> PureWork {
        self.work().lock().pure += 1;
        PureWork(self.clone())
    }

    /// Says that a file of the caller's has to be removed if the work is abandoned.
    pub fn remove_if_abandoned(&self, path: &Path) -> RemovedFile {
        self.work().lock().files.push(path.to_owned());
        RemovedFile(self.clone(), path.to_owned())
    }

    /// Returns whether the program may end now, because the work under way is in memory only.
    /// Then that work never ends, and its files are removed.
    pub fn abandon(&self) -> bool {
        let mut work = self.work().lock();
        if self.check().is_ok() || work.pure == 0 {
            return false;
        }
        for path in work.files.drain(..) {
            // One that is left is used again by the next run.
            let _ = fs::remove_file(path);
        }
        // The work waits for this lock when it is done.
        std::mem::forget(work);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_work_in_memory_is_abandoned() {
        let directory = tempfile::tempdir().unwrap();
        let [kept, removed] = ["kept", "removed"].map(|name| directory.path().join(name));
        for path in [&kept, &removed] {
            fs::write(path, "").unwrap();
        }
        let cancel = Cancel::new();
        drop(cancel.remove_if_abandoned(&kept));
        let file = cancel.remove_if_abandoned(&removed);
        drop(cancel.begin_pure());
        cancel.cancel();
        assert!(!cancel.abandon(), "there is none");
        let cancel_later = Cancel::new();
        let pure = cancel_later.begin_pure();
        assert!(!cancel_later.abandon(), "nobody asked");
        let work = cancel.clone().begin_pure();
        assert!(cancel.abandon());
        assert!(kept.exists() && !removed.exists());
        // The process ends now. Dropping these would wait for that.
        std::mem::forget((file, work));
        drop(pure);
    }
}
