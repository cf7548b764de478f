//! Sources that are small, or as large as any, and claim to be huge.

mod databases;

use sessiond_session::formats::{Format, Medium};

use super::samples::{Sample, grammers_tl, samples, written};

/// What a bomb is, and the bomb.
pub(crate) struct Bomb {
    pub(crate) name: String,
    pub(crate) sample: Sample,
}

/// A source of this size that takes sixteen times as much is found, and reading it does not take long.
const LARGE: usize = 4 << 20;

/// More than what is no database may have.
const TOO_LARGE: usize = (16 << 20) + 1;

/// Lengths that no source has.
const LENGTHS: [u32; 3] = [0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/// Makes one bomb after the other, so that they are not all in memory.
pub(crate) fn each(mut explode: impl FnMut(Bomb)) {
    let mut explode = |name: &str, sample: Sample| {
        explode(Bomb { name: format!("{}: {name}", sample.format), sample });
    };
    databases::each(&mut explode);
    strings(&mut explode);
    json(&mut explode);
    tl(&mut explode);
    directories(&mut explode);
}

fn strings(explode: &mut impl FnMut(&str, Sample)) {
    for format in Format::ALL.into_iter().filter(|format| format.medium() == Medium::Text) {
        let valid = written(format);
        let valid = valid.bytes().expect("a string");
        for begin in [&valid[..1], &valid[..valid.len() / 2], valid] {
            let mut long = begin.to_vec();
            // Where zeros are shortened to their number, it makes 191 of two bytes.
            long.extend(b"AL_A".iter().cycle().take(LARGE - begin.len()));
            explode("a long one", Sample::of(format, long));
        }
        explode("blanks alone", Sample::of(format, vec![b' '; LARGE]));
        explode("too long", Sample::of(format, vec![b'A'; TOO_LARGE]));
    }
}

fn json(explode: &mut impl FnMut(&str, Sample)) {
    let key = String::from_utf8(written(Format::Gotd).bytes().expect("bytes").to_vec()).expect("JSON");
    let key = key.split_once(r#","Salt""#).expect("a salt").0.to_owned();
    let config = key.find(r#""Config":"#).expect("a configuration") + 9;
    let rest = key.find(r#","DC":"#).expect("a data center");
    let with_config = |config_of: &str| format!("{}{config_of}{}}}}}", &key[..config], &key[rest..]);
    let option = r#"{"ID":7,"IPAddress":"1.2.3.4","Port":5},"#;
    let options = |count: usize| format!(r#"{{"DCOptions":[{}null]}}"#, option.repeat(count));
    let all = [
        ("deep lists", "[".repeat(LARGE / 2)),
        ("deep objects", r#"{"a":"#.repeat(LARGE / 8)),
        ("empty objects", format!("[{}{{}}]", "{},".repeat(LARGE / 4))),
        ("a long text", format!(r#""{}""#, r"\u0041".repeat(LARGE / 8))),
        ("many options", options(1_500)),
        ("more options than are kept", options(200_000)),
    ];
    for (name, config) in all {
        explode(name, Sample::of(Format::Gotd, with_config(&config)));
        explode(name, Sample::of(Format::Gotd, format!(r#"{{"AuthKey":0,"Version":1,"Data":{config}}}"#)));
    }
    let long = format!(r#"{{"Version":1,"Data":{{"AuthKey":"{}"}}}}"#, r"\u0041".repeat(LARGE / 8));
    explode("a long key", Sample::of(Format::Gotd, long));
}

fn tl(explode: &mut impl FnMut(&str, Sample)) {
    for length in LENGTHS {
        // Every word of it once: flags, counts of lists, lengths of keys.
        let valid = grammers_tl(&[2], &[1]);
        for at in (0..valid.len()).step_by(4).filter(|at| !(60..300).contains(at)) {
            let mut bytes = valid.clone();
            bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
            explode("a large word", Sample::of(Format::GrammersTl, bytes));
        }
    }
    let channels: Vec<u32> = (1..1_000_000).collect();
    explode("many channels", Sample::of(Format::GrammersTl, grammers_tl(&[2], &channels)));
    let dcs: Vec<u32> = (1..50_000).collect();
    explode("many data centers", Sample::of(Format::GrammersTl, grammers_tl(&dcs, &[])));
}

fn directories(explode: &mut impl FnMut(&str, Sample)) {
    for sample in samples().into_iter().filter(|sample| sample.format.medium() == Medium::Directory) {
        for file in 0..sample.files.len() {
            let name = |what: &str| format!("{what} in {}", sample.files[file].0.display());
            for length in LENGTHS {
                let mut large = sample.clone();
                if let Some(word) = large.files[file].1.get_mut(8..12) {
                    word.copy_from_slice(&length.to_be_bytes());
                }
                explode(&name("a large length"), large);
            }
            for byte in [b"[", b"{", b"0"] {
                let mut large = sample.clone();
                large.files[file].1 = byte.repeat(LARGE);
                explode(&name("one byte over and over"), large);
                let mut long = sample.clone();
                long.files[file].1.extend(byte.repeat(60 << 10));
                explode(&name("more"), long);
            }
        }
    }
}
