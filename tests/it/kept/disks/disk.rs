//! Disks that fail when they are told to: a small file system of memory, and a library between the
//! gateway and its files (`tests/disk/faulty.c`), which needs no rights.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::LazyLock;

use rustix::io::Errno;
use tempfile::TempDir;

use crate::gateway::{Gateway, shared_library};

/// Room for the log, the file, and what the gateway writes besides.
const SMALL_MIB: u64 = 12;
const IMAGE_BYTES: u64 = 32 * 1024 * 1024;

/// A state folder on a disk that can fail.
pub(super) struct Disk {
    folder: Option<TempDir>,
    kind: Kind,
}

enum Kind {
    /// Orders are written to this file.
    Preloaded(PathBuf),
    /// A file system that is filled by a file.
    Small(Mounted),
    /// A file system in a file.
    Image { file: PathBuf, mounted: Option<Mounted> },
}

/// What is wrong with a preloaded disk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wrong {
    pub(super) write: Option<Errno>,
    pub(super) sync: Option<Errno>,
    pub(super) read: Option<Errno>,
    pub(super) sync_ms: u32,
}

impl Disk {
    /// One that does what it is told by [`Disk::order`].
    pub(super) fn preloaded(folder: TempDir) -> Self {
        let orders = folder.path().join("orders");
        let disk = Self { folder: Some(folder), kind: Kind::Preloaded(orders) };
        disk.order(Wrong::default());
        disk
    }

    /// One of little room; none where this process may not mount.
    pub(super) fn small(folder: TempDir) -> Option<Self> {
        let state = folder.path().join("state");
        let mounted = Mounted::memory(&state, SMALL_MIB)?;
        Some(Self { folder: Some(folder), kind: Kind::Small(mounted) })
    }

    /// One of ext4, which stops writing when it finds itself damaged; none where this process may
    /// not mount.
    pub(super) fn image(folder: TempDir) -> Option<Self> {
        let (file, state) = (folder.path().join("image"), folder.path().join("state"));
        fs::File::create(&file).unwrap().set_len(IMAGE_BYTES).unwrap();
        let mut format = Command::new("/sbin/mkfs.ext4");
        let formatted = format.args(["-q", "-F"]).arg(&file).stderr(Stdio::null()).status();
        formatted.ok().filter(ExitStatus::success)?;
        fs::create_dir(&state).unwrap();
        let mounted = Some(Mounted::image(&file, &state)?);
        fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
        Some(Self { folder: Some(folder), kind: Kind::Image { file, mounted } })
    }

    /// From now on the kernel lets nobody write to it, as after an error in the file system.
    pub(super) fn stop_writing(&self) {
        let Kind::Image { mounted: Some(Mounted(at)), .. } = &self.kind else { panic!("no image") };
        let stopped = Command::new("mount").args(["-o", "remount,abort"]).arg(at).status();
        assert!(stopped.unwrap().success());
    }

    /// Takes it away from the gateway, and repairs it.
    pub(super) fn repair(&mut self, gateway: Gateway) -> Gateway {
        let folder = gateway.kill();
        let state = folder.path().join("state");
        let Kind::Image { file, mounted } = &mut self.kind else { panic!("no image") };
        *mounted = None;
        let checked = Command::new("/sbin/e2fsck").args(["-f", "-y"]).arg(&*file).output().unwrap();
        assert!(checked.status.code().is_some_and(|code| code < 4), "{checked:?}");
        *mounted = Mounted::image(file, &state);
        assert!(mounted.is_some());
        self.folder = Some(folder);
        self.start()
    }

    /// Runs a gateway on it.
    pub(super) fn start(&mut self) -> Gateway {
        let folder = self.folder.take().expect("one at a time");
        let gateway = Gateway::spawn_with(folder, |command| {
            command.env("MAISON_LOG", "info");
            if let Kind::Preloaded(orders) = &self.kind {
                command.env("LD_PRELOAD", &*LIBRARY).env("MAISON_DISK", orders);
            }
        });
        gateway.wait_for_log("ready");
        gateway
    }

    /// Kills the gateway, and starts another.
    pub(super) fn kill_and_start(&mut self, gateway: Gateway) -> Gateway {
        self.folder = Some(gateway.kill());
        self.start()
    }

    /// Another disk from now on.
    pub(super) fn order(&self, wrong: Wrong) {
        let Kind::Preloaded(orders) = &self.kind else { panic!("a real disk takes no orders") };
        let number = |error: Option<Errno>| error.map_or(0, Errno::raw_os_error);
        let Wrong { write, sync, read, sync_ms } = wrong;
        let text = format!("{} {} {} {sync_ms}\n", number(write), number(sync), number(read));
        let draft = orders.with_extension("draft");
        fs::write(&draft, text).unwrap();
        fs::rename(draft, orders).unwrap();
    }

    /// No room is left; with `false` there is again.
    pub(super) fn fill(&self, full: bool) {
        match &self.kind {
            Kind::Preloaded(_) => {
                self.order(Wrong { write: full.then_some(Errno::NOSPC), ..Wrong::default() });
            }
            Kind::Small(mounted) if full => mounted.fill(),
            Kind::Small(mounted) => mounted.empty(),
            Kind::Image { .. } => panic!("an image is not filled"),
        }
    }
}

static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| shared_library("disk/faulty.c"));

/// A file system that goes with this value.
pub(super) struct Mounted(PathBuf);

impl Mounted {
    /// In memory.
    fn memory(at: &Path, mebibytes: u64) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let options = format!("size={mebibytes}m,mode=0700");
        Self::by(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(at), at)
    }

    fn image(file: &Path, at: &Path) -> Option<Self> {
        Self::by(Command::new("mount").args(["-o", "loop"]).arg(file).arg(at), at)
    }

    fn by(command: &mut Command, at: &Path) -> Option<Self> {
        let done = command.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        done.then(|| Self(at.to_owned()))
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    fn fill(&self) {
        let mut file = fs::File::create(self.ballast()).unwrap();
        while file.write(&[0; 4096]).is_ok_and(|count| count > 0) {}
    }

    fn empty(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
