//! The ports of the listeners: whether somebody else has them.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use super::finding::{Finding, Found, said};
use super::patient::Patient;

/// In the kernel's tables.
const LISTENING: &str = "0A";

pub(super) fn examine(patient: &Patient, found: &mut Found) {
    let proc = patient.place("proc");
    let sockets = sockets(&proc);
    let gateway = patient.gateway.as_ref().ok().map(|status| status.pid);
    let metrics = patient.settings.metrics.iter().map(|metrics| metrics.bind);
    for bind in patient.settings.listeners.iter().map(|listener| listener.bind).chain(metrics) {
        let rivals = sockets.iter().filter(|socket| bind.port() != 0 && overlap(socket.at, bind));
        for socket in rivals {
            match owner(&proc, socket.inode) {
                Some(owner) if Some(owner.id) == gateway || owner.name == "systemd" => {}
                // Whom it belongs to cannot be seen, and a gateway is there.
                None if patient.is_at_work() => {}
                owner => taken(bind, owner.as_ref(), patient, found),
            }
        }
    }
}

fn taken(bind: SocketAddr, owner: Option<&Owner>, patient: &Patient, found: &mut Found) {
    let port = bind.port();
    let Some(Owner { name, id }) = owner else {
        let what = said!(
            "port taken: `{bind}`, by a program that this user may not see",
            "port occupé : `{bind}`, par un programme que cet utilisateur ne peut voir",
        );
        let finding = Finding::error("port-taken", what);
        found.add(finding.paste(format!("sudo ss -ltnp 'sport = :{port}'")));
        return;
    };
    let what = said!(
        "port taken: `{bind}`, by `{name}` (process {id})",
        "port occupé : `{bind}`, par `{name}` (processus {id})",
    );
    let finding = Finding::error("port-taken", what);
    found.add(if name == "mosquitto" {
        let remedy = said!(
            "take over its users, rules and listeners, then stop it",
            "reprenez ses utilisateurs, ses règles et ses ports, puis arrêtez-le",
        );
        let line =
            format!("sudo maison import mosquitto /etc/mosquitto --write{}", patient.with_config());
        let stop = "sudo systemctl disable --now mosquitto";
        finding.mend(remedy).paste(line).paste(stop).paste("sudo systemctl restart maison")
    } else {
        let remedy = said!(
            "stop that program, or give one of both another port",
            "arrêtez ce programme, ou donnez à l'un des deux un autre port",
        );
        finding.mend(remedy).paste(format!("sudo ss -ltnp 'sport = :{port}'"))
    });
}

/// Whether two listeners are in each other's way: an address for all is in the way of each.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let (a, b) = (one.ip().to_canonical(), other.ip().to_canonical());
    let covers = |all: IpAddr, it: IpAddr| match all {
        IpAddr::V6(all) => all == Ipv6Addr::UNSPECIFIED,
        IpAddr::V4(all) => all == Ipv4Addr::UNSPECIFIED && it.is_ipv4(),
    };
    one.port() == other.port() && (a == b || covers(a, b) || covers(b, a))
}

/// Somebody who listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Socket {
    at: SocketAddr,
    inode: u64,
}

fn sockets(proc: &Path) -> Vec<Socket> {
    let table = |name| fs::read_to_string(proc.join("net").join(name)).unwrap_or_default();
    let tables = [table("tcp"), table("tcp6")];
    tables.iter().flat_map(|table| table.lines().filter_map(socket)).collect()
}

/// `0: 0100007F:075B 00000000:0000 0A … uid timeout inode`: the kernel prints each 32 bits of an
/// address as a number of the machine.
fn socket(line: &str) -> Option<Socket> {
    let mut words = line.split_whitespace().skip(1);
    let (address, port) = words.next()?.split_once(':')?;
    if words.nth(1)? != LISTENING {
        return None;
    }
    let inode = words.nth(5)?.parse().ok()?;
    let mut bytes = Vec::new();
    for at in (0..address.len()).step_by(8) {
        let word = u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let v4 = <[u8; 4]>::try_from(bytes.as_slice()).map(IpAddr::from);
    let ip = v4.or_else(|_| <[u8; 16]>::try_from(bytes.as_slice()).map(IpAddr::from)).ok()?;
    Some(Socket { at: SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?), inode })
}

/// A program.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owner {
    name: String,
    id: u32,
}

/// Whose socket it is, as far as this user may see.
fn owner(proc: &Path, inode: u64) -> Option<Owner> {
    let wanted = format!("socket:[{inode}]");
    let processes = fs::read_dir(proc).ok()?.flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let has_it = |id: &u32| {
        let files = fs::read_dir(proc.join(format!("{id}/fd"))).into_iter().flatten().flatten();
        let mut links = files.filter_map(|file| fs::read_link(file.path()).ok());
        links.any(|link| link.as_os_str() == wanted.as_str())
    };
    let id = ids.into_iter().find(has_it)?;
    let name = fs::read_to_string(proc.join(format!("{id}/comm"))).ok()?.trim().to_owned();
    Some(Owner { name, id })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn listeners_in_each_others_way_are_known() {
        let check = |one: &str, other: &str, expected: bool| {
            assert_eq!(overlap(one.parse().unwrap(), other.parse().unwrap()), expected, "{one}");
        };
        check("127.0.0.1:1883", "127.0.0.1:1883", true);
        check("127.0.0.1:1883", "127.0.0.1:1884", false);
        check("0.0.0.0:1883", "127.0.0.1:1883", true);
        check("[::]:1883", "192.168.1.4:1883", true);
        check("0.0.0.0:1883", "[::1]:1883", false);
        check("127.0.0.1:1883", "192.168.1.4:1883", false);
        check("[::ffff:127.0.0.1]:1883", "127.0.0.1:1883", true);
    }

    #[test]
    fn the_kernels_table_is_read_as_it_is_meant() {
        let own = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(owner(Path::new("/proc"), 0), None);
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let at = listener.local_addr().unwrap();
            let sockets = sockets(Path::new("/proc"));
            let socket = sockets.iter().find(|it| it.at == at).expect("it listens");
            let owner = owner(Path::new("/proc"), socket.inode).unwrap();
            assert_eq!(owner.id, std::process::id());
            assert!(!sockets.iter().any(|it| it.at == own), "closed: {own}");
        }
        assert_eq!(socket("  sl  local_address rem_address   st tx_queue rx_queue"), None);
        assert_eq!(socket("0: 0100007F"), None);
    }
}
