//! Writes what the targets begin with: a valid source of every format, into `fuzz/corpus/`.

use std::{fs, path::Path};

use samples::samples;
use sessiond_fuzz::NEXT;
use sessiond_session::formats::{Format, Medium};

// Those of the tests of hostile files.
#[path = "../../../session/tests/hostile/samples.rs"]
#[expect(dead_code, reason = "they use more of it")]
mod samples;

/// Bytes before and behind the contents of a file of Telegram Desktop.
const HEAD: usize = 8;
const DIGEST: usize = 16;

fn main() {
    for (number, sample) in samples().into_iter().enumerate() {
        let name = format!("{}-{number}", sample.format);
        match (sample.format.medium(), sample.bytes()) {
            (Medium::Database, Some(bytes)) => seed(&["detected", "databases"], &name, bytes),
            (Medium::Text, Some(bytes)) => seed(&["detected", "strings"], &name, bytes),
            (_, Some(bytes)) => seed(&["detected", "files"], &name, bytes),
            (_, None) => seed_directory(&sample, &name),
        }
    }
}

fn seed(targets: &[&str], name: &str, bytes: &[u8]) {
    for target in targets {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        fs::create_dir_all(&corpus).expect("made");
        fs::write(corpus.join(name.replace(' ', "-")), bytes).expect("written");
    }
}

fn seed_directory(sample: &samples::Sample, name: &str) {
    let is_tdata = sample.format == Format::Tdata;
    let (target, names): (_, &[&str]) = if is_tdata {
        ("tdata", &["key_datas", "D877F783D5D3EF8Cs", "D877F783D5D3EF8C/configs"])
    } else {
        ("gramjs_store", &["authKey", "dcId", "port", "serverAddress", "1"])
    };
    let found = names.iter().map(|name| {
        let file = sample.files.iter().find(|(path, _)| path.to_string_lossy().ends_with(name));
        let bytes = file.map(|(_, bytes)| bytes.as_slice()).unwrap_or_default();
        if is_tdata && bytes.len() > HEAD + DIGEST { &bytes[HEAD..bytes.len() - DIGEST] } else { bytes }
    });
    seed(&[target], name, &found.collect::<Vec<_>>().join(NEXT));
}
