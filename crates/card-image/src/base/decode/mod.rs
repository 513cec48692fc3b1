//! Decoding a compressed base into a sparse file.

mod codec;
mod size;
#[cfg(test)]
mod tests;
mod xz;
mod zip;

use std::{
    fs::File,
    io::{self, BufRead as _},
    path::Path,
};

use self::{
    codec::{DecodeFault, StreamDecoder},
    zip::{ZipDecoder, ZipMember},
};
use super::{
    BaseError, BaseFormat, NotAnImage,
    file::{Digests, HashingReader, SourceFile},
    format,
    piece_sums::PieceSums,
    sparse::{SparseError, write_sparse},
};
use crate::{
    Cancel,
    progress::{BuildProgress, BuildStage, RunningStage},
};

/// The largest decoded size. No SD card is larger, and a file that unpacks to more is a
/// mistake or an attack (a few KiB can unpack to petabytes of zeros).
const LIMIT: u64 = 2 << 40;

/// The space that decoding leaves to other programs, in bytes.
const LEFT_FREE: u64 = 4 << 20;

/// After how many decoded bytes the free space is looked at again.
const CHECK_ROOM_EVERY: u64 = 16 << 20;

/// A compressed file that is ready to be decoded.
pub(super) struct DecodeJob<'a> {
    source: &'a SourceFile,
    format: BaseFormat,
    member: Option<ZipMember>,
    at_least: Option<u64>,
    /// The size of the largest card, if it is known.
    largest_card: Option<u64>,
}

impl<'a> DecodeJob<'a> {
    /// Prepares the decoding of a file that begins with `head`.
    ///
    /// # Errors
    /// [`BaseError`] if the file states too large a size, or is a zip file without an image.
    pub(super) fn new(
        source: &'a SourceFile,
        format: BaseFormat,
        head: &[u8],
        largest_card: Option<u64>,
        cancel: &Cancel,
    ) -> Result<Self, BaseError> {
        let member = match format {
            BaseFormat::Zip => Some(zip::find_image(source, cancel)?),
            _ => None,
        };
        let at_least = match member {
            Some(member) => Some(member.size),
            None => size::at_least(source, format, head),
        };
        let job = DecodeJob { source, format, member, at_least, largest_card };
        if at_least.is_some_and(|size| size > job.limit()) {
            return Err(job.too_large(job.limit()));
        }
        Ok(job)
    }

    /// Makes sure that other programs still have some space, while the file grows.
    fn check_room(&self, room: &Path) -> Result<(), BaseError> {
        // What cannot be asked for does not stop the decoding.
        let Ok(free) = platform::free_space(room) else { return Ok(()) };
        if free >= LEFT_FREE {
            return Ok(());
        }
        let needed = self.at_least.map(|size| size.saturating_add(LEFT_FREE));
        Err(BaseError::NoSpace { dir: room.to_owned(), needed, free })
    }

    fn limit(&self) -> u64 {
        self.largest_card.map_or(LIMIT, |largest| largest.min(LIMIT))
    }

    fn too_large(&self, limit: u64) -> BaseError {
        let path = self.source.path.clone();
        match self.largest_card {
            Some(largest) if largest < LIMIT => {
                let stated = self.at_least.filter(|stated| *stated > limit);
                BaseError::LargerThanCards { path, stated, limit }
            }
            _ => BaseError::TooLarge { path, limit },
        }
    }

    /// Returns the size that the image has at least, in bytes, if the file states it.
    pub(super) fn at_least(&self) -> Option<u64> {
        self.at_least
    }

    /// Decodes to the empty file `to` in the directory `room`, and waits until it is on the
    /// disk. Returns the checksums of the compressed file, and of the pieces of the image.
    ///
    /// # Errors
    /// [`BaseError::Changed`] takes precedence over all other errors, because it explains
    /// them.
    pub(super) fn run(
        &self,
        to: &File,
        room: &Path,
        md5: bool,
        progress: &dyn BuildProgress,
        cancel: &Cancel,
    ) -> Result<(Digests, PieceSums), SparseError<BaseError>> {
        let running = RunningStage::begin(progress, BuildStage::DecodeBase, self.source.size());
        let mut decoder = ImageDecoder::new(self, md5, Some(&running), cancel);
        let decoded = decoder.start().map_err(SparseError::Produce).and_then(|()| {
            let mut checked = 0;
            let (_, sums) = write_sparse(to, |buffer| {
                if decoder.produced >= checked {
                    self.check_room(room)?;
                    checked = decoder.produced + CHECK_ROOM_EVERY;
                    progress.decoded(decoder.produced);
                }
                decoder.fill_image(buffer)
            })?;
            decoder.drain().map_err(SparseError::Produce)?;
            Ok(sums)
        });
        if !matches!(&decoded, Err(SparseError::Produce(BaseError::Cancelled(_)))) {
            self.source.check_unchanged().map_err(SparseError::Produce)?;
        }
        let sums = decoded?;
        Ok((decoder.reader.finish(), sums))
    }
}

