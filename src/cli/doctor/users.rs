//! Who is let in: whether each user has a way in, and something to read there.

use super::super::ca;
use super::finding::{Finding, Found, said};
use super::patient::Patient;
use crate::access::{ALL_ROOMS, Access, Policy, Principal, User, UserName, Users};
use crate::config::Settings;
use crate::daemon::{rights, state};
use crate::mqtt::TopicName;

pub(super) fn examine(patient: &Patient, found: &mut Found) {
    let folder = patient.state_dir();
    if !folder.exists() {
        return;
    }
    match state::read_users(folder) {
        Ok(users) => judge(patient, &users, found),
        Err(error) if error.is_permission() => {
            let shown = folder.display();
            found.unseen(said!(
                "users, and what they may: this user may not look into `{shown}`; as root: `sudo \
                 maison doctor`",
                "les utilisateurs et leurs droits : cet utilisateur ne peut regarder dans \
                 `{shown}` ; en root : `sudo maison doctor`",
            ));
        }
        Err(_) => {
            let what = said!(
                "the file of users is damaged: nobody new is let in",
                "le fichier des utilisateurs est abîmé : plus personne de nouveau n'entre",
            );
            let line = format!("maison user list{}", patient.with_config());
            found.add(Finding::error("users-damaged", what).paste(line));
        }
    }
}

fn judge(patient: &Patient, users: &Users, found: &mut Found) {
    let settings = &patient.settings;
    let with = patient.with_config();
    let asks = settings.listeners.iter().any(|listener| listener.auth != Policy::Anonymous);
    if asks && users.names().next().is_none() {
        let what = said!(
            "nobody can come in: there are no users",
            "personne ne peut entrer : il n'y a pas d'utilisateurs",
        );
        let line = format!("sudo maison subscriber add NAME --rooms '*'{with}");
        found.add(Finding::note("no-users", what).paste(line));
    }
    for (name, user) in users.iter() {
        if name.is_throwaway() {
            let what = said!(
                "left over by a `maison doctor` that was cut short: `{name}`",
                "laissé par un `maison doctor` interrompu : `{name}`",
            );
            let line = format!("sudo maison user del {name}{with}");
            found.add(Finding::note("user-left-over", what).paste(line));
            continue;
        }
        way_in(settings, (name, user), &with, found);
        scope(patient, (name, user), found);
        if reads(settings, users, name).is_empty() && !settings.rooms.is_empty() {
            let what = said!("`{name}` may read no room", "`{name}` ne peut lire aucune pièce");
            let room = settings.rooms.first().map_or("", |room| room.slug.as_str());
            let topic = format!("{}/{room}/temperature", settings.gateway.root);
            let line = format!("maison acl explain {name} {topic}{with}");
            found.add(Finding::note("user-reads-nothing", what).paste(line));
        }
    }
}

/// The rooms whose temperature a user may read, by the rules that the broker has.
pub(super) fn reads(settings: &Settings, users: &Users, name: &UserName) -> Vec<String> {
    let rights = rights(settings).for_users(users.clone().into());
    let allowed = rights.of(&Principal::User(name.as_str().into()), "");
    let may_read = |slug: &str| {
        let topic = format!("{}/{slug}/temperature", settings.gateway.root);
        TopicName::new(topic).is_ok_and(|topic| allowed.explain(Access::Read, &topic).is_ok())
    };
    let rooms = settings.rooms.iter().map(|room| room.slug.clone());
    rooms.filter(|slug| may_read(slug)).collect()
}

fn way_in(settings: &Settings, (name, user): (&UserName, &User), with: &str, found: &mut Found) {
    let (password, certificate) = (user.password.is_some(), !user.certificates.is_empty());
    let lets_in = |policy: Policy, is_ours: bool| match policy {
        Policy::Anonymous => true,
        Policy::Password => password,
        // Those of other authorities are not on our list.
        Policy::Certificate => certificate || !is_ours,
        Policy::CertificateOrPassword => password || certificate || !is_ours,
        Policy::CertificateAndPassword => password && (certificate || !is_ours),
    };
    let listeners = &settings.listeners;
    if listeners
        .iter()
        .any(|it| it.auth != Policy::Anonymous && lets_in(it.auth, ca::trusts_it(it)))
    {
        return;
    }
    let what = said!(
        "`{name}` has no way in: no listener takes what it has to show",
        "`{name}` n'a pas d'entrée : aucun port d'écoute n'accepte ce qu'il peut montrer",
    );
    let finding = Finding::warning("user-without-a-way-in", what);
    found.add(if password {
        finding.paste(format!("sudo maison subscriber renew {name}{with}"))
    } else {
        finding.paste(format!("sudo maison subscriber passwd {name}{with}"))
    });
}

/// Rooms that there are no more, or that a device and the gateway both tell of.
fn scope(patient: &Patient, (name, user): (&UserName, &User), found: &mut Found) {
    let Some(scope) = &user.scope else { return };
    for slug in scope.rooms.iter().filter(|room| *room != ALL_ROOMS) {
        let room = patient.settings.rooms.iter().find(|room| room.slug == *slug);
        if room.is_none() && !scope.write && patient.trouble.is_none() {
            let what = said!(
                "`{name}` is let in for a room that there is not: `{slug}`",
                "`{name}` est admis pour une pièce qui n'existe pas : `{slug}`",
            );
            found.add(Finding::warning("user-of-no-room", what).mend(said!(
                "it is gone, or called otherwise: `maison subscriber rooms {name} ROOM,…` gives \
                 others",
                "elle n'est plus, ou a changé de nom : `maison subscriber rooms {name} ROOM,…` en \
                 donne d'autres",
            )));
        }
        if scope.write && room.is_some_and(|room| !room.sensors.is_empty()) {
            let what = said!(
                "`{name}` publishes to `{slug}`, and so do the gateway's own sensors",
                "`{name}` publie dans `{slug}`, et les capteurs de la passerelle aussi",
            );
            found.add(Finding::warning("room-told-twice", what).mend(said!(
                "give the device, or the sensors, another room",
                "donnez à l'appareil, ou aux capteurs, une autre pièce",
            )));
        }
    }
}
