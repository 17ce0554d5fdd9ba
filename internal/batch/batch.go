// Package batch is the cluster job: files in, labels out, without a store. The files are arrays of
// vectors, Parquet tables or articles; the labels are of stories, topics and themes.
//
// It knows inputs, stages and their checkpoints, memory, and the formats of labels. It does not
// know flags, how progress is shown, or where outputs go. How vectors are clustered is the business
// of package cluster, how articles are that of internal/hierarchy.
//
// A job is four calls: [Open] the inputs, ask [Sources.Kind] what they hold, call [Job.Vectors] or
// [Job.Articles], and, once the [Labeling] is written, [Job.Finish].
package batch

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"throughline/internal/checkpoint"
	"throughline/internal/score"
)

// Options of a job. Logger and Background are needed for articles only.
type Options struct {
	Background *score.Background // what is usual in general news
	Topics     int               // topics to make; 0: as many as show
	Target     score.Target      // where stories should end; vectors have no precision
	MinStory   int               // least rows of a story of vectors; this and the next two: see cluster.Options
	MinTopic   int
	Neighbors  int
	Documents  bool   // describe items in the Labeling
	Workers    int    // cores; 0: all
	MaxMemory  int64  // bytes of the whole process; 0: no limit
	Work       string // directory of checkpoints
	Build      string // of the program; checkpoints of other builds are not used
	Logger     *slog.Logger
}

// Job is one run on some inputs.
type Job struct {
	Options
	stages      *Stages
	checkpoints *checkpoint.Dir // nil: not open
	notes       []string
}

// NewJob makes a job that reports to stages.
func NewJob(opts Options, stages *Stages) *Job { return &Job{Options: opts, stages: stages} }

// Notes returns what users should know of this run; see also Labeling.Notes.
func (j *Job) Notes() []string { return j.notes }

// Finish removes the checkpoints. Call it when the labels are written.
func (j *Job) Finish() error {
	if j.checkpoints == nil {
		return nil
	}
	return j.checkpoints.Remove()
}

// open opens the checkpoints of the job with a name and a key. Without them the job goes on.
func (j *Job) open(name string, key checkpoint.Key) {
	dir, err := checkpoint.Open(j.Work, name, key)
	if err != nil {
		j.notes = append(j.notes, fmt.Sprintf("checkpoints disabled: %v (an interrupted run will start over)", err))
		return
	}
	j.checkpoints = dir
}

// load reads a stage that an earlier run finished, and reports whether there was one.
func (j *Job) load(stage string, read func(*checkpoint.Reader) error) bool {
	if j.checkpoints == nil {
		return false
	}
	err := j.checkpoints.Load(stage, read)
	if err != nil && !errors.Is(err, checkpoint.ErrNone) {
		j.notes = append(j.notes, fmt.Sprintf("done again: %v", err))
	}
	return err == nil
}

// save keeps a finished stage. A failure, e.g. a full disk, does not end the job.
func (j *Job) save(stage string, write func(*checkpoint.Writer) error) {
	if j.checkpoints == nil {
		return
	}
	if err := j.checkpoints.Save(stage, write); err != nil {
		j.notes = append(j.notes, fmt.Sprintf("checkpoint not saved: %v (an interrupted run will do this stage again)", err))
	}
}

// errItems says that a checkpoint is of other items.
var errItems = errors.New("wrong number of items")

// errNames says that a checkpoint is of a run that wrote no page.
var errNames = errors.New("without names")

// plural is a number with its noun.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
