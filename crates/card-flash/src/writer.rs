//! Writing and verifying one card.

use std::{
    io,
    ops::Range,
    time::{Duration, Instant},
};

use block_io::Cancel;
use fs_signature::UNFINISHED_CARD;

use crate::{
    CardSource, FlashPhase, FlashProgress, Medium, OldContents, Presence,
    block_sums::{BlockSums, wrong_blocks},
    buffer::Buffer,
    error::CardFault,
    shared_reader::SharedReader,
    write_plan::{BLOCK, PIECE, Piece, WritePlan},
};

/// The unit that a card writes as a whole or not at all, in bytes.
const SECTOR: usize = 512;

/// Writes one card.
pub(crate) struct CardWriter<'a> {
    /// The card's number.
    pub number: usize,
    pub card: &'a CardSource,
    pub medium: &'a dyn Medium,
    pub reader: &'a SharedReader,
    /// The size of the storage that all cards share, in bytes.
    pub shared_size: u64,
    pub old_contents: OldContents,
    pub progress: &'a dyn FlashProgress,
    pub cancel: &'a Cancel,
}

/// What was done to a card.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteReport {
    /// The number of bytes that the card has to hold. All of them were verified.
    pub bytes: u64,
    /// How many of them were written. The others were there already.
    pub written: u64,
    /// Whether anything but zeros was there already. A blank card holds the zeros of any other.
    pub kept_contents: bool,
    /// How long writing took, until everything was on the card. If the card was compared, this
    /// includes reading it.
    pub write_time: Duration,
    /// How long reading back took.
    pub verify_time: Duration,
    /// Whether the card, or a part of it, was compared instead of being overwritten.
    pub is_compared: bool,
    /// Steps that did not work, without harm to the card.
    pub notes: Vec<String>,
}

