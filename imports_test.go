// Package throughline_test checks rules of the whole module: which package may import which, how
// large an interface may be, what a package comment says.
package throughline_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rule says what one package may import. Dependencies point downward only: a package sees those of
// its rule and nothing else of this module. Change a rule together with the reason in it.
type rule struct {
	why     string
	ours    []string // packages of this module, without the module path
	foreign []string // reserved modules
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
	"cluster/vector": {why: "kernels: arithmetic on slices, for everyone"},
	"cluster":        {why: "pure algorithms, importable alone", ours: []string{"cluster/vector"}},
	"embed": {why: "the embedding contract; the client of OpenAI-compatible endpoints",
		foreign: []string{"github.com/sashabaranov/go-openai"}},
	"embed/minilm": {why: "the built-in model: the contract, nothing else", ours: []string{"embed"}},

	"internal/news":    {why: "the nouns, shared by all: it imports nothing of ours"},
	"internal/formats": {why: "bytes to articles: it knows no vectors, no store", ours: []string{"internal/news"}},
	"internal/chunk": {why: "articles to the texts that are embedded; of the embedder it needs the token limit",
		ours: []string{"embed", "internal/news"}},
	"internal/lexical": {why: "text to term vectors", ours: []string{"cluster/vector"}},
	"internal/score": {why: "pure: two articles and a State to a probability; no store, no clock",
		ours: []string{"cluster", "cluster/vector", "internal/lexical", "internal/news"}},
	"internal/hierarchy": {why: "pure: features and a State to stories and topics; no store, no clock",
		ours: []string{"cluster", "cluster/vector", "internal/score"}},

	"internal/qdrantlite": {why: "a server: it shares the generated stubs with the client's module, and knows no articles",
		ours: []string{"cluster/vector"}, foreign: []string{"github.com/qdrant/go-client", "go.etcd.io/bbolt", "google.golang.org/grpc"}},
	"internal/qdrantlite/conformance": {why: "drives any server of that API as a stranger would, so it knows nothing of ours",
		foreign: []string{"github.com/qdrant/go-client", "google.golang.org/grpc"}},
	"internal/store": {why: "the one storage code path: the only importer of go-client's client, and of the embedded server",
		ours:    []string{"cluster/vector", "embed", "internal/lexical", "internal/news", "internal/qdrantlite", "internal/score"},
		foreign: []string{"github.com/qdrant/go-client", "google.golang.org/grpc"}},

	"internal/features": {why: "what articles are compared by, in memory; it writes nothing",
		ours: []string{"cluster/vector", "internal/lexical", "internal/news", "internal/score", "internal/store"}},
	"internal/state": {why: "the owner of the State: it reads what is stored and calibrates",
		ours: []string{"embed", "internal/hierarchy", "internal/news", "internal/score", "internal/store"}},
	"internal/ingest": {why: "articles to the store; whoever files them is behind an interface",
		ours: []string{"embed", "internal/chunk", "internal/lexical", "internal/news", "internal/score", "internal/store"}},
	"internal/related": {why: "a question to a ranked list: it reads the store and writes nothing, so it needs no stories",
		ours: []string{"cluster/vector", "embed", "internal/chunk", "internal/features", "internal/lexical", "internal/news", "internal/score",
			"internal/store"}},
	"internal/titles": {why: "titles from a language model: it knows texts, not what they are titles of",
		foreign: []string{"github.com/sashabaranov/go-openai"}},
	"internal/stories": {why: "plans of filing and arranging, and the engine that applies them",
		ours: []string{"cluster", "cluster/vector", "embed", "internal/chunk", "internal/hierarchy", "internal/lexical", "internal/news",
			"internal/score", "internal/store", "internal/titles"}},

	"internal/checkpoint": {why: "results of finished stages, in files"},
	"internal/npy":        {why: "NumPy's file format"},
	"internal/parquet":    {why: "Parquet's file format: tables in, labels out"},
	"internal/report":     {why: "a clustering as a page: labels and texts in, HTML out", ours: []string{"cluster", "cluster/vector"}},
	"internal/openaiapi":  {why: "an embedder for other programs, over HTTP", ours: []string{"embed"}},

	"internal/derive": {why: "pure: labelled sets to small odd corpora; it needs no vectors, no store", ours: []string{"internal/news"}},
	"internal/evaluate": {why: "labelled files to quality figures, through the same engines that serve",
		ours: []string{"cluster", "cluster/vector", "embed", "internal/chunk", "internal/derive", "internal/formats", "internal/ingest",
			"internal/news", "internal/npy", "internal/related", "internal/store", "internal/stories"}},
	"internal/calibrate": {why: "labelled files to the coefficients of score's model; it needs no store",
		ours: []string{"cluster", "cluster/vector", "embed", "internal/chunk", "internal/derive", "internal/evaluate", "internal/hierarchy", "internal/news",
			"internal/score"}},

	"proto/internal/thirdparty": {why: "a generator: writes the protos that ours import from the modules we already use"},
	"proto/throughline/v1":      {why: "the API", foreign: []string{"google.golang.org/grpc"}},
	"internal/server": {why: "gRPC: validate, call, convert; it decides nothing, so it needs no embedded server, no hierarchy",
		ours: []string{"embed", "internal/formats", "internal/ingest", "internal/news", "internal/related", "internal/score",
			"internal/store", "internal/stories", "proto/throughline/v1"},
		foreign: []string{"google.golang.org/grpc"}},

	"internal/batch": {why: "the cluster job: files to labels; names are those that a plan would store, but it opens no store",
		ours: []string{"cluster", "cluster/vector", "embed", "internal/checkpoint", "internal/chunk", "internal/formats",
			"internal/hierarchy", "internal/news", "internal/npy", "internal/parquet", "internal/report", "internal/score", "internal/state",
			"internal/store", "internal/stories"}},
	"cmd/throughline": {why: "flags, printing, and the assembly of the product; what is stored it sees through internal/store",
		ours: []string{"cluster/vector", "embed", "embed/minilm", "internal/batch", "internal/calibrate", "internal/chunk",
			"internal/derive", "internal/evaluate", "internal/features", "internal/formats", "internal/ingest", "internal/news", "internal/npy",
			"internal/openaiapi", "internal/parquet", "internal/related", "internal/report", "internal/score", "internal/server",
			"internal/state", "internal/store", "internal/stories", "internal/titles", "proto/throughline/v1"},
		foreign: []string{"github.com/alecthomas/kong", "google.golang.org/grpc"}},

	"bench/embed": {why: "our side of a benchmark: the model, nothing else", ours: []string{"embed", "embed/minilm"}},
}

