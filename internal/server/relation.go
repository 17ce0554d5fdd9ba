package server

import (
	"throughline/internal/evidence"
	throughlinev1 "throughline/proto/throughline/v1"
)

func fromRelation(r evidence.Relation) throughlinev1.Relation {
	switch r {
	case evidence.RelationCopy:
		return throughlinev1.Relation_RELATION_COPY
	case evidence.RelationSameStory:
		return throughlinev1.Relation_RELATION_SAME_STORY
	case evidence.RelationFollowUp:
		return throughlinev1.Relation_RELATION_FOLLOW_UP
	case evidence.RelationBackground:
		return throughlinev1.Relation_RELATION_BACKGROUND
	case evidence.RelationSameTopic:
		return throughlinev1.Relation_RELATION_SAME_TOPIC
	}
	return throughlinev1.Relation_RELATION_UNSPECIFIED
}

func toRelation(r throughlinev1.Relation) evidence.Relation {
	switch r {
	case throughlinev1.Relation_RELATION_COPY:
		return evidence.RelationCopy
	case throughlinev1.Relation_RELATION_SAME_STORY:
		return evidence.RelationSameStory
	case throughlinev1.Relation_RELATION_FOLLOW_UP:
		return evidence.RelationFollowUp
	case throughlinev1.Relation_RELATION_BACKGROUND:
		return evidence.RelationBackground
	case throughlinev1.Relation_RELATION_SAME_TOPIC:
		return evidence.RelationSameTopic
	}
	return evidence.RelationNone
}
