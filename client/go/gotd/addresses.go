package gotd

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/gotd/td/tg"

	sessiond "sessiond.invalid/client/go"
)

// addresses are those that Telegram's configuration has for one data center, in its order.
type addresses struct {
	ipv4, ipv6 []string
}

// addressNews are the addresses that a session does not have yet, by data center. One that it has and Telegram still names
// stays: libraries prefer different ones.
func addressNews(options []tg.DCOption, held *sessiond.Session) []sessiond.DataCenter {
	named := addressesOf(options)
	var news []sessiond.DataCenter
	for _, id := range slices.Sorted(maps.Keys(named)) {
		known := held.DC(id)
		if known == nil {
			known = new(sessiond.DataCenter)
		}
		dc := sessiond.DataCenter{
			ID: id, IPv4Addr: first(named[id].ipv4, known.IPv4Addr), IPv6Addr: first(named[id].ipv6, known.IPv6Addr),
		}
		if dc.IPv4Addr != nil || dc.IPv6Addr != nil {
			news = append(news, dc)
		}
	}
	return news
}

// addressesOf are the addresses at which clients are at home: not those for files alone, nor those behind obfuscation alone.
func addressesOf(options []tg.DCOption) map[int32]addresses {
	named := make(map[int32]addresses)
	for _, option := range options {
		ip, err := netip.ParseAddr(option.IPAddress)
		if err != nil || option.MediaOnly || option.CDN || option.TCPObfuscatedOnly || option.ID <= 0 {
			continue
		}
		dc := named[int32(option.ID)]
		address := fmt.Sprintf("%s:%d", ip, option.Port) // without brackets, as sessions have them
		if ip.Is4() {
			dc.ipv4 = append(dc.ipv4, address)
		} else {
			dc.ipv6 = append(dc.ipv6, address)
		}
		named[int32(option.ID)] = dc
	}
	return named
}

// first is the address to store of those named: nil where the known one is among them, or none is.
func first(named []string, known *string) *string {
	if len(named) == 0 || known != nil && slices.Contains(named, *known) {
		return nil
	}
	return &named[0]
}
