use ratatui::{Terminal, backend::TestBackend, buffer::Buffer, style::Color};

use super::{
    super::{
        feed::Update,
        order::Order,
        sample::{advanced, at, commit, name, restarted, session, snapshot, synced, three},
    },
    Detail, Frame, Known, Page, Palette, View,
};

/// What is on a screen of this size ten seconds after the view began.
fn drawn(known: &Known, detail: &Detail, view: &mut View, palette: Palette, size: (u16, u16)) -> Buffer {
    let frame = Frame { known, detail, socket: "unix:/run/sessiond.sock", now: at(10), palette };
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).expect("memory");
    terminal.draw(|area| frame.draw(view, area.buffer_mut())).expect("memory");
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width);
    let line = |cells: &[ratatui::buffer::Cell]| cells.iter().map(|cell| cell.symbol()).collect::<String>();
    buffer.content.chunks(width).map(|cells| line(cells).trim_end().to_owned()).collect()
}

fn screen(known: &Known, view: &mut View, size: (u16, u16)) -> Vec<String> {
    text(&drawn(known, &Detail::default(), view, Palette::Plain, size))
}

#[test]
fn a_screen_of_80_by_24_has_all_of_it() {
    let lines = screen(&three(), &mut View::default(), (80, 24));
    let expected = [
        " sessiond 0.1.0, sqlite, up 2 h                         unix:/run/sessiond.sock",
        " sessions 3  held 1  waiting 2  watchers 4                         log 12.3 MiB",
        " commits 250/s, 10.0 a sync  p50 310 us, p99 1.2 ms                           █",
        "",
        " NAMEv      USER       DC HELD BY    PID FOR WAIT     PTS PTS/S       LAST WATCH",
        ">alice      @alice      4 worker-1 13906  1m    2 1196809   100 █████  10s     2",
        "!bot.shop   5000000001  4 -            -   -    0       7     0         5m     0",
        " customer-1 @carol      4 -            -   -    0    2000     0         5m     0",
    ];
    for (line, expected) in lines.iter().zip(expected) {
        assert_eq!(line, expected, "\n{}", lines.join("\n"));
    }
    assert_eq!(lines[23], " Enter detail  s sort  r reverse  / filter  f only  ? help  q quit");
}

#[test]
fn a_narrow_screen_leaves_columns_out_and_keeps_names() {
    let lines = screen(&three(), &mut View::default(), (50, 10));
    let expected = [
        " NAMEv      HELD BY  FOR WAIT     PTS PTS/S LAST",
        ">alice      worker-1  1m    2 1196809   100  10s",
        "!bot.shop   -          -    0       7     0   5m",
    ];
    assert_eq!(lines[4..7], expected);
}

#[test]
fn without_colour_there_is_none_and_nothing_is_told_by_colour_alone() {
    let colors = |palette| {
        let buffer = drawn(&three(), &Detail::default(), &mut View::default(), palette, (80, 24));
        let colored = |cell: &&ratatui::buffer::Cell| (cell.fg, cell.bg) != (Color::Reset, Color::Reset);
        (buffer.content.iter().filter(colored).count(), text(&buffer))
    };
    let (plain, color) = (colors(Palette::Plain), colors(Palette::Color));
    assert_eq!(plain.0, 0);
    assert!(color.0 > 0);
    assert_eq!(plain.1, color.1);
}

#[test]
fn a_daemon_that_is_away_is_told_of_and_what_was_known_stays() {
    let mut known = three();
    known.apply(Update::Away, at(7));
    let lines = screen(&known, &mut View::default(), (80, 24));
    assert!(lines[0].starts_with(" sessiond: no daemon answers, reconnecting for 3 s"), "{}", lines[0]);
    assert!(lines[2].starts_with(" commits -/s"), "{}", lines[2]);
    assert!(lines[5].starts_with(">alice"), "{}", lines[5]);
}

#[test]
fn a_session_in_detail_has_its_channels_and_its_latest_events() {
    let known = three();
    let mut detail = Detail::default();
    let mut feed = |update| match update {
        Update::Watched(event) => detail.apply(event),
        _ => unreachable!("it is of a watch"),
    };
    feed(snapshot("alice", Some(session(1_195_809, Some("alice"))), None));
    feed(advanced("alice", 19, 1_196_809));
    let channels = vec![sessiond_client::ChannelState { id: 2_222_222_222, pts: 90 }];
    let change = sessiond_client::StateChange { channels, ..Default::default() };
    feed(Update::Watched(commit("alice", 20, sessiond_client::Change::Advanced(change))));
    let mut view = View::default();
    view.page = Page::Detail(name("alice"));
    let lines = text(&drawn(&known, &detail, &mut view, Palette::Plain, (80, 24)));
    let all = lines.join("\n");
    for part in [
        " session   alice",
        " user      5000000001 @alice, home DC 4",
        " held by   worker-1 (pid 13906), for 1m",
        " program   bin/worker",
        " waiting   2, watchers 2 beside this view",
        " state     pts 1196809, qts 20, date 1700000000, seq 300",
        " CHANNELS 2                        LATEST EVENTS",
        " pts 1196809",
    ] {
        assert!(all.contains(part), "{part}\n{all}");
    }
    let heading = lines.iter().position(|line| line.contains("CHANNELS")).expect("there");
    assert!(lines[heading + 1].starts_with(" 2222222222             90   10s"), "set last: {all}");
    assert!(lines[heading + 2].starts_with(" 1234567890             77"), "{all}");
}

#[test]
fn ten_thousand_sessions_are_drawn_by_their_visible_rows() {
    let mut known = Known::default();
    known.apply(restarted(), at(0));
    for n in 0..10_000 {
        known.apply(snapshot(&format!("user-{n:05}"), Some(session(n, None)), None), at(0));
    }
    known.apply(synced(), at(0));
    let mut view = View::new(Order { text: "99".to_owned(), ..Order::default() });
    let lines = screen(&known, &mut view, (80, 24));
    assert!(lines[5].starts_with(">user-00099"), "{}", lines[5]);
    assert_eq!(lines.iter().filter(|line| line.contains("user-")).count(), 18);
    assert!(lines[23].ends_with("/99, 280 shown"), "{}", lines[23]);
}

#[test]
fn every_size_of_screen_is_drawn_on() {
    let known = three();
    for size in [(1, 1), (5, 3), (20, 5), (40, 10), (80, 24), (300, 80)] {
        for page in [Page::Table, Page::Filter, Page::Help, Page::Detail(name("alice"))] {
            let mut view = View::default();
            view.page = page;
            assert_eq!(screen(&known, &mut view, size).len(), usize::from(size.1));
        }
    }
}
