use super::*;

#[test]
fn placeholders_are_whole_levels_of_a_filter() {
    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let error = Pattern::parse(text).err().map(|error| error.to_string());
        match (error, expected) {
            (None, None) => {}
            (Some(error), Some(expected)) => assert!(error.contains(expected), "{error}"),
            (error, expected) => panic!("{text}: {error:?}, not {expected:?}"),
        }
    }
    check("garden/%u/%c/#", None);
    check("%u", None);
    check("garden/%u-x", Some("whole level of a topic, not for a part of `%u-x`"));
    check("garden/a%c/b", Some("not for a part of `a%c`"));
    check("garden/a+", Some("whole level of a topic filter"));
    check("", Some("empty"));
}

/// What a subscription brings never exceeds what its rules let through, and is refused only where
/// it would bring nothing.
#[test]
fn overlapping_agrees_with_matching() {
    let levels = ["a", "_b", "+", "#"];
    let names = ["a", "_b", "c"];
    let all = |letters: &[&str]| -> Vec<String> {
        let one = letters.iter().map(|&letter| letter.to_owned());
        let two = letters.iter().flat_map(|x| letters.iter().map(move |y| format!("{x}/{y}")));
        let three = letters.iter().flat_map(|x| {
            letters.iter().flat_map(move |y| letters.iter().map(move |z| format!("{x}/{y}/{z}")))
        });
        one.chain(two).chain(three).collect()
    };
    let topics: Vec<TopicName> =
        all(&names).into_iter().map(|text| TopicName::new(text).unwrap()).collect();
    let filters: Vec<TopicFilter> =
        all(&levels).into_iter().filter_map(|text| TopicFilter::new(text).ok()).collect();
    for rule in &filters {
        for wanted in &filters {
            let both = topics.iter().any(|topic| rule.matches(topic) && wanted.matches(topic));
            assert_eq!(rule.overlaps(wanted), both, "{rule} and {wanted}");
        }
    }
}
