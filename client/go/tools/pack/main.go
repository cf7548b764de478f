// Pack writes the package as a Go module that is not published anywhere: a proxy in a folder, for GOPROXY=file://FOLDER.
//
//	pack MODULE-FOLDER PROXY-FOLDER
//
// The version that it makes and prints is one of the content, so that a change is another version and no cache is stale.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// epoch is the time in the versions. It says nothing: the digest after it does.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: pack MODULE-FOLDER PROXY-FOLDER")
	}
	version, err := pack(os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(version)
}

func pack(from, proxy string) (string, error) {
	manifest, err := os.ReadFile(filepath.Join(from, "go.mod"))
	if err != nil {
		return "", err
	}
	path := modfile.ModulePath(manifest)
	content, err := digest(path, from)
	if err != nil {
		return "", err
	}
	version := module.PseudoVersion("", "", epoch, content)
	var archive bytes.Buffer
	if err := zip.CreateFromDir(&archive, module.Version{Path: path, Version: version}, from); err != nil {
		return "", err
	}
	info, err := json.Marshal(map[string]any{"Version": version, "Time": epoch})
	if err != nil {
		return "", err
	}
	folder := filepath.Join(proxy, path, "@v")
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return "", err
	}
	for end, data := range map[string][]byte{".info": info, ".mod": manifest, ".zip": archive.Bytes()} {
		if err := os.WriteFile(filepath.Join(folder, version+end), data, 0o666); err != nil {
			return "", err
		}
	}
	return version, nil
}

// digest tells one content of the module from another: 12 hexadecimal digits, as of a commit.
func digest(path, from string) (string, error) {
	hash := sha256.New()
	unknown := module.Version{Path: path, Version: module.PseudoVersion("", "", epoch, "000000000000")}
	if err := zip.CreateFromDir(hash, unknown, from); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", hash.Sum(nil)[:6]), nil
}
