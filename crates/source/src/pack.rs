//! Owns writing packs of whole objects: how objects get from one database on this machine to another.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use gix_hash::ObjectId;
use gix_object::Kind;

use crate::link::Patience;
use crate::objects::{ObjectError, Objects};

/// Copies objects. The caller names each once.
pub(crate) fn copy(
    from: &Objects,
    to: &Objects,
    ids: &[ObjectId],
    scratch: &Path,
    limit: u64,
    patience: &Patience,
) -> Result<(), ObjectError> {
    if ids.is_empty() {
        return Ok(());
    }
    let broken = |error: io::Error| ObjectError::Local(error.to_string());
    let mut writer = Writer::new(tempfile::tempfile_in(scratch).map_err(broken)?, ids.len()).map_err(broken)?;
    for id in ids {
        if let Some(over) = patience.over("a repository of this machine") {
            return Err(ObjectError::Broken(over.to_string()));
        }
        let (kind, data) = from.read(id, limit)?;
        writer.add(kind, &data).map_err(broken)?;
    }
    let mut file = writer.finish().map_err(broken)?;
    to.ingest(&mut file, patience)
}

/// Writes one pack.
pub(crate) struct Writer {
    out: Hashed,
}

/// A file whose bytes are hashed on their way.
struct Hashed {
    file: BufWriter<File>,
    hasher: gix_hash::Hasher,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Writer {
    pub(crate) fn new(file: File, count: usize) -> io::Result<Self> {
        let mut out = Hashed { file: BufWriter::new(file), hasher: gix_hash::hasher(gix_hash::Kind::Sha1) };
        let count = u32::try_from(count).map_err(|_| io::Error::other("too many objects for one pack"))?;
        out.write_all(b"PACK\0\0\0\x02")?;
        out.write_all(&count.to_be_bytes())?;
        Ok(Self { out })
    }

    pub(crate) fn add(&mut self, kind: Kind, data: &[u8]) -> io::Result<()> {
        let number: u8 = match kind {
            Kind::Commit => 1,
            Kind::Tree => 2,
            Kind::Blob => 3,
            Kind::Tag => 4,
        };
        // Four bits of the size beside the kind, then seven a byte.
        let mut size = data.len();
        let mut byte = (number << 4) | (size & 0x0f) as u8;
        size >>= 4;
        while size > 0 {
            self.out.write_all(&[byte | 0x80])?;
            byte = (size & 0x7f) as u8;
            size >>= 7;
        }
        self.out.write_all(&[byte])?;
        let mut encoder = ZlibEncoder::new(&mut self.out, Compression::fast());
        encoder.write_all(data)?;
        encoder.finish().map(drop)
    }

    pub(crate) fn finish(self) -> io::Result<BufReader<File>> {
        let Hashed { mut file, hasher } = self.out;
        let digest = hasher.try_finalize().map_err(io::Error::other)?;
        file.write_all(digest.as_slice())?;
        let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        Ok(BufReader::new(file))
    }
}
