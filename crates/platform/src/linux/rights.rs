//! The rights of root for one thread.

use rustix::{
    process::{Uid, geteuid},
    thread::set_thread_res_uid,
};

/// The rights of root, until this is dropped.
pub(crate) struct RootRights {
    user: Uid,
}

impl RootRights {
    pub(crate) fn take() -> Option<Self> {
        let user = geteuid();
        if user.is_root() {
            return None;
        }
        set_thread_res_uid(None, Uid::ROOT, None).ok()?;
        Some(RootRights { user })
    }
}

impl Drop for RootRights {
    fn drop(&mut self) {
        // The kernel never refuses this to root. Nothing is safe to do if it does.
        if set_thread_res_uid(None, self.user, None).is_err() {
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rights::with_root;

    #[test]
    fn without_root_as_saved_id_nothing_changes() {
        let before = geteuid();
        let done = with_root(geteuid);
        assert!(done.is_none() || !before.is_root());
        assert_eq!(geteuid(), before);
    }
}
