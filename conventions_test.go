package throughline_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// maxMethods is how many methods an interface may have. A larger one knows more than one thing.
const maxMethods = 7

// foreignMethods counts the methods of interfaces of other modules that ours embed.
var foreignMethods = map[string]int{"proto.Message": 1}

func TestInterfacesAreSmall(t *testing.T) {
	type declared struct {
		at       token.Position
		file     *ast.File
		pkg      string
		methods  *ast.InterfaceType
		imported map[string]string // packages of ours, by the name that the file gives them
	}
	var all []declared
	named := map[string]declared{} // by package and name
	eachFile(t, parser.ParseComments, func(file string, fset *token.FileSet, parsed *ast.File) {
		if isTest(file) || ast.IsGenerated(parsed) {
			return
		}
		imported := map[string]string{}
		for _, spec := range parsed.Imports {
			if own, ok := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), "throughline/"); ok {
				name := path.Base(own)
				if spec.Name != nil {
					name = spec.Name.Name
				}
				imported[name] = own
			}
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				if i, ok := n.Type.(*ast.InterfaceType); ok {
					named[path.Dir(file)+"."+n.Name.Name] = declared{fset.Position(n.Pos()), parsed, path.Dir(file), i, imported}
				}
			case *ast.InterfaceType:
				all = append(all, declared{fset.Position(n.Pos()), parsed, path.Dir(file), n, imported})
			}
			return true
		})
	})
	var count func(d declared) int
	count = func(d declared) int {
		n := 0
		for _, element := range d.methods.Methods.List {
			if len(element.Names) > 0 {
				n += len(element.Names)
				continue
			}
			switch e := element.Type.(type) {
			case *ast.Ident: // of the same package, or a predeclared one
				if other, ok := named[d.pkg+"."+e.Name]; ok {
					n += count(other)
				} else if e.Name == "error" {
					n++
				}
			case *ast.SelectorExpr:
				name := e.X.(*ast.Ident).Name
				if other, ok := named[d.imported[name]+"."+e.Sel.Name]; ok {
					n += count(other)
				} else if methods, ok := foreignMethods[name+"."+e.Sel.Name]; ok {
					n += methods
				} else {
					t.Errorf("%v: embeds %s.%s: add the number of its methods to this test", d.at, name, e.Sel.Name)
				}
			}
		}
		return n
	}
	if len(all) < 10 {
		t.Fatalf("%d interfaces were found", len(all))
	}
	for _, d := range all {
		if n := count(d); n > maxMethods {
			t.Errorf("%v: an interface of %d methods, at most %d are allowed", d.at, n, maxMethods)
		}
	}
}

// A package that needs "and" to say what it is does two things.
func TestPackagesKnowOneThing(t *testing.T) {
	comments := map[string][]string{} // by package: where they are
	eachFile(t, parser.PackageClauseOnly|parser.ParseComments, func(file string, fset *token.FileSet, parsed *ast.File) {
		pkg := path.Dir(file)
		if isTest(file) && pkg != "." {
			return
		}
		if _, ok := comments[pkg]; !ok {
			comments[pkg] = nil
		}
		if parsed.Doc == nil {
			return
		}
		comments[pkg] = append(comments[pkg], file)
		sentence := new(doc.Package).Synopsis(parsed.Doc.Text())
		words := strings.FieldsFunc(strings.ToLower(sentence), func(r rune) bool { return r < 'a' || r > 'z' })
		if slices.Contains(words, "and") {
			t.Errorf("%s: the first sentence of the package comment has an \"and\": %s", file, sentence)
		}
	})
	for pkg, files := range comments {
		if len(files) != 1 {
			t.Errorf("%s has %d package comments, want one: %v", pkg, len(files), files)
		}
	}
}

// TestFeaturesHaveOneImplementation looks for callers of lexical.Analyze: a text becomes features
// in score.FeaturesOf alone, so that what the model was fitted on is what it is given. A query is
// no article.
func TestFeaturesHaveOneImplementation(t *testing.T) {
	want := []string{"internal/related/seed.go resolveQuery", "internal/score/features.go FeaturesOf"}
	var got []string
	eachFile(t, 0, func(file string, _ *token.FileSet, parsed *ast.File) {
		if isTest(file) || slices.Contains(testSupport, path.Dir(file)) {
			return
		}
		for _, d := range parsed.Decls {
			ast.Inspect(d, func(n ast.Node) bool {
				if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Analyze" {
					if x, ok := s.X.(*ast.Ident); ok && x.Name == "lexical" {
						name := "outside of a function"
						if f, ok := d.(*ast.FuncDecl); ok {
							name = f.Name.Name
						}
						got = append(got, file+" "+name)
					}
				}
				return true
			})
		}
	})
	if !slices.Equal(got, want) {
		t.Errorf("lexical.Analyze is called by %q, want %q", got, want)
	}
}

// TestCommentsAreNarrow counts a tab as four columns. What is indented in a comment is an example.
func TestCommentsAreNarrow(t *testing.T) {
	const columns = 100
	eachFile(t, parser.ParseComments, func(file string, _ *token.FileSet, parsed *ast.File) {
		if ast.IsGenerated(parsed) {
			return
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(source), "\n") {
			text, ok := strings.CutPrefix(strings.TrimLeft(line, "\t"), "// ")
			if !ok || strings.HasPrefix(text, " ") || strings.HasPrefix(text, "[") {
				continue
			}
			if n := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    ")); n > columns {
				t.Errorf("%s:%d: a comment of %d columns, want at most %d", file, i+1, n, columns)
			}
		}
	})
}
