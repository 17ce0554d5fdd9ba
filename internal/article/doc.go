// Package article knows what an article is, how to read one out of the formats people keep articles in, and how to cut one
// into the sections that are embedded and cited.
//
// It does not know what an embedding, a store or a story is: a tokenizer reaches it as a function (Limit.Count), and nothing
// here touches the network or the clock.
//
// # Formats
//
// Files are told apart by their content; the extension only decides where the content leaves room for doubt.
//
//   - plain text, described below;
//   - Markdown, with optional YAML front matter; recognised by its front matter or by starting with a # heading, or by .md;
//   - HTML: the main text is extracted, title, date, canonical URL, language, site name and authors come from the page's metadata;
//   - JSON: an object, an array of objects, or an object with such an array under "articles", "items" and the like;
//   - JSONL: an object a line, read one line at a time however long the file;
//   - RSS, RDF and Atom: an article per item;
//   - gzip of any of these, directories (recursively, in lexical order, skipping names that start with "." or "_"), and "-" for
//     standard input.
//
// One bad item never stops a batch: it is reported as an *ItemError that names the file, the line or item and the field, and
// reading goes on behind it. After a syntax error in a JSON document (not JSONL), in XML or in gzip data there is nothing to find
// the next item by, and the rest of that one file is given up.
//
// # Plain text
//
//	Title: Ferry runs aground off the north quay
//	Date: 2024-03-29 18:05
//	Source: The Harbour Times
//	URL: https://harbour.example/ferry
//
//	A ferry with 212 people aboard ran aground on Friday, the coast guard said. Nobody was hurt.
//
//	The Second Grounding This Year
//
//	It is the second time since January that a ship of the line has missed the channel.
//	---
//	The next article starts here, without header and without a title.
//
// An article is an optional header, an optional title line, and paragraphs separated by blank lines. A line of three or more
// hyphens separates articles.
//
// The header is a run of "Name: value" lines with the names id, title, date, url, source, language, authors (authors separated by
// semicolons), under the aliases of the JSON fields below. It may also run straight into the first paragraph, as in
//
//	date 2024-03-29 A ferry with 212 people aboard ran aground on Friday, the coast guard said.
//
// where the names are date, url, source and lang, in lower case, without colons, each followed by one word (a date as 2024-03-29,
// with an optional 18:05 behind it), the first of them date or url.
//
// The first paragraph is the title when the header has none, it is a single line, and it does not end like a sentence.
// A later paragraph is the heading of what follows when it is a single short line in title case without final punctuation.
// Lines within a paragraph are joined.
//
// Without any title, one is derived: from the file name when that holds one article and reads like words, else from the first
// clause of the text; Article.TitleDerived says so.
//
// # JSON fields
//
// Names match without regard to case, "_" and "-". The first that is present and not empty counts, in this order:
//
//	id        id, _id, uid, uuid, guid, article_id
//	title     title, headline, name
//	text      text, body, content, article_body, maintext, full_text, content_text, plain_text; content_html, body_html, html;
//	          and only if there is none of these: description, summary, abstract, excerpt, snippet, lede
//	sections  [{"heading": ..., "text": ...}], instead of a text
//	url       url, link, canonical_url, permalink, web_url, main_entity_of_page
//	source    source, publisher, outlet, source_name, site_name, publication, newspaper, domain, source_domain
//	date      date, published_at, published, pub_date, date_published, date_publish, publish_date, publication_date,
//	          published_date, web_publication_date, timestamp, created_at, date_created
//	language  language, lang, language_code, in_language, locale
//	authors   authors, author, byline, creator
//
// A source or an author may be a string or an object with a name, title or domain. A text that is HTML is reduced to its text.
//
// # Limits
//
// An article may take Options.MaxItem bytes of its file (8 MiB) and have MaxText bytes of text (1 MiB), a title of 4 kB, a URL of 8 kB;
// a page 50,000 elements nested 512 deep; gzip data may expand 200-fold. Files of lines and arrays may be of any length: they are read
// one article at a time. What is over a limit is an ErrTooLarge or ErrTooDeep of that one item.
//
// # Dates
//
// RFC 3339 and RFC 1123, 2024-03-29, 29 March 2024, March 29, 2024, 29.03.2024, with or without a time of day, in English; seconds,
// milliseconds, microseconds or nanoseconds since 1970. 03/04/2024 may be either and is refused. No zone means UTC; midnight means
// that the time of day is not known. A year outside 1400 to 2200, or a date that cannot be read, rejects the item with ErrDate; in a
// page, whose author did not write it for us, what cannot be read is passed over. No date is no error.
//
// # Text
//
// Input is UTF-8, with or without a byte order mark, or UTF-16 with one; HTML and XML may declare another encoding. Nothing is guessed
// and nothing is repaired: text that is not what it should be is rejected with ErrEncoding and the place of the first bad
// byte. Line ends become "\n"; control characters, soft hyphens and zero-width spaces are dropped; blank lines are
// collapsed.
//
// # Identity
//
// The id is the given one, else the UUIDv5 of the canonical URL (see CanonicalURL), else of source, title and text.
package article
