use std::os::unix::fs::chown;

use std::sync::Arc;

use super::*;
use crate::access::{
    HashMemory, Login, Password, Policy, Principal, Refusal, Scope, UserName, Verdict,
};
use crate::limits::USERS_FILE_BYTES_MAX;

/// A private folder, to be a state folder or to make one in.
fn room() -> tempfile::TempDir {
    tempfile::Builder::new().permissions(Permissions::from_mode(0o700)).tempdir().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[track_caller]
fn refused(result: Result<StateDir, StateError>) -> (String, bool) {
    let error = result.unwrap_err();
    (error.to_string(), error.is_permission())
}

#[test]
fn an_absent_folder_is_made_for_its_owner_alone() {
    let room = room();
    let path = room.path().join("state");
    let folder = StateDir::open(&path).unwrap();
    folder.write("ca.key", b"secret").unwrap();
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join("ca.key")), 0o600);
}

#[test]
fn an_absent_parent_is_not_made() {
    let room = room();
    let parent = room.path().join("absent");
    let (message, _) = refused(StateDir::open(&parent.join("state")));
    let parent = parent.display();
    assert_eq!(
        message,
        format!(
            "no folder to make the state folder in: `{parent}`\n  hint: `mkdir -p '{parent}'`, \
             or set `gateway.state_dir`"
        )
    );
    assert!(!room.path().join("absent").exists());
}

#[test]
fn a_folder_that_others_can_look_into_is_refused() {
    let room = room();
    for open in [0o750, 0o705, 0o710, 0o770] {
        fs::set_permissions(room.path(), Permissions::from_mode(open)).unwrap();
        let (message, is_permission) = refused(StateDir::open(room.path()));
        let hint = format!("hint: `chmod 700 '{}'`", room.path().display());
        assert!(message.contains(&format!("mode {open:03o}")), "{message}");
        assert!(message.ends_with(&hint), "{message}");
        assert!(is_permission);
    }
    fs::set_permissions(room.path(), Permissions::from_mode(0o700)).unwrap();
    StateDir::open(room.path()).unwrap();
}

#[test]
fn what_is_no_folder_is_refused() {
    let room = room();
    let path = room.path().join("file");
    fs::write(&path, "").unwrap();
    let (message, _) = refused(StateDir::open(&path));
    assert!(message.starts_with("state folder is not a folder: `"), "{message}");
}

/// Only root can give a folder away; as another user there is nothing to see here.
#[test]
fn a_folder_of_another_user_is_refused_to_a_gateway() {
    if !geteuid().is_root() {
        return;
    }
    let room = room();
    chown(room.path(), Some(12_345), Some(12_345)).unwrap();
    let (message, is_permission) = refused(StateDir::open(room.path()));
    assert!(message.contains("is of user 12345, this is user 0"), "{message}");
    assert!(message.ends_with("hint: `sudo -u '#12345' maison …`"), "{message}");
    assert!(is_permission);
}

/// `sudo maison user add` must not leave a file that the gateway cannot read.
#[test]
fn root_leaves_files_of_the_owner_of_the_folder() {
    if !geteuid().is_root() {
        return;
    }
    let room = room();
    chown(room.path(), Some(12_345), Some(12_346)).unwrap();
    set_password(room.path(), "bob", b"secret").unwrap();
    for name in ["users", "users.lock"] {
        let facts = fs::metadata(room.path().join(name)).unwrap();
        assert_eq!((facts.uid(), facts.gid()), (12_345, 12_346), "{name}");
    }
}

#[test]
fn two_gateways_do_not_share_a_folder() {
    let room = room();
    let first = StateDir::open(room.path()).unwrap();
    let (message, _) = refused(StateDir::open(room.path()));
    let process = std::process::id();
    assert!(message.contains("in use by another gateway"), "{message}");
    assert!(message.contains(&format!("process {process}\n  hint: stop that one")), "{message}");
    StateDir::visit(room.path()).unwrap();
    drop(first);
    StateDir::open(room.path()).unwrap();
}

#[test]
fn a_written_file_replaces_the_old_one_and_leaves_nothing_else() {
    let room = room();
    let folder = StateDir::open(room.path()).unwrap();
    assert_eq!(folder.read("ca.pem").unwrap(), None);
    folder.write("ca.pem", b"first, and longer").unwrap();
    folder.write("ca.pem", b"second").unwrap();
    assert_eq!(folder.read("ca.pem").unwrap().unwrap(), b"second");
    let mut names: Vec<_> =
        fs::read_dir(room.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["ca.pem", "lock"]);
}

#[test]
fn a_write_that_fails_leaves_the_old_content() {
    let room = room();
    let folder = StateDir::open(room.path()).unwrap();
    fs::create_dir(room.path().join("ca.pem")).unwrap();
    let error = folder.write("ca.pem", b"new").unwrap_err().to_string();
    assert!(error.starts_with("cannot write `"), "{error}");
    let left = fs::read_dir(room.path()).unwrap().count();
    assert_eq!(left, 2, "the folder in the way and the lock");
}

fn login(users: &UsersFile, password: &'static [u8]) -> Verdict {
    let login = Login {
        address: [127, 0, 0, 1].into(),
        policy: Policy::Password,
        client_id: "client".to_owned(),
        user: Some("bob".to_owned()),
        password: Some(Password::new(password)),
        certificate: None,
    };
    users.current().check(&login, &mut HashMemory::default())
}

