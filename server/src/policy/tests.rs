use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use tokio::net::UnixStream;

use super::{Denied, Error, Permission, Policy, check, rule};
use crate::{
    caller::{Caller, Local, Origin},
    principal,
};

fn policy(directory: &Path, text: &str) -> Policy {
    let file = directory.join("policy.toml");
    fs::write(&file, text).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("ours");
    Policy::open(Some(file)).expect("valid")
}

/// This process, with another word of the kernel's.
async fn caller(change: impl FnOnce(&mut Local)) -> Caller {
    let (_client, server) = UnixStream::pair().expect("two sockets");
    let mut caller = Caller::of(&server).expect("known");
    let Origin::Local(local) = &mut caller.origin else { panic!("it is on this host") };
    change(local);
    caller
}

fn remote(certificate: Option<&str>) -> Caller {
    Caller::remote(certificate.map(Into::into), "192.0.2.1:1".parse().expect("an address"))
}

fn name(name: &str) -> sessiond_proto::SessionName {
    name.parse().expect("a name")
}

/// A rule with these keys, of all sessions.
fn rule_of(who: &str) -> String {
    format!("[[rule]]\n{who}\nsessions = '*'\nallow = 'watch'\n")
}

#[tokio::test]
async fn without_a_file_only_the_daemons_user_and_root_may_anything() {
    let policy = Policy::open(None).expect("no file");
    for uid in [principal::own_uid(), 0] {
        let caller = caller(|local| local.uid = uid).await;
        assert_eq!(policy.admits(&caller), Ok(()));
        assert_eq!(policy.permit(&caller, Permission::Admin, &name("a")), Ok(()));
        assert!(policy.permitted(&caller, Permission::Watch).expect("permitted").has("a"));
    }
    let stranger = caller(|local| local.uid = principal::own_uid() + 1).await;
    for stranger in [stranger, remote(Some("root")), remote(None)] {
        assert_eq!(policy.admits(&stranger), Err(Denied::OtherUser));
        assert_eq!(policy.permit(&stranger, Permission::Watch, &name("a")), Err(Denied::OtherUser));
        assert!(policy.permitted(&stranger, Permission::List).is_err());
    }
    assert!(!policy.is_for_others());
    assert_eq!(policy.read_again().expect("nothing to read"), None);
}

#[tokio::test]
async fn with_a_file_nobody_may_what_no_rule_gives() {
    let directory = tempfile::tempdir().expect("a directory");
    let empty = policy(directory.path(), "# nothing\n");
    let own = caller(|_| {}).await;
    assert_eq!(empty.admits(&own), Err(Denied::Stranger));
    assert_eq!(empty.admits(&caller(|local| local.uid = 0).await), Err(Denied::Stranger));

    let text = "[[rule]]\nuser = 'self'\nsessions = ['alice', 'bot-*']\nallow = ['watch', 'hold']\n";
    let policy = policy(directory.path(), text);
    assert_eq!(policy.admits(&own), Ok(()));
    for (session, permission, permitted) in [
        ("alice", Permission::Watch, true),
        ("bot-1", Permission::Hold, true),
        ("alice2", Permission::Watch, false),
        ("alice", Permission::List, false),
        ("alice", Permission::Peers, false),
        ("bot-1", Permission::Admin, false),
    ] {
        let denied = Denied::Session { permission, session: name(session) };
        let expected = if permitted { Ok(()) } else { Err(denied) };
        assert_eq!(policy.permit(&own, permission, &name(session)), expected);
    }
    assert_eq!(policy.permitted(&own, Permission::List).err(), Some(Denied::Any(Permission::List)));
    let visible = policy.permitted(&own, Permission::Watch).expect("some");
    assert!(visible.has("alice") && visible.has("bot-2") && !visible.has("carol"));
}

#[tokio::test]
async fn rules_add_up_in_any_order() {
    let directory = tempfile::tempdir().expect("a directory");
    let rule =
        |sessions, allow| format!("[[rule]]\nuser = 'self'\nsessions = '{sessions}'\nallow = '{allow}'\n");
    let (first, second) = (rule("a*", "watch"), rule("*b", "hold"));
    let own = caller(|_| {}).await;
    for text in [format!("{first}{second}"), format!("{second}{first}")] {
        let policy = policy(directory.path(), &text);
        assert!(policy.permit(&own, Permission::Watch, &name("ab")).is_ok());
        assert!(policy.permit(&own, Permission::Hold, &name("ab")).is_ok());
        assert!(policy.permit(&own, Permission::Hold, &name("a")).is_err());
    }
}

