//! The libcrypt in the image.

use crate::{SystemError, render::context::Context};

/// Where libraries are, directly or in a directory for each architecture.
const PLACES: [&str; 4] = ["/lib", "/usr/lib", "/lib64", "/usr/lib64"];

/// Returns whether libcrypt is the one that was part of glibc until Debian 10 and Ubuntu
/// 18.04: it is named after glibc's release (`libcrypt-2.23.so`), libxcrypt's after its own
/// (`libcrypt.so.1.1.0`).
pub(super) fn is_of_glibc(from: &Context<'_>) -> Result<bool, SystemError> {
    let (mut glibc, mut xcrypt) = (false, false);
    for place in PLACES {
        let names = from.list(place)?;
        let inner = names.iter().filter(|name| name.contains("-linux-"));
        let mut all = vec![names.clone()];
        for name in inner {
            all.push(from.list(&format!("{place}/{name}"))?);
        }
        for name in all.iter().flatten() {
            glibc |= name.starts_with("libcrypt-2.");
            xcrypt |= name.starts_with("libcrypt.so.1.") || name.starts_with("libcrypt.so.2");
        }
    }
    Ok(glibc && !xcrypt)
}
