// Package cluster groups vectors: which items are near which, which belong together, at several levels.
package cluster
