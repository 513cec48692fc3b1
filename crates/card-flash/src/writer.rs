//! Writing and verifying one card.

use std::{
    io,
    ops::Range,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use block_io::Cancel;
use fs_signature::UNFINISHED_CARD;

use crate::{
    CardSource, FlashPhase, FlashProgress, Medium, Presence,
    block_sums::{BlockSums, wrong_blocks},
    buffer::Buffer,
    error::CardFault,
    in_flight, probes,
    shared_reader::SharedReader,
    write_plan::{BLOCK, PIECE, Piece, WritePlan},
};

/// Writes one card.
pub(crate) struct CardWriter<'a> {
    /// The card's number.
    pub number: usize,
    pub card: &'a CardSource,
    pub medium: &'a dyn Medium,
    pub reader: &'a SharedReader,
    /// The size of the storage that all cards share, in bytes.
    pub shared_size: u64,
    pub discard: bool,
    pub progress: &'a dyn FlashProgress,
    pub cancel: &'a Cancel,
}

/// What was done to a card.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteReport {
    /// The number of bytes that were written and read back.
    pub bytes: u64,
    /// How long writing took, until everything was on the card.
    pub write_time: Duration,
    /// How long reading back took.
    pub verify_time: Duration,
    /// Steps that did not work, without harm to the card.
    pub notes: Vec<String>,
}

