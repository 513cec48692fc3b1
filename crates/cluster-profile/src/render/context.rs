//! The state that every part of rendering works on.

use std::ops::Deref;

use cluster_keys::ClusterKeys;

use super::{RenderError, Rendered, edited::Edited, extra_files, links, refused::Refused, text};
use crate::{Attributes, Change, Cluster, FileEdit, Note, Purpose, SystemError, SystemFiles};

/// What rendering looks at: the system in an image, and the profile's interface.
pub(super) struct View<'a> {
    pub system: &'a dyn SystemFiles,
    pub interface: &'a str,
}

impl View<'_> {
    /// Returns a file's text, one `char` for each byte (see [`text`]).
    pub fn read(&self, path: &str) -> Result<Option<String>, SystemError> {
        Ok(self.system.read(path)?.map(|bytes| text::decode(&bytes)))
    }

    /// Returns the names in a directory; none where there is no such directory.
    pub fn list(&self, path: &str) -> Result<Vec<String>, SystemError> {
        Ok(self.system.list(path)?.unwrap_or_default())
    }

    pub fn exists(&self, path: &str) -> Result<bool, SystemError> {
        self.system.exists(path)
    }
}

/// What is rendered, from what, and the result so far.
pub(super) struct Context<'a> {
    pub cluster: &'a Cluster,
    pub keys: &'a ClusterKeys,
    view: View<'a>,
    /// The time of the build in seconds since 1970.
    pub now: u64,
    pub rendered: Rendered,
    /// What becomes of reasons not to make the card.
    pub refused: Refused,
    /// Whether it is a card in use, on which a key pair may be its owner's.
    pub is_in_use: bool,
}

impl<'a> Deref for Context<'a> {
    type Target = View<'a>;

    fn deref(&self) -> &View<'a> {
        &self.view
    }
}

impl<'a> Context<'a> {
    pub fn new(
        cluster: &'a Cluster,
        keys: &'a ClusterKeys,
        system: &'a dyn SystemFiles,
        now: u64,
    ) -> Self {
        let view = View { system, interface: &cluster.network.interface };
        let (rendered, refused) = (Rendered::default(), Refused::First);
        Context { cluster, keys, view, now, rendered, refused, is_in_use: false }
    }

    /// Returns the system after the edits so far, with the profile's `files` that all nodes
    /// have, which have the last word.
    pub fn edited(&self) -> Result<Edited<'a>, RenderError> {
        let mut edited = Edited::new(self.view.system);
        edited.apply(&links::removals(self.view.system, &self.rendered.edits)?)?;
        edited.apply(&self.rendered.edits)?;
        for file in &self.cluster.files {
            match extra_files::edit(self, file) {
                Ok(edit) => edited.apply(&[edit])?,
                Err(_) if self.refused.wants_all() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(edited)
    }

    /// Makes a part of the card, or goes on without it ([`Refused::go_on`]).
    pub fn go_on<T: Default>(
        &mut self,
        part: impl FnOnce(&mut Self) -> Result<T, RenderError>,
    ) -> Result<T, RenderError> {
        let result = part(self);
        self.refused.go_on(result)
    }

    /// Adds a note, once.
    pub fn note(&mut self, note: Note) {
        if !self.rendered.notes.contains(&note) {
            self.rendered.notes.push(note);
        }
    }

    pub fn write(
        &mut self,
        purpose: Purpose,
        path: impl Into<String>,
        contents: impl Into<Vec<u8>>,
        attributes: Attributes,
    ) {
        self.edit(purpose, path, Change::Write { contents: contents.into(), attributes });
    }

    /// Writes text from [`View::read`] back, if it has changed.
    pub fn rewrite(&mut self, purpose: Purpose, path: &str, old: &str, new: &str) {
        if old != new {
            self.write(purpose, path, text::encode(new), Attributes::root(0o644));
        }
    }

    pub fn remove(&mut self, purpose: Purpose, path: impl Into<String>) {
        self.edit(purpose, path, Change::Remove);
    }

    /// Removes what is at the path. Returns whether anything was there.
    pub fn remove_if_there(&mut self, purpose: Purpose, path: &str) -> Result<bool, SystemError> {
        let there = self.exists(path)?;
        if there {
            self.remove(purpose, path);
        }
        Ok(there)
    }

    pub fn edit(&mut self, purpose: Purpose, path: impl Into<String>, change: Change) {
        self.rendered.edits.push(FileEdit { path: path.into(), change, purpose });
    }
}
