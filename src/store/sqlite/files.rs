//! Which files may be a store: a regular file on a local file system, or a new one in a folder.
//!
//! They are looked at by name only. To open and close a file drops the locks that the process has
//! on it, and SQLite would not know.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::ledger::StoreError;

/// The full path of a file that may be a store.
pub(super) fn checked(path: &Path) -> Result<PathBuf, StoreError> {
    let path = full(path)?;
    match fs::metadata(&path) {
        Ok(found) if has_other_names(&found) => {
            return Err(refused(
                &path,
                "it has several names (hard links), and SQLite keeps a log for each: remove the others",
            ));
        }
        Ok(found) if found.is_file() => writable(&path, "the file")?,
        Ok(found) => {
            let kind = if found.is_dir() { "a folder" } else { "no regular file" };
            return Err(refused(&path, &format!("it is {kind}; a store is a file")));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(refused(&path, &error.to_string())),
    }
    let folder = path.parent().unwrap_or(&path);
    writable(folder, "its folder, where SQLite keeps the -wal and -shm files,")?;
    local(folder, &path)?;
    Ok(path)
}

/// Whether a file has hard links.
fn has_other_names(found: &fs::Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        found.is_file() && found.nlink() > 1
    }
    #[cfg(not(unix))]
    {
        let _ = found;
        false
    }
}

/// The path without links, so that a file has one name in a process.
fn full(path: &Path) -> Result<PathBuf, StoreError> {
    match fs::canonicalize(path) {
        Ok(full) => return Ok(full),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(refused(path, &error.to_string())),
    }
    if path.is_symlink() {
        return Err(refused(path, "it is a link to a file that is not there"));
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(refused(path, "it names no file"));
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match fs::canonicalize(folder) {
        Ok(folder) if folder.is_dir() => Ok(folder.join(name)),
        Ok(_) => Err(refused(path, &format!("{} is not a folder", folder.display()))),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = folder.display();
            Err(refused(path, &format!("there is no folder {folder}; make it first")))
        }
        Err(error) => Err(refused(path, &error.to_string())),
    }
}

/// Which file has this path. `None` where the system does not tell, or if there is none.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

fn refused(path: &Path, problem: &str) -> StoreError {
    StoreError::Unavailable(format!("cannot use {} as a store: {problem}", path.display()))
}

#[cfg(unix)]
fn writable(path: &Path, what: &str) -> Result<(), StoreError> {
    use rustix::fs::{Access, access};
    use rustix::io::Errno;

    match access(path, Access::READ_OK | Access::WRITE_OK) {
        Ok(()) => Ok(()),
        Err(Errno::ACCESS | Errno::PERM | Errno::ROFS) => {
            Err(refused(path, &format!("{what} is read-only for this process")))
        }
        Err(error) => Err(refused(path, &error.to_string())),
    }
}

#[cfg(not(unix))]
fn writable(path: &Path, what: &str) -> Result<(), StoreError> {
    match fs::metadata(path) {
        Ok(found) if found.permissions().readonly() && found.is_file() => {
            Err(refused(path, &format!("{what} is read-only")))
        }
        _ => Ok(()),
    }
}

/// File systems that other machines write to. SQLite's shared memory does not reach those.
const SHARED: [(u32, &str); 13] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x0102_1997, "9P"),
    (0x0bd0_0bd0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x0116_1970, "GFS2"),
    (0x7461_636f, "OCFS2"),
];

#[cfg(target_os = "linux")]
fn local(folder: &Path, path: &Path) -> Result<(), StoreError> {
    let found = rustix::fs::statfs(folder).map_err(|error| refused(path, &error.to_string()))?;
    // Some kernels fill the upper half with the sign.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a magic number")]
    allowed(found.f_type as u32, path)
}

#[cfg(not(target_os = "linux"))]
fn local(_folder: &Path, _path: &Path) -> Result<(), StoreError> {
    Ok(())
}

#[cfg(any(target_os = "linux", test))]
fn allowed(kind: u32, path: &Path) -> Result<(), StoreError> {
    match SHARED.iter().find(|(other, _)| *other == kind) {
        None => Ok(()),
        Some((_, name)) => Err(refused(
            path,
            &format!(
                "it is on a network file system ({name}), where two machines may write without \
                 seeing each other; use a local disk, or a Redis store for several machines"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(path: &Path) -> String {
        checked(path).unwrap_err().to_string()
    }

    #[test]
    fn a_file_that_is_new_or_there_has_one_name() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("b.db"), folder.path().join("link.db"));
        let before = checked(&file).unwrap();
        fs::write(&file, "").unwrap();
        assert_eq!(checked(&file).unwrap(), before);
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&file, &link).unwrap();
            assert_eq!(checked(&link).unwrap(), before);
            fs::remove_file(&file).unwrap();
            assert!(said(&link).contains("a link to a file that is not there"));
        }
    }

    #[test]
    fn what_is_no_file_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        assert!(said(folder.path()).contains("it is a folder; a store is a file"));
        let message = said(&folder.path().join("none/b.db"));
        assert!(message.contains("there is no folder") && message.contains("none"), "{message}");
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(said(&folder.path().join("file/b.db")).contains("cannot use"));
        assert!(said(Path::new("/dev/null")).contains("no regular file"));
    }

    #[test]
    fn network_file_systems_are_refused_by_name() {
        let path = Path::new("/mnt/b.db");
        allowed(0xef53, path).unwrap();
        for (kind, name) in SHARED {
            let message = allowed(kind, path).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains("/mnt/b.db"), "{message}");
        }
    }
}
