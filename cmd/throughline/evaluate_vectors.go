package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"throughline/embed"
	"throughline/internal/evaluate"
)

// vectorSource is where the vectors of files come from: a model, or arrays.
type vectorSource struct {
	model  string
	cache  *evaluate.Cache   // nil: arrays
	arrays map[string]string // array of each file
}

// of opens the vectors of a file. arrays is nil for those of a model.
func (s *vectorSource) of(name string) (embedder embed.Embedder, arrays *evaluate.Vectors, err error) {
	if s.cache != nil {
		return s.cache, nil, nil
	}
	if arrays, err = evaluate.OpenVectors(s.arrays[name], s.model); err != nil {
		return nil, nil, err
	}
	if d := arrays.Space().Dimensions; s.model == builtinModel && d != builtinDimensions {
		return nil, nil, usageError{fmt.Errorf("--vectors %s: rows of %d numbers are not of %s, whose have %d: name the model with --vectors-model",
			s.arrays[name], d, s.model, builtinDimensions)}
	}
	return arrays, arrays, nil
}

// builtinDimensions is how many numbers a vector of the built-in model has.
const builtinDimensions = 384

func (s *vectorSource) Close() error {
	if s.cache == nil {
		return nil
	}
	return s.cache.Close()
}

// source finds the model, or the array of every file.
func (c *evaluateCmd) source(ctx context.Context, p *program) (*vectorSource, error) {
	if c.Vectors == "" {
		embedder, err := p.embedder(ctx)
		if err != nil {
			return nil, err
		}
		cache, err := evaluate.NewCache(ctx, embedder, c.Cache)
		if err != nil {
			return nil, fmt.Errorf("--cache: %w", err)
		}
		return &vectorSource{model: embedder.Space().Model, cache: cache}, nil
	}
	info, err := os.Stat(c.Vectors)
	if err != nil {
		return nil, err
	}
	s := &vectorSource{model: embed.CanonicalModel(c.VectorsModel), arrays: make(map[string]string)}
	if !info.IsDir() {
		if len(c.Files) > 1 {
			return nil, usageError{fmt.Errorf("--vectors %s: one array is for one file; give a directory with an array for each", c.Vectors)}
		}
		s.arrays[c.Files[0]] = c.Vectors
		return s, nil
	}
	for _, name := range c.Files {
		if name == "-" {
			return nil, usageError{errors.New("standard input has no name that an array in --vectors could have; give the array itself")}
		}
		array := filepath.Join(c.Vectors, evaluate.SetName(name)+".npy")
		if _, err := os.Stat(array); err != nil {
			return nil, fmt.Errorf("the vectors of %s: %w", name, err)
		}
		s.arrays[name] = array
	}
	return s, nil
}
