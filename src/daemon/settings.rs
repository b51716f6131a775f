//! The files of the configuration: `maison.toml` and the `conf.d/*.toml` next to it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::config::{self, Mistake, Position, Report, Settings, Source};
use crate::limits::{CONFIG_FILE_BYTES_MAX, CONFIG_FILES_MAX};
use crate::net::open_regular;

/// The file that is read unless another is given.
pub const DEFAULT_PATH: &str = "/etc/maison/maison.toml";

/// The folder next to it whose files are read as well.
pub(crate) const PARTS: &str = "conf.d";

/// Why there are no settings. [`fmt::Display`] says it to the operator, with hints; the process
/// then ends with status 78.
#[derive(Debug)]
pub enum LoadError {
    /// The main file does not exist.
    Absent(PathBuf),
    /// A file or folder cannot be read.
    Unreadable(PathBuf, io::Error),
    /// A file is larger than [`CONFIG_FILE_BYTES_MAX`].
    TooLarge(PathBuf),
    /// The folder has more than [`CONFIG_FILES_MAX`] files.
    TooMany(PathBuf),
    /// A file has bytes at this position that are no UTF-8.
    NotText(PathBuf, Position),
    /// A file that said something when it was read before is gone, or says nothing.
    Emptied(PathBuf, &'static str),
    /// The files are read, and what they say is wrong.
    Wrong(Report),
}

/// Reads and checks the configuration: the file at `path`, or at [`DEFAULT_PATH`], then the files
/// of `conf.d` next to it whose names end in `.toml` and do not start with a dot, in order of the
/// bytes of their names.
pub fn load(path: Option<&Path>) -> Result<Settings, LoadError> {
    config::parse(&sources(path.unwrap_or(Path::new(DEFAULT_PATH)))?).map_err(LoadError::Wrong)
}

/// The state folder that a configuration names, as far as that can be seen in files which are
/// wrong; else the default.
pub fn state_dir(path: Option<&Path>) -> PathBuf {
    let main = path.unwrap_or(Path::new(DEFAULT_PATH));
    let sources = sources(main).or_else(|_| source(main).map(|one| vec![one])).unwrap_or_default();
    let named =
        sources.iter().flat_map(|source| source.text.lines()).find_map(config::named_state_dir);
    named.unwrap_or_else(|| Settings::default().gateway.state_dir)
}

/// The same for a gateway at work, which `before` was read by. A file that was emptied, by a full
/// disk or a slip in the shell, closes no listeners and clears no rooms: whoever wants to be rid
/// of a part of the configuration removes its file.
pub(super) fn load_again(main: &Path, before: &Saying) -> Result<(Settings, Saying), LoadError> {
    let sources = sources(main).map_err(|error| match error {
        LoadError::Absent(path) => LoadError::Emptied(path, "no such file any more"),
        error => error,
    })?;
    let saying = Saying::of(&sources);
    let emptied =
        |source: &&Source| before.0.contains(&source.path) && !saying.0.contains(&source.path);
    if let Some(source) = sources.iter().find(emptied) {
        return Err(LoadError::Emptied(source.path.clone(), "nothing in it any more"));
    }
    Ok((config::parse(&sources).map_err(LoadError::Wrong)?, saying))
}

/// The files that say something: more than comments.
#[derive(Clone, Debug, Default)]
pub(super) struct Saying(BTreeSet<PathBuf>);

/// The main file of a configuration, if it is there and says nothing.
pub fn silent(path: Option<&Path>) -> Option<&Path> {
    let main = path.unwrap_or(Path::new(DEFAULT_PATH));
    let says = Saying::of(&[source(main).ok()?]).0.contains(main);
    (!says).then_some(main)
}

impl Saying {
    /// As the files are now.
    pub(super) fn now(main: &Path) -> Self {
        sources(main).map(|sources| Self::of(&sources)).unwrap_or_default()
    }

