package main

import (
	"encoding/json"
	"fmt"
	"runtime/debug"
)

// version is set by a release build: -ldflags "-X main.version=v1.2.3".
var version = ""

type versionCmd struct{}

// Run prints what this binary was built from.
func (versionCmd) Run(p *program) error {
	v := struct {
		Version  string `json:"version"`
		Revision string `json:"revision,omitempty"`
		Go       string `json:"go"`
	}{Version: version}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.Go = info.GoVersion
		if v.Version == "" {
			v.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Revision = s.Value
			}
		}
	}
	if v.Version == "" || v.Version == "(devel)" {
		v.Version = "development"
	}
	if p.cli.JSON {
		return json.NewEncoder(p.stdout).Encode(v)
	}
	line := "throughline " + v.Version + " " + v.Go
	if v.Revision != "" {
		line += " " + v.Revision
	}
	_, err := fmt.Fprintln(p.stdout, line)
	return err
}
