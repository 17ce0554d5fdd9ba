// Package news defines the nouns: article, section, story, topic, membership, filter, ledger event.
//
// It validates an article ([Validate]) and derives its id. It does not know formats, vectors,
// stores or requests, and imports no other package of this module.
package news
