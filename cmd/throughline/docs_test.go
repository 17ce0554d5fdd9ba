package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fullstorydev/grpcurl"
	"github.com/jhump/protoreflect/grpcreflect"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	throughlinev1 "throughline/proto/throughline/v1"
)

// Where the documents are, seen from here, and what they call the server.
const (
	repository  = "../.."
	documentRPC = "127.0.0.1:50051"
	documentWeb = "127.0.0.1:8080"
)

// TestDocuments runs what README.md and docs/*.md say one can run: every block marked sh, against a
// server on the seeds. Its output must have the form of the block that follows; see
// documented_test.go for what may differ.
func TestDocuments(t *testing.T) {
	if testing.Short() {
		t.Skip("embeds all seeds: run without -short")
	}
	t.Parallel()
	s := serveSeeds(t)
	for _, file := range documents(t) {
		t.Run(filepath.Base(file.path), func(t *testing.T) {
			for _, b := range file.blocks {
				t.Run(fmt.Sprintf("line %d", b.line), func(t *testing.T) { s.check(t, b) })
			}
		})
	}
}

// documents are README.md and everything in docs.
func documents(t *testing.T) []document {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(repository, "docs", "*.md"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	var all []document
	for _, path := range append([]string{filepath.Join(repository, "README.md")}, paths...) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		blocks, err := parseBlocks(string(text))
		if err != nil {
			t.Fatalf("%s:%v", path, err)
		}
		all = append(all, document{path, blocks})
	}
	return all
}

type document struct {
	path   string
	blocks []block
}

// documented is a running server that commands of documents are sent to.
type documented struct {
	data     string
	rpc, web string
	output   string // of serve
	conn     *grpc.ClientConn
	source   grpcurl.DescriptorSource
}

// watched is an output that others may look at while it grows.
type watched struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(p)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// serveSeeds runs "throughline serve seeds" until the test ends.
func serveSeeds(t *testing.T) *documented {
	ctx, stop := context.WithCancel(context.Background())
	s := &documented{data: t.TempDir()}
	var stdout, stderr watched
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"serve", filepath.Join(repository, "seeds"), "--data", s.data, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"},
			strings.NewReader(""), &stdout, &stderr)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v\n%s", err, stderr.String())
		}
	})
	last := regexp.MustCompile(`(?m)^  curl .*\n`)
	for end := time.Now().Add(4 * time.Minute); !last.MatchString(stdout.String()); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-done:
			done <- err
			t.Fatalf("serve ended: %v\n%s", err, stderr.String())
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("serve is not ready:\n%s%s", stdout.String(), stderr.String())
		}
	}
	s.output = stdout.String()
	found := regexp.MustCompile(`gRPC  (\S+)\nHTTP  http://(\S+)\n`).FindStringSubmatch(s.output)
	if found == nil {
		t.Fatalf("no addresses in\n%s", s.output)
	}
	s.rpc, s.web = found[1], found[2]
	conn, err := grpc.NewClient(s.rpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	reflection := grpcreflect.NewClientAuto(ctx, conn)
	s.conn, s.source = conn, grpcurl.DescriptorSourceFromServer(ctx, reflection)
	t.Cleanup(func() {
		reflection.Reset()
		conn.Close()
	})
	return s
}

// check runs the commands of a block and compares the output of the last one.
func (s *documented) check(t *testing.T, b block) {
	var got string
	for i, command := range b.commands {
		if !b.run {
			command, _, _ = strings.Cut(command, " > ") // where the output goes
		}
		words, err := shellWords(command)
		if err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		if !b.run {
			if err := parses(words); err != nil {
				t.Errorf("%s: %v", command, err)
			}
			continue
		}
		if words, err = s.fillIn(t.Context(), words); err != nil {
			t.Fatalf("%s: %v", command, err)
		}
		if got, err = s.execute(t.Context(), words); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, got)
		}
		shown := b.output != "" && i == len(b.commands)-1
		if !shown && strings.Contains(got, "ERROR:") {
			t.Errorf("%s fails, which the document does not say:\n%s", command, got)
		}
	}
	if b.run && b.output != "" {
		got = strings.NewReplacer(s.rpc, documentRPC, s.web, documentWeb, s.data, "DATA").Replace(got)
		names, err := s.names(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := b.output
		for name, value := range names {
			want = strings.ReplaceAll(want, name, value)
		}
		for _, problem := range compare(want, got) {
			t.Error(problem)
		}
		if t.Failed() {
			t.Logf("the output is\n%s", got)
		}
	}
}

