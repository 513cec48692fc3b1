//! One .xz stream, whose blocks are decoded by several threads.

use std::thread;

use liblzma::stream::{Action, Error, MtStreamBuilder, Status, Stream};

use super::codec::{DecodeFault, DecodeStep, StreamDecoder};

/// The memory that a thread needs for a block of the size that `xz -T0` makes: the block
/// before and after decoding (24 MiB each at most), and the dictionary.
const THREAD_MEMORY: u64 = 64 << 20;

/// The most memory for decoding, whatever the number of threads. A dictionary that is
/// larger than this is refused: `xz -9` makes one of 64 MiB.
const MEMORY: u64 = 512 << 20;

pub(super) struct Xz(Stream);

impl Xz {
    pub(super) fn new() -> Result<Self, DecodeFault> {
        let threads = thread::available_parallelism().map_or(1, |n| n.get().min(64));
        let stream = MtStreamBuilder::new()
            .threads(threads as u32)
            .memlimit_threading(MEMORY.min(threads as u64 * THREAD_MEMORY))
            .memlimit_stop(MEMORY)
            .decoder();
        stream.map(Xz).map_err(fault)
    }
}

impl StreamDecoder for Xz {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<DecodeStep, DecodeFault> {
        let before = (self.0.total_in(), self.0.total_out());
        let action = if input.is_empty() { Action::Finish } else { Action::Run };
        loop {
            let status = self.0.process(input, output, action).map_err(fault)?;
            let step = DecodeStep {
                consumed: (self.0.total_in() - before.0) as usize,
                produced: (self.0.total_out() - before.1) as usize,
                ended: status == Status::StreamEnd,
            };
            // The threads may need one more call to hand over their output. `MemNeeded` is
            // how liblzma says that there is nothing more to do.
            let idle = step.consumed == 0 && step.produced == 0;
            if !idle || step.ended || status == Status::MemNeeded {
                return Ok(step);
            }
        }
    }
}

fn fault(error: Error) -> DecodeFault {
    match error {
        Error::Data => DecodeFault::corrupt("invalid data or a wrong checksum"),
        Error::Format => DecodeFault::corrupt("not .xz data"),
        Error::Options | Error::UnsupportedCheck | Error::NoCheck => DecodeFault::Unsupported {
            reason: "it uses a filter or a check that liblzma does not support".to_owned(),
            command: Some("xz -dk"),
        },
        Error::MemLimit | Error::Mem => DecodeFault::Unsupported {
            reason: format!("it needs more than {} MiB of memory", MEMORY >> 20),
            command: Some("xz -dk"),
        },
        Error::Program => DecodeFault::corrupt("liblzma failed"),
    }
}
