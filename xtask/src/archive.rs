//! Archives, tar in gzip, whose octets depend on the files' names and contents only.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read, Write},
    path::{Component, Path, PathBuf},
};

use flate2::{Compression, GzBuilder, read::GzDecoder};
use tar::{Archive, Builder, EntryType, Header};

/// The time of every file: the first second of 1980, the first that all archive formats can say.
const TIME: u64 = 315_532_800;

/// Files by their paths in an archive.
pub type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Writes an archive.
///
/// # Errors
/// If the output fails.
pub fn write(files: &Files, to: impl Write) -> io::Result<()> {
    let gzip = GzBuilder::new().mtime(0).write(to, Compression::best());
    let mut tar = Builder::new(gzip);
    for (path, content) in files {
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_mtime(TIME);
        header.set_size(content.len().try_into().map_err(io::Error::other)?);
        tar.append_data(&mut header, path, content.as_slice())?;
    }
    tar.into_inner()?.finish()?.flush()
}

/// Reads the regular files of an archive.
///
/// # Errors
/// If it cannot be read, or a path leads out of it.
pub fn read(path: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    for entry in Archive::new(GzDecoder::new(File::open(path)?)).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let is_plain = path
            .components()
            .all(|it| matches!(it, Component::Normal(_)));
        if entry.header().entry_type() != EntryType::Regular || !is_plain {
            let path = path.display();
            return Err(io::Error::other(format!(
                "{path} is not a plain file of the archive"
            )));
        }
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        files.insert(path, content);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_the_same_octets_again_and_reads_what_it_wrote() -> io::Result<()> {
        let long = format!("{}/{}", "d".repeat(90), "f".repeat(90));
        let names = ["b/2", "a", "b/1", &long];
        let files: Files = names
            .into_iter()
            .map(|name| (PathBuf::from(name), name.repeat(99).into_bytes()))
            .collect();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        write(&files, &mut first)?;
        write(&files.into_iter().rev().collect(), &mut second)?;
        assert_eq!(first, second);
        // No time and no name in the header of gzip.
        assert_eq!(first[3..8], [0, 0, 0, 0, 0]);
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("x.tar.gz");
        std::fs::write(&path, &first)?;
        let files = read(&path)?;
        let names: Vec<_> = files
            .keys()
            .map(|path| path.display().to_string())
            .collect();
        assert_eq!(names, ["a", "b/1", "b/2", &long]);
        assert_eq!(files[Path::new("b/2")], "b/2".repeat(99).as_bytes());
        Ok(())
    }

    #[test]
    fn refuses_links_and_paths_that_lead_out() -> io::Result<()> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("x.tar.gz");
        for (name, kind) in [("../a", EntryType::Regular), ("a", EntryType::Symlink)] {
            let mut header = Header::new_ustar();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(kind);
            header.set_size(0);
            header.set_cksum();
            let mut tar = Builder::new(GzBuilder::new().write(Vec::new(), Compression::fast()));
            tar.append(&header, io::empty())?;
            std::fs::write(&path, tar.into_inner()?.finish()?)?;
            let error = read(&path).expect_err("an error").to_string();
            assert_eq!(error, format!("{name} is not a plain file of the archive"));
        }
        Ok(())
    }
}