// testSupport packages hold no product code: tests import them, and they may import anything of
// ours.
var testSupport = []string{
	"embed/embedtest", "internal/evaltest", "internal/producttest", "internal/score/scoretest", "internal/seedtest", "internal/storetest",
}

// eachFile parses every Go file of the module, tests included, and gives its slash-separated path.
func eachFile(t *testing.T, mode parser.Mode, fn func(file string, fset *token.FileSet, parsed *ast.File)) {
	t.Helper()
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
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		parsed, err := parser.ParseFile(fset, file, nil, mode)
		if err != nil {
			return err
		}
		fn(filepath.ToSlash(file), fset, parsed)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func isTest(file string) bool { return strings.HasSuffix(file, "_test.go") }

func TestImportsPointDownward(t *testing.T) {
	used := map[string]map[string]bool{} // by package: its imports
	eachFile(t, parser.ImportsOnly, func(file string, _ *token.FileSet, parsed *ast.File) {
		if isTest(file) {
			return // a test may look at whatever it compares with
		}
		pkg := path.Dir(file)
		if used[pkg] == nil {
			used[pkg] = map[string]bool{}
		}
		support := slices.Contains(testSupport, pkg)
		r, ok := rules[pkg]
		if !ok && !support {
			t.Errorf("%s: no rule for package %s: add one with its reason", file, pkg)
			return
		}
		for _, spec := range parsed.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			used[pkg][name] = true
			own, ours := strings.CutPrefix(name, "throughline/")
			switch module := moduleOf(name); {
			case support:
			case ours && slices.Contains(testSupport, own):
				t.Errorf("%s imports %s, which is for tests only", file, own)
			case ours && !slices.Contains(r.ours, own):
				t.Errorf("%s imports %s, but %s is: %s", file, own, pkg, r.why)
			case module != "" && !slices.Contains(r.foreign, module):
				t.Errorf("%s imports %s, but %s is: %s", file, name, pkg, r.why)
			}
		}
	})
	// The table does not outlive the code.
	for _, pkg := range slices.Concat(slices.Sorted(maps.Keys(rules)), testSupport) {
		if used[pkg] == nil {
			t.Errorf("%s has no Go files: remove it", pkg)
			continue
		}
		for _, own := range rules[pkg].ours {
			if !used[pkg]["throughline/"+own] {
				t.Errorf("%s may import %s, and does not: take that out of its rule", pkg, own)
			}
		}
		for _, module := range rules[pkg].foreign {
			if !slices.ContainsFunc(slices.Collect(maps.Keys(used[pkg])), func(name string) bool { return moduleOf(name) == module }) {
				t.Errorf("%s may import %s, and does not: take that out of its rule", pkg, module)
			}
		}
	}
}

// moduleOf is the reserved module that a package belongs to, or "".
func moduleOf(name string) string {
	for _, module := range reserved {
		if name == module || strings.HasPrefix(name, module+"/") {
			return module
		}
	}
	return ""
}
