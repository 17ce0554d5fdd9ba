package store

import (
	"context"
	"errors"

	"github.com/qdrant/go-client/qdrant"
)

// Scale is how cosines of the store's embedding space compare with those that scores are made for, as measured on some of its articles; see
// evidence.Scale. It belongs to the store, so that all who read it score alike.
type Scale struct {
	Factor     float64
	Separation float64
	Articles   int // that it was measured on
	Corpus     int // articles that were stored then
}

// The scale, as stored in the meta collection.
const (
	fieldFactor     = "factor"
	fieldSeparation = "separation"
	fieldMeasured   = "measured"
	fieldCorpus     = "corpus"
)

// Scale returns what PutScale was given last for this embedding space; nil for nothing.
func (s *Store) Scale(ctx context.Context) (*Scale, error) {
	if err := s.readable(); err != nil {
		return nil, err
	}
	points, err := s.conn.get(ctx, s.names.meta, []*qdrant.PointId{qdrant.NewIDNum(scalePoint)}, nil, nil)
	if errors.Is(err, errNoCollection) || err == nil && len(points) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p := payload(points[0].GetPayload())
	if p.text(fieldFingerprint) != s.fingerprint {
		return nil, nil
	}
	return &Scale{Factor: p.real(fieldFactor), Separation: p.real(fieldSeparation),
		Articles: int(p.number(fieldMeasured)), Corpus: int(p.number(fieldCorpus))}, nil
}

// PutScale remembers a scale.
func (s *Store) PutScale(ctx context.Context, scale Scale) error {
	end, err := s.begin()
	if err != nil {
		return err
	}
	defer end()
	fields, err := toPayload(map[string]any{
		fieldFactor: scale.Factor, fieldSeparation: scale.Separation, fieldMeasured: scale.Articles, fieldCorpus: scale.Corpus,
		fieldFingerprint: s.fingerprint,
	})
	if err != nil {
		return &InvalidError{Field: "scale", Reason: err.Error()}
	}
	err = s.conn.upsert(ctx, s.names.meta, []*qdrant.PointStruct{
		{Id: qdrant.NewIDNum(scalePoint), Payload: fields, Vectors: encodeVectors(nil, none, none, none)}}, upsertOptions{})
	if err != nil {
		return err
	}
	return s.writable()
}
