//! Images, compressors, and a place to open images in.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};

use block_io::ReadAt as _;
use card_image::{BaseError, BaseImage, BaseOptions, BuildProgress, BuildStage, Cancel};
pub use test_support::pipe;

/// A disk image: a boot signature, random bytes, zeros, some text, and random
/// bytes in the last block, which is not a whole one.
pub fn image(random: usize, zeros: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = |n: usize| -> Vec<u8> {
        let next = |_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        };
        (0..n).map(next).collect()
    };
    let mut image = vec![0; 512];
    image[510..].copy_from_slice(b"\x55\xaa");
    image.extend(noise(random));
    image.extend(vec![0; zeros]);
    image.extend(b"All work and no play makes Jack a dull boy. ".repeat(500));
    image.extend(noise(1000));
    image.resize(image.len().next_multiple_of(512), 7);
    image
}

pub fn xz(input: &[u8]) -> Vec<u8> {
    pipe("xz-utils", &["xz", "-T2", "--block-size=128KiB", "-c"], input)
}

pub fn gzip(input: &[u8]) -> Vec<u8> {
    pipe("gzip", &["gzip", "-c"], input)
}

pub fn zstd(input: &[u8]) -> Vec<u8> {
    pipe("zstd", &["zstd", "-q", "-c"], input)
}

pub fn bzip2(input: &[u8]) -> Vec<u8> {
    pipe("bzip2", &["bzip2", "-c"], input)
}

/// Makes a zip file with these members.
pub fn zip(arguments: &[&str], members: &[(&str, &[u8])]) -> Vec<u8> {
    let temp = tempfile::tempdir().unwrap();
    let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    for (name, bytes) in members {
        fs::write(temp.path().join(name), bytes).unwrap();
    }
    let status = Command::new("zip")
        .current_dir(temp.path())
        .arg("-q")
        .args(arguments)
        .arg("out.zip")
        .args(names)
        .status()
        .unwrap_or_else(|error| panic!("zip ({error}): install the Debian package zip"));
    assert!(status.success(), "zip failed");
    fs::read(temp.path().join("out.zip")).unwrap()
}

/// Returns the image in each format, with the format's usual ending.
pub fn all_formats(image: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("xz", xz(image)),
        ("gz", gzip(image)),
        ("zst", zstd(image)),
        ("bz2", bzip2(image)),
        ("zip", zip(&[], &[("x.img", image)])),
    ]
}

/// Records the stages, and calls a function when one begins.
#[derive(Default)]
pub struct Stages<'a> {
    seen: Mutex<Vec<BuildStage>>,
    on_begin: Option<Box<dyn Fn(BuildStage) + Send + Sync + 'a>>,
}

impl<'a> Stages<'a> {
    pub fn with(on_begin: impl Fn(BuildStage) + Send + Sync + 'a) -> Self {
        Stages { seen: Mutex::default(), on_begin: Some(Box::new(on_begin)) }
    }

    pub fn seen(&self) -> Vec<BuildStage> {
        self.seen.lock().unwrap().clone()
    }
}

impl BuildProgress for Stages<'_> {
    fn begin(&self, stage: BuildStage, _: u64) {
        self.seen.lock().unwrap().push(stage);
        if let Some(on_begin) = &self.on_begin {
            on_begin(stage);
        }
    }
    fn advance(&self, _: u64) {}
    fn end(&self) {}
}

/// A directory for a base, and one for the cache.
pub struct Bench {
    dir: PathBuf,
    _temp: Option<tempfile::TempDir>,
}

impl Bench {
    pub fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        Bench { dir: temp.path().to_owned(), _temp: Some(temp) }
    }

    /// Uses a directory that somebody else removes.
    pub fn at(dir: PathBuf) -> Self {
        Bench { dir, _temp: None }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name)
    }

    pub fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    /// Returns the cache's files with this ending, or all, except for locks.
    pub fn cached(&self, ending: &str) -> Vec<PathBuf> {
        let Ok(list) = fs::read_dir(self.cache()) else { return Vec::new() };
        let paths = list.map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> = paths
            .filter(|path| {
                let found = path.extension().unwrap_or_default();
                found != "lock" && (ending.is_empty() || found == ending)
            })
            .collect();
        paths.sort();
        paths
    }

    pub fn open(&self, path: &Path) -> Result<BaseImage, BaseError> {
        self.open_with(path, &Stages::default(), &Cancel::new())
    }

    pub fn open_with(
        &self,
        path: &Path,
        progress: &dyn BuildProgress,
        cancel: &Cancel,
    ) -> Result<BaseImage, BaseError> {
        let cache = self.cache();
        BaseImage::open(
            path,
            BaseOptions { cache_dir: Some(&cache), sha256: None, limit: None, progress, cancel },
        )
    }

    /// Opens a good base, and returns the stages of that.
    pub fn stages(&self, path: &Path) -> (BaseImage, Vec<BuildStage>) {
        let stages = Stages::default();
        let base = self.open_with(path, &stages, &Cancel::new());
        (base.unwrap_or_else(|e| panic!("{}: {e}", path.display())), stages.seen())
    }
}

pub fn contents(base: &BaseImage) -> Vec<u8> {
    let storage = base.storage();
    let mut bytes = vec![0; storage.size() as usize];
    storage.read_at(0, &mut bytes).unwrap();
    bytes
}
