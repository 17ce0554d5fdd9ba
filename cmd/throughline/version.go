package main

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
)

// version is set by a release build: -ldflags "-X main.version=v1.2.3".
var version = ""

type versionCmd struct{}

// build is what this binary was built from, as far as it is known.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	modified string // "true": not what the revision has
}

func readBuild() build {
	b := build{Version: version}
	if info, ok := debug.ReadBuildInfo(); ok {
		b.Go = info.GoVersion
		if b.Version == "" {
			b.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Revision = s.Value
			case "vcs.modified":
				b.modified = s.Value
			}
		}
	}
	if b.Version == "" || b.Version == "(devel)" {
		b.Version = "development"
	}
	return b
}

// Run prints the version.
func (versionCmd) Run(p *program) error {
	b := readBuild()
	if p.cli.JSON {
		return json.NewEncoder(p.stdout).Encode(b)
	}
	line := "throughline " + b.Version + " " + b.Go
	if b.Revision != "" {
		line += " " + b.Revision
	}
	_, err := fmt.Fprintln(p.stdout, line)
	return err
}
