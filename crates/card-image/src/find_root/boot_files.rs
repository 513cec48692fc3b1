//! The files in which boot loaders name the root filesystem.

/// The paths of such files on a boot partition. On a root filesystem they may also be below
/// `boot/`.
///
/// U-Boot of the ODROID boards reads `boot.ini`; Armbian has `armbianEnv.txt`
/// (and `boot.cmd`, the source of `boot.scr`); the Raspberry Pi `cmdline.txt`;
/// distributions with a generic U-Boot `extlinux/extlinux.conf`; older ones
/// `uEnv.txt`.
pub const BOOT_FILES: [&str; 6] =
    ["boot.ini", "armbianEnv.txt", "extlinux/extlinux.conf", "cmdline.txt", "uEnv.txt", "boot.cmd"];

/// The most root filesystems that are read from one boot file: more than any real file names,
/// even with a dozen kernels to choose from.
const MAX_ROOTS: usize = 32;

/// A file in which a boot loader names the root filesystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BootFile {
    /// Its path from the root directory of its filesystem.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl BootFile {
    /// Returns what the file names as the root filesystem, each value once.
    ///
    /// Values with variables in them are skipped: their value is only known when the board
    /// boots.
    pub(super) fn roots(&self) -> Vec<&str> {
        let mut roots: Vec<&str> = Vec::new();
        let lines = self.text.lines().map(str::trim_start).filter(|line| !line.starts_with('#'));
        for word in lines.flat_map(|line| line.split([' ', '\t', '"', '\'', ';'])) {
            let Some(value) = value(word) else { continue };
            if !value.is_empty() && !value.contains('$') && !roots.contains(&value) {
                roots.push(value);
                if roots.len() == MAX_ROOTS {
                    break;
                }
            }
        }
        roots
    }
}

/// Returns the value of `root=` (alone, or first in an assignment such as `bootargs=root=…`)
/// or of Armbian's `rootdev=`.
fn value(word: &str) -> Option<&str> {
    if let Some(value) = word.strip_prefix("rootdev=") {
        return Some(value);
    }
    let at = word.find("root=")?;
    let (before, found) = word.split_at_checked(at)?;
    (before.is_empty() || before.ends_with('=')).then(|| found.trim_start_matches("root="))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots(text: &str) -> Vec<String> {
        let file = BootFile { path: String::new(), text: text.to_owned() };
        file.roots().into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn reads_the_files_of_boot_loaders() {
        let boot_ini = "ODROIDXU-UBOOT-CONFIG\n# setenv bootrootfs \"root=/dev/mmcblk0p9\"\n\
            setenv bootrootfs \"console=tty1 root=UUID=e139ce78-9841 rootwait ro fsck.repair=yes\"\n\
            setenv bootargs \"${bootrootfs} ${videoconfig} root=${other}\"\n";
        assert_eq!(roots(boot_ini), ["UUID=e139ce78-9841"]);
        assert_eq!(roots("verbosity=1\nrootdev=UUID=ab\nrootfstype=ext4\n"), ["UUID=ab"]);
        assert_eq!(roots("console=x root=PARTUUID=12-02 rootfstype=ext4"), ["PARTUUID=12-02"]);
        assert_eq!(
            roots(
                "label a\n append root=/dev/sda2 ro\nlabel b\n\tappend root=/dev/sda2 nfsroot=x\n"
            ),
            ["/dev/sda2"]
        );
        assert_eq!(roots("bootargs=root=LABEL=r quiet\n"), ["LABEL=r"]);
        assert_eq!(roots("nfsroot=1.2.3.4:/x rootwait root= overlayroot=tmpfs"), [""; 0]);
    }
}
