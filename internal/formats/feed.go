package formats

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"strings"
	"time"

	"github.com/mmcdole/gofeed"
	"github.com/mmcdole/gofeed/rss"

	"throughline/internal/news"
)

// feed reads the items of an RSS, RDF or Atom document. The guid of an item is its id only if the
// item has no link, because the same article has the same link in other feeds.
func (r *reading) feed(data []byte) error {
	if xmlDeclared.Find(data[:min(len(data), 4096)]) == nil {
		// The parser decodes documents that declare an encoding.
		if err := checkUTF8(data, 1); err != nil {
			return err
		}
	}
	var feed *gofeed.Feed
	err := contain("feed", func() (err error) {
		parser := gofeed.NewParser()
		parser.KeepOriginalFeed = true
		feed, err = parser.Parse(bytes.NewReader(data))
		return err
	})
	if err != nil {
		var syntax *xml.SyntaxError
		if errors.As(err, &syntax) {
			return &news.ItemError{Origin: news.Origin{Line: syntax.Line}, Err: news.Problem(news.ErrSyntax, "feed: "+syntax.Msg)}
		}
		return news.Problem(news.ErrSyntax, "feed: "+err.Error())
	}
	original, _ := feed.OriginalFeed().(*rss.Feed)
	for i, item := range feed.Items {
		origin := news.Origin{Item: i + 1}
		a, err := feedItem(feed, item)
		if err != nil {
			if !r.fail(news.At(origin, err)) {
				return nil
			}
			continue
		}
		if original != nil && i < len(original.Items) && original.Items[i].Source != nil {
			// An aggregator's item names the outlet it comes from.
			a.Source = cmp.Or(fragmentLine(original.Items[i].Source.Title), a.Source)
		}
		a.Origin = origin
		if !r.emit(a) {
			return nil
		}
	}
	return nil
}

func feedItem(feed *gofeed.Feed, item *gofeed.Item) (*news.Article, error) {
	a := &news.Article{
		Title:    fragmentLine(item.Title),
		URL:      strings.TrimSpace(item.Link),
		Source:   fragmentLine(feed.Title),
		Language: strings.TrimSpace(feed.Language),
	}
	if a.URL == "" {
		a.ID = item.GUID
	}
	if dc := item.DublinCoreExt; dc != nil && len(dc.Language) > 0 {
		a.Language = dc.Language[0]
	}
	for _, author := range item.Authors {
		a.Authors = append(a.Authors, cmp.Or(author.Name, author.Email))
	}
	var err error
	if a.Published, a.DateOnly, err = feedDate(item); err != nil {
		return nil, err
	}
	for _, body := range []string{item.Content, item.Description} {
		if a.Sections, err = fragmentSections(body); err != nil {
			return nil, &news.ItemError{Field: "text", Err: err}
		}
		if len(a.Sections) > 0 {
			break
		}
	}
	a.Sections = withoutTitle(a.Sections, a.Title)
	return a, nil
}

// feedDate returns when an item was published, or else updated. The feed library reads more
// layouts, so its answer replaces an error of parseDate.
func feedDate(item *gofeed.Item) (t time.Time, dateOnly bool, err error) {
	written, read := item.Published, item.PublishedParsed
	if written == "" {
		written, read = item.Updated, item.UpdatedParsed
	}
	t, dateOnly, err = parseDate(written)
	if err != nil && read != nil && news.CheckTime(*read) == nil && !longNumber.MatchString(written) {
		return read.UTC(), false, nil
	}
	return t, dateOnly, err
}
