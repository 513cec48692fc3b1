//! Waiting for the next card in the same reader.

use std::{fs::OpenOptions, path::Path, thread::sleep, time::Duration};

use block_io::{Cancel, Cancelled};
use platform::rights;

use super::{system::HostSystem, target::DeviceIdentity};

/// How often the reader is checked.
const INTERVAL: Duration = Duration::from_millis(250);

/// Detects that a card was replaced by another.
#[derive(Debug)]
struct SwapDetector {
    before: DeviceIdentity,
    was_empty: bool,
    candidate: Option<DeviceIdentity>,
}

impl SwapDetector {
    fn new(before: DeviceIdentity) -> Self {
        SwapDetector { before, was_empty: false, candidate: None }
    }

    /// Takes what is in the reader now, and returns whether it is another card and was the
    /// same at the last call: a card that was just put in may still report another size.
    fn observe(&mut self, now: Option<DeviceIdentity>) -> bool {
        let other = match &now {
            None => {
                self.was_empty = true;
                false
            }
            // Without a count of media, an equal card looks the same.
            Some(now) => *now != self.before || self.was_empty && now.diskseq.is_none(),
        };
        let settled = other && now == self.candidate;
        self.candidate = now.filter(|_| other);
        settled
    }
}

/// Waits until `path` holds another card, or file, than `before`.
///
/// # Errors
/// [`Cancelled`] if the user interrupts the wait.
pub fn wait_for_swap(
    system: &HostSystem,
    path: &Path,
    before: &DeviceIdentity,
    cancel: &Cancel,
) -> Result<(), Cancelled> {
    let mut swap = SwapDetector::new(before.clone());
    loop {
        cancel.check()?;
        // The kernel asks some readers for their medium only when they are opened.
        let _ = rights::open(path, OpenOptions::new().read(true));
        if swap.observe(DeviceIdentity::of(system, path)) {
            return Ok(());
        }
        sleep(INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(size: u64, diskseq: Option<u64>) -> Option<DeviceIdentity> {
        Some(DeviceIdentity { place: (2064, 0), size, diskseq, serial: None })
    }

    fn first_seen(
        before: Option<DeviceIdentity>,
        sights: &[Option<DeviceIdentity>],
    ) -> Option<usize> {
        let mut swap = SwapDetector::new(before.expect("a card"));
        sights.iter().position(|sight| swap.observe(sight.clone()))
    }

    #[test]
    fn detects_another_card() {
        let (a, b) = (card(8, Some(1)), card(8, Some(2)));
        let (a, b) = (|| a.clone(), || b.clone());
        assert_eq!(first_seen(a(), &[a(), a(), None, None, b(), b()]), Some(5));
        // Swapped too fast for the empty reader to be noticed.
        assert_eq!(first_seen(a(), &[a(), b(), b()]), Some(2));
        assert_eq!(first_seen(a(), &[None, None, a(), a()]), None);
        // Another size, without a count of media.
        assert_eq!(first_seen(card(8, None), &[card(9, None), card(9, None)]), Some(1));
    }

    #[test]
    fn waits_until_a_card_is_settled() {
        let (a, b) = (card(8, Some(1)), card(9, Some(3)));
        let settling = card(4, Some(2));
        assert_eq!(first_seen(a.clone(), &[None, settling, b.clone(), b]), Some(3));
    }

    #[test]
    fn an_equal_card_counts_after_an_empty_reader_where_media_are_not_counted() {
        let a = || card(8, None);
        assert_eq!(first_seen(a(), &[a(), a(), a()]), None);
        assert_eq!(first_seen(a(), &[a(), None, a(), a()]), Some(3));
    }
}