impl CardWriter<'_> {
    /// Writes the card and verifies it.
    ///
    /// The order keeps an interrupted card from looking finished. First its head is
    /// overwritten with a marker; then everything else, including the probes, is written and
    /// verified; only then does the head get its contents, its first block last. What is
    /// there already need not be written, and is verified by the reading that showed it.
    pub fn run(&self) -> Result<WriteReport, CardFault> {
        let plan = WritePlan::new(self.medium.size(), &self.card.used);
        let sums = BlockSums::new(plan.pieces().len());
        let mut notes = Vec::new();
        let start = Instant::now();
        self.check_presence()?;
        let compared = match self.old_contents {
            OldContents::Compared => self.compare_samples(&plan)?,
            OldContents::Overwritten | OldContents::Discarded => vec![false; plan.pieces().len()],
        };
        let is_compared = compared.contains(&true);
        let phase = if is_compared { FlashPhase::Updating } else { FlashPhase::Writing };
        self.begin(phase, plan.total());
        if self.old_contents == OldContents::Discarded
            && let Err(error) = self.medium.discard()
        {
            notes.push(format!("{} cannot be discarded (TRIM): {error}", self.medium.name()));
        }
        self.mark(&plan)?;
        self.advance(plan.head().length());
        if is_compared {
            self.write_probes(&plan)?;
        }
        let written = self.write_pieces(&plan, &compared, &sums)?;
        self.flush()?;
        let mut write_time = start.elapsed();

        let start = Instant::now();
        let unread = written.to_read_back(&plan, &sums);
        let total =
            plan.head().length() + unread.iter().map(|(_, part)| part.length()).sum::<u64>();
        self.begin(FlashPhase::Verifying, total);
        self.check_marker(&plan, &sums)?;
        self.verify_parts(&plan, &unread, &sums)?;
        self.replace_probes(&plan)?;
        let mut verify_time = start.elapsed();

        let start = Instant::now();
        self.check_presence()?;
        let head = self.write_head(&plan)?;
        write_time += start.elapsed();
        let start = Instant::now();
        if let Err(fault) = self.verify_head(&plan, &head) {
            // It must not look finished now. If that fails too, it has the same cause.
            let _ = self.mark(&plan);
            return Err(fault);
        }
        verify_time += start.elapsed();
        self.check_presence()?;
        if let Err(error) = self.medium.reread_table() {
            notes.push(format!(
                "the system has not read the new partition table of {} ({error}): remove the card \
                 and insert it again before you use it here",
                self.medium.name()
            ));
        }
        let kept_contents = written.kept_contents();
        let written = plan.head().length() + written.length();
        let bytes = plan.total();
        Ok(WriteReport {
            bytes,
            written,
            kept_contents,
            write_time,
            verify_time,
            is_compared,
            notes,
        })
    }

    fn begin(&self, phase: FlashPhase, total: u64) {
        self.progress.begin(self.number, phase, total);
    }

    pub(crate) fn advance(&self, bytes: u64) {
        self.progress.advance(self.number, bytes);
    }

    /// Writes the runs of a piece from a buffer for its window.
    pub(crate) fn write(&self, piece: &Piece, buffer: &[u8]) -> Result<(), CardFault> {
        for run in &piece.runs {
            self.medium
                .write_at(run.start, &buffer[piece.place(run)])
                .map_err(|source| self.write_fault(run.start, source))?;
        }
        Ok(())
    }

    pub(crate) fn read_back(&self, piece: &Piece, buffer: &mut [u8]) -> Result<(), CardFault> {
        for run in &piece.runs {
            let place = piece.place(run);
            self.medium.read_back(run.start, &mut buffer[place]).map_err(|source| {
                self.presence_fault(run.start, &source)
                    .unwrap_or(CardFault::ReadBack { offset: run.start, source })
            })?;
        }
        Ok(())
    }

    pub(crate) fn flush(&self) -> Result<(), CardFault> {
        self.medium.flush().map_err(|source| {
            self.presence_fault(0, &source).unwrap_or(CardFault::Flush { source })
        })
    }

    /// Marks the card as unfinished: first its first sector, so that nothing of an old head is
    /// used once any of it is gone, then the whole head.
    fn mark(&self, plan: &WritePlan) -> Result<(), CardFault> {
        let head = plan.head();
        let first = first_block(&head);
        let (marker, mut buffer) = (marker(), Buffer::new());
        if self.read_back(&first, buffer.bytes()).is_ok() {
            buffer.bytes()[..SECTOR].copy_from_slice(&marker.as_slice()[..SECTOR]);
            self.write(&first, buffer.as_slice())?;
            self.flush()?;
        }
        self.write(&head, marker.as_slice())?;
        self.flush()
    }

    /// Makes sure that the marker is still there: on a card that is smaller than it claims,
    /// what was written behind its end may have replaced it.
    fn check_marker(&self, plan: &WritePlan, sums: &BlockSums) -> Result<(), CardFault> {
        let head = plan.head();
        let mut buffer = Buffer::new();
        self.read_back(&head, buffer.bytes())?;
        self.advance(head.length());
        let wrong = wrong_blocks(&head, buffer.as_slice(), marker().as_slice());
        if wrong.is_empty() {
            return Ok(());
        }
        // What replaced it may look like a partition table.
        let _ = self.mark(plan);
        Err(sums.diagnose(plan.pieces(), &wrong))
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

    /// Writes the head. Its first sector, which makes the card a finished one, stays a marker
    /// until all others are on the card.
    fn write_head(&self, plan: &WritePlan) -> Result<Buffer, CardFault> {
        let head = plan.head();
        let mut buffer = Buffer::new();
        self.card.fill(&head, None, self.shared_size, buffer.bytes())?;
        let mut sector = [0; SECTOR];
        sector.copy_from_slice(&buffer.as_slice()[..SECTOR]);
        buffer.bytes()[..SECTOR].copy_from_slice(&marker().as_slice()[..SECTOR]);
        self.write(&head, buffer.as_slice())?;
        self.flush()?;
        buffer.bytes()[..SECTOR].copy_from_slice(&sector);
        self.write(&first_block(&head), buffer.as_slice())?;
        self.flush()?;
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
    pub(crate) fn presence_fault(&self, offset: u64, source: &io::Error) -> Option<CardFault> {
        if platform::devices::is_gone(source) {
            return Some(CardFault::Removed { offset });
        }
        match self.medium.presence() {
            Presence::Same => None,
            Presence::Gone => Some(CardFault::Removed { offset }),
            Presence::Other => Some(CardFault::Swapped),
        }
    }
}

/// Returns the first block of the head.
fn first_block(head: &Piece) -> Piece {
    let end = head.runs.last().map_or(0, |run| run.end);
    Piece::new(0, 0..end.min(BLOCK))
}

/// Returns what the head holds while a card is not finished: no partition table and no boot
/// loader. Every sector is different, so that it can be recognized in another place.
fn marker() -> Buffer {
    let mut buffer = Buffer::new();
    for (number, sector) in buffer.bytes().chunks_mut(SECTOR).enumerate() {
        let text = format!("{UNFINISHED_CARD}; write it again. {number}\n");
        sector[..text.len()].copy_from_slice(text.as_bytes());
    }
    buffer
}
