//! Saving worn cards, and cards that are pulled.
#![allow(missing_docs)]

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use block_io::{Extents, ReadAt, Result, Window};
use card_image::{
    BaseImage, BaseOptions, Cancel, Layout, LostOwner, SaveContents, SaveError, SaveOptions,
    SaveOutcome, SaveSize, save,
};
use ext4_offline::BlockOwner;
use fat_offline::ClusterOwner;
use test_support::injected_fault;

/// A card with bad sectors, which can be pulled.
#[derive(Debug)]
struct Worn {
    card: Arc<dyn ReadAt>,
    bad: Extents,
    /// After this number of reads the card is gone.
    pulled_after: usize,
    reads: AtomicUsize,
    is_there: Arc<AtomicBool>,
}

impl ReadAt for Worn {
    fn size(&self) -> u64 {
        self.card.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        if self.reads.fetch_add(1, Ordering::Relaxed) >= self.pulled_after {
            self.is_there.store(false, Ordering::Relaxed);
        }
        let is_bad = self.bad.within(offset..offset + buf.len() as u64).next().is_some();
        if is_bad || !self.is_there.load(Ordering::Relaxed) {
            return Err(injected_fault("read", offset));
        }
        self.card.read_at(offset, buf)
    }
}

struct Bench {
    temp: tempfile::TempDir,
    card: Arc<dyn ReadAt>,
}

impl Bench {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../profiles/sample-base.img.xz");
        let options = BaseOptions {
            cache_dir: Some(&temp.path().join("cache")),
            sha256: None,
            limit: None,
            progress: &(),
            cancel: &Cancel::new(),
        };
        let card = BaseImage::open(&path, options).unwrap().storage();
        Bench { temp, card }
    }

    /// The first sector of a file of the root filesystem, on the card.
    fn sector_of(&self, path: &str) -> Extents {
        let layout = Layout::find(&self.card, None).unwrap();
        let range = layout.root_range();
        let window = Window::new(self.card.clone(), range.start, range.end - range.start).unwrap();
        let all = Extents::from(0..range.end - range.start);
        let owners = ext4_offline::owners(Arc::new(window), &all).unwrap();
        let file = owners.into_iter().find(|owned| match &owned.owner {
            BlockOwner::File { path: Some(found), .. } => found == path.as_bytes(),
            _ => false,
        });
        let first = file.expect("the file has blocks").bytes.iter().next().unwrap().start;
        Extents::from(range.start + first..range.start + first + 512)
    }

    fn save(
        &self,
        bad: Extents,
        pulled_after: usize,
        keep_going: bool,
    ) -> std::result::Result<SaveOutcome, SaveError> {
        let is_there = Arc::new(AtomicBool::new(true));
        let card = Worn {
            card: self.card.clone(),
            bad,
            pulled_after,
            reads: AtomicUsize::new(0),
            is_there: is_there.clone(),
        };
        let options = SaveOptions {
            card: Arc::new(card),
            path: Path::new("/dev/sdz"),
            is_present: Box::new(move || is_there.load(Ordering::Relaxed)),
            root: None,
            out: &self.temp.path().join("saved.img"),
            contents: SaveContents::Exact,
            size: SaveSize::Contents,
            overwrite: true,
            keep_going,
            time: Some(1_700_000_000),
        };
        save(options, &(), &Cancel::new())
    }

    fn files(&self) -> Vec<String> {
        let names = fs::read_dir(self.temp.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != "cache").collect();
        names.sort();
        names
    }
}

/// A card that is read without an end, as if the work on what was read took that long.
#[derive(Debug)]
struct Endless {
    card: Arc<dyn ReadAt>,
    after: usize,
    reads: AtomicUsize,
}

impl ReadAt for Endless {
    fn size(&self) -> u64 {
        self.card.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        while self.reads.fetch_add(1, Ordering::Relaxed) >= self.after {
            std::thread::park();
        }
        self.card.read_at(offset, buf)
    }
}