    fn of(sources: &[Source]) -> Self {
        let is_silent = |line: &str| line.trim().is_empty() || line.trim().starts_with('#');
        let says = |source: &&Source| !source.text.lines().all(is_silent);
        Self(sources.iter().filter(says).map(|source| source.path.clone()).collect())
    }
}

/// The main file, then those of the folder.
fn sources(main: &Path) -> Result<Vec<Source>, LoadError> {
    let mut sources = vec![source(main)?];
    for part in parts(&main.with_file_name(PARTS))? {
        sources.push(source(&part)?);
    }
    Ok(sources)
}

/// The same with `part` among the files of `conf.d`, in place of the one of its name: what the
/// configuration would be if it were written.
pub fn load_with(path: Option<&Path>, part: &Source) -> Result<Settings, LoadError> {
    let main = path.unwrap_or(Path::new(DEFAULT_PATH));
    let mut sources = vec![source(main)?];
    let mut paths = parts(&main.with_file_name(PARTS))?;
    if !paths.contains(&part.path) {
        paths.push(part.path.clone());
        paths.sort();
    }
    for path in paths {
        sources.push(if path == part.path { part.clone() } else { source(&path)? });
    }
    config::parse(&sources).map_err(LoadError::Wrong)
}

/// The files of `folder` in order; none if there is no such folder.
fn parts(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let unreadable = |error| LoadError::Unreadable(folder.to_owned(), error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(unreadable)?.file_name();
        if is_part(&name) {
            names.push(name);
        }
        if names.len() > CONFIG_FILES_MAX {
            return Err(LoadError::TooMany(folder.to_owned()));
        }
    }
    names.sort();
    Ok(names.into_iter().map(|name| folder.join(name)).collect())
}

/// Editors leave files behind whose names start with a dot or end in something else.
pub(super) fn is_part(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.ends_with(b".toml") && !name.starts_with(b".")
}

/// One file, up to its bound.
pub(crate) fn source(path: &Path) -> Result<Source, LoadError> {
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => LoadError::Absent(path.to_owned()),
        _ => LoadError::Unreadable(path.to_owned(), error),
    };
    let file = open_regular(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(CONFIG_FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > CONFIG_FILE_BYTES_MAX) {
        return Err(LoadError::TooLarge(path.to_owned()));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source { path: path.to_owned(), text }),
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let before = String::from_utf8_lossy(error.as_bytes().get(..good).unwrap_or_default());
            Err(LoadError::NotText(path.to_owned(), end(&before)))
        }
    }
}

/// The position behind `text`.
fn end(text: &str) -> Position {
    let last = text.rsplit('\n').next().unwrap_or_default();
    Position { line: text.matches('\n').count() + 1, column: last.chars().count() + 1 }
}

impl LoadError {
    /// What is wrong, for people and programs.
    pub fn report(&self) -> Report {
        let (path, position, what, hint) = match self {
            Self::Wrong(report) => return report.clone(),
            Self::Absent(path) => (path, None, "no such file".to_owned(), Some(absent_hint(path))),
            Self::Unreadable(path, error) => {
                let hint = Some("`maison` must be able to read it".to_owned())
                    .filter(|_| error.kind() == io::ErrorKind::PermissionDenied);
                (path, None, error.to_string().to_lowercase(), hint)
            }
            Self::Emptied(path, what) => {
                let hint = "if it is meant, restart to run without what it said".to_owned();
                (path, None, (*what).to_owned(), Some(hint))
            }
            Self::TooLarge(path) => {
                let hint = format!("at most {CONFIG_FILE_BYTES_MAX} bytes; is it the right file?");
                (path, None, "file too large".to_owned(), Some(hint))
            }
            Self::TooMany(path) => {
                let hint = format!("at most {CONFIG_FILES_MAX}");
                (path, None, "too many files".to_owned(), Some(hint))
            }
            Self::NotText(path, position) => {
                let hint = "save the file as UTF-8".to_owned();
                (path, Some(*position), "not UTF-8".to_owned(), Some(hint))
            }
        };
        let file = path.display().to_string();
        Report::new(vec![Mistake { file, position, what, value: None, hint }])
    }
}

