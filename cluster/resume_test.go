package cluster

import (
	"errors"
	"reflect"
	"slices"
	"testing"
)

// TestRunResumes ends Run after each part and lets another call go on from there.
func TestRunResumes(t *testing.T) {
	for name, rows := range map[string]int{"exact": 1500, "cells": 17000} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && rows > 16000 {
				t.Skip("takes long under the race detector: run without -short")
			}
			m, _, _ := nested(7, rows, 48, 100, 10)
			for range 80 { // copies, which the search treats apart
				m.Data = append(m.Data, m.Row(3)...)
				m.Rows++
			}
			before := slices.Clone(m.Data)
			var made []Parts
			want, err := Run(t.Context(), m, Options{Finished: func(p Parts) error {
				made = append(made, p)
				return nil
			}})
			if err != nil || len(made) != 2 || made[0].Graph == nil || made[1].Dendrogram == nil {
				t.Fatalf("%+v, %v", made, err)
			}
			if err := errors.Join(made[0].Graph.Check(), made[1].Dendrogram.Check()); err != nil {
				t.Fatal(err)
			}
			for i, done := range append(made, Parts{Graph: made[0].Graph, Dendrogram: made[1].Dendrogram}) {
				copied := m
				copied.Data = slices.Clone(before)
				stages := map[string]bool{}
				got, err := Run(t.Context(), copied, Options{Overwrite: true, Workers: 1 + i, Done: done, Progress: func(p Progress) { stages[p.Stage] = true }})
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, want) {
					t.Errorf("from part %d: another result", i)
				}
				if stages["neighbours"] || stages["linkage"] != (done.Dendrogram == nil) {
					t.Errorf("from part %d: stages %v", i, stages)
				}
			}
			full := errors.New("disk full")
			for stop := range 2 {
				calls := 0
				_, err := Run(t.Context(), m, Options{Finished: func(Parts) error {
					if calls++; calls > stop {
						return full
					}
					return nil
				}})
				if !errors.Is(err, full) || calls != stop+1 {
					t.Errorf("after %d parts: %v, %d calls", stop, err, calls)
				}
			}
		})
	}
}

func TestRunRefusesPartsOfOtherRows(t *testing.T) {
	m, _, _ := nested(8, 100, 8, 10, 3)
	var made []Parts
	if _, err := Run(t.Context(), m, Options{Finished: func(p Parts) error { made = append(made, p); return nil }}); err != nil {
		t.Fatal(err)
	}
	broken := *made[0].Graph
	broken.Neighbors = slices.Clone(broken.Neighbors)
	broken.Neighbors[0] = -1
	fewer := Matrix{99, 8, m.Data[:99*8]}
	for name, c := range map[string]struct {
		m    Matrix
		done Parts
	}{
		"graph": {fewer, made[0]}, "dendrogram": {fewer, made[1]}, "broken graph": {m, Parts{Graph: &broken}},
		"broken dendrogram": {m, Parts{Dendrogram: &Dendrogram{N: 100, Merges: []Join{{0, 200, 1}}}}},
	} {
		var bad *InputError
		if _, err := Run(t.Context(), c.m, Options{Done: c.done}); !errors.As(err, &bad) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStrengths(t *testing.T) {
	m := Matrix{5, 2, []float32{1, 0, 0.9, 0.1, 0.6, 0.8, 0, 0, 0, 1}}
	got, err := Strengths(t.Context(), m, []int32{0, 0, 0, 0, -1}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if !(got[1] > got[2] && got[0] > got[2] && got[2] > 0 && got[1] <= 1) || got[3] != 0 || got[4] != 0 {
		t.Errorf("%v", got)
	}
	for _, labels := range [][]int32{{0}, {0, 0, 0, 0, 5}, {0, -2, 0, 0, 0}} {
		var bad *InputError
		if _, err := Strengths(t.Context(), m, labels, 0); !errors.As(err, &bad) {
			t.Errorf("%v: %v", labels, err)
		}
	}
}

func TestMemoryGrowsWithWhatItIsFor(t *testing.T) {
	base := Memory(10000, 100, Options{Overwrite: true, Workers: 1})
	if base < 10000*100*5 {
		t.Errorf("%d bytes do not hold the rows", base)
	}
	for name, more := range map[string]int64{
		"rows": Memory(10001, 100, Options{Overwrite: true, Workers: 1}), "dim": Memory(10000, 101, Options{Overwrite: true, Workers: 1}),
		"a copy": Memory(10000, 100, Options{Workers: 1}),
	} {
		if more <= base {
			t.Errorf("%s: %d, not more than %d", name, more, base)
		}
	}
}
