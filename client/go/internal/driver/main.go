// Driver lets the conformance scenarios use this package: tests/conformance/README.md has its protocol. It decides nothing
// and compares nothing.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"sync"

	sessiond "sessiond.invalid/client/go"
)

// driver has what the calls have made, under the names that they gave it.
type driver struct {
	mutex   sync.Mutex
	named   map[string]any
	output  *json.Encoder
	writing sync.Mutex
}

// command is a call: its arguments are read by whoever answers it.
type command struct {
	ID        json.Number `json:"id"`
	Call      string      `json:"call"`
	As        string      `json:"as"`
	Client    string      `json:"client"`
	Hold      string      `json:"hold"`
	Stream    string      `json:"stream"`
	Watch     string      `json:"watch"`
	Name      string      `json:"name"`
	arguments json.RawMessage
}

// answer is an object with the fields of an answer.
type answer map[string]any

func main() {
	log.SetFlags(0)
	client, err := sessiond.Connect(sessiond.Label("driver"))
	if err != nil {
		log.Fatal(err)
	}
	d := &driver{named: map[string]any{clientKey(""): client}, output: json.NewEncoder(os.Stdout)}
	if err := d.run(os.Stdin); err != nil {
		log.Fatal(err)
	}
}

// run answers calls until there are no more. What is still under way then is left as it is.
func (d *driver) run(input io.Reader) error {
	lines := bufio.NewReader(input)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		command := &command{arguments: line}
		if err := json.Unmarshal(line, command); err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
		go d.answer(command)
	}
}

func (d *driver) answer(c *command) {
	answer, err := d.call(context.Background(), c)
	if err != nil {
		d.write(map[string]any{"id": c.ID, "error": refused(err)})
		return
	}
	d.write(map[string]any{"id": c.ID, "ok": answer})
}

func (d *driver) write(line any) {
	d.writing.Lock()
	defer d.writing.Unlock()
	if err := d.output.Encode(line); err != nil {
		log.Fatal(err)
	}
}

// calls are what there is to call.
var calls = map[string]func(*driver, context.Context, *command) (answer, error){
	"connect": (*driver).connect, "hold": (*driver).hold, "token": (*driver).token, "with_token": (*driver).withToken,
	"lost": (*driver).lost, "release": (*driver).release, "drop": (*driver).drop,
	"load": (*driver).load, "save": (*driver).save, "advance": (*driver).advance, "delete": (*driver).delete,
	"stream": (*driver).stream, "push": (*driver).push, "durable": (*driver).durable, "finish": (*driver).finish,
	"watch": (*driver).watch, "events": (*driver).events, "restarted": (*driver).restarted, "position": (*driver).position, "close": (*driver).close,
	"list": (*driver).list, "info": (*driver).info, "end_hold": (*driver).endHold,
	"put_peers": (*driver).putPeers, "get_peers": (*driver).getPeers, "list_peers": (*driver).listPeers,
	"delete_peers": (*driver).deletePeers, "put_attributes": (*driver).putAttributes,
	"get_attributes": (*driver).getAttributes, "list_attributes": (*driver).listAttributes,
	"delete_attributes": (*driver).deleteAttributes, "show": (*driver).show, "measure": (*driver).measure,
}

func (d *driver) call(ctx context.Context, c *command) (answer, error) {
	call, known := calls[c.Call]
	if !known {
		return nil, fmt.Errorf("no such call: %s", c.Call)
	}
	return call(d, ctx, c)
}

// read reads a call's arguments into what has fields for them.
func (c *command) read(arguments any) error { return json.Unmarshal(c.arguments, arguments) }

// keep gives what a call has made its name.
func (d *driver) keep(key string, made any) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.named[key] = made
}

// find is what was made under a name.
func find[T any](d *driver, key string) (T, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	found, is := d.named[key].(T)
	if !is {
		return found, fmt.Errorf("there is no %s", key)
	}
	return found, nil
}

func clientKey(name string) string { return "client " + name }
func holdKey(name string) string   { return "hold " + name }
func streamKey(name string) string { return "stream " + name }
func watchKey(name string) string  { return "watch " + name }

func (d *driver) client(c *command) (*sessiond.Client, error) {
	return find[*sessiond.Client](d, clientKey(c.Client))
}

// held is a hold of this process, or a session that it was given the token of.
func (d *driver) held(c *command) (*sessiond.Held, error) {
	if hold, err := find[*sessiond.Hold](d, holdKey(c.Hold)); err == nil {
		return hold.Held, nil
	}
	return find[*sessiond.Held](d, holdKey(c.Hold))
}