/// Decodes the bytes of a file.
struct ImageDecoder<'a> {
    job: &'a DecodeJob<'a>,
    reader: HashingReader<'a>,
    /// `None` once all is decoded.
    codec: Option<Box<dyn StreamDecoder>>,
    /// The codec's stream is the first in the file.
    first: bool,
    produced: u64,
    limit: u64,
    cancel: &'a Cancel,
}

impl<'a> ImageDecoder<'a> {
    fn new(
        job: &'a DecodeJob<'a>,
        md5: bool,
        running: Option<&'a RunningStage<'a>>,
        cancel: &'a Cancel,
    ) -> Self {
        ImageDecoder {
            job,
            reader: HashingReader::new(job.source, md5, running, cancel),
            codec: None,
            first: true,
            produced: 0,
            limit: job.limit(),
            cancel,
        }
    }

    fn start(&mut self) -> Result<(), BaseError> {
        let codec: Box<dyn StreamDecoder> = match self.job.member {
            Some(member) => {
                self.skip(member.start)?;
                Box::new(ZipDecoder::new(member))
            }
            None => codec::new(self.job.format).map_err(|fault| self.fault(fault))?,
        };
        self.codec = Some(codec);
        Ok(())
    }

    /// Fills the buffer with the next bytes. The image's first bytes are checked to be
    /// those of an image.
    fn fill_image(&mut self, buffer: &mut [u8]) -> Result<usize, BaseError> {
        self.cancel.check()?;
        let is_first = self.produced == 0;
        let n = self.fill(buffer)?;
        if is_first {
            let head = buffer.get(..n.min(format::HEAD)).unwrap_or_default();
            let check = match head {
                [] => Err(NotAnImage::new("there is nothing inside", None)),
                head => format::check_image(head),
            };
            check.map_err(|found| BaseError::NoImageInside {
                path: self.job.source.path.clone(),
                format: self.job.format,
                found,
            })?;
        }
        Ok(n)
    }

    /// Fills the whole buffer, except at the end of the data.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, BaseError> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let Some(codec) = &mut self.codec else { break };
            let input = match self.reader.fill_buf() {
                Ok(input) => input,
                Err(error) => return Err(self.read_error(error)),
            };
            let at_end = input.is_empty();
            let step = match codec.step(input, rest) {
                Ok(step) => step,
                Err(fault) => return Err(self.fault(fault)),
            };
            self.reader.consume(step.consumed);
            filled += step.produced;
            self.produced += step.produced as u64;
            if self.produced > self.limit {
                return Err(self.job.too_large(self.limit));
            }
            if step.ended {
                self.codec = self.next_stream()?;
            } else if step.consumed == 0 && step.produced == 0 {
                let fault = if at_end {
                    DecodeFault::Truncated
                } else {
                    DecodeFault::corrupt("the decoder makes no progress")
                };
                return Err(self.fault(fault));
            }
        }
        Ok(filled)
    }

    /// Returns the decoder for the next stream of the file. Zeros between and after
    /// streams are padding, which tapes and some download tools add.
    fn next_stream(&mut self) -> Result<Option<Box<dyn StreamDecoder>>, BaseError> {
        if self.job.format == BaseFormat::Zip {
            return Ok(None);
        }
        self.first = false;
        loop {
            let input = match self.reader.fill_buf() {
                Ok(input) => input,
                Err(error) => return Err(self.read_error(error)),
            };
            if input.is_empty() {
                return Ok(None);
            }
            let zeros = input.iter().take_while(|byte| **byte == 0).count();
            let is_padding = zeros == input.len();
            self.reader.consume(zeros);
            if !is_padding {
                let codec = codec::new(self.job.format);
                return codec.map(Some).map_err(|fault| self.fault(fault));
            }
        }
    }

    fn skip(&mut self, bytes: u64) -> Result<(), BaseError> {
        let mut left = bytes;
        while left > 0 {
            let input = match self.reader.fill_buf() {
                Ok(input) => input.len(),
                Err(error) => return Err(self.read_error(error)),
            };
            if input == 0 {
                return Err(self.fault(DecodeFault::Truncated));
            }
            let n = input.min(usize::try_from(left).unwrap_or(usize::MAX));
            self.reader.consume(n);
            left -= n as u64;
        }
        Ok(())
    }

    /// Reads the bytes behind the data, so that the checksums cover the whole file.
    fn drain(&mut self) -> Result<(), BaseError> {
        self.reader.drain().map_err(|error| self.read_error(error))
    }

    fn read_error(&self, error: io::Error) -> BaseError {
        match self.cancel.check() {
            Err(cancelled) => cancelled.into(),
            Ok(()) => self.job.source.read_error(self.reader.position(), error),
        }
    }

    fn fault(&self, fault: DecodeFault) -> BaseError {
        let DecodeJob { source, format, .. } = *self.job;
        let (path, size) = (source.path.clone(), source.size());
        match fault {
            DecodeFault::Truncated => BaseError::Truncated { path, format, size },
            DecodeFault::Unsupported { reason, command } => {
                BaseError::Unsupported { path, format, reason, command }
            }
            DecodeFault::Corrupt(mut reason) => {
                if !self.first {
                    reason =
                        format!("an intact {format} stream is followed by other data: {reason}");
                }
                let near = self.reader.position();
                BaseError::Corrupt { path, format, near, size, reason }
            }
        }
    }
}
