//! Work that a program may leave undone when it ends.

use std::{
    fs,
    path::PathBuf,
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
    /// What to remove when it is abandoned: for each caller files and empty directories, in order.
    leftovers: Vec<Vec<PathBuf>>,
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

/// Files and directories that are removed if the program abandons its work.
#[derive(Debug)]
pub struct Leftovers(Cancel, Vec<PathBuf>);

impl Drop for Leftovers {
    fn drop(&mut self) {
        let mut work = self.0.work().lock();
        if let Some(at) = work.leftovers.iter().position(|paths| *paths == self.1) {
            work.leftovers.swap_remove(at);
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

    /// Says that files and directories of the caller's have to be removed, in this order, if the
    /// work is abandoned. A directory stays if anything is left in it.
    pub fn remove_if_abandoned(&self, paths: Vec<PathBuf>) -> Leftovers {
        self.work().lock().leftovers.push(paths.clone());
        Leftovers(self.clone(), paths)
    }

    /// Returns whether the program may end now, because the work under way is in memory only.
    /// Then that work never ends, and what it would leave is removed.
    pub fn abandon(&self) -> bool {
        let mut work = self.work().lock();
        if self.check().is_ok() || work.pure == 0 {
            return false;
        }
        for path in work.leftovers.drain(..).flatten() {
            // What is left is used again by the next run.
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
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
        let [kept, removed, full, empty] =
            ["kept", "removed", "full", "empty"].map(|name| directory.path().join(name));
        for path in [&full, &empty] {
            fs::create_dir(path).unwrap();
        }
        let [inside, other] = [empty.join("inside"), full.join("other")];
        for path in [&kept, &removed, &inside, &other] {
            fs::write(path, "").unwrap();
        }
        let cancel = Cancel::new();
        drop(cancel.remove_if_abandoned(vec![kept.clone()]));
        let leftovers =
            cancel.remove_if_abandoned(vec![inside, removed.clone(), empty.clone(), full]);
        drop(cancel.begin_pure());
        cancel.cancel();
        assert!(!cancel.abandon(), "there is none");
        let cancel_later = Cancel::new();
        let pure = cancel_later.begin_pure();
        assert!(!cancel_later.abandon(), "nobody asked");
        let work = cancel.clone().begin_pure();
        assert!(cancel.abandon());
        assert!(kept.exists() && other.exists() && !removed.exists() && !empty.exists());
        // The process ends now. Dropping these would wait for that.
        std::mem::forget((leftovers, work));
        drop(pure);
    }
}
