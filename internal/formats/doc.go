// Package formats reads articles from files.
//
// It does not know what makes an article valid (internal/news) or how an article is chunked
// (internal/chunk). It uses neither the network nor the clock.
//
// # Formats
//
// The content of a file decides its format; the extension decides only where the content leaves
// doubt.
//
//   - plain text, described below;
//   - Markdown with optional YAML front matter; recognised by its front matter, by a # heading at
//     the start, or by .md;
//   - HTML: the main text is extracted; title, date, canonical URL, language, site name and authors
//     come from the metadata of the page;
//   - JSON: an object, an array of objects, or an object with such an array under "articles",
//     "items" and the like;
//   - JSONL: one object a line, read line by line, so a file may be of any length;
//   - RSS, RDF and Atom: one article per item;
//   - gzip of any of these, directories (recursively, in lexical order, without names that start
//     with "." or "_"), and "-" for standard input.
//
// A bad item never stops a batch: it is reported as an *ItemError that names the file, the line or
// item and the field, and reading continues after it. A syntax error in a JSON document (not
// JSONL), in XML or in gzip data ends that one file, because nothing shows where the next item
// starts.
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
// An article is an optional header, an optional title line, and paragraphs separated by blank
// lines. A line of three or more hyphens separates articles.
//
// The header is a run of "Name: value" lines with the names id, title, date, url, source, language,
// authors (separated by semicolons), or the aliases of the JSON fields below. It may also stand on
// the first line of text, as in
//
//	date 2024-03-29 A ferry with 212 people aboard ran aground on Friday, the coast guard said.
//
// where the names are date, url, source and lang, in lower case, without colons, each followed by
// one word (a date as 2024-03-29, with an optional 18:05 after it). The first name is date or url.
//
// The first paragraph is the title if the header has none, if it is a single line, and if it does
// not end like a sentence. A later paragraph is a heading if it is a single short line in title
// case without final punctuation. Lines within a paragraph are joined.
//
// An article without a title gets a derived one: the file name if the file holds one article and
// its name reads like words, or else the first clause of the text. Article.TitleDerived marks it.
//
// # JSON fields
//
// Names match without regard to case, "_" and "-". The first name that is present with a non-empty
// value counts, in this order:
//
//	id        id, _id, uid, uuid, guid, article_id
//	title     title, headline, name
//	text      text, body, content, article_body, maintext, full_text, content_text, plain_text;
//	          content_html, body_html, html; and only if there is none of these:
//	          description, summary, abstract, excerpt, snippet, lede
//	sections  [{"heading": ..., "text": ...}], instead of a text
//	url       url, link, canonical_url, permalink, web_url, main_entity_of_page
//	source    source, publisher, outlet, source_name, site_name, publication, newspaper, domain,
//	          source_domain
//	date      date, published_at, published, pub_date, date_published, date_publish,
//	          publish_date, publication_date, published_date, web_publication_date, timestamp,
//	          created_at, date_created
//	language  language, lang, language_code, in_language, locale
//	authors   authors, author, byline, creator
//
// A source or an author may be a string or an object with a name, title or domain. A text that is
// HTML is reduced to its text.
//
// # Limits
//
// An article may take Options.MaxItem bytes of its file (8 MiB) and have news.MaxText bytes of text
// (1 MiB), a title of 4 kB and a URL of 8 kB. A page may have 50,000 elements nested 512 deep. Gzip
// data may expand 200-fold. Files of lines and arrays may be of any length: they are read one
// article at a time. An item over a limit is rejected with ErrTooLarge or ErrTooDeep.
//
// # Dates
//
// RFC 3339 and RFC 1123, 2024-03-29, 29 March 2024, March 29, 2024, 29.03.2024, with or without a
// time of day, in English; seconds, milliseconds, microseconds or nanoseconds since 1970.
// 03/04/2024 is ambiguous and refused. No zone means UTC; midnight means that the time of day is
// unknown. A year outside 1400 to 2200, or an unreadable date, rejects the item with ErrDate.
// Unreadable dates in a page are skipped, because templates fill the same places with other things.
// An article without a date is no error.
//
// # Text
//
// Input is UTF-8, with or without a byte order mark, or UTF-16 with one; HTML and XML may declare
// another encoding. Encodings are not guessed and text is not repaired: text in a wrong encoding is
// rejected with ErrEncoding and the place of the first bad byte. Line ends become "\n"; control
// characters, soft hyphens and zero-width spaces are dropped; blank lines are collapsed.
package formats
