//! Detects file systems that are on another machine.

use std::io;
use std::path::Path;

/// The magic numbers of network file systems (Linux's `magic.h` and the file systems' own documentation).
#[cfg(target_os = "linux")]
const NETWORK: [(u32, &str); 13] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x00c3_6400, "Ceph"),
    (0x0102_1997, "9P"),
    (0x0116_1970, "GFS2"),
    (0x7461_636f, "OCFS2"),
    (0x0bd0_0bd0, "Lustre"),
    (0x564c, "NCP"),
];

/// Returns the kind of network file system that a folder is on, or `None` for a local one.
#[cfg(target_os = "linux")]
pub(super) fn kind(folder: &Path) -> io::Result<Option<&'static str>> {
    let found = rustix::fs::statfs(folder)?.f_type;
    // The width and sign of the field depend on the architecture.
    let magic = (found as u64 & 0xffff_ffff) as u32;
    Ok(name(magic))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn kind(_: &Path) -> io::Result<Option<&'static str>> {
    Ok(None)
}

#[cfg(target_os = "linux")]
fn name(magic: u32) -> Option<&'static str> {
    NETWORK.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_folder_is_on_no_network() {
        assert_eq!(kind(&std::env::temp_dir()).unwrap(), None);
        assert!(kind(Path::new("/nowhere/at/all")).is_err());
        assert_eq!((name(0x6969), name(0xef53)), (Some("NFS"), None));
    }
}
