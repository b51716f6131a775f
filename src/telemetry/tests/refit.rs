//! What subscribers see when rooms and sensors change while the gateway works.

use super::*;

#[test]
fn a_house_that_stays_the_same_says_nothing() {
    let mut house = salon();
    house.told(&value(A, 1, 1, 214));
    check(&house.refit(&[room("salon", &[(A, ONE)])], tick(2), at(2)), &[]);
    let next = house.told(&value(A, 3, 1, 215));
    assert_eq!(next.len(), 2, "a number, plain and as JSON; availability and status are no news");
}

#[test]
fn a_room_that_is_gone_is_offline_and_nothing_of_it_is_retained() {
    let rooms = [room("cave", &[(B, TWO)]), room("salon", &[(A, ONE)])];
    let mut house = House::new("maison", &rooms);
    house.start(at(0));
    house.told(&value(A, 1, 1, 214));
    house.told(&value(B, 1, 1, 100));
    let told = lines(&house.refit(&rooms[1..], tick(2), at(2)));
    let expected = [
        "1 maison/cave/availability offline",
        "1 maison/cave/alert",
        "1 maison/cave/availability",
        "1 maison/cave/status",
        "1 maison/cave/temperature",
        "1 maison/cave/temperature/json",
    ];
    assert_eq!(told[..6], expected);
    assert!(told[6].starts_with("1 maison/_gateway/info ") && !told[6].contains("cave"));
    assert_eq!(told.len(), 7);
}

#[test]
fn a_new_room_is_offline_until_its_first_reading() {
    let mut house = salon();
    house.told(&value(A, 1, 1, 214));
    let rooms = [room("cave", &[(B, TWO)]), room("salon", &[(A, ONE)])];
    let told = lines(&house.refit(&rooms, tick(2), at(2)));
    assert_eq!(told[0], "1 maison/cave/availability offline");
    assert!(told.iter().all(|line| !line.contains("salon/")), "{told:?}");
    let told = lines(&house.told(&value(B, 3, 3, 100)));
    assert!(told.contains(&"1 maison/cave/availability online".to_owned()), "{told:?}");
}

#[test]
fn a_second_sensor_gives_both_topics_of_their_own_which_go_with_it() {
    let mut house = salon();
    house.told(&value(A, 1, 1, 214));
    let told = lines(&house.refit(&[room("salon", &[(A, ONE), (B, TWO)])], tick(2), at(2)));
    let its_own = format!("1 maison/salon/sensor/{ONE}/temperature 21.4");
    assert!(told.contains(&its_own), "{told:?}");
    assert!(told.iter().all(|line| line.contains("/sensor/")), "the room goes on: {told:?}");
    let told = lines(&house.refit(&[room("salon", &[(A, ONE)])], tick(3), at(3)));
    assert_eq!(told.len(), 4, "number and status of each: {told:?}");
    assert!(told.iter().all(|line| line.contains("/sensor/") && line.split(' ').count() == 2));
}

#[test]
fn where_the_sensor_in_use_goes_another_takes_its_place() {
    let mut house = grenier();
    house.told(&value(A, 1, 1, 214));
    house.told(&value(B, 1, 1, 205));
    let told = lines(&house.refit(&[room("grenier", &[(B, TWO)])], tick(2), at(2)));
    assert!(told.contains(&"2 home/maison/grenier/temperature 20.5".to_owned()), "{told:?}");
    assert!(told.iter().all(|line| !line.contains("availability")), "{told:?}");
}

#[test]
fn a_room_that_loses_its_sensors_shows_no_number() {
    let mut house = salon();
    house.told(&value(A, 1, 1, 214));
    let told = lines(&house.refit(&[room("salon", &[])], tick(2), at(2)));
    assert!(told.contains(&"1 maison/salon/availability offline".to_owned()), "{told:?}");
    assert!(told.contains(&"2 maison/salon/temperature".to_owned()), "{told:?}");
}

#[test]
fn a_room_whose_only_sensor_is_another_is_offline_until_that_is_read() {
    let mut house = salon();
    house.told(&value(A, 1, 1, 214));
    let told = lines(&house.refit(&[room("salon", &[(B, TWO)])], tick(2), at(2)));
    assert_eq!(told[0], "1 maison/salon/availability offline");
    assert!(told[1].starts_with(r#"1 maison/salon/status {"state":"unknown""#), "{told:?}");
    assert_eq!(told[2..], ["2 maison/salon/temperature", "2 maison/salon/temperature/json"]);
}