impl CardWriter<'_> {
    /// Writes the card and reads it back.
    ///
    /// The order keeps an interrupted card from looking finished. First its head is
    /// overwritten with a marker; then everything else, including the probes, is written and
    /// verified; only then does the head get its contents, its first block last.
    pub fn run(&self) -> Result<WriteReport, CardFault> {
        let plan = WritePlan::new(self.medium.size(), &self.card.used);
        let sums = BlockSums::new(plan.pieces().len());
        let mut notes = Vec::new();
        let start = Instant::now();
        self.begin(FlashPhase::Writing, plan.total());
        self.check_presence()?;
        if self.discard
            && let Err(error) = self.medium.discard()
        {
            notes.push(format!("{} cannot be discarded (TRIM): {error}", self.medium.name()));
        }
        self.write(&plan.head(), marker().as_slice())?;
        self.flush()?;
        self.write_pieces(&plan, &sums)?;
        self.flush()?;
        let mut write_time = start.elapsed();

        let start = Instant::now();
        self.begin(FlashPhase::Verifying, plan.total());
        self.check_marker(&plan, &sums)?;
        self.verify_pieces(&plan, &sums)?;
        self.replace_probes(&plan)?;
        let mut verify_time = start.elapsed();

        let start = Instant::now();
        self.check_presence()?;
        let head = self.write_head(&plan)?;
        write_time += start.elapsed();
        let start = Instant::now();
        if let Err(fault) = self.verify_head(&plan, &head) {
            // It must not look finished now. If that fails too, it has the same cause.
            let _ = self.write(&plan.head(), marker().as_slice()).and_then(|()| self.flush());
            return Err(fault);
        }
        verify_time += start.elapsed();
        self.check_presence()?;
        if let Err(error) = self.medium.reread_table() {
            notes.push(format!(
                "the system has not read the new partition table of {} ({error}): take the card \
                 out and put it in again before you use it here",
                self.medium.name()
            ));
        }
        Ok(WriteReport { bytes: plan.total(), write_time, verify_time, notes })
    }

    fn begin(&self, phase: FlashPhase, total: u64) {
        self.progress.begin(self.number, phase, total);
    }

    fn advance(&self, bytes: u64) {
        self.progress.advance(self.number, bytes);
    }

    fn write_pieces(&self, plan: &WritePlan, sums: &BlockSums) -> Result<(), CardFault> {
        let wants = self.card.wants(self.shared_size);
        let take = |piece: &Piece| {
            wants.within(piece.window()).next()?;
            self.reader.take(self.number, piece.start, self.cancel)
        };
        let result = in_flight::for_each(plan.pieces(), take, |index, piece, shared, buffer| {
            self.cancel.check().map_err(|_| CardFault::Cancelled)?;
            self.card.fill(piece, shared.as_deref(), self.shared_size, buffer)?;
            drop(shared);
            probes::overlay(plan.probes(), piece, buffer);
            sums.record(index, piece, buffer);
            self.write(piece, buffer)
        });
        self.reader.close(self.number);
        result
    }

    /// Writes the runs of a piece from a buffer for its window.
    fn write(&self, piece: &Piece, buffer: &[u8]) -> Result<(), CardFault> {
        for run in &piece.runs {
            self.medium
                .write_at(run.start, &buffer[piece.place(run)])
                .map_err(|source| self.write_fault(run.start, source))?;
            self.advance(run.end - run.start);
        }
        Ok(())
    }

    fn read_back(&self, piece: &Piece, buffer: &mut [u8]) -> Result<(), CardFault> {
        for run in &piece.runs {
            let place = piece.place(run);
            self.medium.read_back(run.start, &mut buffer[place]).map_err(|source| {
                self.presence_fault(run.start, &source)
                    .unwrap_or(CardFault::ReadBack { offset: run.start, source })
            })?;
            self.advance(run.end - run.start);
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), CardFault> {
        self.medium.flush().map_err(|source| {
            self.presence_fault(0, &source).unwrap_or(CardFault::Flush { source })
        })
    }

    /// Makes sure that the marker is still there: on a card that is smaller than it claims,
    /// what was written behind its end may have replaced it.
    fn check_marker(&self, plan: &WritePlan, sums: &BlockSums) -> Result<(), CardFault> {
        let head = plan.head();
        let mut buffer = Buffer::new();
        self.read_back(&head, buffer.bytes())?;
        let wrong = wrong_blocks(&head, buffer.as_slice(), marker().as_slice());
        if wrong.is_empty() { Ok(()) } else { Err(sums.diagnose(plan.pieces(), &wrong)) }
    }

    fn verify_pieces(&self, plan: &WritePlan, sums: &BlockSums) -> Result<(), CardFault> {
        let wrong = Mutex::new(Vec::new());
        in_flight::for_each(
            plan.pieces(),
            |_| (),
            |index, piece, (), buffer| {
                self.cancel.check().map_err(|_| CardFault::Cancelled)?;
                self.read_back(piece, buffer)?;
                let found = sums.wrong(index, piece, buffer);
                if found.is_empty() {
                    return Ok(());
                }
                let mut wrong = wrong.lock().unwrap_or_else(PoisonError::into_inner);
                wrong.extend(found);
                Err(sums.diagnose(plan.pieces(), &wrong))
            },
        )
    }

    /// Replaces the patterns of the probes by their real contents, and verifies these.
    fn replace_probes(&self, plan: &WritePlan) -> Result<(), CardFault> {
        let piece = |probe: &Range<u64>| Piece::new(probe.start / PIECE * PIECE, probe.clone());
        let (mut expected, mut found) = (Buffer::new(), Buffer::new());
        let fill = |piece: &Piece, buffer: &mut Buffer| {
            self.card.fill(piece, None, self.shared_size, buffer.bytes())
        };
        for piece in plan.probes().iter().map(piece) {
            fill(&piece, &mut expected)?;
            self.write(&piece, expected.as_slice())?;
        }
        self.flush()?;
        for piece in plan.probes().iter().map(piece) {
            fill(&piece, &mut expected)?;
            self.read_back(&piece, found.bytes())?;
            let wrong = wrong_blocks(&piece, found.as_slice(), expected.as_slice());
            if !wrong.is_empty() {
                return Err(BlockSums::new(0).diagnose(&[], &wrong));
            }
        }
        Ok(())
    }

    fn write_head(&self, plan: &WritePlan) -> Result<Buffer, CardFault> {
        let head = plan.head();
        let mut buffer = Buffer::new();
        self.card.fill(&head, None, self.shared_size, buffer.bytes())?;
        let (first, rest) = split_head(&head);
        for part in [rest, first] {
            self.write(&part, buffer.bytes())?;
            self.flush()?;
        }
        Ok(buffer)
    }

    fn verify_head(&self, plan: &WritePlan, written: &Buffer) -> Result<(), CardFault> {
        let head = plan.head();
        let mut buffer = Buffer::new();
        self.read_back(&head, buffer.bytes())?;
        let wrong = wrong_blocks(&head, buffer.as_slice(), written.as_slice());
        if wrong.is_empty() { Ok(()) } else { Err(BlockSums::new(0).diagnose(&[], &wrong)) }
    }

    fn check_presence(&self) -> Result<(), CardFault> {
        match self.medium.presence() {
            Presence::Same => Ok(()),
            Presence::Gone => Err(CardFault::Removed { offset: 0 }),
            Presence::Other => Err(CardFault::Swapped),
        }
    }

    fn write_fault(&self, offset: u64, source: io::Error) -> CardFault {
        if let Some(fault) = self.presence_fault(offset, &source) {
            return fault;
        }
        match source.kind() {
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                CardFault::WriteProtected
            }
            io::ErrorKind::StorageFull | io::ErrorKind::WriteZero => {
                CardFault::EndsEarly { offset, size: self.medium.size() }
            }
            _ => CardFault::Write { offset, source },
        }
    }

    /// Returns the fault if the card is gone or another one: many drivers report EIO then.
    fn presence_fault(&self, offset: u64, source: &io::Error) -> Option<CardFault> {
        use rustix::io::Errno;
        let gone = [Errno::NODEV, Errno::NXIO, Errno::NOMEDIUM].map(Errno::raw_os_error);
        if source.raw_os_error().is_some_and(|errno| gone.contains(&errno)) {
            return Some(CardFault::Removed { offset });
        }
        match self.medium.presence() {
            Presence::Same => None,
            Presence::Gone => Some(CardFault::Removed { offset }),
            Presence::Other => Some(CardFault::Swapped),
        }
    }
}

/// Splits the head into its first block and the rest.
fn split_head(head: &Piece) -> (Piece, Piece) {
    let end = head.runs.last().map_or(0, |run| run.end);
    (Piece::new(0, 0..end.min(BLOCK)), Piece::new(0, end.min(BLOCK)..end))
}

/// Returns what the head holds while a card is not finished: no partition table and no boot
/// loader. Every sector is different, so that it can be recognized in another place.
fn marker() -> Buffer {
    const SECTOR: usize = 512;
    let mut buffer = Buffer::new();
    for (number, sector) in buffer.bytes().chunks_mut(SECTOR).enumerate() {
        let text = format!("{UNFINISHED_CARD}; write it again. {number}\n");
        sector[..text.len()].copy_from_slice(text.as_bytes());
    }
    buffer
}
