//! Reading the configuration again while the gateway works: when it is asked by a signal, by
//! `maison reload`, or when a file has changed.

use std::ffi::{OsStr, OsString};
use std::future::pending;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::time::{Instant, timeout};
use tracing::{error, info, warn};

use super::control::{Answer, Control, Request, Visitor};
use super::settings::{DEFAULT_PATH, PARTS, Saying};
use super::signals::{Asked, Signals};
use super::watching::Changes;
use super::{Findings, Gateway, logging, service, settings};
use crate::config::{Change, LogFilter, Settings, Tls};
use crate::limits::{RELOAD_LINES_UNTOLD_MAX, RELOAD_QUIET, RELOAD_QUIET_TOTAL};

/// Reloads the file at `path`, or the default one, whenever it is asked to; returns when the
/// process is to end.
pub async fn attend(gateway: &Gateway, path: Option<&Path>, signals: &mut Signals) {
    let path = path.unwrap_or(Path::new(DEFAULT_PATH));
    let mut reader = Reader { gateway, path, saying: Saying::now(path), untold: Vec::new() };
    let mut visitors = Control::open(gateway.state.path()).serve();
    let mut files = Files::of(reader.sources());
    if files.changes.is_some() {
        reader.catch_up();
    }
    loop {
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::Interrupt | Asked::Terminate => return,
                Asked::HangUp => drop(reader.reload()),
            },
            Some(visitor) = visitors.recv() => reader.serve(visitor),
            () = files.changed() => drop(reader.reload()),
        }
        let sources = reader.sources();
        if sources != files.sources {
            files = Files::of(sources);
            if files.changes.is_some() {
                // What changed before they were watched.
                reader.reload();
            }
        }
    }
}

/// Reads the files for the gateway.
struct Reader<'a> {
    gateway: &'a Gateway,
    path: &'a Path,
    /// Which said something when they were last taken over.
    saying: Saying,
    /// What has changed since somebody asked: a line each.
    untold: Vec<String>,
}

impl Reader<'_> {
    /// Does what somebody asks for.
    fn serve(&mut self, visitor: Visitor) {
        let Self { gateway, path, .. } = *self;
        match &visitor.request {
            Request::Status {} => {
                let survey = Arc::clone(&gateway.survey);
                visitor.answer_later(move || Answer::Status { status: Box::new(survey.status()) });
            }
            Request::Reload { config } => {
                let answer = match path.canonicalize() {
                    Ok(own) if own != *config => {
                        Answer::OtherFile { file: own.display().to_string() }
                    }
                    Ok(_) | Err(_) => self.told(),
                };
                visitor.answer(answer);
            }
            Request::Certificates {} => {
                let answer = match gateway.refresh_certificates() {
                    Ok(()) => Answer::Applied { lines: Vec::new() },
                    Err(error) => Answer::Refused { lines: vec![error.to_string()] },
                };
                visitor.answer(answer);
            }
            Request::Visits {} => {
                let visits = gateway.survey.hub.visits().by_name();
                visitor.answer(Answer::Visits { visits });
            }
            Request::Log { filter } => {
                let answer = log(filter.as_deref());
                visitor.answer(answer);
            }
        }
    }

    fn sources(&self) -> Sources {
        Sources::of(self.path, &self.gateway.survey.works().settings)
    }

    /// What changed since the start read the files, before they were watched.
    fn catch_up(&mut self) {
        let settings = settings::load(Some(self.path));
        if !settings.is_ok_and(|settings| settings == self.gateway.survey.works().settings) {
            self.reload();
        }
    }

    /// Reads them for somebody who asks, and says as well what was changed without asking.
    fn told(&mut self) -> Answer {
        match self.reload() {
            Answer::Applied { lines: warnings } => {
                let mut lines = std::mem::take(&mut self.untold);
                lines.extend(warnings);
                Answer::Applied { lines }
            }
            refused => refused,
        }
    }

    /// Each line once, where it was said last.
    fn note(&mut self, lines: Vec<String>) {
        self.untold.retain(|known| !lines.contains(known));
        self.untold.extend(lines);
        let over = self.untold.len().saturating_sub(RELOAD_LINES_UNTOLD_MAX);
        self.untold.drain(..over);
    }

    /// Checks all files as a whole, then changes what differs; that is noted, and what is odd is
    /// the answer.
    fn reload(&mut self) -> Answer {
        let gateway = self.gateway;
        service::reloading(gateway);
        let answer = match settings::load_again(self.path, &self.saying) {
            Ok((settings, saying)) => match gateway.reload(&settings) {
                Ok(changes) => {
                    self.saying = saying;
                    let mut lines = told(&changes);
                    lines.extend(gateway.changes_of_users());
                    self.note(lines);
                    let found = Findings::of(&settings).warnings.into_iter();
                    let lines = found.map(|warning| format!("warning: {warning}")).collect();
                    Answer::Applied { lines }
                }
                Err(error) => Answer::Refused { lines: refused(gateway, [error.to_string()]) },
            },
            Err(error) => {
                let report = error.report();
                let mistakes = report.mistakes().iter().map(ToString::to_string);
                Answer::Refused { lines: refused(gateway, mistakes) }
            }
        };
        service::reloaded(gateway);
        answer
    }
}

/// From now on by this filter, or what it is.
fn log(filter: Option<&str>) -> Answer {
    match filter.map(LogFilter::parse) {
        None => {}
        Some(Ok(filter)) => {
            logging::change(&filter);
            info!(filter = filter.as_str(), "what is logged was changed");
        }
        Some(Err(error)) => return Answer::Error { what: error.to_string() },
    }
    Answer::Log { filter: logging::current().as_str().to_owned() }
}

