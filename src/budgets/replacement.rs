//! A file that is replaced whole: whoever reads it sees the old one or the new one, never half.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How many symbolic links in a row are followed, as many as Linux does.
const LINKS_MAX: usize = 40;

/// Writes `text` to a new file beside `path` and renames it to `path`; missing folders are made.
///
/// The new file has one name per target, and its writers lock it: what a killed process left is
/// taken over by the next one, so nothing piles up.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let target = followed(path)?;
    let name = target.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut new_name = std::ffi::OsString::from(".");
    new_name.push(name);
    new_name.push(".tmp");
    let new_path = folder.join(new_name);
    let new = locked(&new_path)?;
    let done = write(&new, text, &target).and_then(|()| fs::rename(&new_path, &target));
    if done.is_err() {
        // Still locked: nobody else is writing it.
        let _ = fs::remove_file(&new_path);
    }
    done?;
    // The rename itself lasts once the folder is written; not every system can do that.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

fn write(mut new: &File, text: &str, target: &Path) -> io::Result<()> {
    new.set_len(0)?;
    new.write_all(text.as_bytes())?;
    // A file that is there keeps its permissions; a new one has what the umask gives.
    if let Ok(present) = fs::metadata(target) {
        new.set_permissions(present.permissions())?;
    }
    new.sync_all()
}

/// Where the links lead, also where nothing is there yet.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS_MAX {
        let Ok(next) = fs::read_link(&path) else { return Ok(path) };
        path = path.parent().map_or_else(|| next.clone(), |folder| folder.join(&next));
    }
    Err(io::ErrorKind::InvalidInput.into())
}

/// The file of that path, opened and locked.
fn locked(path: &Path) -> io::Result<File> {
    loop {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        file.lock()?;
        // Who held the lock before has renamed the file: it is the target now.
        if is_at(&file, path) {
            return Ok(file);
        }
    }
}

#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let same = |a: &fs::Metadata, b: &fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(a), Ok(b)) if same(&a, &b))
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}
