package points

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"throughline/embed"
)

// Config says which store to open and how.
type Config struct {
	Prefix  string      // of every collection: letters, digits, - and _, at most 64; default "throughline"
	Space   embed.Space // the embedding space; Dimensions decides the schema
	Chunker string      // version of the section splitter: letters and digits; default "1"

	// ReadOnly opens without a lease: nothing is created, nothing repaired, and every write fails with ErrReadOnly.
	ReadOnly bool

	Logger *slog.Logger     // default: discard
	Now    func() time.Time // default time.Now

	// Owner names this writer to others that find the lease taken; default: host name and process id.
	Owner string
	// LeaseTTL is how long after its last heartbeat a writer counts as gone; default 20 s. It must be much longer than the
	// clocks of two writers' machines can differ, and at least a second.
	LeaseTTL time.Duration
	// LeaseWait is how long Open waits for another writer's lease to end before it fails; default 0.
	LeaseWait time.Duration
	// Reconcile repairs at start even when the last writer left cleanly.
	Reconcile bool
}

// Store reads and writes one prefix. It is safe for concurrent use.
//
// Every method takes a context and honours its deadline; a call to the server without one gets the connection's. Slices
// passed in are read only during the call; what is returned belongs to the caller. Order and ties are stated with each
// method. Errors are typed, see errors.go: a missing thing is a *NotFoundError (errors.Is ErrNotFound), a server that does
// not answer is ErrUnavailable after retries, and invalid input is an *InvalidError that names the field; invalid input
// changes nothing that is stored.
type Store struct{}

var errTodo = errors.New("points: not written yet")

// Open validates or creates the collections, takes the writer's lease and repairs what an unclean end left, unless
// cfg.ReadOnly. It fails with a *SpaceMismatchError when the prefix holds vectors of another embedding space or chunker, a
// *DimensionError when a collection has vectors of another length, and a *LeaseHeldError when another writer is alive.
// The Store does not close conn.
func Open(ctx context.Context, conn *Conn, cfg Config) (*Store, error) { return nil, errTodo }

// Close gives the lease back and stops the heartbeat. Methods fail with ErrClosed afterwards.
func (s *Store) Close() error { return nil }

// Ready reports whether the store can serve: it makes an authenticated request for the collections and, for a writer,
// checks that the lease is held.
func (s *Store) Ready(ctx context.Context) error { return errTodo }

// Put stores articles with their vectors and sections, replacing earlier revisions. It returns one error per item, nil for
// what is durable and visible; items are independent of each other, so one that is invalid or fails leaves the others
// alone. An item whose error is not an *InvalidError may have been stored or not; putting it again is safe.
//
// Article.Sections, Revision and, when zero, Ingested are set by the store and not read from the item. The assignment
// (StoryID, TopicIDs, CopyOf, Probability) that is already stored survives, unless the item brings one of its own. An id
// that occurs twice is stored in order: the last one wins.
func (s *Store) Put(ctx context.Context, items []Put) []error { return nil }

// Known returns what is stored of the given ids, for deciding what need not be written. Unknown ids are absent.
func (s *Store) Known(ctx context.Context, ids []string) (map[string]Known, error) {
	return nil, errTodo
}

// Get returns the articles in the order of ids, nil for those not stored.
func (s *Store) Get(ctx context.Context, ids []string, with With) ([]*Stored, error) {
	return nil, errTodo
}

// Sections returns the sections of the committed revision of each article, in order of index, without vectors unless asked
// for. Unknown articles are absent.
func (s *Store) Sections(ctx context.Context, articleIDs []string, vectors bool) (map[string][]Section, error) {
	return nil, errTodo
}

// List pages through the articles that pass the filter, in a fixed order that means nothing (by point id). limit is
// 1..MaxLimit. cursor is empty for the first page and what the last call returned after that; the returned cursor is empty
// after the last page. An article put while listing may or may not appear; none appears twice. A cursor that is not one
// gives an *InvalidError.
func (s *Store) List(ctx context.Context, filter Filter, limit int, cursor string) ([]Article, string, error) {
	return nil, "", errTodo
}

// Delete removes an article and its sections. It is invisible once Delete returns without error; deleting again, or an id
// that is not stored, gives a *NotFoundError.
func (s *Store) Delete(ctx context.Context, id string) error { return errTodo }

