//! The part of a data directory that is dear to make, made once.

use dossier::app::keys::KeyStore;
use dossier::app::{clock, tls};
use dossier::store::data_dir::DataDir;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Every file of the seed, by its place in the data directory.
static SEED: OnceLock<Vec<(PathBuf, Vec<u8>)>> = OnceLock::new();

/// Makes a data directory that has signing keys and certificates, and nothing else:
/// two RSA keys cost more than all the rest of a start.
pub(super) fn plant(root: &Path) {
    fs::create_dir(root).unwrap();
    fs::set_permissions(root, fs::Permissions::from_mode(0o700)).unwrap();
    for (place, bytes) in SEED.get_or_init(grow) {
        let path = root.join(place);
        let folder = path.parent().unwrap();
        fs::create_dir_all(folder).unwrap();
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

fn grow() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("seed");
    let now_s = clock::now().seconds();
    let (dir, _) = DataDir::open(&root).unwrap();
    KeyStore::open(dir.root(), now_s).unwrap();
    tls::development(dir.root(), &[], now_s).unwrap();
    let mut files = vec![PathBuf::from("format")];
    for folder in ["keys", "tls"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            files.push(Path::new(folder).join(entry.unwrap().file_name()));
        }
    }
    files.into_iter().map(|place| (place.clone(), fs::read(root.join(place)).unwrap())).collect()
}
