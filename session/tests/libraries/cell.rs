use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use sessiond_session::formats::{Format, Wanting};

/// A format and a library that writes or reads it: an entry of tests/formats/matrix.json.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    pub(crate) format: String,
    pub(crate) library: String,
    pub(crate) version: String,
    pub(crate) writes: bool,
    pub(crate) reads: bool,
    /// What we write for it, that which it writes itself first.
    pub(crate) exports: Vec<Format>,
    /// What a caller adds, where a format needs what this library does not tell.
    pub(crate) wanting: Wanting,
    driver: Vec<String>,
}

/// Where the libraries are. `None`: there are none.
pub(crate) fn libraries() -> Option<PathBuf> {
    env::var_os("SESSIOND_TEST_LIBRARIES").map(PathBuf::from)
}

/// Every cell.
pub(crate) fn matrix() -> Vec<Cell> {
    let text = fs::read_to_string(folder().join("matrix.json")).expect("it is there");
    let matrix: Value = serde_json::from_str(&text).expect("JSON");
    matrix["cells"].as_array().expect("an array").iter().map(Cell::new).collect()
}

impl Cell {
    fn new(cell: &Value) -> Self {
        let text =
            |name: &str| cell[name].as_str().unwrap_or_else(|| panic!("no {name} in {cell}")).to_owned();
        let texts =
            |name: &str| cell[name].as_array().map(|all| all.iter().map(|each| each.as_str().expect("text")));
        let exports =
            texts("exports").map_or_else(|| vec![text("format")], |names| names.map(str::to_owned).collect());
        Self {
            format: text("format"),
            library: text("library"),
            version: text("version"),
            writes: cell["writes"].as_bool().expect("a boolean"),
            reads: cell["reads"].as_bool().expect("a boolean"),
            exports: exports.iter().map(|name| name.parse().expect("a format")).collect(),
            wanting: Wanting {
                api_id: cell["wanting"]["api_id"].as_i64().map(|id| i32::try_from(id).expect("it fits")),
                user_id: cell["wanting"]["user_id"].as_i64(),
                bot: cell["wanting"]["bot"].as_bool(),
            },
            driver: texts("driver").expect("an array").map(str::to_owned).collect(),
        }
    }

    /// The same with the libraries in place.
    pub(crate) fn at(mut self, libraries: &Path) -> Self {
        let libraries = libraries.to_str().expect("UTF-8");
        for part in &mut self.driver {
            *part = part.replace("{libraries}", libraries);
            let is_there = !part.starts_with(libraries) || Path::new(part).exists();
            assert!(is_there, "{part} is not there; tests/formats/install.sh makes it");
        }
        self
    }

    /// A file, or directory, that the library takes for one of its own.
    pub(crate) fn path(&self, folder: &Path) -> PathBuf {
        let has_ending =
            ["telethon-v1", "pyrogram", "kurigram", "pyrotgfork", "pyrofork"].contains(&self.format.as_str());
        folder.join(if has_ending { "made_up.session" } else { "made_up" })
    }

    /// Contents of this seed that the library can hold; of `read`, also what it only tells.
    pub(crate) fn made_up(&self, seed: u32, direction: &str) -> Value {
        let mut python = Command::new("python3");
        python.arg("made_up.py").args([&self.format, &self.library, &self.version]);
        run(python.args([&seed.to_string(), direction]), "").expect("it makes some up")
    }

    /// Writes the contents with the library.
    pub(crate) fn write(&self, path: &Path, contents: &Value) {
        let mut contents = contents.clone();
        // A driver that keeps peers wants a list of them.
        let object = contents.as_object_mut().expect("an object");
        object.entry("peers").or_insert_with(|| Value::Array(Vec::new()));
        self.drive("write", path, &contents.to_string()).expect("the library writes what it can hold");
    }

    /// What the library finds in a file, or what it says against it.
    pub(crate) fn read(&self, path: &Path) -> Result<Value, String> {
        self.drive("read", path, "{}")
    }

    fn drive(&self, action: &str, path: &Path, input: &str) -> Result<Value, String> {
        let (program, rest) = self.driver.split_first().expect("a program");
        run(Command::new(program).args(rest).args([action, &self.format]).arg(path), input)
    }
}

/// Runs a program in the folder of the drivers. What it prints is JSON, or nothing.
fn run(command: &mut Command, input: &str) -> Result<Value, String> {
    let pipes =
        command.current_dir(folder()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = pipes.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    // One that does not read ends before it has got everything; what it says tells why.
    let _ = process.stdin.take().expect("it is piped").write_all(input.as_bytes());
    let output = process.wait_with_output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    if output.stdout.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/formats")
}
