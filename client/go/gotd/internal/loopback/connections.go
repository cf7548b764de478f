package loopback

import (
	"encoding/binary"
	"net"
	"sync"
)

// Connections are those of every data center, by the id of the authorization key that they use.
type Connections struct {
	mutex sync.Mutex
	open  map[[8]byte]int
	most  map[[8]byte]int
	all   int
}

func newConnections() *Connections {
	return &Connections{open: make(map[[8]byte]int), most: make(map[[8]byte]int)}
}

// Keys is by how many keys connections were made.
func (c *Connections) Keys() int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return len(c.most)
}

// All is how many connections have used a key.
func (c *Connections) All() int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.all
}

// Open is how many of them are open.
func (c *Connections) Open() (open int) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, n := range c.open {
		open += n
	}
	return open
}

// MostAtOnce is how many connections used one and the same key at once, at most. More than one, and Telegram would have
// revoked the authorization: AUTH_KEY_DUPLICATED.
func (c *Connections) MostAtOnce() (most int) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, n := range c.most {
		most = max(most, n)
	}
	return most
}

func (c *Connections) counted(listener net.Listener) net.Listener {
	return countedListener{listener, c}
}

type countedListener struct {
	net.Listener
	connections *Connections
}

// connection reads along until it has seen a key's id.
type connection struct {
	net.Conn
	connections *Connections
	seen        []byte
	key         [8]byte
	hasKey      bool
	closing     sync.Once
}

func (l countedListener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &connection{Conn: accepted, connections: l.connections}, nil
}

func (c *connection) Read(bytes []byte) (int, error) {
	n, err := c.Conn.Read(bytes)
	c.connections.mutex.Lock()
	defer c.connections.mutex.Unlock()
	if c.hasKey {
		return n, err
	}
	c.seen = append(c.seen, bytes[:n]...)
	if c.key, c.hasKey = keyOf(c.seen); c.hasKey {
		c.seen = nil
		c.connections.all++
		c.connections.open[c.key]++
		c.connections.most[c.key] = max(c.connections.most[c.key], c.connections.open[c.key])
	}
	return n, err
}

func (c *connection) Close() error {
	c.closing.Do(func() {
		c.connections.mutex.Lock()
		defer c.connections.mutex.Unlock()
		if c.hasKey {
			c.connections.open[c.key]--
		}
	})
	return c.Conn.Close()
}

// keyOf is the first key's id in what a client has sent: the first 8 bytes of a frame, all zero while it has no key
// (https://core.telegram.org/mtproto/mtproto-transports: intermediate, and full, which has no tag at its beginning).
func keyOf(stream []byte) (key [8]byte, found bool) {
	const intermediate = 0xeeeeeeee
	if len(stream) < 4 {
		return key, false
	}
	header, uncounted := 8, 0 // before the frame: its length, which counts itself, and its number
	if binary.LittleEndian.Uint32(stream) == intermediate {
		stream, header, uncounted = stream[4:], 4, 4
	}
	for len(stream) >= header+len(key) {
		copy(key[:], stream[header:])
		if key != [8]byte{} {
			return key, true
		}
		size := int(binary.LittleEndian.Uint32(stream)) + uncounted
		if size <= 0 || size > len(stream) {
			return key, false
		}
		stream = stream[size:]
	}
	return key, false
}
