//! Writing a stream of bytes as a sparse file, while the disk is already at work.

use std::{
    fs::File,
    io,
    sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    thread,
};

use platform::PositionedFile as _;

use super::piece_sums::{PIECE, PieceSums};

/// Zeros are left out in units of this many bytes, the usual block size.
const BLOCK: usize = 4096;

/// The size of the buffers that the producer fills, a multiple of [`BLOCK`] and [`PIECE`].
const BUFFER: usize = 1 << 20;
const _: () = assert!(BUFFER.is_multiple_of(PIECE));

/// The number of buffers: enough to bridge a slow moment of either side.
const BUFFERS: usize = 6;

/// After how many written bytes the disk is asked to begin. Otherwise the kernel would
/// wait for its own timers, and leave nearly all of the writing to the final flush.
const FLUSH_EVERY: u64 = 64 << 20;

/// Why [`write_sparse`] stopped.
pub(super) enum SparseError<E> {
    /// The producer failed.
    Produce(E),
    /// Writing failed.
    Write(io::Error),
}

/// A filled buffer: its offset in the file, its bytes, and how many of them count.
type Filled = (u64, Vec<u8>, usize);

/// Writes the bytes that `produce` puts into its buffers to an empty file, skips blocks of
/// zeros, and waits until the file is on stable storage. Returns its size, and the checksums of
/// its pieces.
///
/// `produce` fills buffers completely; a partly filled one is the last. It runs in the
/// calling thread, the writing in others.
pub(super) fn write_sparse<E>(
    file: &File,
    mut produce: impl FnMut(&mut [u8]) -> Result<usize, E>,
) -> Result<(u64, PieceSums), SparseError<E>> {
    platform::sparse::prepare(file);
    let (filled_tx, filled_rx) = sync_channel::<Filled>(BUFFERS);
    let (empty_tx, empty_rx) = sync_channel::<Vec<u8>>(BUFFERS);
    let (flush_tx, flush_rx) = sync_channel::<()>(1);
    let (produced, written, flushed) = thread::scope(|scope| {
        // The channels' ends move into the threads: if one thread fails, the others find
        // their channels closed and end.
        let flusher = scope.spawn(move || flush_rx.iter().try_for_each(|()| file.sync_data()));
        let writer = scope.spawn(move || write_all(file, &filled_rx, &empty_tx, &flush_tx));
        let produced = (|| {
            let mut size = 0;
            let mut fresh = BUFFERS;
            loop {
                let mut buffer = if fresh > 0 {
                    fresh -= 1;
                    vec![0; BUFFER]
                } else {
                    let Ok(buffer) = empty_rx.recv() else { return Ok(size) };
                    buffer
                };
                let n = produce(&mut buffer)?;
                if n > 0 && filled_tx.send((size, buffer, n)).is_err() {
                    return Ok(size);
                }
                size += n as u64;
                if n < BUFFER {
                    return Ok(size);
                }
            }
        })();
        drop(filled_tx);
        (produced, writer.join(), flusher.join())
    });
    let thread_died = |_| io::Error::other("a writing thread panicked");
    let written = written.map_err(thread_died).flatten();
    let flushed = flushed.map_err(thread_died).flatten();
    let size = produced.map_err(SparseError::Produce)?;
    let sums = flushed.and(written).map_err(SparseError::Write)?;
    // Zeros at the end were not written.
    file.set_len(size).and_then(|()| file.sync_all()).map_err(SparseError::Write)?;
    Ok((size, sums))
}

fn write_all(
    file: &File,
    filled: &Receiver<Filled>,
    empty: &SyncSender<Vec<u8>>,
    flush: &SyncSender<()>,
) -> io::Result<PieceSums> {
    let mut sums = PieceSums::default();
    let mut unflushed = 0;
    for (offset, buffer, n) in filled {
        let bytes = buffer.get(..n).unwrap_or(&buffer);
        sums.add(bytes);
        unflushed += write_data(file, offset, bytes)?;
        if unflushed >= FLUSH_EVERY {
            match flush.try_send(()) {
                // Still busy with the last one: the disk cannot do more.
                Ok(()) | Err(TrySendError::Full(())) => unflushed = 0,
                Err(TrySendError::Disconnected(())) => return Ok(sums),
            }
        }
        // The producer may be gone already.
        let _ = empty.send(buffer);
    }
    Ok(sums)
}

/// Writes the runs of blocks that are not zero. Returns the number of bytes written.
fn write_data(file: &File, offset: u64, data: &[u8]) -> io::Result<u64> {
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    let is_zero = |block: &&[u8]| ZEROS.starts_with(block);
    let mut blocks = data.chunks(BLOCK).peekable();
    let (mut at, mut written) = (0, 0);
    while blocks.peek().is_some() {
        let mut length = 0;
        while let Some(block) = blocks.next_if(is_zero) {
            length += block.len();
        }
        at += length;
        length = 0;
        while let Some(block) = blocks.next_if(|block| !is_zero(block)) {
            length += block.len();
        }
        if let Some(run) = data.get(at..at + length).filter(|run| !run.is_empty()) {
            file.write_all_at(run, offset + at as u64)?;
            written += length as u64;
        }
        at += length;
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::unix::fs::MetadataExt};

    use super::*;

    #[test]
    fn skips_zeros_only() {
        for size in [0, 1, 4095, 4096, 4097, BUFFER, BUFFER + 1, 9 * BUFFER, 9 * BUFFER + 4100] {
            let mut bytes = vec![0; size];
            // Data at block edges, inside blocks, and in the very last byte.
            for at in [0, 4096, 12287, 3 * BUFFER - 1, 5 * BUFFER + 100] {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = 1;
                }
            }
            if size % 2 == 1 {
                bytes[size - 1] = 2;
            }
            let mut file = tempfile::tempfile().unwrap();
            let mut rest = &bytes[..];
            let written = write_sparse(&file, |buffer| {
                let n = rest.read(buffer).unwrap();
                Ok::<_, ()>(n)
            });
            let Ok((n, sums)) = written else { panic!("not written") };
            assert_eq!((n, sums.len()), (size as u64, size.div_ceil(PIECE)));
            let pieces = bytes.chunks(PIECE).enumerate();
            assert!(pieces.into_iter().all(|(number, piece)| sums.agrees(number, piece)));
            let mut back = Vec::new();
            file.read_to_end(&mut back).unwrap();
            assert!(back == bytes, "{size} bytes came back different");
            assert!(file.metadata().unwrap().blocks() * 512 <= 6 * 4096, "not sparse");
        }
    }

    #[test]
    fn stops_when_the_producer_fails_or_the_file_cannot_be_written() {
        let file = tempfile::tempfile().unwrap();
        let mut left = 20;
        let failed = write_sparse(&file, |buffer| {
            buffer.fill(1);
            left -= 1;
            if left == 0 { Err("enough") } else { Ok(buffer.len()) }
        });
        assert!(matches!(failed, Err(SparseError::Produce("enough"))));

        let read_only = File::open("/proc/self/exe").unwrap();
        let failed = write_sparse(&read_only, |buffer| {
            buffer.fill(1);
            Ok::<_, ()>(buffer.len())
        });
        assert!(matches!(failed, Err(SparseError::Write(_))));
    }
}