/// Whatever is computed before the image is written, the program can end meanwhile. So nothing
/// has to look for a request to stop.
#[test]
fn whatever_comes_before_the_image_can_be_abandoned() {
    for after in [2, 20, 60, 150] {
        let bench = Bench::new();
        let (card, out) = (bench.card.clone(), bench.temp.path().join("saved.img"));
        let cancel = Cancel::new();
        let of_thread = cancel.clone();
        // It ends with the test.
        std::thread::spawn(move || {
            let options = SaveOptions {
                card: Arc::new(Endless { card, after, reads: AtomicUsize::new(0) }),
                path: Path::new("/dev/sdz"),
                is_present: Box::new(|| true),
                root: None,
                out: &out,
                contents: SaveContents::Base(None),
                size: SaveSize::Contents,
                overwrite: true,
                keep_going: false,
                time: Some(1_700_000_000),
            };
            save(options, &(), &of_thread)
        });
        while bench.files().is_empty() {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_millis(300));
        cancel.cancel();
        let until = Instant::now() + Duration::from_secs(5);
        while !cancel.abandon() {
            assert!(Instant::now() < until, "read {after} is waited for");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(bench.files(), [""; 0], "read {after}");
    }
}

#[test]
fn an_unreadable_sector_is_named_with_its_file() {
    let bench = Bench::new();
    let bad = bench.sector_of("/etc/passwd");
    let error = bench.save(bad.clone(), usize::MAX, false).unwrap_err();
    let text = error.to_string();
    assert_eq!(text, "cannot read /dev/sdz: 512 bytes of /etc/passwd of partition 2");
    assert_eq!(bench.files(), [""; 0]);

    let bad = bench.sector_of("/home/odroid/nodes.txt");
    let outcome = bench.save(bad.clone(), usize::MAX, true).unwrap();
    assert_eq!(outcome.lost.len(), 1);
    assert_eq!(
        outcome.lost[0].owner,
        LostOwner::File { path: "/home/odroid/nodes.txt".to_owned() }
    );
    assert_eq!(outcome.lost[0].ranges, bad.iter().collect::<Vec<_>>());
    assert_eq!(bench.files(), ["saved.img", "saved.img.bmap", "saved.img.sha256"]);
}

/// The boot partition is FAT, and so is its file's name known.
#[test]
fn an_unreadable_sector_of_the_boot_partition_is_named_with_its_file() {
    let bench = Bench::new();
    let layout = Layout::find(&bench.card, None).unwrap();
    let boot = layout.partitions.first().unwrap().range.clone();
    let window = Window::new(bench.card.clone(), boot.start, boot.end - boot.start).unwrap();
    let all = Extents::from(0..boot.end - boot.start);
    let owners = fat_offline::owners(&window, &all).unwrap();
    let wanted = ClusterOwner::File { path: "/zImage".to_owned() };
    let found = owners.iter().find(|(owner, _)| *owner == wanted).expect("the file has clusters");
    let first = boot.start + found.1.iter().next().unwrap().start;
    let bad = Extents::from(first..first + 512);
    let error = bench.save(bad.clone(), usize::MAX, false).unwrap_err();
    let text = error.to_string();
    assert_eq!(text, "cannot read /dev/sdz: 512 bytes of /zImage of partition 1");
    assert_eq!(bench.files(), [""; 0]);

    let outcome = bench.save(bad.clone(), usize::MAX, true).unwrap();
    assert_eq!(outcome.lost.len(), 1);
    assert_eq!(outcome.lost[0].owner, LostOwner::File { path: "/zImage".to_owned() });
    assert_eq!(outcome.lost[0].ranges, bad.iter().collect::<Vec<_>>());
    // The table itself: whatever it says, the partition cannot be told from one in use.
    let bad = Extents::from(boot.start + 512..boot.start + 4096);
    let outcome = bench.save(bad, usize::MAX, true).unwrap();
    assert!(outcome.lost.iter().any(|lost| lost.owner == LostOwner::Filesystem), "{outcome:?}");
}

#[test]
fn a_card_that_is_pulled_leaves_no_image_whenever_it_is() {
    let bench = Bench::new();
    let mut saved = false;
    for after in (0..400).map(|step: usize| 5 * step * step) {
        for keep_going in [false, true] {
            match bench.save(Extents::new(), after, keep_going) {
                Ok(_) => saved = true,
                Err(error) => {
                    assert!(matches!(error, SaveError::Removed { .. }), "{after}: {error}");
                    assert_eq!(bench.files(), [""; 0], "{after}");
                }
            }
        }
        if saved {
            break;
        }
    }
    assert!(saved);
}
