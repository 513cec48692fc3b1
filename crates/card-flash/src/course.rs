//! The course that one card takes, from the first write to the last look.

use std::{
    io,
    ops::Range,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use block_io::Cancel;

use crate::{
    CardSource, FlashPhase, FlashProgress, Medium, Presence,
    buffer::Buffer,
    error::CardFault,
    feed::Feed,
    plan::{BLOCK, PIECE, Piece, Plan},
    probe,
    sums::{Sums, wrong_blocks},
    team,
};

/// What a card that is being written needs.
pub(crate) struct Course<'a> {
    /// The card's number.
    pub number: usize,
    pub card: &'a CardSource,
    pub medium: &'a dyn Medium,
    pub feed: &'a Feed,
    /// The size of the storage that all cards share, in bytes.
    pub shared_size: u64,
    pub discard: bool,
    pub progress: &'a dyn FlashProgress,
    pub cancel: &'a Cancel,
}

/// What was done with a card.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteReport {
    /// How many bytes were written and read back.
    pub bytes: u64,
    /// How long writing took, until all was on the card.
    pub write_time: Duration,
    /// How long reading back took.
    pub verify_time: Duration,
    /// What did not work and does no harm.
    pub notes: Vec<String>,
}

impl Course<'_> {
    /// Writes the card and reads it back.
    ///
    /// The order is what keeps an interrupted card from looking finished: first
    /// its head is overwritten by a marker, then all else is written and
    /// verified, probes among it, and only then the head gets its contents, its first
    /// block last.
    pub fn run(&self) -> Result<WriteReport, CardFault> {
        let plan = Plan::new(self.medium.size(), &self.card.used);
        let sums = Sums::new(plan.pieces().len());
        let mut notes = Vec::new();
        let start = Instant::now();
        self.begin(FlashPhase::Writing, plan.total());
        self.check_presence()?;
        if self.discard
            && let Err(error) = self.medium.discard()
        {
            notes.push(format!("{} does not take --discard: {error}", self.medium.name()));
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
        self.settle_probes(&plan)?;
        let mut verify_time = start.elapsed();

        let start = Instant::now();
        self.check_presence()?;
        let head = self.write_head(&plan)?;
        write_time += start.elapsed();
        let start = Instant::now();
        if let Err(fault) = self.verify_head(&plan, &head) {
            // It must not look finished now. What cannot be done about that has
            // the same cause.
            let _ = self.write(&plan.head(), marker().as_slice()).and_then(|()| self.flush());
            return Err(fault);
        }
        verify_time += start.elapsed();
        self.check_presence()?;
        if let Err(error) = self.medium.reread_table() {
            notes.push(format!(
                "the system does not look at the new partition table of {} ({error}); taking the \
                 card out and putting it in again helps",
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

    fn write_pieces(&self, plan: &Plan, sums: &Sums) -> Result<(), CardFault> {
        let wants = self.card.wants(self.shared_size);
        let take = |piece: &Piece| {
            wants.within(piece.window()).next()?;
            self.feed.take(self.number, piece.start, self.cancel)
        };
        let result = team::each(plan.pieces(), take, |index, piece, shared, buffer| {
            self.cancel.check().map_err(|_| CardFault::Cancelled)?;
            self.card.fill(piece, shared.as_deref(), self.shared_size, buffer)?;
            drop(shared);
            probe::overlay(plan.probes(), piece, buffer);
            sums.remember(index, piece, buffer);
            self.write(piece, buffer)
        });
        self.feed.close(self.number);
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

    /// The marker must still be there: on a card that is smaller than it says,
    /// what was written behind its end may have replaced it.
    fn check_marker(&self, plan: &Plan, sums: &Sums) -> Result<(), CardFault> {
        let head = plan.head();
        let mut buffer = Buffer::new();
        self.read_back(&head, buffer.bytes())?;
        let wrong = wrong_blocks(&head, buffer.as_slice(), marker().as_slice());
        if wrong.is_empty() { Ok(()) } else { Err(sums.judge(plan.pieces(), &wrong)) }
    }

    fn verify_pieces(&self, plan: &Plan, sums: &Sums) -> Result<(), CardFault> {
        let wrong = Mutex::new(Vec::new());
        team::each(
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
                Err(sums.judge(plan.pieces(), &wrong))
            },
        )
    }

    /// Gives the probes, which have told what they were for, what they are to hold.
    fn settle_probes(&self, plan: &Plan) -> Result<(), CardFault> {
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
                return Err(Sums::new(0).judge(&[], &wrong));
            }
        }
        Ok(())
    }

    fn write_head(&self, plan: &Plan) -> Result<Buffer, CardFault> {
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

    fn verify_head(&self, plan: &Plan, written: &Buffer) -> Result<(), CardFault> {
        let head = plan.head();
        let mut buffer = Buffer::new();
        self.read_back(&head, buffer.bytes())?;
        let wrong = wrong_blocks(&head, buffer.as_slice(), written.as_slice());
        if wrong.is_empty() { Ok(()) } else { Err(Sums::new(0).judge(&[], &wrong)) }
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

    /// What an error says once the card is gone: many drivers answer EIO then.
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

/// The first block of the head, and the rest of it.
fn split_head(head: &Piece) -> (Piece, Piece) {
    let end = head.runs.last().map_or(0, |run| run.end);
    (Piece::new(0, 0..end.min(BLOCK)), Piece::new(0, end.min(BLOCK)..end))
}

/// What the head holds while a card is not finished: no partition table, no boot
/// loader, and in no two sectors the same, so that it is known again.
fn marker() -> Buffer {
    const SECTOR: usize = 512;
    let mut buffer = Buffer::new();
    for (number, sector) in buffer.bytes().chunks_mut(SECTOR).enumerate() {
        let text = format!("nodecard: this card is not finished; write it again. {number}\n");
        sector[..text.len()].copy_from_slice(text.as_bytes());
    }
    buffer
}
