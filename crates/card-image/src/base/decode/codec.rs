//! The stream decoders of all formats behind one interface.

use flate2::{Decompress, FlushDecompress};
use zstd::stream::raw::Operation as _;

use crate::base::BaseFormat;

use super::xz::Xz;

/// What one step has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// How many bytes of the input are used up.
    pub consumed: usize,
    /// How many bytes of the output are filled.
    pub produced: usize,
    /// The compressed data is complete and its checksums are right.
    pub ended: bool,
}

/// Why decoding cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The data contradicts itself.
    Corrupt(String),
    /// The data asks for something that we do not do.
    Unsupported(String),
    /// The data ends before its end mark.
    Truncated,
}

impl Fault {
    pub(super) fn corrupt(reason: impl ToString) -> Self {
        Fault::Corrupt(reason.to_string())
    }
}

/// Decodes one compressed stream: one xz stream, gzip member, zstd frame,
/// bzip2 stream or zip member.
pub(super) trait Codec {
    /// Decodes from `input`, which is empty only at the end of the file, to
    /// `output`, which is never empty. A step that does nothing means that
    /// more input is needed.
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Fault>;
}

/// A decoder for one stream.
pub(super) fn new(format: BaseFormat) -> Result<Box<dyn Codec>, Fault> {
    match format {
        BaseFormat::Xz => Ok(Box::new(Xz::new()?)),
        BaseFormat::Gzip => Ok(Box::new(Inflate::gzip())),
        BaseFormat::Zstd => {
            zstd::stream::raw::Decoder::new().map(|d| Box::new(d) as _).map_err(Fault::corrupt)
        }
        BaseFormat::Bzip2 => Ok(Box::new(bzip2::Decompress::new(false))),
        BaseFormat::Raw | BaseFormat::Zip => Err(Fault::corrupt("this is no compressed stream")),
    }
}

/// gzip, or the bare Deflate data in a zip file.
pub(super) struct Inflate(Decompress);

impl Inflate {
    fn gzip() -> Self {
        Inflate(Decompress::new_gzip(15))
    }

    pub(super) fn bare() -> Self {
        Inflate(Decompress::new(false))
    }
}

impl Codec for Inflate {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Fault> {
        let before = (self.0.total_in(), self.0.total_out());
        let status = self.0.decompress(input, output, FlushDecompress::None);
        let status =
            status.map_err(|error| Fault::corrupt(error.message().unwrap_or("bad data")))?;
        Ok(Step {
            consumed: (self.0.total_in() - before.0) as usize,
            produced: (self.0.total_out() - before.1) as usize,
            ended: status == flate2::Status::StreamEnd,
        })
    }
}

impl Codec for bzip2::Decompress {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Fault> {
        let before = (self.total_in(), self.total_out());
        let status = self.decompress(input, output).map_err(|error| match error {
            bzip2::Error::DataMagic => Fault::corrupt("there is no bzip2 data"),
            _ => Fault::corrupt("a checksum or a code is wrong"),
        })?;
        Ok(Step {
            consumed: (self.total_in() - before.0) as usize,
            produced: (self.total_out() - before.1) as usize,
            ended: status == bzip2::Status::StreamEnd,
        })
    }
}

impl Codec for zstd::stream::raw::Decoder<'_> {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Fault> {
        let status = self.run_on_buffers(input, output).map_err(|error| {
            let reason = error.to_string();
            // The window of `zstd --long=28` and above; errors have no other mark.
            if reason.contains("too much memory") {
                Fault::Unsupported(
                    "it was compressed with --long and needs more than 128 MiB of memory; unpack \
                     it with `zstd -d --long=31` and give the raw image"
                        .to_owned(),
                )
            } else {
                Fault::Corrupt(reason)
            }
        })?;
        Ok(Step {
            consumed: status.bytes_read,
            produced: status.bytes_written,
            ended: status.remaining == 0,
        })
    }
}
