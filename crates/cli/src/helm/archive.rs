//! Owns packing a chart's folder as an archive, as `helm package` does for a dependency that lies beside the chart. Must not decide
//! where it goes.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use plumb_helm::File;

const BLOCK: usize = 512;
/// The longest name that fits a header without an entry of its own.
const SHORT_NAME: usize = 100;

/// Packs files into a folder of the chart's name. The same files give the same bytes: no time and no owner is in them.
pub(super) fn pack(name: &str, files: &[File]) -> std::io::Result<Vec<u8>> {
    let mut out = GzEncoder::new(Vec::new(), Compression::default());
    for file in files {
        let path = format!("{name}/{}", file.name);
        if path.len() > SHORT_NAME {
            // GNU's way: an entry whose content is the name of the next.
            let long = format!("{path}\0");
            entry(&mut out, "././@LongLink", b'L', long.as_bytes())?;
        }
        let cut = path.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= SHORT_NAME).last().unwrap_or(0);
        entry(&mut out, &path[..cut], b'0', &file.data)?;
    }
    out.write_all(&[0; 2 * BLOCK])?;
    out.finish()
}

fn entry(out: &mut impl Write, name: &str, kind: u8, content: &[u8]) -> std::io::Result<()> {
    let mut header = [0_u8; BLOCK];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..107].copy_from_slice(b"0000644");
    header[108..115].copy_from_slice(b"0000000");
    header[116..123].copy_from_slice(b"0000000");
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[136..147].copy_from_slice(b"00000000000");
    header[148..156].fill(b' ');
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar  \0");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    out.write_all(&header)?;
    out.write_all(content)?;
    out.write_all(&vec![0; content.len().next_multiple_of(BLOCK) - content.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked() {
        let file = |name: &str, text: &str| File { name: name.to_owned(), data: text.as_bytes().into() };
        let long = format!("templates/{}.yaml", "lång-".repeat(40));
        let files = [file("Chart.yaml", "name: a\n"), file("empty", ""), file(&long, &"x".repeat(BLOCK)), file("z", "end")];
        let back = plumb_helm::unpack(&pack("a", &files).unwrap()).unwrap();
        let pairs = |files: &[File]| files.iter().map(|file| (file.name.clone(), file.data.to_vec())).collect::<Vec<_>>();
        assert_eq!(pairs(&back), pairs(&files));
    }
}
