//! How long work tells how far it is.

use std::fmt;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The base is compressed and is being unpacked into the cache. Bytes are
    /// compressed bytes.
    DecodeBase,
    /// The base file is read to compute its checksums.
    CheckBase,
    /// Another run is unpacking the same base; its result will be used. The
    /// total is 0 and never advances.
    WaitForBase,
    /// The card images are being written.
    WriteImages,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Stage::DecodeBase => "decoding base",
            Stage::CheckBase => "checking base",
            Stage::WaitForBase => "waiting for another run that is decoding this base",
            Stage::WriteImages => "writing images",
        })
    }
}

/// Receives the progress of one stage after another. Every `begin` is
/// followed by one `end`, also when the stage fails; stages never overlap.
pub trait BuildProgress: Send + Sync {
    /// A stage of `total` bytes begins.
    fn begin(&self, stage: Stage, total: u64);

    /// `bytes` more bytes of the stage are done. Called from any thread.
    fn advance(&self, bytes: u64);

    /// The stage ended, well or not.
    fn end(&self);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl BuildProgress for NoProgress {
    fn begin(&self, _: Stage, _: u64) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
}

/// Ends its stage when dropped, so that no way out of a function forgets to.
pub(crate) struct Running<'a>(&'a dyn BuildProgress);

impl<'a> Running<'a> {
    pub(crate) fn begin(progress: &'a dyn BuildProgress, stage: Stage, total: u64) -> Self {
        progress.begin(stage, total);
        Running(progress)
    }

    pub(crate) fn advance(&self, bytes: u64) {
        self.0.advance(bytes);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
