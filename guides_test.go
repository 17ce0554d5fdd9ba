package throughline_test

import (
	"go/ast"
	"go/token"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestGuidesNameWhatExists looks up the names and paths that the guides to the code have in
// backquotes, and each package.Name in their drawings.
func TestGuidesNameWhatExists(t *testing.T) {
	known := declared(t)
	quoted := regexp.MustCompile("`([^`\n]+)`")
	name := regexp.MustCompile(`^[\w./]+\.(go|json|md|proto|sh)$|^[A-Za-z]+([./][A-Za-z]+)*/?$`)
	drawn := regexp.MustCompile(`\b([a-z]+)\.[A-Za-z]+`)
	for _, guide := range []string{"docs/architecture.md", "docs/glossary.md"} {
		for i, block := range strings.Split(readText(t, guide), "```") {
			if i%2 == 1 {
				for _, m := range drawn.FindAllStringSubmatch(block, -1) {
					if known[m[1]] && !known[m[0]] {
						t.Errorf("%s: a drawing has %s, which does not exist", guide, m[0])
					}
				}
				continue
			}
			for _, m := range quoted.FindAllStringSubmatch(block, -1) {
				span := strings.TrimSuffix(m[1], "()")
				if _, err := os.Stat(span); err != nil && name.MatchString(span) && !known[span] {
					t.Errorf("%s: %s does not exist", guide, span)
				}
			}
		}
	}
}

// declared has the packages, the names of the Go files, and what these declare, in each way in
// which a document may name it: Name, pkg.Name, Type.Member, pkg.Member and pkg.Type.Member.
func declared(t *testing.T) map[string]bool {
	known := map[string]bool{}
	eachFile(t, 0, func(file string, _ *token.FileSet, parsed *ast.File) {
		pkg := parsed.Name.Name
		known[pkg], known[path.Base(file)] = true, true
		add := func(owner, name string) {
			known[name], known[pkg+"."+name] = true, true
			if owner != "" {
				known[owner+"."+name], known[pkg+"."+owner+"."+name] = true, true
			}
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				owner := ""
				if n.Recv != nil {
					ast.Inspect(n.Recv.List[0].Type, func(r ast.Node) bool {
						if id, ok := r.(*ast.Ident); ok && owner == "" {
							owner = id.Name
						}
						return true
					})
				}
				add(owner, n.Name.Name)
				return false // what is local is not named
			case *ast.ValueSpec:
				for _, id := range n.Names {
					add("", id.Name)
				}
			case *ast.TypeSpec:
				add("", n.Name.Name)
				if s, ok := n.Type.(*ast.StructType); ok {
					for _, f := range s.Fields.List {
						for _, id := range f.Names {
							add(n.Name.Name, id.Name)
						}
					}
				}
			}
			return true
		})
	})
	return known
}

// TestArchitectureIsBottomUp compares the table of packages with the rules of imports.
func TestArchitectureIsBottomUp(t *testing.T) {
	text := readText(t, "docs/architecture.md")
	_, table, _ := strings.Cut(text, "## Bottom up")
	table, _, _ = strings.Cut(table, "\n## ")
	var rows []string // the first cells
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "|"); len(cells) > 1 {
			rows = append(rows, cells[1])
		}
	}
	rowOf := func(pkg string) int {
		return slices.IndexFunc(rows, func(cell string) bool { return strings.Contains(cell, "`"+pkg+"`") })
	}
	for pkg, r := range rules {
		if strings.HasPrefix(pkg, "internal/") && !strings.Contains(pkg, "/conformance") && !strings.Contains(text, "`"+pkg+"`") {
			t.Errorf("%s is not in docs/architecture.md", pkg)
		}
		for _, own := range r.ours {
			if from, to := rowOf(pkg), rowOf(own); from >= 0 && to > from {
				t.Errorf("docs/architecture.md has %s above %s, which it imports", pkg, own)
			}
		}
	}
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