fn absent_hint(path: &Path) -> String {
    if path == Path::new(DEFAULT_PATH) {
        format!("copy `config/maison.toml` to `{DEFAULT_PATH}`, or name another by `--config`")
    } else {
        "copy `config/maison.toml` there to start with".to_owned()
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.report().fmt(formatter)
    }
}

impl std::error::Error for LoadError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("conf.d")).unwrap();
        for (name, bytes) in files {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        folder
    }

    fn load_main(folder: &tempfile::TempDir) -> Result<Settings, String> {
        load(Some(&folder.path().join("maison.toml")))
            .map_err(|error| error.to_string().replace(&folder.path().display().to_string(), ""))
    }

    #[test]
    fn an_absent_file_is_an_error_with_a_hint() {
        let folder = folder(&[]);
        assert_eq!(
            load_main(&folder).unwrap_err(),
            "/maison.toml: no such file\n  hint: copy `config/maison.toml` there to start with"
        );
    }

    #[test]
    fn parts_are_read_in_order_of_their_names_without_what_editors_leave() {
        let listener = |port: u16| format!("[[listener]]\nbind = \"127.0.0.1:{port}\"\n");
        let broken: &[u8] = b"no TOML";
        let folder = folder(&[
            ("maison.toml", listener(1).as_bytes()),
            ("conf.d/.#a.toml", broken),
            ("conf.d/a.toml~", broken),
            ("conf.d/README", broken),
        ]);
        // In order; made in another, which a folder may or may not keep.
        let names = ["10", "9", "A", "B", "a", "b", "c", "d", "e"];
        for at in [4, 0, 7, 2, 8, 5, 1, 6, 3] {
            let part = folder.path().join(format!("conf.d/{}.toml", names[at]));
            fs::write(part, listener(u16::try_from(at).unwrap() + 2)).unwrap();
        }
        let settings = load_main(&folder).unwrap();
        let ports: Vec<u16> = settings.listeners.iter().map(|it| it.bind.port()).collect();
        assert_eq!(ports, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    }

    #[test]
    fn a_folder_of_parts_is_not_needed() {
        let folder = folder(&[("maison.toml", b"")]);
        fs::remove_dir(folder.path().join("conf.d")).unwrap();
        assert_eq!(load_main(&folder).unwrap(), Settings::default());
    }

    #[test]
    fn mistakes_name_the_file_they_are_in() {
        let folder = folder(&[
            ("maison.toml", b"[gateway]\nroot = \"a\"\n"),
            ("conf.d/90.toml", b"\n[gateway]\nroot = \"b\"\n"),
        ]);
        assert_eq!(
            load_main(&folder).unwrap_err(),
            "/conf.d/90.toml:3:1: set in two files: `root`\n  \
             hint: the first is at `/maison.toml:2:1`"
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_located() {
        let folder = folder(&[("maison.toml", b"# \xc3\xa9\n# \xc3\xa9\xe9\n")]);
        assert_eq!(
            load_main(&folder).unwrap_err(),
            "/maison.toml:2:4: not UTF-8\n  hint: save the file as UTF-8"
        );
    }

    #[test]
    fn a_file_beyond_the_bound_is_refused_and_one_at_the_bound_is_read() {
        let bound = usize::try_from(CONFIG_FILE_BYTES_MAX).unwrap();
        let full = folder(&[("maison.toml", &vec![b'#'; bound])]);
        assert_eq!(load_main(&full).unwrap(), Settings::default());
        let over = folder(&[("maison.toml", &vec![b'#'; bound + 1])]);
        assert!(load_main(&over).unwrap_err().starts_with("/maison.toml: file too large\n"));
    }

    #[test]
    fn a_folder_in_place_of_the_file_is_unreadable() {
        let folder = folder(&[]);
        fs::create_dir(folder.path().join("maison.toml")).unwrap();
        let message = load_main(&folder).unwrap_err();
        assert!(message.starts_with("/maison.toml: is a directory"), "{message}");
    }
}
