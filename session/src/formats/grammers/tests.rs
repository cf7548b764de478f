use rusqlite::{Connection, types::FromSql};

use super::{read, write};
use crate::{
    Auth, Peer, PeerKind,
    formats::{Format, Imported, Schema, Wanting, random},
};

fn file(changes: &str) -> Connection {
    let file = Connection::open_in_memory().expect("open");
    write(&file, &random::rich(), &Wanting::default()).expect("written");
    file.execute_batch(changes).expect(changes);
    file
}

fn imported(changes: &str) -> Imported {
    let file = file(changes);
    assert_eq!(Schema::of(&file).expect("a format").map(|schema| schema.format), Some(Format::Grammers));
    read(&file).expect("read")
}

fn one<T: FromSql>(file: &Connection, sql: &str) -> T {
    file.query_row(sql, [], |row| row.get(0)).expect(sql)
}

#[test]
fn keys_of_every_data_center_and_states_and_peers_are_kept() {
    let Imported { contents, left_behind, version, .. } = imported("");
    assert_eq!((version, left_behind), (Some(1), Vec::new()));
    let session = &contents.session;
    assert_eq!(session.state, random::rich().session.state);
    let keys: Vec<_> = session.dcs.iter().map(|dc| (dc.id, dc.auth.clone())).collect();
    assert_eq!(keys, [(2, Auth::Key(random::key(2))), (4, Auth::Key(random::key(4)))]);
    let user = session.user.as_ref().expect("a user");
    assert_eq!((user.id, user.dc, user.bot), (7, 2, Some(true)));
    let peers: Vec<Peer> = contents.peers.iter().collect();
    let [channel, group, own] = peers.as_slice() else { panic!("three") };
    assert_eq!((channel.kind, channel.access_hash), (Some(PeerKind::Supergroup), Some(i64::MIN)));
    assert_eq!((group.kind, group.access_hash), (Some(PeerKind::Group), Some(0)));
    assert_eq!((own.is_self, own.bot), (Some(true), Some(true)));
}

#[test]
fn peers_have_marked_ids_and_channels_states_bare_ones() {
    let file = file("");
    assert_eq!(one::<i64>(&file, "SELECT count(*) FROM peer_info WHERE peer_id = -1000000001234"), 1);
    assert_eq!(one::<i64>(&file, "SELECT pts FROM channel_state WHERE peer_id = 1234"), 99);
    assert_eq!(one::<i64>(&file, "SELECT subtype FROM peer_info WHERE peer_id = 7"), 3);
    assert_eq!(one::<i64>(&file, "PRAGMA user_version"), 1);
}

#[test]
fn addresses_that_a_session_lacks_are_those_of_the_table() {
    let file = file("");
    assert_eq!(one::<String>(&file, "SELECT ipv4 FROM dc_option WHERE dc_id = 4"), "149.154.167.91:443");
    assert_eq!(
        one::<String>(&file, "SELECT ipv6 FROM dc_option WHERE dc_id = 4"),
        "[2001:67c:4e8:f004::a]:443"
    );
}

#[test]
fn an_address_of_zeros_is_none() {
    let imported = imported("UPDATE dc_option SET ipv4 = '0.0.0.0:0', ipv6 = '[::]:0'");
    assert_eq!(
        (imported.contents.session.dcs[0].ipv4_addr, imported.contents.session.dcs[0].ipv6_addr),
        (None, None)
    );
    assert_eq!(imported.left_behind, Vec::<String>::new());
}

#[test]
fn a_community_is_one_even_if_grammers_itself_forgets_it() {
    for (subtype, kind) in [
        ("16", PeerKind::Community),
        ("12", PeerKind::Gigagroup),
        ("8", PeerKind::Channel),
        ("4", PeerKind::Supergroup),
        ("NULL", PeerKind::ChannelUnknown),
    ] {
        let imported = imported(&format!("UPDATE peer_info SET subtype = {subtype} WHERE peer_id < -1000"));
        assert_eq!(imported.contents.peers.iter().next().and_then(|peer| peer.kind), Some(kind), "{subtype}");
    }
}

#[test]
fn the_id_that_stands_for_an_unknown_self_is_no_peer() {
    let imported = imported("INSERT INTO peer_info VALUES (1 << 40, 1, 1)");
    assert_eq!(imported.contents.peers.len(), 3);
    assert!(imported.left_behind[0].contains("1 peers"), "{:?}", imported.left_behind);
}

#[test]
fn a_user_who_was_never_met_is_written_as_a_peer_all_the_same() {
    let mut contents = random::rich();
    contents.peers = contents.peers.iter().filter(|peer| peer.id != 7).collect();
    let file = Connection::open_in_memory().expect("open");
    write(&file, &contents, &Wanting::default()).expect("written");
    let back = read(&file).expect("read").contents;
    assert_eq!(back.session.user.map(|user| user.id), Some(7));
    let own =
        Peer { id: 7, kind: Some(PeerKind::User), bot: Some(true), is_self: Some(true), ..Peer::default() };
    assert_eq!(back.peers.find(7), Some(own));
}
