use std::process::ExitCode;

/// Why the program ends without success: codes of sysexits.h, which supervisors and scripts know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// The command line is wrong.
    Usage = 64,
    /// Data is not what it should be: damaged, or another format.
    Data = 65,
    /// An input is missing or cannot be read.
    NoInput = 66,
    /// The daemon does not answer.
    Unavailable = 69,
    /// A fault in this program.
    Software = 70,
    /// The system refused something that it should give.
    Os = 71,
    /// An output cannot be created.
    CannotCreate = 73,
    /// Reading or writing failed.
    Io = 74,
    /// In use now; later it may go.
    TempFailure = 75,
    /// Not allowed.
    Permission = 77,
    /// The configuration is wrong.
    Config = 78,
}

impl Exit {
    /// The one that has this code.
    pub(crate) fn of_code(code: i32) -> Option<Self> {
        let all = [
            Self::Usage,
            Self::Data,
            Self::NoInput,
            Self::Unavailable,
            Self::Software,
            Self::Os,
            Self::CannotCreate,
            Self::Io,
            Self::TempFailure,
            Self::Permission,
            Self::Config,
        ];
        all.into_iter().find(|exit| *exit as i32 == code)
    }

    /// The code that fits an error of the system.
    pub(crate) fn of_io(error: &std::io::Error) -> Self {
        use std::io::ErrorKind as Kind;
        match error.kind() {
            Kind::NotFound => Self::NoInput,
            Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Self::Permission,
            Kind::AlreadyExists | Kind::IsADirectory | Kind::NotADirectory => Self::CannotCreate,
            Kind::InvalidData => Self::Data,
            Kind::ConnectionRefused | Kind::TimedOut => Self::Unavailable,
            Kind::ResourceBusy | Kind::WouldBlock => Self::TempFailure,
            _ => Self::Io,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
