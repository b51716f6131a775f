//! Pages and rows are looked at side by side: what either look finds is told.

use super::*;

/// Says another number of free pages: no row tells of it.
fn miscount(content: &mut [u8]) {
    content[39] ^= 1;
}

/// Changes each payload: no page tells of it.
fn misspell(content: &mut [u8]) {
    for at in 0..content.len() - 8 {
        if &content[at..at + 8] == b"degrees " {
            content[at + 7] = b'.';
        }
    }
}

fn with(damage: &'static [fn(&mut [u8])]) -> impl FnOnce(&House) {
    move |house| {
        let mut content = house.read();
        for damage in damage {
            damage(&mut content);
        }
        house.write(content);
    }
}

#[test]
fn what_no_row_tells_is_found_in_the_pages() {
    let report = check(End::InPeace, with(&[miscount]), "Freelist", ALL..=ALL);
    assert_eq!(report.lost, Contents::default());
}

#[test]
fn what_no_page_tells_is_found_in_the_rows() {
    let fault = "600 of table `queued`: its checksum is wrong";
    let report = check(End::InPeace, with(&[misspell]), fault, 3..=3);
    assert_eq!(report.lost.messages, 600);
}

#[test]
fn what_is_wrong_with_pages_is_told_instead_of_what_stands_in_them() {
    let report = check(End::InPeace, with(&[miscount, misspell]), "Freelist", 3..=3);
    assert_eq!((report.faults.len(), report.lost.messages), (1, 600), "{report}");
}
