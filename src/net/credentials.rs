//! What the service manager hands over: secrets that are in no folder of ours (systemd.exec(5),
//! "Credentials").

use std::io;
use std::path::Path;

use zeroize::Zeroizing;

/// Where they are, if the service manager has any for us.
const FOLDER: &str = "CREDENTIALS_DIRECTORY";

/// The credential of that name, if there is one. Memory that is overwritten when it is dropped.
pub(crate) fn credential(name: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let Some(folder) = std::env::var_os(FOLDER) else { return Ok(None) };
    match std::fs::read(Path::new(&folder).join(name)) {
        Ok(content) => Ok(Some(Zeroizing::new(content))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
