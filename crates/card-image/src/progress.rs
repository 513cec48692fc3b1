//! Progress of long work.

use std::fmt;

/// A stage of building images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BuildStage {
    /// The base is being downloaded into the cache. The total is 0 if the server does not
    /// state it.
    DownloadBase,
    /// The compressed base is being unpacked into the cache. The total counts
    /// compressed bytes.
    DecodeBase,
    /// The base file is read to compute its checksums.
    CheckBase,
    /// Another run is unpacking the same base, and its result will be used. The total is 0 and
    /// never advances.
    WaitForBase,
    /// The card images are being written.
    WriteImages,
}

impl fmt::Display for BuildStage {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            BuildStage::DownloadBase => "downloading the image",
            BuildStage::DecodeBase => "decoding the image",
            BuildStage::CheckBase => "checking the image",
            BuildStage::WaitForBase => "waiting for another run that is decoding the same image",
            BuildStage::WriteImages => "writing images",
        })
    }
}

/// Receives the progress of one stage after another. Every `begin` is followed by one `end`,
/// even when the stage fails; stages never overlap.
pub trait BuildProgress: Send + Sync {
    /// A stage of `total` bytes begins.
    fn begin(&self, stage: BuildStage, total: u64);

    /// `bytes` more bytes of the stage are done. Called from any thread.
    fn advance(&self, bytes: u64);

    /// So many bytes have been decoded in this stage, which can be far more than are done: a
    /// small file can unpack to a large one. Called now and then.
    fn decoded(&self, _bytes: u64) {}

    /// The stage ended: it is complete, or it failed.
    fn end(&self);
}

/// Ignores all progress.
impl BuildProgress for () {
    fn begin(&self, _: BuildStage, _: u64) {}
    fn advance(&self, _: u64) {}
    fn end(&self) {}
}

/// A stage in progress. Dropping it ends the stage, however its function returns.
pub(crate) struct RunningStage<'a>(&'a dyn BuildProgress);

impl<'a> RunningStage<'a> {
    pub(crate) fn begin(progress: &'a dyn BuildProgress, stage: BuildStage, total: u64) -> Self {
        progress.begin(stage, total);
        RunningStage(progress)
    }

    pub(crate) fn advance(&self, bytes: u64) {
        self.0.advance(bytes);
    }
}

impl Drop for RunningStage<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}