/// Which files settings come from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Sources {
    are_watched: bool,
    folders: Vec<PathBuf>,
    names: Vec<OsString>,
}

impl Sources {
    /// Those of the configuration at `path`, and what it names.
    fn of(path: &Path, settings: &Settings) -> Self {
        let mut files: Vec<&Path> = Vec::new();
        for listener in &settings.listeners {
            if let Some(Tls::Files { certificate, key, client_ca, client_crl }) = &listener.tls {
                files.extend([certificate.as_path(), key.as_path()]);
                files.extend(client_ca.iter().chain(client_crl).map(PathBuf::as_path));
            }
        }
        let folder = |path: &Path| match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
            Some(_) | None => PathBuf::from("."),
        };
        let mut folders: Vec<_> = files.iter().map(|path| folder(path)).collect();
        folders.extend([folder(path), path.with_file_name(PARTS)]);
        folders.retain(|folder| folder.is_dir());
        let names = files.iter().filter_map(|path| path.file_name()).map(OsString::from);
        let names = names.chain([OsString::from(PARTS)]).collect();
        Self { are_watched: settings.gateway.watch_files, folders, names }
    }
}

/// The files that settings come from, as they change.
struct Files {
    sources: Sources,
    /// Absent where they are not watched.
    changes: Option<Changes>,
    /// When something changed that was not read yet.
    changed_at: Option<Instant>,
}

impl Files {
    fn of(sources: Sources) -> Self {
        let changes = sources.are_watched.then(|| Changes::of(sources.folders.iter()));
        let changes = changes.and_then(|changes| match changes {
            Ok(changes) => Some(changes),
            Err(error) => {
                warn!(%error, "configuration is not watched, `maison reload` reads it again");
                None
            }
        });
        Self { sources, changes, changed_at: None }
    }

    /// Waits until one of them has changed and none has for a while. Whoever has the turn in
    /// between takes no change away.
    async fn changed(&mut self) {
        let Self { sources: Sources { names, .. }, changes, changed_at } = self;
        let Some(changes) = changes else { return pending().await };
        while changed_at.is_none() {
            match changes.next().await {
                Ok(name) if concerns(names, name.as_deref()) => *changed_at = Some(Instant::now()),
                Ok(_) => {}
                Err(_) => return pending().await,
            }
        }
        while changed_at.is_some_and(|begun| begun.elapsed() < RELOAD_QUIET_TOTAL) {
            if timeout(RELOAD_QUIET, changes.next()).await.is_err() {
                break;
            }
        }
        *changed_at = None;
    }
}

/// Whether a file of that name is one of ours; `None`: the kernel has lost count.
fn concerns(names: &[OsString], name: Option<&OsStr>) -> bool {
    name.is_none_or(|name| {
        settings::is_part(name) || names.iter().any(|known| known.as_os_str() == name)
    })
}

/// One line a change.
fn told(changes: &[Change]) -> Vec<String> {
    info!(changes = changes.len(), "configuration read again");
    for change in changes {
        if let Change::Restart(_) = change {
            warn!("{change}");
        } else {
            info!("{change}");
        }
    }
    changes.iter().map(ToString::to_string).collect()
}

/// One line a mistake.
fn refused(gateway: &Gateway, mistakes: impl IntoIterator<Item = String>) -> Vec<String> {
    let mistakes: Vec<_> = mistakes.into_iter().collect();
    gateway.survey.trials.refused(mistakes.len());
    error!(mistakes = mistakes.len(), "configuration refused, the one before stays");
    for mistake in &mistakes {
        error!("{}", mistake.replace("\n  ", "; "));
    }
    mistakes
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::daemon::activation::Sockets;

    /// Whoever types `systemctl restart maison` and then writes a file is between the two.
    #[tokio::test]
    async fn what_changed_while_the_gateway_started_is_not_missed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("maison.toml");
        let state = folder.path().join("state");
        let text = format!("[gateway]\nstate_dir = {state:?}\n[broker]\ndurability = \"memory\"\n");
        fs::write(&path, text).unwrap();
        let settings = settings::load(Some(&path)).unwrap();
        let gateway = Gateway::start(&settings, Sockets::default()).unwrap();
        fs::create_dir(folder.path().join(PARTS)).unwrap();
        let part = folder.path().join(PARTS).join("cave.toml");
        fs::write(part, "[rooms.cave]\n").unwrap();
        let mut signals = Signals::listen().unwrap();
        let attending = attend(&gateway, Some(&path), &mut signals);
        let rooms = || gateway.survey.works().settings.rooms.len();
        assert_eq!(rooms(), 0);
        assert!(timeout(Duration::from_millis(1), attending).await.is_err());
        assert_eq!(rooms(), 1);
        gateway.stop().await;
    }

    /// As when `maison subscriber add` comes a moment after `maison scan --write`.
    #[tokio::test]
    async fn a_change_outlives_who_asks_for_something_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let folders = vec![folder.path().to_owned()];
        let mut files = Files::of(Sources { are_watched: true, folders, names: Vec::new() });
        fs::write(folder.path().join("scan.toml"), "").unwrap();
        let noticed = async {
            while files.changed_at.is_none() {
                let _ = timeout(Duration::from_millis(1), files.changed()).await;
            }
        };
        assert!(timeout(RELOAD_QUIET * 20, noticed).await.is_ok());
        assert!(timeout(RELOAD_QUIET * 20, files.changed()).await.is_ok());
        assert_eq!(files.changed_at, None);
    }
}
