//! A card in memory that breaks as cards do.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::{
    collections::VecDeque,
    io,
    ops::Range,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread::sleep,
    time::Duration,
};

use block_io::Extents;
use card_flash::{Medium, Presence};
use rustix::io::Errno;

/// A real size and all places where writes are lost are multiples of this.
const BLOCK: usize = 4096;

/// An operation on a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Write(Range<u64>),
    Read(Range<u64>),
    Flush,
}

/// How a card breaks. By default it does not.
#[derive(Debug, Clone, Copy, Default)]
pub struct Flaws {
    /// The number of the write that fails with this error, counted from 0, as do all that
    /// follow.
    pub write_error: Option<(usize, Errno)>,
    /// The same for reads.
    pub read_error: Option<(usize, Errno)>,
    /// From this write on the reader is empty, and everything fails with EIO.
    pub taken_out: Option<usize>,
    /// From this write on there is another card.
    pub swapped: Option<usize>,
    /// The real size; what lies behind it is written from the beginning again.
    pub wraps: Option<u64>,
    /// The real size; what lies behind it cannot be written.
    pub ends: Option<u64>,
    /// A byte that never keeps its value.
    pub rotten: Option<u64>,
    /// The real size; what is written behind it is lost, and reads as zeros.
    pub drops: Option<u64>,
    /// How many blocks that were written last are kept in a buffer, and read from there.
    pub buffer: usize,
    /// A range that cannot be read before it has been written.
    pub unreadable: Option<(u64, u64)>,
    /// A range where writes are lost.
    pub deaf: Option<(u64, u64)>,
    /// The number of the write that panics, counted from 0.
    pub write_panic: Option<usize>,
    /// The number of the read that panics, counted from 0.
    pub read_panic: Option<usize>,
    /// How long each write takes.
    pub delay: Duration,
}

#[derive(Debug)]
pub struct Fake {
    size: u64,
    flaws: Flaws,
    bytes: Mutex<Vec<u8>>,
    /// The blocks that were written last.
    buffer: Mutex<VecDeque<(u64, Vec<u8>)>>,
    written: Mutex<Extents>,
    log: Mutex<Vec<Event>>,
    writes: AtomicUsize,
    reads: AtomicUsize,
}

impl Fake {
    /// A card that claims to have `size` bytes, full of what was on it before.
    pub fn new(size: u64, flaws: Flaws) -> Self {
        Fake::holding(vec![0xbb; size as usize], flaws)
    }

    /// A card that holds this already. If it is smaller than it claims, it holds the beginning.
    pub fn holding(mut bytes: Vec<u8>, flaws: Flaws) -> Self {
        let size = bytes.len() as u64;
        bytes.truncate(flaws.wraps.unwrap_or(size) as usize);
        Fake {
            size,
            flaws,
            bytes: Mutex::new(bytes),
            buffer: Mutex::default(),
            written: Mutex::default(),
            log: Mutex::default(),
            writes: AtomicUsize::new(0),
            reads: AtomicUsize::new(0),
        }
    }

    pub fn bytes(&self, range: Range<u64>) -> Vec<u8> {
        self.bytes.lock().unwrap()[range.start as usize..range.end as usize].to_vec()
    }

    pub fn log(&self) -> Vec<Event> {
        self.log.lock().unwrap().clone()
    }

    /// Returns whether the boot sector marks the card as unfinished.
    pub fn is_marked(&self) -> bool {
        self.bytes(0..13) == b"nodecard: thi"
    }

    fn fails(&self, number: usize, error: Option<(usize, Errno)>) -> io::Result<()> {
        if self.is_out() {
            return Err(Errno::IO.into());
        }
        match error {
            Some((first, errno)) if number >= first => Err(errno.into()),
            _ => Ok(()),
        }
    }

    fn is_out(&self) -> bool {
        self.flaws.taken_out.is_some_and(|first| self.writes.load(Ordering::SeqCst) > first)
    }
}

fn range(offset: u64, length: usize) -> Range<u64> {
    offset..offset + length as u64
}

impl Medium for Fake {
    fn name(&self) -> String {
        "/dev/fake".into()
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        assert_eq!(data.as_ptr() as usize % 4096, 0, "O_DIRECT would refuse this buffer");
        assert_eq!(offset % 4096, 0, "O_DIRECT would refuse this offset");
        assert!(offset + data.len() as u64 <= self.size, "beyond the end");
        sleep(self.flaws.delay);
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        assert_ne!(Some(number), self.flaws.write_panic, "a defect in a write");
        self.fails(number, self.flaws.write_error)?;
        if self.flaws.ends.is_some_and(|end| offset + data.len() as u64 > end) {
            return Err(Errno::NOSPC.into());
        }
        self.log.lock().unwrap().push(Event::Write(range(offset, data.len())));
        let mut bytes = self.bytes.lock().unwrap();
        let real = bytes.len() as u64;
        self.written.lock().unwrap().insert(range(offset, data.len()));
        for (place, data) in (offset..).step_by(BLOCK).zip(data.chunks(BLOCK)) {
            if self.flaws.drops.is_none_or(|end| place < end)
                && !self.flaws.deaf.is_some_and(|(from, to)| (from..to).contains(&place))
            {
                bytes[(place % real) as usize..][..data.len()].copy_from_slice(data);
            }
            if self.flaws.buffer > 0 {
                let mut buffer = self.buffer.lock().unwrap();
                buffer.push_front((place, data.to_vec()));
                buffer.truncate(self.flaws.buffer);
            }
        }
        if let Some(rotten) = self.flaws.rotten
            && range(offset, data.len()).contains(&rotten)
        {
            bytes[rotten as usize] ^= 0x10;
        }
        Ok(())
    }

    fn read_back(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        assert_eq!(buf.as_ptr() as usize % 4096, 0, "O_DIRECT would refuse this buffer");
        let number = self.reads.fetch_add(1, Ordering::SeqCst);
        assert_ne!(Some(number), self.flaws.read_panic, "a defect in a read");
        self.fails(number, self.flaws.read_error)?;
        self.log.lock().unwrap().push(Event::Read(range(offset, buf.len())));
        if let Some((from, to)) = self.flaws.unreadable {
            let unreadable: Extents = self.written.lock().unwrap().gaps(from..to).collect();
            if unreadable.within(range(offset, buf.len())).next().is_some() {
                return Err(Errno::IO.into());
            }
        }
        let bytes = self.bytes.lock().unwrap();
        let buffer = self.buffer.lock().unwrap();
        let real = bytes.len() as u64;
        for (place, buf) in (offset..).step_by(BLOCK).zip(buf.chunks_mut(BLOCK)) {
            let buffered = buffer.iter().find(|(at, data)| *at == place && data.len() == buf.len());
            match (buffered, self.flaws.drops) {
                (Some((_, data)), _) => buf.copy_from_slice(data),
                (None, Some(end)) if place >= end => buf.fill(0),
                _ => buf.copy_from_slice(&bytes[(place % real) as usize..][..buf.len()]),
            }
        }
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        self.fails(0, None)?;
        self.log.lock().unwrap().push(Event::Flush);
        Ok(())
    }

    fn discard(&self) -> io::Result<()> {
        Err(Errno::OPNOTSUPP.into())
    }

    fn reread_table(&self) -> io::Result<()> {
        Ok(())
    }

    fn presence(&self) -> Presence {
        let writes = self.writes.load(Ordering::SeqCst);
        if self.is_out() {
            Presence::Gone
        } else if self.flaws.swapped.is_some_and(|first| writes > first) {
            Presence::Other
        } else {
            Presence::Same
        }
    }
}
