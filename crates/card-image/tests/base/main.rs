//! Opening base images, as they come from the real compressors.

mod cache;
mod checksums;
mod damage;
mod formats;
mod full_disk;
mod support;
mod trust;