// fillIn puts the addresses and ids of this server where a document has its own.
func (s *documented) fillIn(ctx context.Context, words []string) ([]string, error) {
	names, err := s.names(ctx)
	if err != nil {
		return nil, err
	}
	pairs := []string{documentRPC, s.rpc, documentWeb, s.web, strings.Replace(documentRPC, "127.0.0.1", "localhost", 1), s.rpc,
		strings.Replace(documentWeb, "127.0.0.1", "localhost", 1), s.web}
	for name, value := range names {
		pairs = append(pairs, name, value)
	}
	filled := slices.Clone(words)
	for i := range filled {
		filled[i] = strings.NewReplacer(pairs...).Replace(filled[i])
	}
	return filled, nil
}

// names are the placeholders of documents: ids that are other ones in every store.
func (s *documented) names(ctx context.Context) (map[string]string, error) {
	a, err := throughlinev1.NewArticleServiceClient(s.conn).GetArticle(ctx, &throughlinev1.GetArticleRequest{ArticleId: "crocus-breaking"})
	if err != nil {
		return nil, err
	}
	if a.GetStoryId() == "" || len(a.GetTopicIds()) == 0 {
		return nil, fmt.Errorf("%s is in no story or topic", a.GetId())
	}
	names := map[string]string{"STORY_ID": a.GetStoryId(), "TOPIC_ID": a.GetTopicIds()[0]}
	var list bytes.Buffer
	if _, err := s.invoke(ctx, &list, "google.longrunning.Operations/ListOperations", "{}"); err != nil {
		return nil, err
	}
	if found := regexp.MustCompile(`"name": "operations/([^"]+)"`).FindStringSubmatch(list.String()); found != nil {
		names["OPERATION_ID"] = found[1]
	}
	return names, nil
}

// execute runs one command of a document, or does what it would do.
func (s *documented) execute(ctx context.Context, words []string) (string, error) {
	switch {
	case words[0] == "grpcurl":
		return s.grpcurl(ctx, words[1:])
	case words[0] == "curl":
		return s.curl(ctx, words[1:])
	case len(words) > 3 && slices.Equal(words[:3], []string{"go", "run", "./cmd/throughline"}):
		return s.throughline(ctx, words[3:])
	case words[0] == "throughline":
		return s.throughline(ctx, words[1:])
	}
	return "", fmt.Errorf("a document must not tell readers to run this without a test")
}

func (s *documented) throughline(ctx context.Context, args []string) (string, error) {
	if slices.Equal(args, []string{"serve", "seeds"}) {
		return s.output, nil // that is the server which runs
	}
	x := execute(ctx, s.data, "", args...)
	return x.stdout + x.stderr, x.err
}

