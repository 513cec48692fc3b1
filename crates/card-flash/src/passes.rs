//! The passes over all pieces of a card: samples, writing, reading back.

use std::sync::{Mutex, PoisonError};

use crate::{
    block_sums::BlockSums,
    buffer::Buffer,
    error::CardFault,
    in_flight::{self, Buffers},
    probes, sample,
    steps::{Method, Step, steps},
    write_plan::{PIECE, Piece, WritePlan},
    writer::CardWriter,
};

/// What was written of the pieces.
#[derive(Debug)]
pub(crate) struct Written {
    /// What was written of each piece, in the order of the pieces.
    parts: Vec<Piece>,
    kept_contents: bool,
}

impl Written {
    /// Returns the number of bytes that were written.
    pub fn length(&self) -> u64 {
        self.parts.iter().map(Piece::length).sum()
    }

    /// Returns whether any of what was not written holds more than zeros.
    pub fn kept_contents(&self) -> bool {
        self.kept_contents
    }

    /// Returns what no reading has verified yet, with the numbers of the pieces: what was
    /// written, and what may have been replaced by that on a card that is smaller than it
    /// claims.
    pub fn to_read_back(&self, plan: &WritePlan, sums: &BlockSums) -> Vec<(usize, Piece)> {
        let parts =
            plan.pieces().iter().zip(&self.parts).enumerate().map(|(index, (piece, part))| {
                let suspects = sums.suspects(index, piece);
                (index, piece.part(part.runs.iter().cloned().chain(suspects)))
            });
        parts.filter(|(_, part)| !part.runs.is_empty()).collect()
    }
}

impl CardWriter<'_> {
    /// Compares samples of the card with what it is to hold. Returns whether each piece is
    /// worth comparing. What cannot be read differs: the writing shows whether it fails.
    pub fn compare_samples(&self, plan: &WritePlan) -> Result<Vec<bool>, CardFault> {
        let samples: Vec<_> = sample::samples(plan.pieces()).into_iter().enumerate().collect();
        let differs = Mutex::new(vec![true; samples.len()]);
        in_flight::for_each(
            &samples,
            |_| (),
            |(number, sample), (), Buffers { expected, found }| {
                self.cancel.check().map_err(|_| CardFault::Cancelled)?;
                self.card.fill(sample, None, self.shared_size, expected.bytes())?;
                if let Some(part) = self.differing(sample, found, expected)? {
                    let mut differs = differs.lock().unwrap_or_else(PoisonError::into_inner);
                    differs[*number] = sample::differs(sample, &part);
                }
                Ok(())
            },
        )?;
        let differs = differs.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(sample::worth_comparing(plan.pieces().len(), &differs))
    }

    /// Reads a piece, and returns the part of it that differs. `None` if it cannot be read.
    fn differing(
        &self,
        piece: &Piece,
        found: &mut Buffer,
        expected: &Buffer,
    ) -> Result<Option<Piece>, CardFault> {
        match self.read_back(piece, found.bytes()) {
            Ok(()) => Ok(Some(piece.differing(found.as_slice(), expected.as_slice()))),
            Err(CardFault::ReadBack { .. }) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Writes the patterns of the probes, so that everything is compared after that. On a card
    /// that is smaller than it claims, they replace other places.
    pub fn write_probes(&self, plan: &WritePlan) -> Result<(), CardFault> {
        let mut buffer = Buffer::new();
        for probe in plan.probes() {
            let piece = Piece::new(probe.start / PIECE * PIECE, probe.clone());
            probes::overlay(plan.probes(), &piece, buffer.bytes());
            self.write(&piece, buffer.as_slice())?;
        }
        self.flush()
    }

    /// Writes all pieces. Those that are worth comparing are read, and only what differs is
    /// written.
    pub fn write_pieces(
        &self,
        plan: &WritePlan,
        is_compared: &[bool],
        sums: &BlockSums,
    ) -> Result<Written, CardFault> {
        let wants = self.card.wants(self.shared_size);
        let take = |step: &Step| {
            wants.within(step.piece.window()).next()?;
            self.reader.take(self.number, step.piece.start, self.cancel)
        };
        let nothing = |piece: &Piece| piece.part([]);
        let parts: Vec<Piece> = plan.pieces().iter().map(nothing).collect();
        let written = Mutex::new(Written { parts, kept_contents: false });
        let steps = steps(plan.pieces(), is_compared);
        let refreshed = steps.partition_point(|step| step.method != Method::Refresh);
        let (steps, refreshed) = steps.split_at(refreshed);
        let work = |step: &Step, shared: Option<_>, buffers: &mut Buffers| {
            self.cancel.check().map_err(|_| CardFault::Cancelled)?;
            let Step { index, piece, method } = step;
            let expected = &mut buffers.expected;
            self.card.fill(piece, shared.as_deref(), self.shared_size, expected.bytes())?;
            drop(shared);
            probes::overlay(plan.probes(), piece, expected.bytes());
            sums.record(*index, piece, expected.as_slice());
            let part = self.part_to_write(piece, *method, buffers, sums)?;
            self.write(&part, buffers.expected.as_slice())?;
            self.advance(piece.length());
            let window = piece.window();
            let probes = plan.probes().iter().filter(|probe| window.contains(&probe.start));
            let part = piece.part(part.runs.into_iter().chain(probes.cloned()));
            let kept_contents = part.leaves_contents(piece, buffers.expected.as_slice());
            let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
            written.parts[*index] = part;
            written.kept_contents |= kept_contents;
            Ok(())
        };
        // What is refreshed is written when everything else has been, not beside it.
        let result = in_flight::for_each(steps, take, work)
            .and_then(|()| in_flight::for_each(refreshed, take, work));
        self.reader.close(self.number);
        result.map(|()| written.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn part_to_write(
        &self,
        piece: &Piece,
        method: Method,
        buffers: &mut Buffers,
        sums: &BlockSums,
    ) -> Result<Piece, CardFault> {
        let all = || piece.part(piece.runs.iter().cloned());
        if method == Method::Overwrite {
            return Ok(all());
        }
        let Some(part) = self.differing(piece, &mut buffers.found, &buffers.expected)? else {
            return Ok(all());
        };
        sums.record_replaced(&part, buffers.found.as_slice());
        Ok(if method == Method::Refresh { all() } else { part })
    }

    /// Reads back parts of pieces, which are given with the pieces' numbers.
    pub fn verify_parts(
        &self,
        plan: &WritePlan,
        parts: &[(usize, Piece)],
        sums: &BlockSums,
    ) -> Result<(), CardFault> {
        let wrong = Mutex::new(Vec::new());
        in_flight::for_each(
            parts,
            |_| (),
            |(index, part), (), Buffers { found, .. }| {
                self.cancel.check().map_err(|_| CardFault::Cancelled)?;
                self.read_back(part, found.bytes())?;
                self.advance(part.length());
                let found = sums.wrong(*index, &plan.pieces()[*index], part, found.as_slice());
                if found.is_empty() {
                    return Ok(());
                }
                let mut wrong = wrong.lock().unwrap_or_else(PoisonError::into_inner);
                wrong.extend(found);
                Err(sums.diagnose(plan.pieces(), &wrong))
            },
        )
    }
}