#[tokio::test]
async fn a_rule_is_about_those_of_whom_all_is_true_that_it_says() {
    let directory = tempfile::tempdir().expect("a directory");
    let local = async |uid: u32, gid: u32, groups: &[u32], executable: &str| {
        let change = |local: &mut Local| {
            (local.uid, local.gid, local.groups) = (uid, gid, groups.into());
            local.executable = executable.into();
        };
        caller(change).await
    };
    for (who, (uid, gid, groups, executable), is_about) in [
        ("user = 5", (5, 1, &[][..], ""), true),
        ("user = 5", (6, 1, &[], ""), false),
        ("user = [5, 6]", (6, 1, &[], ""), true),
        ("user = 'root'", (0, 1, &[], ""), true),
        ("user = '*'", (7, 1, &[], ""), true),
        ("group = 7", (5, 7, &[], ""), true),
        ("group = [7, 8]", (5, 1, &[3, 8], ""), true),
        ("group = 'root'", (5, 0, &[], ""), true),
        ("group = 7", (7, 1, &[3, 8], ""), false),
        ("user = 5\ngroup = 7", (5, 7, &[], ""), true),
        ("user = 5\ngroup = 7", (5, 8, &[], ""), false),
        ("user = 5\ngroup = 7", (6, 7, &[], ""), false),
        ("user = 5\nexecutable = '/opt/*/worker'", (5, 1, &[], "/opt/a/worker"), true),
        ("user = 5\nexecutable = '/opt/*/worker'", (5, 1, &[], "/opt/a/b/worker"), false),
        ("user = 5\nexecutable = ['/a', '/b']", (5, 1, &[], "/b"), true),
        ("user = 5\nexecutable = '/*'", (5, 1, &[], ""), false),
        ("user = 5\nexecutable = '/b'", (6, 1, &[], "/b"), false),
        ("certificate = '*'", (5, 1, &[], ""), false),
    ] {
        let policy = policy(directory.path(), &rule_of(who));
        let caller = local(uid, gid, groups, executable).await;
        assert_eq!(policy.admits(&caller).is_ok(), is_about, "{who} {uid} {gid} {groups:?} {executable}");
    }
    // What runs is not what the daemon sees at that path.
    let policy = policy(directory.path(), &rule_of("user = '*'\nexecutable = '/opt/worker'"));
    let runs = |is_at_its_path| {
        caller(move |local: &mut Local| {
            (local.executable, local.is_at_its_path) = ("/opt/worker".into(), is_at_its_path);
        })
    };
    assert!(policy.admits(&runs(true).await).is_ok());
    assert!(policy.admits(&runs(false).await).is_err());
}

#[test]
fn a_certificate_is_matched_by_name_and_none_only_where_a_rule_says_so() {
    let directory = tempfile::tempdir().expect("a directory");
    for (who, certificate, is_about) in [
        ("certificate = 'worker-*'", Some("worker-1"), true),
        ("certificate = 'worker-*'", Some("boss"), false),
        ("certificate = ['a', 'b']", Some("b"), true),
        ("certificate = '*'", Some("anybody"), true),
        ("certificate = '*'", None, false),
        ("certificate = ''", None, true),
        ("certificate = ''", Some("anybody"), false),
        ("certificate = ''", Some(""), false),
        ("user = '*'", Some("root"), false),
    ] {
        let policy = policy(directory.path(), &rule_of(who));
        assert_eq!(policy.admits(&remote(certificate)).is_ok(), is_about, "{who} {certificate:?}");
        assert_eq!(policy.is_for_others(), who.starts_with("user"), "{who}");
    }
}

#[tokio::test]
async fn a_rule_with_a_label_is_about_holds_of_that_label_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let text = "[[rule]]\nuser = 'self'\nlabel = 'nightly-*'\nsessions = 'a'\nallow = ['hold', 'peers']\n";
    let policy = policy(directory.path(), text);
    let own = caller(|_| {}).await;
    let permit = |label: Option<&str>, session| {
        let label = label.map(str::to_owned);
        policy.permit_labelled(&own, Permission::Hold, &name(session), || label).is_ok()
    };
    assert!(permit(Some("nightly-7"), "a"));
    assert!(!permit(Some("daily"), "a"));
    assert!(!permit(Some(""), "a"));
    assert!(!permit(Some("nightly-7"), "b"));
    // It is not the current hold's: the engine refuses it.
    assert!(permit(None, "a"));
    assert!(!permit(None, "b"));
    assert!(policy.permit(&own, Permission::Hold, &name("a")).is_err());
}

#[tokio::test]
async fn a_policy_read_again_counts_at_once_and_a_bad_one_not_at_all() {
    let directory = tempfile::tempdir().expect("a directory");
    let policy = policy(directory.path(), &rule_of("user = 'self'"));
    let (own, file) = (caller(|_| {}).await, directory.path().join("policy.toml"));
    for bad in ["[[rule]]\nuser = 1", "x", "\u{0}"] {
        fs::write(&file, bad).expect("written");
        assert!(matches!(policy.read_again(), Err(Error::Invalid { .. })), "{bad:?}");
    }
    fs::remove_file(&file).expect("there");
    assert!(matches!(policy.read_again(), Err(Error::Unreadable { .. })));
    assert_eq!((policy.admits(&own), policy.version()), (Ok(()), 0));

    fs::write(&file, "").expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("ours");
    assert_eq!(policy.clone().read_again().expect("valid"), Some(0));
    assert_eq!((policy.admits(&own), policy.version()), (Err(Denied::Stranger), 1));
}

