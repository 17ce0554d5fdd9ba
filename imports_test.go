// Package throughline_test states which package may import which. Dependencies point downward only: a package sees the
// ones named on its line and nothing else of this module. Change a line together with the reason beside it.
package throughline_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rule is what one package, or one tree of packages, may import.
type rule struct {
	why     string
	ours    []string // packages of this module, without the module path; "tree/..." allows a tree
	foreign []string // modules that are otherwise reserved, see reserved
}

// reserved modules may be imported only where a rule says so.
var reserved = []string{
	"github.com/qdrant/go-client",
	"go.etcd.io/bbolt",
	"github.com/sashabaranov/go-openai",
	"github.com/alecthomas/kong",
	"google.golang.org/grpc",
}

var rules = map[string]rule{
	"cluster/vector": {why: "kernels: arithmetic on slices, usable by everyone"},
	"cluster":        {why: "pure algorithms, importable alone", ours: []string{"cluster/vector"}},
	"embed":          {why: "the embedding contract and the client of other people's endpoints", foreign: []string{"github.com/sashabaranov/go-openai"}},
	"embed/minilm":   {why: "the built-in model: the contract and nothing else", ours: []string{"embed"}},

	"internal/article":  {why: "what an article is, before anything is done with it"},
	"internal/lexical":  {why: "text to term vectors", ours: []string{"cluster/vector"}},
	"internal/evidence": {why: "the pair probability and the ladder, from vectors in memory", ours: []string{"cluster", "cluster/vector", "internal/lexical"}},

	"internal/qdrantlite": {why: "a server: it shares the generated stubs with the client's module and knows nothing of articles",
		ours: []string{"cluster/vector"}, foreign: []string{"github.com/qdrant/go-client", "go.etcd.io/bbolt", "google.golang.org/grpc"}},
	"internal/qdrantlite/conformance": {why: "drives any server of that API as a stranger would",
		ours: []string{"internal/qdrantlite", "cluster/vector"}, foreign: []string{"github.com/qdrant/go-client", "google.golang.org/grpc"}},
	"internal/store": {why: "the one storage code path: the only importer of go-client's client",
		ours:    []string{"cluster/vector", "embed", "internal/qdrantlite"},
		foreign: []string{"github.com/qdrant/go-client", "google.golang.org/grpc"}},
	"internal/corpus": {why: "what an article is made into on its way from text to scoring",
		ours: []string{"embed", "internal/article", "internal/evidence", "internal/lexical", "internal/store"}},
	"internal/checkpoint": {why: "what finished stages of a job made, in files"},
	"internal/npy":        {why: "NumPy's file format"},
	"internal/parquet":    {why: "Parquet's file format: tables in, labels out"},

	"internal/report": {why: "a clustering as a page: labels and texts in, HTML out", ours: []string{"cluster", "cluster/vector"}},

	"internal/ingest": {why: "from formats to the store",
		ours: []string{"cluster/vector", "embed", "internal/article", "internal/corpus", "internal/evidence", "internal/lexical", "internal/store"}},
	"internal/titles": {why: "titles from a language model: what it is told and what is believed", foreign: []string{"github.com/sashabaranov/go-openai"}},
	"internal/related": {why: "related and search",
		ours: []string{"cluster/vector", "embed", "internal/article", "internal/corpus", "internal/evidence", "internal/lexical", "internal/store"}},
	"internal/stories": {why: "filing, ladder, ledger, labels",
		ours: []string{"cluster", "cluster/vector", "embed", "internal/article", "internal/corpus", "internal/evidence", "internal/lexical", "internal/store", "internal/titles"}},
	"internal/evaluate": {why: "labelled files to quality figures, through the same engines that serve",
		ours: []string{"cluster", "cluster/vector", "embed", "internal/article", "internal/corpus", "internal/related", "internal/evidence", "internal/ingest", "internal/lexical", "internal/npy", "internal/store", "internal/stories"}},
	"internal/calibrate": {why: "labelled files to the coefficients that evidence judges with",
		ours: []string{"cluster", "embed", "internal/article", "internal/evaluate", "internal/evidence", "internal/lexical"}},
	"internal/server": {why: "gRPC: validate, call, convert",
		ours:    []string{"embed", "internal/article", "internal/related", "internal/evidence", "internal/ingest", "internal/store", "internal/stories", "proto/..."},
		foreign: []string{"google.golang.org/grpc"}},
	"internal/openaiapi": {why: "other programs' way to the model: the contract of embedders and HTTP", ours: []string{"embed"}},
	"internal/seedtest":  {why: "what a reader expects of the seeds", ours: []string{"internal/article", "seeds"}},

	"bench/embed": {why: "our side of a benchmark: the model and nothing else", ours: []string{"embed", "embed/minilm"}},

	"proto/internal/thirdparty": {why: "a generator: writes the protos that ours import from the modules we already use"},
	"proto/throughline/v1":      {why: "the API", foreign: []string{"google.golang.org/grpc"}},
	"cmd/throughline":           {why: "wires everything", ours: []string{"..."}, foreign: []string{"github.com/alecthomas/kong", "google.golang.org/grpc"}},
}

// testOnly packages may import anything of ours: they hold no product code.
var testOnly = []string{".", "internal/seedtest"}

func TestImportsPointDownward(t *testing.T) {
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); file != "." && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || name == "testdata") {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(file, "go.mod")); err == nil && file != "." {
				return filepath.SkipDir // a module of its own
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil // a test may look at whatever it compares with
		}
		pkg := filepath.ToSlash(filepath.Dir(file))
		parsed, err := parser.ParseFile(fset, file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		r, ok := rules[pkg]
		if !ok {
			if !slices.Contains(testOnly, pkg) {
				t.Errorf("%s: no rule for package %s: add one with its reason", file, pkg)
			}
			return nil
		}
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if own, ok := strings.CutPrefix(name, "throughline/"); ok {
				if !allowed(r.ours, own) && !slices.Contains(testOnly, pkg) {
					t.Errorf("%s imports %s, but %s is: %s", file, own, pkg, r.why)
				}
				continue
			}
			for _, module := range reserved {
				if (name == module || strings.HasPrefix(name, module+"/")) && !slices.Contains(r.foreign, module) {
					t.Errorf("%s imports %s, which %s may not: %s", file, name, pkg, r.why)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func allowed(list []string, pkg string) bool {
	return slices.ContainsFunc(list, func(pattern string) bool {
		if tree, ok := strings.CutSuffix(pattern, "..."); ok {
			return strings.HasPrefix(pkg, tree) || path.Clean(tree) == pkg
		}
		return pattern == pkg
	})
}

// TestRulesAreForPackagesThatExist keeps the table from outliving the code.
func TestRulesAreForPackagesThatExist(t *testing.T) {
	for pkg := range rules {
		files, err := filepath.Glob(filepath.Join(filepath.FromSlash(pkg), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) == 0 {
			t.Errorf("a rule stands for %s, which has no Go files", pkg)
		}
	}
}
