//! Archives of images, as `docker save` writes them.

use std::path::Path;

/// Writes a `docker save` archive of one image to `path`.
pub fn save(path: &Path, name: &str, architecture: &str) {
    let manifest =
        format!(r#"[{{"Config":"c0.json","RepoTags":["{name}"],"Layers":["l/layer.tar"]}}]"#);
    let config = format!(r#"{{"architecture":"{architecture}","os":"linux","rootfs":{{}}}}"#);
    // docker save puts the manifest last.
    write(
        path,
        &[
            ("l/layer.tar", &[7; 9000]),
            ("c0.json", config.as_bytes()),
            ("manifest.json", manifest.as_bytes()),
        ],
    );
}

/// Writes a tar archive.
pub fn write(path: &Path, files: &[(&str, &[u8])]) {
    let mut archive = tar::Builder::new(std::fs::File::create(path).unwrap());
    for (name, contents) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *contents).unwrap();
    }
    archive.finish().unwrap();
}
