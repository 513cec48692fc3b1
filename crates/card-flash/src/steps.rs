//! The order in which the pieces of a card are written.

use crate::write_plan::Piece;

/// The number of pieces that are written last even if they are equal. A card may answer from
/// a buffer what was written to it last, so it gets something else before that is read back.
const REFRESHED: usize = 4;

/// What is done to one piece.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Step<'a> {
    /// The piece's number in the plan.
    pub index: usize,
    pub piece: &'a Piece,
    pub method: Method,
}

/// How a piece is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    /// Without reading it first.
    Overwrite,
    /// It is read, and what differs is written.
    Compare,
    /// It is read, and written whether it differs or not.
    Refresh,
}

/// Returns the steps for pieces of which some are worth comparing.
///
/// Pieces that are overwritten without being read come first: on a card that is smaller than
/// it claims, they may replace others, which must be compared after that.
pub(crate) fn steps<'a>(pieces: &'a [Piece], is_compared: &[bool]) -> Vec<Step<'a>> {
    let with = |compared: bool, method: Method| {
        let pieces = pieces.iter().zip(is_compared).enumerate();
        let chosen = pieces.filter(move |(_, (_, it))| **it == compared);
        chosen.map(move |(index, (piece, _))| Step { index, piece, method })
    };
    let compared = || with(true, Method::Compare);
    let refreshed = with(true, Method::Refresh).take(REFRESHED);
    with(false, Method::Overwrite).chain(compared().skip(REFRESHED)).chain(refreshed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_that_are_not_read_come_first() {
        let pieces: Vec<Piece> = (0..10).map(|n| Piece::new(n << 20, n << 20..n + 1)).collect();
        let order = |is_compared: &[bool]| {
            let steps = steps(&pieces[..is_compared.len()], is_compared);
            steps.iter().map(|step| (step.index, step.method)).collect::<Vec<_>>()
        };
        use Method::{Compare, Overwrite, Refresh};
        assert_eq!(order(&[false; 2]), [(0, Overwrite), (1, Overwrite)]);
        assert_eq!(order(&[true, false]), [(1, Overwrite), (0, Refresh)]);
        let mut mixed = [true; 10];
        mixed[4] = false;
        assert_eq!(
            order(&mixed),
            [
                (4, Overwrite),
                (5, Compare),
                (6, Compare),
                (7, Compare),
                (8, Compare),
                (9, Compare),
                (0, Refresh),
                (1, Refresh),
                (2, Refresh),
                (3, Refresh)
            ]
        );
    }
}
