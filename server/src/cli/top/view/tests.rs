use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{
    super::{
        order::{Only, Order, SortBy},
        sample::{advanced, at, name, restarted, session, snapshot, synced, three},
    },
    Known, Page, Step, View,
};

fn press(view: &mut View, keys: &str) -> Step {
    let press = |character| match character {
        '\n' => KeyCode::Enter,
        '\u{1b}' => KeyCode::Esc,
        '\u{8}' => KeyCode::Backspace,
        character => KeyCode::Char(character),
    };
    let keys = keys.chars().map(press).map(|code| view.press(code.into()));
    keys.last().expect("a key")
}

fn shown(view: &mut View, known: &Known) -> Vec<String> {
    view.arrange(known, at(10), 100).iter().map(ToString::to_string).collect()
}

#[test]
fn each_column_sorts_with_what_matters_first() {
    let known = three();
    let first = |sort_by, reverse| {
        let order = Order { sort_by, reverse, ..Order::default() };
        order.of(&known, at(10))[0].to_string()
    };
    assert_eq!(
        (first(SortBy::Name, false), first(SortBy::Name, true)),
        ("alice".into(), "customer-1".into())
    );
    for sort_by in
        [SortBy::Holder, SortBy::Waiting, SortBy::Pts, SortBy::Rate, SortBy::Changed, SortBy::Watchers]
    {
        assert_eq!(first(sort_by, false), "alice", "{sort_by:?}");
        assert_ne!(first(sort_by, true), "alice", "{sort_by:?}");
    }
}

#[test]
fn a_filter_finds_a_text_in_name_user_and_holder() {
    let known = three();
    let mut view = View::default();
    for (text, found) in [
        ("SHOP", vec!["bot.shop"]),
        ("@car", vec!["customer-1"]),
        ("worker-1", vec!["alice"]),
        ("5000000001", vec!["alice", "bot.shop", "customer-1"]),
        ("nothing", vec![]),
    ] {
        press(&mut view, "/");
        press(&mut view, text);
        assert_eq!(shown(&mut view, &known), found, "{text}");
        press(&mut view, "\u{1b}");
        assert_eq!((shown(&mut view, &known).len(), &view.page), (3, &Page::Table));
    }
    press(&mut view, "/shopx\u{8}\n");
    assert_eq!((shown(&mut view, &known), &view.page), (vec!["bot.shop".to_owned()], &Page::Table));
}

#[test]
fn only_those_that_matter_are_shown_on_request() {
    let known = three();
    let mut view = View::default();
    let next = |view: &mut View| {
        press(view, "f");
        (view.order.only, shown(view, &known))
    };
    assert_eq!(next(&mut view), (Only::Held, vec!["alice".to_owned()]));
    assert_eq!(next(&mut view), (Only::WaitedFor, vec!["alice".to_owned()]));
    assert_eq!(next(&mut view), (Only::Damaged, vec!["bot.shop".to_owned()]));
    assert_eq!(next(&mut view).1.len(), 3);
}

#[test]
fn the_selection_stays_with_its_session_when_others_pass_it() {
    let mut known = three();
    let mut view = View::new(Order { sort_by: SortBy::Pts, ..Order::default() });
    assert_eq!(shown(&mut view, &known), ["alice", "customer-1", "bot.shop"]);
    press(&mut view, "j");
    assert_eq!(view.selected(), Some(&name("customer-1")));
    known.apply(advanced("customer-1", 50, 2_000_000_000), at(10));
    assert_eq!(view.arrange(&known, at(10), 100)[0], name("alice"), "it is sorted once a second");
    assert_eq!(view.arrange(&known, at(11), 100)[0], name("customer-1"));
    assert_eq!(view.selected(), Some(&name("customer-1")));
}

#[test]
fn keys_open_and_close_what_they_say() {
    let known = three();
    let mut view = View::default();
    shown(&mut view, &known);
    assert_eq!(press(&mut view, "\n"), Step::Open(name("alice")));
    assert_eq!(press(&mut view, "j"), Step::Open(name("bot.shop")), "the next session's");
    assert_eq!(press(&mut view, "q"), Step::Close);
    assert_eq!((press(&mut view, "?"), &view.page), (Step::Draw, &Page::Help));
    assert_eq!((press(&mut view, "x"), &view.page), (Step::Draw, &Page::Table));
    assert_eq!(press(&mut view, "q"), Step::Quit);
    let control = |code| KeyEvent::new(KeyCode::Char(code), KeyModifiers::CONTROL);
    for page in [Page::Filter, Page::Table, Page::Help, Page::Detail(name("alice"))] {
        view.page = page;
        assert_eq!(view.press(control('c')), Step::Quit);
        assert_eq!(view.press(control('z')), Step::Suspend);
    }
}

#[test]
fn the_selection_is_always_on_the_screen() {
    let mut known = Known::default();
    known.apply(restarted(), at(0));
    for n in 0..10_000 {
        known.apply(snapshot(&format!("user-{n:05}"), Some(session(n, None)), None), at(0));
    }
    known.apply(synced(), at(0));
    let mut view = View::default();
    let screen = |view: &mut View, code: KeyCode| {
        view.press(code.into());
        let names = view.arrange(&known, at(1), 19);
        (names.len(), names[0].to_string(), names[names.len() - 1].to_string())
    };
    assert_eq!(screen(&mut view, KeyCode::Home), (19, "user-00000".into(), "user-00018".into()));
    assert_eq!(screen(&mut view, KeyCode::End), (19, "user-09981".into(), "user-09999".into()));
    assert_eq!(view.selected(), Some(&name("user-09999")));
    assert_eq!(screen(&mut view, KeyCode::Up), (19, "user-09981".into(), "user-09999".into()));
    assert_eq!(screen(&mut view, KeyCode::PageUp), (19, "user-09980".into(), "user-09998".into()));
    assert_eq!(view.selected(), Some(&name("user-09980")));
}