// grpcurl is what the program of that name does with the flags that documents use.
func (s *documented) grpcurl(ctx context.Context, args []string) (string, error) {
	var data string
	var rest []string
	plaintext := false
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "-plaintext":
			plaintext = true
		case args[i] == "-d" && i+1 < len(args):
			i++
			data = args[i]
		case args[i] == "-max-time" && i+1 < len(args):
			i++
			seconds, err := time.ParseDuration(args[i] + "s")
			if err != nil {
				return "", err
			}
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, seconds)
			defer cancel()
		case strings.HasPrefix(args[i], "-"):
			return "", fmt.Errorf("the flag %s of grpcurl is not known here", args[i])
		default:
			rest = append(rest, args[i])
		}
	}
	if !plaintext || len(rest) < 2 || rest[0] != s.rpc {
		return "", fmt.Errorf("not a call of this server")
	}
	var out bytes.Buffer
	switch {
	case rest[1] == "list" && len(rest) == 2:
		services, err := grpcurl.ListServices(s.source)
		return strings.Join(services, "\n") + "\n", err
	case rest[1] == "list" && len(rest) == 3:
		methods, err := grpcurl.ListMethods(s.source, rest[2])
		return strings.Join(methods, "\n") + "\n", err
	case rest[1] == "describe" && len(rest) == 3:
		symbol, err := s.source.FindSymbol(rest[2])
		if err != nil {
			return "", err
		}
		text, err := grpcurl.GetDescriptorText(symbol, s.source)
		fmt.Fprintf(&out, "%s is a message:\n%s\n", symbol.GetFullyQualifiedName(), text)
		return out.String(), err
	}
	_, err := s.invoke(ctx, &out, rest[1], data)
	return out.String(), err
}

// invoke makes a call as grpcurl does: a status that is not OK is printed, and no error.
func (s *documented) invoke(ctx context.Context, out io.Writer, method, data string) (requests int, err error) {
	parser, formatter, err := grpcurl.RequestParserAndFormatter(grpcurl.FormatJSON, s.source, strings.NewReader(data), grpcurl.FormatOptions{})
	if err != nil {
		return 0, err
	}
	handler := &grpcurl.DefaultEventHandler{Out: out, Formatter: formatter}
	if err := grpcurl.InvokeRPC(ctx, s.source, s.conn, method, nil, handler, parser.Next); err != nil {
		return 0, err
	}
	if handler.Status.Err() != nil {
		grpcurl.PrintStatus(out, handler.Status, formatter)
	}
	return parser.NumRequests(), nil
}

// curl is what the program of that name does with the flags that documents use.
func (s *documented) curl(ctx context.Context, args []string) (string, error) {
	method, url, header := "", "", http.Header{}
	var body io.Reader
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "-s":
		case args[i] == "-X" && i+1 < len(args):
			i++
			method = args[i]
		case args[i] == "-d" && i+1 < len(args):
			i++
			body = strings.NewReader(args[i])
			if method == "" {
				method = http.MethodPost
			}
			header.Set("Content-Type", "application/x-www-form-urlencoded") // as curl does
		case strings.HasPrefix(args[i], "-"):
			return "", fmt.Errorf("the flag %s of curl is not known here", args[i])
		default:
			url = args[i]
		}
	}
	if !strings.HasPrefix(url, "http://") {
		url = "http://" + url
	}
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return "", err
	}
	request.Header = header
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if response.StatusCode >= http.StatusBadRequest && !json.Valid(text) {
		err = errors.Join(err, fmt.Errorf("HTTP status %s", response.Status))
	}
	return string(text), err
}

// parses checks the commands that a document shows without having them run: those of this program
// must be written right.
func parses(words []string) error {
	for len(words) > 0 && strings.Contains(words[0], "=") { // variables before the command
		words = words[1:]
	}
	switch {
	case len(words) > 3 && slices.Equal(words[:3], []string{"go", "run", "./cmd/throughline"}):
		words = words[3:]
	case len(words) > 0 && words[0] == "throughline":
		words = words[1:]
	default:
		return nil
	}
	var c cli
	parser, err := newParser(&c, io.Discard, io.Discard, func(int) {})
	if err != nil {
		return err
	}
	if _, err := parser.Parse(words); err != nil {
		return err
	}
	return c.check()
}

