package article

// ParseText cuts a body that arrives as one text, without title or header, into sections by the rules of the plain-text format:
// paragraphs apart by blank lines, where a short line in title case without final punctuation is the heading of what follows.
func ParseText(text string) []Section { return textSections(text) }
