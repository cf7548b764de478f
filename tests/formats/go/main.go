// Writes and reads sessions with gotd/td's own types. tests/formats/README.md says what goes in and comes out.
//
//	formats write gotd PATH < contents.json
//	formats read FORMAT PATH
//
// FORMAT is gotd, or telethon-string and tdata, which gotd reads and does not write.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 3 {
		return fmt.Errorf("usage: formats write|read FORMAT PATH")
	}
	action, format, path := arguments[0], arguments[1], arguments[2]
	ctx := context.Background()
	switch action + " " + format {
	case "write gotd":
		var given Contents
		if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
			return err
		}
		return writeSession(ctx, path, given)
	case "read gotd":
		return say(readSession(ctx, path))
	case "read telethon-string":
		return say(readTelethon(path))
	case "read tdata":
		var given struct{ Passcode string }
		if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
			return err
		}
		return say(readTdata(path, given.Passcode))
	}
	return fmt.Errorf("gotd does not %s %s", action, format)
}

func say[T any](value T, err error) error {
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(value)
}