// TestDocumentsCoverAPI makes sure that docs/api.md shows a call of every method, and one over HTTP
// where there is one.
func TestDocumentsCoverAPI(t *testing.T) {
	var calls, paths []string
	for _, file := range documents(t) {
		if filepath.Base(file.path) != "api.md" {
			continue
		}
		for _, b := range file.blocks {
			for _, command := range b.commands {
				words, err := shellWords(command)
				if err != nil {
					t.Fatal(err)
				}
				switch words[0] {
				case "grpcurl":
					calls = append(calls, words[len(words)-1])
				case "curl":
					paths = append(paths, curlCall(words))
				}
			}
		}
	}
	services := []string{"throughline.v1.ArticleService", "throughline.v1.CoverageService", "throughline.v1.ClusterService",
		"google.longrunning.Operations", "grpc.health.v1.Health"}
	methods := 0
	for _, service := range services {
		found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(service))
		if err != nil {
			t.Fatal(err)
		}
		all := found.(protoreflect.ServiceDescriptor).Methods()
		for i := range all.Len() {
			methods++
			m := all.Get(i)
			if name := service + "/" + string(m.Name()); !slices.Contains(calls, name) {
				t.Errorf("no call of %s", name)
			}
			rule, _ := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
			if rule == nil {
				continue
			}
			if pattern := httpPattern(rule); !slices.ContainsFunc(paths, pattern.MatchString) {
				t.Errorf("no curl of %s, which is %s", m.FullName(), pattern)
			}
		}
	}
	if methods < 20 {
		t.Errorf("only %d methods were looked at", methods)
	}
}

// curlCall is the verb and the path of a curl command.
func curlCall(words []string) string {
	verb, path := "GET", ""
	for i, word := range words {
		switch {
		case word == "-d" && verb == "GET":
			verb = "POST"
		case i > 0 && words[i-1] == "-X":
			verb = word
		case strings.HasPrefix(word, "http://"), strings.HasPrefix(word, "localhost:"):
			_, path, _ = strings.Cut(strings.TrimPrefix(word, "http://"), "/")
			path, _, _ = strings.Cut(path, "?")
		}
	}
	return verb + " /" + path
}

// httpPattern matches the calls of a method's first binding.
func httpPattern(rule *annotations.HttpRule) *regexp.Regexp {
	verbs := map[string]string{"GET": rule.GetGet(), "POST": rule.GetPost(), "PUT": rule.GetPut(), "DELETE": rule.GetDelete()}
	for _, verb := range slices.Sorted(maps.Keys(verbs)) {
		if path := verbs[verb]; path != "" {
			quoted := regexp.QuoteMeta(path)
			variable := regexp.MustCompile(`\\\{name=([^}]*)\\\}`)
			quoted = variable.ReplaceAllStringFunc(quoted, func(v string) string {
				inner := variable.FindStringSubmatch(v)[1]
				return strings.ReplaceAll(strings.ReplaceAll(inner, `/\*\*`, `/.+`), `\*\*`, `.+`)
			})
			quoted = regexp.MustCompile(`\\\{[a-z_.]+\\\}`).ReplaceAllString(quoted, `[^/:]+`)
			return regexp.MustCompile("^" + verb + " " + quoted + "$")
		}
	}
	return regexp.MustCompile("^no binding$")
}

// TestDocumentsListFlags makes sure that docs/operations.md lists the flags of all commands and of
// serve, with their defaults.
func TestDocumentsListFlags(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(repository, "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{} // by flag
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		for _, name := range regexp.MustCompile("`(?:serve )?--([a-z-]+)`").FindAllStringSubmatch(cells[1], -1) {
			rows[name[1]] = cells[2]
		}
	}
	parser, err := newParser(&cli{}, io.Discard, io.Discard, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	flags := slices.Clone(parser.Model.Flags)
	for _, command := range parser.Model.Children {
		if command.Name == "serve" {
			flags = append(flags, command.Flags...)
		}
	}
	for _, flag := range flags {
		if flag.Name == "help" {
			continue
		}
		shown, ok := rows[flag.Name]
		if !ok {
			t.Errorf("--%s is not listed", flag.Name)
		}
		if flag.HasDefault && flag.Name != "data" && !strings.Contains(shown, "`"+flag.Default+"`") {
			t.Errorf("--%s is %s by default, listed is %s", flag.Name, flag.Default, shown)
		}
		delete(rows, flag.Name)
	}
	for name := range rows {
		t.Errorf("there is no --%s", name)
	}
}
