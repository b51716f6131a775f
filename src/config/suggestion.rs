//! What somebody may have meant.

use crate::limits::ROOM_SLUG_BYTES_MAX;

/// Longest word that is compared: beyond it nothing of ours is near, and comparing costs the
/// product of both lengths.
const WORD_BYTES_MAX: usize = 64;

/// The candidate that `word` most resembles, if any comes near.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if word.len() > WORD_BYTES_MAX {
        return None;
    }
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1.max(candidate.chars().count() / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What a wrong word may have been, and which there are.
pub(crate) fn one_of<'a, I: Iterator<Item = &'a str>>(
    value: &str,
    words: impl Fn() -> I,
) -> String {
    let all = listed(words());
    match nearest(value, words()) {
        Some(near) => format!("did you mean `{near}`? there are {all}"),
        None => format!("there are {all}"),
    }
}

/// Each word in backticks, with commas.
pub(super) fn listed<'a, I: IntoIterator<Item = &'a str>>(words: I) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The room slug that `text` could become: `Chambre d'été` → `chambre-d-ete`. `None` if nothing of
/// it can stay.
pub(crate) fn slug(text: &str) -> Option<String> {
    let mut slug = String::new();
    for letter in text.chars().flat_map(char::to_lowercase) {
        match letter {
            'a'..='z' | '0'..='9' => slug.push(letter),
            _ => match unaccented(letter) {
                Some(letters) => slug.push_str(letters),
                None if slug.ends_with('-') || slug.is_empty() => {}
                None => slug.push('-'),
            },
        }
    }
    slug.truncate(ROOM_SLUG_BYTES_MAX);
    let slug = slug.trim_end_matches('-');
    (!slug.is_empty()).then(|| slug.to_owned())
}

/// Lower-case Latin letters without their accents; the empty text for a mark that stands alone.
fn unaccented(letter: char) -> Option<&'static str> {
    Some(match letter {
        'à' | 'á' | 'â' | 'ã' | 'å' | 'ā' | 'ă' | 'ą' | 'ä' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'č' => "c",
        'ď' | 'ð' | 'đ' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'ğ' => "g",
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'į' | 'ı' => "i",
        'ł' | 'ľ' => "l",
        'ñ' | 'ń' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ø' | 'ō' | 'ő' | 'ö' => "o",
        'œ' => "oe",
        'ŕ' | 'ř' => "r",
        'ś' | 'š' | 'ş' | 'ș' => "s",
        'ß' => "ss",
        'ţ' | 'ť' | 'ț' => "t",
        'þ' => "th",
        'ù' | 'ú' | 'û' | 'ū' | 'ů' | 'ű' | 'ų' | 'ü' => "u",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        '\u{300}'..='\u{36f}' => "",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        let words = ["interval", "median", "min", "max"];
        assert_eq!(nearest("intervall", words), Some("interval"));
        assert_eq!(nearest("Interval", words), Some("interval"));
        assert_eq!(nearest("mediam", words), Some("median"));
        assert_eq!(nearest("mix", words), Some("min"));
        assert_eq!(nearest("colour", words), None);
        assert_eq!(nearest(&"interval".repeat(9), words), None);
    }

    #[track_caller]
    fn check_slug(text: &str, expected: Option<&str>) {
        assert_eq!(slug(text).as_deref(), expected);
    }

    #[test]
    fn slugs_keep_letters_without_accents() {
        check_slug("Chambre d'été", Some("chambre-d-ete"));
        check_slug("Chambre d'e\u{301}te\u{301}", Some("chambre-d-ete"));
        check_slug("_gateway", Some("gateway"));
        check_slug("  Cœur / Straße  ", Some("coeur-strasse"));
        check_slug("a+b#c/d", Some("a-b-c-d"));
        check_slug(&"x".repeat(40), Some(&"x".repeat(32)));
        check_slug("浴室", None);
        check_slug("", None);
    }
}
