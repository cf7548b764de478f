use std::net::IpAddr;

use super::{ExportError, Format, Lacking, Wanting, dc_table};
use crate::{AuthKey, Contents};

/// What a format that has one data center and one user is written from: the session's home, and what the caller adds.
pub(super) struct Account<'a> {
    format: Format,
    /// The home data center.
    pub(super) dc: i32,
    /// Whether it is a test server.
    pub(super) test: bool,
    address: Option<(IpAddr, u16)>,
    key: Option<&'a AuthKey>,
    user_id: Option<i64>,
    bot: Option<bool>,
    api_id: Option<i64>,
}

impl<'a> Account<'a> {
    pub(super) fn of(contents: &'a Contents, wanting: &Wanting, format: Format) -> Self {
        let session = &contents.session;
        let home = session.home_dc_id();
        let dc = session.dc(home);
        let test = dc_table::test_mode(session);
        let ipv4 =
            dc.and_then(|dc| dc.ipv4_addr).map(|address| (IpAddr::from(*address.ip()), address.port()));
        let ipv6 =
            dc.and_then(|dc| dc.ipv6_addr).map(|address| (IpAddr::from(*address.ip()), address.port()));
        let own_ipv6 = ipv6.filter(|(ip, port)| !dc_table::knows(home, test, *ip, *port));
        let known = dc_table::ipv4(home, test).map(|address| (IpAddr::from(*address.ip()), address.port()));
        let own_ipv4 = ipv4.filter(|(ip, port)| !dc_table::knows(home, test, *ip, *port));
        Self {
            format,
            dc: home,
            test,
            // Libraries connect over IPv4 unless told otherwise, so an IPv6 address has to be worth it.
            address: own_ipv4.or(own_ipv6).or(ipv4).or(known).or(ipv6),
            key: dc.and_then(|dc| dc.auth.key()),
            user_id: session.user.as_ref().map(|user| user.id).or(wanting.user_id),
            bot: session.user.as_ref().and_then(|user| user.bot).or(wanting.bot),
            api_id: contents.number("api_id").or(wanting.api_id.map(i64::from)),
        }
    }

    /// The key of the home, if somebody is logged in.
    pub(super) fn key(&self) -> Option<&'a AuthKey> {
        self.key
    }

    /// The key of the home, without which a string is of no use.
    pub(super) fn need_key(&self) -> Result<&'a AuthKey, ExportError> {
        self.key.ok_or_else(|| self.lacks(Lacking::Key(self.dc)))
    }

    /// Where the home is.
    pub(super) fn need_address(&self) -> Result<(IpAddr, u16), ExportError> {
        self.address.ok_or_else(|| self.lacks(Lacking::Address(self.dc)))
    }

    /// Where the home is, if that is known.
    pub(super) fn address(&self) -> Option<(IpAddr, u16)> {
        self.address
    }

    /// Who is logged in, as far as it is known.
    pub(super) fn user_id(&self) -> Option<i64> {
        self.user_id
    }

    /// Whether that is a bot, as far as it is known.
    pub(super) fn bot(&self) -> Option<bool> {
        self.bot
    }

    /// The API id, as far as it is known.
    pub(super) fn api_id(&self) -> Option<i64> {
        self.api_id
    }

    /// Who is logged in.
    pub(super) fn need_user_id(&self) -> Result<i64, ExportError> {
        self.user_id.ok_or_else(|| self.lacks(Lacking::UserId))
    }

    /// Whether that is a bot.
    pub(super) fn need_bot(&self) -> Result<bool, ExportError> {
        self.bot.ok_or_else(|| self.lacks(Lacking::Bot))
    }

    /// The API id.
    pub(super) fn need_api_id(&self) -> Result<i64, ExportError> {
        self.api_id.ok_or_else(|| self.lacks(Lacking::ApiId))
    }

    /// A value as the format has it.
    pub(super) fn fit<T: TryFrom<i64>>(&self, value: i64, what: &str) -> Result<T, ExportError> {
        let too_large = || ExportError::TooLarge { format: self.format, what: format!("{what} {value}") };
        T::try_from(value).map_err(|_| too_large())
    }

    fn lacks(&self, what: Lacking) -> ExportError {
        ExportError::Lacks { format: self.format, what }
    }
}