#[test]
fn a_file_that_others_can_write_is_no_policy() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("policy.toml");
    fs::write(&file, rule_of("user = 'self'")).expect("written");
    for (mode, usable) in [(0o600, true), (0o644, true), (0o664, false), (0o602, false)] {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("ours");
        assert_eq!(check(&file).is_ok(), usable, "{mode:o}");
    }
}

#[test]
fn only_what_may_be_about_others_opens_the_socket_to_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let other = principal::own_uid() + 1;
    for (who, is_for_others) in [
        ("user = 'self'".to_owned(), false),
        ("user = 0".to_owned(), false),
        (format!("user = ['self', {other}]"), true),
        ("user = '*'".to_owned(), true),
        ("group = 5".to_owned(), true),
        ("user = 'self'\ngroup = 5".to_owned(), false),
    ] {
        assert_eq!(policy(directory.path(), &rule_of(&who)).is_for_others(), is_for_others, "{who}");
    }
}

#[test]
fn a_fault_in_the_file_is_told_with_line_and_column() {
    let rest = "sessions = '*'\nallow = 'watch'";
    let rule = |keys: &str| format!("# é\n[[rule]]\n{keys}\n");
    let with = |keys: &str| rule(&format!("{keys}\n{rest}"));
    for (text, expected) in [
        ("colour = 1".to_owned(), "1:1: unknown field `colour`"),
        ("[[rules]]".to_owned(), "1:3: unknown field `rules`"),
        ("rule = 1".to_owned(), "1:8: invalid type"),
        ("[[rule]".to_owned(), "1:8: "),
        (with("colour = 1"), "3:1: unknown field `colour`"),
        (with("user = 1.5"), "3:8: invalid type: floating point `1.5`"),
        (with("user = -1"), "3:8: -1 is no id of this host"),
        (with("user = 4294967296"), "3:8: 4294967296 is no id of this host"),
        (with("user = 'no one of that name'"), "3:8: there is no user \"no one of that name\"; a uid is"),
        (with("user = [1, 'no one of that name']"), "3:12: there is no user"),
        (with("user = [[1]]"), "3:9: invalid type: sequence, expected a text in quotes or an id"),
        (with("user = 1\nexecutable = 5"), "4:14: 5 is a number, and this is a text in quotes"),
        (with("user = []"), "3:8: an empty list is for nobody and nothing"),
        (with("user = true"), "3:8: invalid type: boolean `true`"),
        (with("user = 1\nuser = 2"), "4:1: duplicate key"),
        (with("group = 'no group of that name'"), "3:9: there is no group"),
        (with("user = 1\nexecutable = 'worker'"), "4:14: \"worker\" is not the whole path of a program"),
        (with("user = 1\nexecutable = ['/a', '*']"), "4:21: \"*\" is not the whole path of a program"),
        (
            with("executable = '/a'"),
            "2:1: the rule does not say who may: it needs user, group or certificate",
        ),
        (with("user = 1\ncertificate = 'a'"), "4:15: nobody with a certificate is a user"),
        (with("group = 1\ncertificate = 'a'"), "4:15: nobody with a certificate is a user"),
        (with("certificate = 'a'\nexecutable = '/a'"), "4:14: nobody with a certificate has an executable"),
        (with("user = 1\nlabel = \"a\\u001bb\""), "4:9: no label has a '\\u{1b}'"),
        (with("user = 1\nlabel = 'a'"), "4:9: only holds have a label"),
        (rule("user = 1\nsessions = 'a b'\nallow = 'watch'"), "4:12: no session's name has a ' '"),
        (rule("user = 1\nsessions = ''\nallow = 'watch'"), "4:12: a session's name has 1 to 128 characters"),
        (rule("user = 1\nsessions = ['a', 'é']\nallow = 'watch'"), "4:18: no session's name has a 'é'"),
        (
            rule("user = 1\nsessions = 'a'\nallow = 'write'"),
            "5:9: \"write\" is no permission; there are watch, list, hold, peers, admin",
        ),
        (rule("user = 1\nsessions = 'a'\nallow = ['hold', 'all']"), "5:18: \"all\" is no permission"),
        (rule("user = 1\nallow = 'watch'"), "2:1: missing field `sessions`"),
        (rule("user = 1\nsessions = '*'"), "2:1: missing field `allow`"),
    ] {
        let fault = rule::parse(&text).expect_err(&text).to_string();
        assert!(fault.starts_with(expected), "{text}\n{fault}\n{expected}");
        assert!(!fault.contains(char::is_control), "{fault:?}");
    }
}