// Query answers all queries with one batched request per collection and, when sections are among them, one more that
// checks their articles. Result i belongs to query i, best first; equal scores are ordered by article id, section, story
// id. While articles are being put, a query over sections may return a few hits fewer than asked for. Which of several
// equal hits are inside the limit is up to the server.
func (s *Store) Query(ctx context.Context, queries []Query) ([][]Hit, error) { return nil, errTodo }

// Scan calls fn for every article, in a fixed order that means nothing. It holds one page of articles at a time. An error
// from fn ends the scan and is returned as it is. An article put during the scan may or may not be seen; none is seen
// twice. The Stored belongs to fn.
func (s *Store) Scan(ctx context.Context, with With, fn func(*Stored) error) error { return errTodo }

// ScanWhere is Scan over the articles that pass the filter.
func (s *Store) ScanWhere(ctx context.Context, filter Filter, with With, fn func(*Stored) error) error {
	return errTodo
}

// Counts is how much is stored.
type Counts struct{ Articles, Sections, Stories, Topics, Events int64 }

// Counts counts exactly. Stories that were merged away are not counted; sections that no article names may be.
func (s *Store) Counts(ctx context.Context) (Counts, error) { return Counts{}, errTodo }

// Assign files articles, replacing their assignments, on the article and on its sections so that filters work on both. Ids
// that are not stored are skipped. After an error some may be filed and some not; assigning again is safe.
func (s *Store) Assign(ctx context.Context, assignments []Assignment) error { return errTodo }

// PutStories stores stories, replacing those of the same id. A story with MergedInto set resolves to that one for ever.
func (s *Store) PutStories(ctx context.Context, stories []Story) error { return errTodo }

// Story returns a story without vectors. An id that was merged away gives the story it is part of now, so the ID of the
// result may differ from the one asked for.
func (s *Store) Story(ctx context.Context, id string) (*Story, error) { return nil, errTodo }

// GetStories returns stories in the order of ids, nil for those not stored; ids that were merged away are returned as
// they are, with MergedInto.
func (s *Store) GetStories(ctx context.Context, ids []string, with With) ([]*Story, error) {
	return nil, errTodo
}

// Stories pages through the stories that pass the filter like List, without vectors.
func (s *Store) Stories(ctx context.Context, filter StoryFilter, limit int, cursor string) ([]Story, string, error) {
	return nil, "", errTodo
}

// ScanStories calls fn for every story that passes the filter, like Scan.
func (s *Store) ScanStories(ctx context.Context, filter StoryFilter, with With, fn func(*Story) error) error {
	return errTodo
}

// DeleteStories removes stories. Ids that are not stored are ignored. It does not touch the articles in them.
func (s *Store) DeleteStories(ctx context.Context, ids []string) error { return errTodo }

// PutTopics stores topics, replacing those of the same id.
func (s *Store) PutTopics(ctx context.Context, topics []Topic) error { return errTodo }

// Topic returns a topic or theme without its vector.
func (s *Store) Topic(ctx context.Context, id string) (*Topic, error) { return nil, errTodo }

// Topics pages through the topics that pass the filter like List, without vectors.
func (s *Store) Topics(ctx context.Context, filter TopicFilter, limit int, cursor string) ([]Topic, string, error) {
	return nil, "", errTodo
}

// ScanTopics calls fn for every topic that passes the filter, like Scan; WithDense reads the vector.
func (s *Store) ScanTopics(ctx context.Context, filter TopicFilter, with With, fn func(*Topic) error) error {
	return errTodo
}

// DeleteTopics removes topics. Ids that are not stored are ignored. It does not touch the stories in them.
func (s *Store) DeleteTopics(ctx context.Context, ids []string) error { return errTodo }

// Append writes events to the ledger and sets their Sequence: strictly increasing, in the order given, after everything
// appended before. When it fails, the events keep the numbers that were meant for them, and they may or may not be in the
// ledger; appending the same slice again completes it and writes nothing twice. Whatever is appended next completes it
// too, so the ledger has no holes.
func (s *Store) Append(ctx context.Context, events []Event) error { return errTodo }

// Events returns up to limit events with a sequence number above after, in order.
func (s *Store) Events(ctx context.Context, after int64, limit int) ([]Event, error) {
	return nil, errTodo
}