fn bob() -> UserName {
    UserName::parse("bob").unwrap()
}

#[test]
fn a_running_gateway_sees_users_come_change_and_go() {
    let room = room();
    let folder = StateDir::open(room.path()).unwrap();
    let users = UsersFile::open(&folder).unwrap();
    assert_eq!(login(&users, b"first"), Err(Refusal::BadPassword));
    add_user(room.path(), bob(), b"first").unwrap();
    assert_eq!(login(&users, b"first"), Ok(Principal::User("bob".into())));
    change_password(room.path(), bob(), b"second").unwrap();
    assert_eq!(login(&users, b"first"), Err(Refusal::BadPassword));
    assert_eq!(login(&users, b"second"), Ok(Principal::User("bob".into())));
    remove_user(room.path(), bob()).unwrap();
    assert_eq!(login(&users, b"second"), Err(Refusal::BadPassword));
}

#[test]
fn users_are_read_again_only_when_their_file_was_replaced() {
    let room = room();
    let folder = StateDir::open(room.path()).unwrap();
    set_password(room.path(), "bob", b"secret").unwrap();
    let users = UsersFile::open(&folder).unwrap();
    let first = users.current();
    assert!(Arc::ptr_eq(&first, &users.current()));
    set_password(room.path(), "bob", b"secret").unwrap();
    assert!(!Arc::ptr_eq(&first, &users.current()));
}

#[test]
fn a_broken_file_of_users_locks_nobody_out_who_was_in_it() {
    let room = room();
    let folder = StateDir::open(room.path()).unwrap();
    set_password(room.path(), "bob", b"secret").unwrap();
    let users = UsersFile::open(&folder).unwrap();
    folder.write("users", b"bob").unwrap();
    assert_eq!(login(&users, b"secret"), Ok(Principal::User("bob".into())));
}

#[test]
fn a_broken_file_of_users_is_named_at_the_start_and_never_written_over() {
    #[track_caller]
    fn check(content: &[u8], expected: &str) {
        let room = room();
        let folder = StateDir::open(room.path()).unwrap();
        folder.write("users", content).unwrap();
        let path = room.path().join("users").display().to_string();
        let expected = expected.replace("FILE", &path);
        assert_eq!(UsersFile::open(&folder).unwrap_err().to_string(), expected);
        assert_eq!(add_user(room.path(), bob(), b"x").unwrap_err().to_string(), expected);
        assert_eq!(folder.read("users").unwrap().unwrap(), content);
    }
    check(b"# users\nbob", "FILE:2: no `:` between user name and password hash");
    check(
        b"\xFF\xFE",
        "not a file of users: `FILE`\n  hint: move it away; `maison user add` makes a new one",
    );
}

#[test]
fn a_file_of_users_never_grows_beyond_what_is_read_of_it() {
    let room = room();
    set_password(room.path(), "bob", b"secret").unwrap();
    let bytes = usize::try_from(USERS_FILE_BYTES_MAX).unwrap();
    let rooms = vec!["x".repeat(bytes)];
    let error = edit_users(room.path(), |users| {
        users.entry(bob()).scope = Some(Scope { rooms, ..Scope::default() });
        Ok(())
    });
    let said = error.unwrap_err().to_string();
    assert!(said.starts_with("no more room for users: `"), "{said}");
    assert!(read_users(room.path()).unwrap().get(&bob()).unwrap().scope.is_none());
}

#[test]
fn what_the_system_says_of_a_file_is_said_once() {
    let room = room();
    let folder = StateDir::open(room.path()).unwrap();
    fs::create_dir(room.path().join("ca.pem")).unwrap();
    let error = Files::write(&folder, "ca.pem", b"x").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::IsADirectory, "{error}");
    assert!(!error.to_string().contains("ca.pem"), "{error}");
}

#[test]
fn users_added_at_the_same_time_are_all_kept() {
    let room = room();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let path = room.path();
            scope.spawn(move || set_password(path, &format!("user{number}"), b"x").unwrap());
        }
    });
    assert_eq!(read_users(room.path()).unwrap().names().count(), 8);
}

#[test]
fn drawn_passwords_are_long_and_differ() {
    let (first, second) = (random_password().unwrap(), random_password().unwrap());
    assert_ne!(first, second);
    assert_eq!(first.len(), 20);
    assert!(first.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
}

/// Nobody is told to give a folder of a service away.
#[test]
fn who_may_use_a_foreign_folder_is_told_how() {
    #[track_caller]
    fn check(owner: u32, own: u32, expected: &str) {
        let said = StateError::ForeignOwner { path: "/x".into(), owner, own }.to_string();
        let (_, hint) = said.split_once("\n  hint: ").unwrap();
        assert_eq!(hint, expected);
    }
    check(0, 1000, "`sudo maison …`");
    check(54_321, 1000, "`sudo -u '#54321' maison …`");
    check(54_321, 0, "`sudo -u '#54321' maison …`");
    check(0, 998, "`sudo chown -R 998 '/x'`");
    check(54_321, 998, "`sudo chown -R 998 '/x'`");
}
