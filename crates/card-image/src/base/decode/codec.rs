//! The stream decoders of all formats behind one interface.

use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode;

use flate2::{Decompress, FlushDecompress};
use zstd::stream::raw::Operation as _;

use crate::base::BaseFormat;

use super::xz::Xz;

/// What one step of decoding did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DecodeStep {
    /// The number of bytes taken from the input.
    pub consumed: usize,
    /// The number of bytes put into the output.
    pub produced: usize,
    /// The compressed data is complete and its checksums are right.
    pub ended: bool,
}

/// Why decoding cannot continue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DecodeFault {
    /// The data contradicts itself.
    Corrupt(String),
    /// The data needs something that is not supported.
    Unsupported {
        reason: String,
        /// The command that decodes it, if one is known.
        command: Option<&'static str>,
    },
    /// The data ends before its end mark.
    Truncated,
}

impl DecodeFault {
    pub(super) fn corrupt(reason: impl ToString) -> Self {
        DecodeFault::Corrupt(reason.to_string())
    }
}

/// Decodes one compressed stream: one xz stream, gzip member, zstd frame,
/// bzip2 stream or zip member.
pub(super) trait StreamDecoder {
    /// Decodes from `input`, which is empty only at the end of the file, to `output`,
    /// which is never empty. A step that does nothing needs more input.
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<DecodeStep, DecodeFault>;
}

/// Returns a decoder for one stream.
pub(super) fn new(format: BaseFormat) -> Result<Box<dyn StreamDecoder>, DecodeFault> {
    match format {
        BaseFormat::Xz => Ok(Box::new(Xz::new()?)),
        BaseFormat::Gzip => Ok(Box::new(Inflate::gzip())),
        BaseFormat::Zstd => zstd::stream::raw::Decoder::new()
            .map(|d| Box::new(d) as _)
            .map_err(DecodeFault::corrupt),
        BaseFormat::Bzip2 => Ok(Box::new(bzip2::Decompress::new(false))),
        BaseFormat::Raw | BaseFormat::Zip => Err(DecodeFault::corrupt("not a compressed stream")),
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

impl StreamDecoder for Inflate {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<DecodeStep, DecodeFault> {
        let before = (self.0.total_in(), self.0.total_out());
        let status = self.0.decompress(input, output, FlushDecompress::None);
        let status =
            status.map_err(|error| DecodeFault::corrupt(error.message().unwrap_or("bad data")))?;
        Ok(DecodeStep {
            consumed: (self.0.total_in() - before.0) as usize,
            produced: (self.0.total_out() - before.1) as usize,
            ended: status == flate2::Status::StreamEnd,
        })
    }
}

impl StreamDecoder for bzip2::Decompress {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<DecodeStep, DecodeFault> {
        let before = (self.total_in(), self.total_out());
        let status = self.decompress(input, output).map_err(|error| match error {
            bzip2::Error::DataMagic => DecodeFault::corrupt("not bzip2 data"),
            _ => DecodeFault::corrupt("invalid data or a wrong checksum"),
        })?;
        Ok(DecodeStep {
            consumed: (self.total_in() - before.0) as usize,
            produced: (self.total_out() - before.1) as usize,
            ended: status == bzip2::Status::StreamEnd,
        })
    }
}

impl StreamDecoder for zstd::stream::raw::Decoder<'_> {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<DecodeStep, DecodeFault> {
        let status = self.run_on_buffers(input, output).map_err(|error| {
            let code = error.get_ref().and_then(|error| error.downcast_ref::<zstd::Error>());
            // The window of `zstd --long=28` and above.
            let too_large = ZSTD_ErrorCode::ZSTD_error_frameParameter_windowTooLarge;
            if code.is_some_and(|code| code.is(too_large)) {
                DecodeFault::Unsupported {
                    reason: "it was compressed with --long, and needs more than 128 MiB of memory \
                             to decompress"
                        .to_owned(),
                    command: Some("zstd -d --long=31"),
                }
            } else {
                DecodeFault::Corrupt(error.to_string())
            }
        })?;
        Ok(DecodeStep {
            consumed: status.bytes_read,
            produced: status.bytes_written,
            ended: status.remaining == 0,
        })
    }
}
