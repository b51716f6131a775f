//! A changed configuration holds at once or is refused as a whole; who is not concerned does not
//! notice.

use std::fs;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Output};
use std::time::Duration;

use rustix::process::Signal;

use crate::gateway::{
    CAVE, Client, Gateway, PASSWORD, SALON, binary, free_port, listener, recorded_tree,
};
use crate::websocket::{self, paho};

/// A gateway that does not look at its files by itself.
fn gateway(rooms: &str) -> Gateway {
    let folder = Gateway::prepare(rooms);
    recorded_tree(&folder.path().join("sys"));
    let config = folder.path().join("maison.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(config, text.replace("[gateway]\n", "[gateway]\nwatch_files = false\n")).unwrap();
    Gateway::start(folder)
}

fn hang_up(gateway: &Gateway) {
    gateway.signal(Signal::HUP);
}

/// A 5.0 subscriber to all below `maison`, which says of each message whether it was retained.
fn subscriber(port: u16) -> Client {
    let mut command = Command::new("mosquitto_sub");
    command.args(["-V", "5", "-F", "%r %t %p", "-t", "maison/#", "-q", "1", "-h", "127.0.0.1"]);
    Client::start(command.args(["-p", &port.to_string()]))
}

#[track_caller]
fn wait_until_free(port: u16) {
    let started = std::time::Instant::now();
    while TcpListener::bind(("127.0.0.1", port)).is_err() {
        assert!(started.elapsed() < Duration::from_secs(10), "the port is not free");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn count(client: &Client, what: &str) -> usize {
    client.lines.all().iter().filter(|line| line.contains(what)).count()
}

#[test]
fn a_wrong_file_is_told_line_by_line_and_the_one_before_stays() {
    let mut gateway = gateway(SALON);
    let client = subscriber(gateway.plain_port());
    client.lines.wait("online", |line| line.ends_with("salon/availability online"));
    gateway.edit(|text| text.replace("ds18b20", "ds18b21") + "[rooms.Cave]\n");
    hang_up(&gateway);
    let line = gateway.wait_for_log("configuration refused, the one before stays");
    assert!(line.contains("mistakes=2"), "{line}");
    gateway.wait_for_log("did you mean `ds18b20`");
    gateway.wait_for_log("`Cave`");
    gateway.edit(|text| text.replace("ds18b21", "ds18b20").replace("[rooms.Cave]\n", CAVE));
    hang_up(&gateway);
    gateway.wait_for_log("room added: cave");
    client.expect("0 maison/cave/availability online");
    assert_eq!(count(&client, "salon/availability offline"), 0);
    let (status, _) = gateway.stop();
    assert!(status.success(), "{status}");
}

#[test]
fn a_file_that_was_emptied_or_is_gone_is_refused() {
    let gateway = gateway(SALON);
    let client = subscriber(gateway.plain_port());
    client.lines.wait("online", |line| line.ends_with("salon/availability online"));
    let config = gateway.config();
    let whole = fs::read_to_string(&config).unwrap();
    fs::write(&config, "").unwrap();
    hang_up(&gateway);
    gateway.wait_for_log("maison.toml: nothing in it any more; hint: if it is meant, restart");
    // Where the gateway is to be found was in it, too.
    let (code, said) = gateway.complains(&["reload"]);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("maison.toml` says nothing") && said.contains("put that back"), "{said}");
    fs::remove_file(&config).unwrap();
    hang_up(&gateway);
    gateway.wait_for_log("maison.toml: no such file any more; hint: if it is meant, restart");
    let part = config.with_file_name("conf.d");
    fs::create_dir(&part).unwrap();
    fs::write(&config, &whole).unwrap();
    fs::write(part.join("cave.toml"), CAVE).unwrap();
    check_reload(&gateway, 0, "room added: cave\n", "");
    fs::write(part.join("cave.toml"), "\n# rooms\n  # follow\n").unwrap();
    check_reload(&gateway, 1, "", "cave.toml: nothing in it any more\n");
    fs::remove_file(part.join("cave.toml")).unwrap();
    check_reload(&gateway, 0, "room removed: cave\n", "");
    assert_eq!(count(&client, "salon/availability"), 1, "nobody was sent away");
}

#[test]
fn rooms_come_and_go_and_the_others_do_not_notice() {
    let gateway = gateway(SALON);
    let client = subscriber(gateway.plain_port());
    client.lines.wait("21.4", |line| line == "1 maison/salon/temperature 21.4");
    gateway.edit(|text| text + CAVE);
    hang_up(&gateway);
    gateway.wait_for_log("room added: cave");
    client.lines.wait("cave", |line| line.starts_with("0 maison/cave/temperature "));
    client
        .lines
        .wait("info", |line| line.starts_with("0 maison/_gateway/info") && line.contains("cave"));

    gateway.edit(|text| text.replace(CAVE, ""));
    hang_up(&gateway);
    gateway.wait_for_log("room removed: cave");
    client.expect("0 maison/cave/availability offline");
    client.expect("0 maison/cave/temperature ");
    client.expect("0 maison/cave/availability ");
    let late = subscriber(gateway.plain_port());
    late.lines.wait("salon", |line| line == "1 maison/salon/temperature 21.4");
    late.expect("1 maison/salon/availability online");
    assert_eq!(count(&late, "maison/cave/"), 0, "nothing of it is retained");
    assert_eq!(count(&client, "salon/availability"), 1, "told once, when it subscribed");
    let numbers = client.lines.all().into_iter().filter(|line| line.contains("salon/temperature "));
    assert!(numbers.into_iter().all(|line| line.ends_with(" 21.4")), "never cleared");
}

#[test]
fn a_sensor_that_is_changed_goes_on_and_one_beside_it_begins() {
    let gateway = gateway(SALON);
    let client = subscriber(gateway.plain_port());
    client.lines.wait("online", |line| line.ends_with("salon/availability online"));
    let second = CAVE.replace("[rooms.cave]\n", "").replace("rooms.cave", "rooms.salon");
    let second = second.replace("interval = \"1s\"", "interval = \"2s\"");
    gateway.edit(|text| text + "offset = 1.5\n" + &second);
    hang_up(&gateway);
    gateway.wait_for_log("sensor changed: salon 28-01131e858aef: offset");
    gateway.wait_for_log("sensor added: salon 28-3c01d6075f12");
    client.expect("0 maison/salon/temperature 22.9");
    let its_own = "0 maison/salon/sensor/28-3c01d6075f12/temperature ";
    client.lines.wait("its own", |line| line.starts_with(its_own));
    let other = "0 maison/salon/sensor/28-01131e858aef/temperature ";
    client.lines.wait("its own", |line| line.starts_with(other));

    gateway.edit(|text| text.replace(&second, ""));
    hang_up(&gateway);
    gateway.wait_for_log("sensor removed: salon 28-3c01d6075f12");
    client.expect(its_own);
    client.expect(other);
    assert_eq!(count(&client, "salon/availability offline"), 0);
}

#[test]
fn listeners_open_and_close_and_their_clients_alone_are_sent_away() {
    let gateway = gateway(SALON);
    let stays = subscriber(gateway.plain_port());
    let port = free_port();
    let listener = listener(port, "auth = \"anonymous\"");
    gateway.edit(|text| text + &listener);
    hang_up(&gateway);
    gateway.wait_for_log(&format!("listener added: 127.0.0.1:{port}"));
    let mut goes = subscriber(port);
    goes.lines.wait("online", |line| line.ends_with("salon/availability online"));

    gateway.edit(|text| text.replace(&listener, &listener.replace("anonymous", "password")));
    hang_up(&gateway);
    gateway.wait_for_log(&format!("listener changed: 127.0.0.1:{port}: auth"));
    gateway.wait_for_log("this listener was closed or changed");
    goes.end();
    let again = subscriber(port);
    let line = gateway.wait_for_log("auth refused");
    assert!(line.contains("no-credentials"), "{line}");
    drop(again);

    let second = free_port();
    let other = format!("[[listener]]\nbind = \"127.0.0.1:{second}\"\nauth = \"anonymous\"\n");
    gateway.edit(|text| text + &other);
    hang_up(&gateway);
    gateway.wait_for_log(&format!("listener added: 127.0.0.1:{second}"));
    let mut goes = subscriber(second);
    goes.lines.wait("online", |line| line.ends_with("salon/availability online"));
    gateway.edit(|text| text.replace(&listener.replace("anonymous", "password"), ""));
    gateway.edit(|text| text.replace(&other, ""));
    hang_up(&gateway);
    gateway.wait_for_log(&format!("listener removed: 127.0.0.1:{port}"));
    gateway.wait_for_log(&format!("listener removed: 127.0.0.1:{second}"));
    goes.end();
    wait_until_free(port);
    stays.lines.wait("online", |line| line.ends_with("salon/availability online"));
    assert!(!gateway.has_logged("connection lost"));
}

#[test]
fn a_port_in_use_refuses_all_of_it() {
    let gateway = gateway(SALON);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let bind = taken.local_addr().unwrap();
    gateway.edit(|text| text + CAVE + &format!("[[listener]]\nbind = \"{bind}\"\n"));
    hang_up(&gateway);
    gateway.wait_for_log(&format!("address already in use: `{bind}`"));
    gateway.wait_for_log("configuration refused, the one before stays");
    drop(taken);
    hang_up(&gateway);
    gateway.wait_for_log("room added: cave");
}

#[test]
fn bounds_hold_at_once_and_what_cannot_is_said() {
    let gateway = gateway(SALON);
    gateway.edit(|text| {
        text.replace(
            "[broker]\n",
            "[broker]\nsession_expiry = \"1h\"\nmax_packet_size = \"2 MiB\"\n",
        ) + "[broker.limits]\ntopic_levels = 8\n"
    });
    hang_up(&gateway);
    gateway.wait_for_log("changed: broker.session_expiry");
    gateway.wait_for_log("changed: broker.limits.topic_levels");
    gateway.wait_for_log("needs a restart: broker.max_packet_size");
    let port = gateway.plain_port().to_string();
    let publish = |topic: &str| -> Output {
        let mut command = Command::new("mosquitto_pub");
        command.args(["-V", "5", "-h", "127.0.0.1", "-p", &port, "-q", "1", "-t", topic]);
        command.args(["-m", "x", "-d"]).output().unwrap()
    };
    let said = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let deep = publish("a/b/c/d/e/f/g/h/i");
    assert!(said(&deep).contains("RC:144") || !deep.status.success(), "{deep:?}");
    let output = publish("a/b/c/d/e/f/g/h");
    assert!(output.status.success() && said(&output).contains("PUBACK"), "{output:?}");
}

/// RELOADING with its time, then READY, whatever came of it.
#[test]
fn the_service_manager_is_told_of_a_reload() {
    let folder = Gateway::prepare(SALON);
    recorded_tree(&folder.path().join("sys"));
    let socket = folder.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let gateway = Gateway::spawn_with(folder, |command| {
        command.env("NOTIFY_SOCKET", &socket);
    });
    let wait_for = |what: &str| loop {
        let mut buffer = [0; 1024];
        let read = manager.recv(&mut buffer).expect(what);
        let told = String::from_utf8_lossy(&buffer[..read]).into_owned();
        if told.contains(what) {
            return told;
        }
    };
    wait_for("READY=1");
    fs::remove_file(gateway.config()).unwrap();
    hang_up(&gateway);
    assert!(wait_for("RELOADING=1").contains("MONOTONIC_USEC="));
    wait_for("READY=1");
    gateway.wait_for_log("no such file");
}

#[track_caller]
fn check_reload(gateway: &Gateway, code: i32, out: &str, error: &str) {
    let output = gateway.command(&["reload"]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{stdout}{stderr}");
    assert_eq!(stdout, out);
    assert!(stderr.contains(error) && stderr.is_empty() == error.is_empty(), "{stderr}");
}

#[test]
fn the_command_prints_the_difference_or_every_mistake() {
    let mut gateway = gateway(SALON);
    check_reload(&gateway, 0, "nothing has changed\n", "");
    gateway.edit(|text| text + CAVE);
    check_reload(&gateway, 0, "room added: cave\n", "");
    gateway.edit(|text| text.replace("ds18b20", "ds18b21"));
    check_reload(&gateway, 78, "", "unknown sensor driver: `ds18b21`");
    gateway.edit(|text| text.replace("ds18b21", "ds18b20"));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let bind = taken.local_addr().unwrap();
    gateway.edit(|text| text + &format!("[[listener]]\nbind = \"{bind}\"\n"));
    check_reload(&gateway, 1, "", "address already in use");
    gateway.stop();
    check_reload(&gateway, 69, "", "no gateway is running");
}

#[test]
fn the_command_does_not_reload_a_gateway_of_another_file() {
    let gateway = gateway(SALON);
    let other = gateway.folder.path().join("other.toml");
    fs::copy(gateway.config(), &other).unwrap();
    let output = binary().args(["reload", "--config", other.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("runs on another file") && errors.contains("maison.toml"), "{errors}");
}

#[test]
fn files_are_watched_unless_that_is_turned_off() {
    let folder = Gateway::prepare(SALON);
    recorded_tree(&folder.path().join("sys"));
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    let gateway = Gateway::start(folder);
    let part = gateway.folder.path().join("conf.d/cave.toml");
    fs::write(&part, CAVE).unwrap();
    gateway.wait_for_log("room added: cave");
    fs::write(&part, "no TOML").unwrap();
    gateway.wait_for_log("configuration refused, the one before stays");
    fs::remove_file(&part).unwrap();
    gateway.wait_for_log("room removed: cave");
    gateway.edit(|text| text.replace("[gateway]\n", "[gateway]\nwatch_files = false\n"));
    gateway.wait_for_log("changed: gateway.watch_files");
}

/// The files are the same by name; who is connected stays by the certificate of then.
#[test]
fn a_certificate_is_swapped_under_those_who_are_there_and_a_wrong_one_is_refused() {
    let gateway = gateway(SALON);
    let folder = gateway.folder.path();
    let add = ["subscriber", "add", "alice", "--rooms", "salon", "--certificate", "--no-qr"];
    gateway.says(&add);
    let put = |from: &str, to: &str| {
        fs::copy(folder.join(from), folder.join(to)).unwrap();
    };
    put("state/server.pem", "c.pem");
    put("state/server.key", "k.pem");
    let (port, path) = (free_port(), folder.display());
    let tls = format!("{{ certificate = \"{path}/c.pem\", key = \"{path}/k.pem\" }}");
    let listener = listener(port, &format!("tls = {tls}\nauth = \"anonymous\""));
    gateway.edit(|text| text + &listener);
    hang_up(&gateway);
    gateway.wait_for_log("listener added");
    let encrypted = || {
        let mut command = Command::new("mosquitto_sub");
        command.args(["-t", "maison/#", "-v", "-h", "localhost", "-p", &port.to_string()]);
        Client::start(command.args(["--cafile", &gateway.authority()]))
    };
    let stays = encrypted();
    stays.expect("maison/salon/availability online");

    put("alice/alice.pem", "c.pem");
    hang_up(&gateway);
    gateway.wait_for_log("certificate and key do not belong together");
    let between = encrypted();
    between.expect("maison/salon/availability online");
    put("alice/alice.key", "k.pem");
    hang_up(&gateway);
    gateway.wait_for_log(&format!("certificate changed: 127.0.0.1:{port}"));
    let mut refuses = encrypted();
    assert!(!refuses.end().success(), "it is no certificate of a server");
    gateway.edit(|text| text + CAVE);
    hang_up(&gateway);
    stays.expect("maison/cave/availability online");
    between.expect("maison/cave/availability online");
}

#[test]
fn what_becomes_private_is_taken_from_guests_at_once() {
    let gateway = gateway(SALON);
    let client = subscriber(gateway.plain_port());
    client.lines.wait("21.4", |line| line == "1 maison/salon/temperature 21.4");
    gateway.edit(|text| {
        text.replace("[broker]\n", "[broker]\nprivate = [\"maison/+/temperature/#\"]\n") + CAVE
    });
    hang_up(&gateway);
    gateway.wait_for_log("changed: broker.private");
    client.expect("0 maison/cave/availability online");
    let late = subscriber(gateway.plain_port());
    late.expect("1 maison/salon/availability online");
    late.expect("1 maison/cave/availability online");
    for guest in [client, late] {
        assert_eq!(count(&guest, "maison/cave/temperature"), 0);
    }
}

/// Its certificate counts no more, so that it could not come again.
#[test]
fn who_came_by_an_authority_that_is_no_more_is_sent_away() {
    let gateway = gateway(SALON);
    let folder = gateway.folder.path();
    let config = gateway.config();
    let mut add = binary();
    add.current_dir(folder).args(["subscriber", "add", "alice", "--rooms", "salon", "--no-qr"]);
    let added = add.args(["--certificate", "--config", config.to_str().unwrap()]).output().unwrap();
    assert!(added.status.success(), "{added:?}");
    for (from, to) in
        [("state/server.pem", "c.pem"), ("state/server.key", "k.pem"), ("state/ca.pem", "a.pem")]
    {
        fs::copy(folder.join(from), folder.join(to)).unwrap();
    }
    let (port, path) = (free_port(), folder.display());
    let files = format!("certificate = \"{path}/c.pem\", key = \"{path}/k.pem\"");
    let tls = format!("{{ {files}, client_ca = \"{path}/a.pem\" }}");
    let listener = format!("bind = \"127.0.0.1:{port}\"\ntls = {tls}\nauth = \"certificate\"\n");
    gateway.edit(|text| format!("{text}[[listener]]\n{listener}"));
    hang_up(&gateway);
    gateway.wait_for_log("listener added");
    let mut command = Command::new("mosquitto_sub");
    command.current_dir(folder).args(["-V", "5", "-v", "-t", "maison/#", "-h", "localhost"]);
    command.args(["-p", &port.to_string(), "--cafile", "state/ca.pem"]);
    let mut alice =
        Client::start(command.args(["--cert", "alice/alice.pem", "--key", "alice/alice.key"]));
    alice.expect("maison/salon/availability online");

    let other = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let mut openssl = Command::new("openssl");
    openssl.current_dir(folder).args(other).args(["-keyout", "o.key", "-out", "a.pem"]);
    let made = openssl.args(["-subj", "/CN=another", "-days", "1"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    hang_up(&gateway);
    gateway.wait_for_log("this certificate, or its authority, counts no more");
    alice.end();
}

/// A browser's way in comes and goes like any other.
#[test]
fn a_listener_for_websocket_opens_and_closes_and_the_others_do_not_notice() {
    let gateway = gateway(SALON);
    let stays = subscriber(gateway.plain_port());
    let port = free_port();
    let listener = listener(port, "websocket = true\nauth = \"anonymous\"");
    gateway.edit(|text| text + &listener);
    hang_up(&gateway);
    gateway.wait_for_log(&format!("listener added: 127.0.0.1:{port}"));
    crate::gateway::add_user(&gateway.config(), "bob", PASSWORD);
    let came = Client::start(&mut websocket::subscriber(paho(), &gateway, "ws", PASSWORD));
    came.expect("maison/salon/temperature 21.4");

    gateway.edit(|text| text.replace(&listener, ""));
    hang_up(&gateway);
    gateway.wait_for_log(&format!("listener removed: 127.0.0.1:{port}"));
    gateway.wait_for_log("this listener was closed or changed");
    assert_eq!(gateway.logged("this listener was closed or changed").len(), 1);
    wait_until_free(port);
    stays.lines.wait("online", |line| line.ends_with("salon/availability online"));
    drop(came);
}

/// The wider address cannot be taken beside the narrower one, and there is no moment without both.
#[test]
fn a_listener_moves_to_an_address_that_covers_its_own_and_back() {
    let gateway = gateway(SALON);
    let port = free_port();
    let narrow = listener(port, "auth = \"anonymous\"\nopen = true");
    let wide = narrow.replace("127.0.0.1", "0.0.0.0");
    gateway.edit(|text| text + &narrow);
    check_reload(&gateway, 0, &format!("listener added: 127.0.0.1:{port}\n"), "");
    let mut goes = subscriber(port);
    goes.lines.wait("online", |line| line.ends_with("salon/availability online"));
    let moved = |from: &str, to: &str| {
        format!("listener removed: {from}:{port}\nlistener added: {to}:{port}\n")
    };
    gateway.edit(|text| text.replace(&narrow, &wide));
    check_reload(&gateway, 0, &moved("127.0.0.1", "0.0.0.0"), "");
    goes.end();
    let come = subscriber(port);
    come.lines.wait("online", |line| line.ends_with("salon/availability online"));
    gateway.edit(|text| text.replace(&wide, &narrow));
    check_reload(&gateway, 0, &moved("0.0.0.0", "127.0.0.1"), "");
    let again = subscriber(port);
    again.lines.wait("online", |line| line.ends_with("salon/availability online"));
    // What another program has is still in use.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let held = TcpListener::bind(("127.0.0.1", taken)).unwrap();
    gateway.edit(|text| text.replace(&narrow, &listener(taken, "auth = \"anonymous\"")));
    check_reload(&gateway, 1, "", "address already in use");
    drop((come, held));
}

/// Who may not look into the state folder may not ask the gateway of it either.
#[test]
fn the_command_of_somebody_else_is_not_answered() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    if !rustix::process::geteuid().is_root() {
        eprintln!("not root: there is nobody else to be");
        return;
    }
    let gateway = gateway(SALON);
    let readable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(gateway.folder.path(), readable).unwrap();
    let program = gateway.folder.path().join("maison");
    fs::copy(binary().get_program(), &program).unwrap();
    for arguments in [&["reload"][..], &["subscriber", "list"], &["ca", "rotate"]] {
        let mut command = Command::new(&program);
        command.args(arguments).arg("--config").arg(gateway.config()).current_dir("/");
        let output = command.uid(65_534).gid(65_534).output().unwrap();
        assert_eq!(output.status.code(), Some(77), "{arguments:?}: {output:?}");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains("hint: "), "{errors}");
    }
    assert!(!gateway.has_logged("configuration read again"));
}
