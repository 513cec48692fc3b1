//! Mounts by the kernel, if the tests run as root with loop devices; otherwise a message says what
//! is not checked.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::*;

/// A mount that ends with the test: its mount point, and the image.
pub struct Mounted(pub PathBuf, PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let point = self.0.to_str().unwrap();
        if !run("umount", &[point]).status.success() {
            // Something still uses it: it is unmounted as soon as that ends.
            run("umount", &["-l", point]);
        }
        // A mount namespace that began meanwhile has a copy of the mount, and the kernel writes
        // its last blocks when the last copy goes. The loop device goes with it.
        let image = self.1.to_str().unwrap();
        for _ in 0..600 {
            if run("losetup", &["-j", image]).stdout.is_empty() {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Mounts an image, or returns why the kernel refuses.
pub fn try_mount(image: &Path, options: &str) -> Result<Mounted, String> {
    let point = image.with_extension("mounted");
    fs::create_dir_all(&point).unwrap();
    let options = format!("loop,{options}");
    let mounted = run("mount", &["-o", &options, image.to_str().unwrap(), point.to_str().unwrap()]);
    if mounted.status.success() {
        Ok(Mounted(point, image.to_owned()))
    } else {
        Err(String::from_utf8_lossy(&mounted.stderr).into_owned())
    }
}

/// The same for a valid image: if it cannot be mounted, the kernel lacks support.
pub fn mount(image: &Path, options: &str) -> Option<Mounted> {
    try_mount(image, options)
        .inspect_err(|why| {
            let what = format!("the kernel was not asked, since mount -o {options} failed: {why}");
            test_support::not_supported(&what);
        })
        .ok()
}

pub fn is_root() -> bool {
    let root = run("id", &["-u"]).stdout.trim_ascii() == b"0";
    test_support::judged_if(root, "the kernel was not asked: mounting needs root")
}

/// An image in memory, where syncing is free.
pub fn make(arguments: &str, size: u64) -> Image {
    let made = Image::make(arguments, size);
    let dir = scratch();
    let path = dir.path().join("image");
    fs::copy(&made.path, &path).unwrap();
    Image { dir, path }
}

pub fn write_synced(path: &Path, bytes: &[u8]) {
    let mut file = fs::File::create(path).unwrap();
    file.write_all(bytes).unwrap();
    file.sync_all().unwrap();
}
