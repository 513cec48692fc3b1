//! What is known about the filesystems of e2fsprogs' tests.

use ext4_offline::Error;

/// Lines of e2fsck that are not damage.
const HARMLESS: [&str; 9] = [
    // Times are compared with the judge's clock.
    "Superblock last mount time",
    "Superblock last write time",
    "is in the future",
    "now = ",
    // Old kernels wrote times before 1970 so; the check notes them.
    "beyond 2310-04-04 are likely pre-1970",
    // Only e2fsck needs it.
    "lost+found not found",
    // Trees that could be smaller stay as they are.
    "could be shorter.  Optimize? no",
    "could be narrower.  Optimize? no",
    "Can't find external journal",
];

/// Lines of e2fsck that say what mounting would do as well.
const RECOVERY: [&str; 6] = [
    ": recovering journal",
    "Clearing orphaned inode",
    "Free blocks count wrong",
    "Free inodes count wrong",
    "FILE SYSTEM WAS MODIFIED",
    "was not cleanly unmounted, check forced",
];

pub fn is_harmless(line: &str) -> bool {
    line.trim() == "Fix? no" || HARMLESS.iter().any(|part| line.contains(part))
}

pub fn is_recovery(line: &str) -> bool {
    line.trim() == "Fix? yes" || RECOVERY.iter().any(|part| line.contains(part))
}

/// Cases that e2fsck cannot judge, because their journal is on a device that does not exist.
pub fn cannot_be_judged(name: &str) -> bool {
    name.starts_with("f_ext_journal")
}

/// Single cases that e2fsck accepts and that are refused: how their names begin, and why.
const SINGLE: [(&str, &str); 6] = [
    ("f_badtable", "bad blocks in an inode table"),
    ("f_bbinode", "bad blocks in an inode table"),
    ("f_bigalloc_orphan_list", "the list of orphans names an inode that is not in use"),
    ("f_ea_inode", "values of attributes in the format of Lustre, or that nothing refers to"),
    ("f_inlinedata_repair", "a symlink whose target has a NUL"),
    ("f_inlinedir_detector", "a FIFO with contents"),
];

/// Returns why a filesystem that e2fsck accepts is refused.
pub fn refusal(name: &str, error: &Error) -> Option<String> {
    let why = match error {
        Error::Feature { feature, .. } => format!("the feature {feature}"),
        Error::JournalFeature { feature, .. } => format!("the journal's feature {feature}"),
        Error::Unsupported { field, value, .. } => format!("{field} is {value}: not supported"),
        Error::UnsupportedInode { .. } => "EA_INODE_FL where the kernel rejects it".into(),
        Error::MarkedErroneous { .. } => "errors that the kernel marked; e2fsck has to say".into(),
        Error::NotClean { .. } => "not unmounted cleanly; e2fsck has to say".into(),
        // e2fsck compares the first quarter of the list.
        error if error.to_string().ends_with("does not list the reserved descriptor blocks") => {
            "reserved descriptor blocks that the resize inode does not list".into()
        }
        // They have quotas, so orphans cannot be removed.
        Error::Orphans { .. } if name.contains("quot") => "orphans and the feature quota".into(),
        _ => {
            let single = SINGLE.iter().find(|(begin, _)| name.starts_with(begin));
            single.map(|(_, why)| (*why).to_owned())?
        }
    };
    Some(why)
}
