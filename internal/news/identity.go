package news

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
)

// tracking lists the query parameters that name where a reader came from. It holds only names
// without another use: a wrong one would make two articles one. A trailing "*" matches any rest.
var tracking = []string{
	"utm_*", "fbclid", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "msclkid", "yclid", "twclid", "ttclid", "igshid", "igsh",
	"mc_cid", "mc_eid", "mkt_tok", "_ga", "_gl", "_hsenc", "_hsmi", "vero_id", "oly_anon_id", "oly_enc_id", "wt.*", "at_medium", "at_campaign",
	"at_custom*", "at_link*", "at_format", "at_ptr_name", "at_bbc_team", "cmpid", "ns_mchannel", "ns_source", "ns_campaign", "ns_linkname",
	"ocid", "ncid", "smid", "smtyp", "smprod", "guccounter", "guce_referrer*", "ref_src", "ref_url", "soc_src", "soc_trk", "sr_share", "s_cid",
	"hpid", "xtor", "ftag", "spm", "clickid", "sharetype", "linkid", "rss_id", "traffic_source", "taid", "__twitter_impression",
}

// cleanURL checks a URL, unless empty, and returns it as it is stored: unchanged, with https if it
// has no scheme.
func cleanURL(s string) (string, error) {
	if s == "" {
		return "", nil
	}
	u, err := url.Parse(s)
	if err == nil && u.Scheme == "" && u.Host == "" && looksLikeHost(s) {
		s = "https://" + s
		u, err = url.Parse(s)
	}
	if err != nil {
		return "", FieldError("url", ErrField, fmt.Sprintf("cannot read %s", Quote(s)))
	}
	if u.Scheme == "" || (u.Host == "" && u.Opaque == "" && u.Path == "") {
		return "", FieldError("url", ErrField, fmt.Sprintf("%s is not absolute", Quote(s)))
	}
	if IsWeb(u) && u.Hostname() == "" {
		return "", FieldError("url", ErrField, fmt.Sprintf("%s has no host", Quote(s)))
	}
	return s, nil
}

// IsWeb reports whether a URL is one of http or https.
func IsWeb(u *url.URL) bool {
	return strings.EqualFold(u.Scheme, "http") || strings.EqualFold(u.Scheme, "https")
}

// looksLikeHost accepts "example.com/path" and "www.example.com", but not "news/today" or
// "index.html".
func looksLikeHost(s string) bool {
	host, path, _ := strings.Cut(s, "/")
	dot := strings.LastIndex(host, ".")
	if dot < 1 {
		return false
	}
	last := host[dot+1:]
	if len(last) < 2 || strings.ContainsFunc(last, func(r rune) bool { return !unicode.IsLetter(r) }) {
		return false
	}
	return path != "" || strings.HasPrefix(host, "www.")
}

// canonicalURL returns the form in which two addresses of one article are equal. It is hashed and
// never fetched. For http and https: scheme https, host in lower case without "www.", without user,
// default port, fragment and tracking parameters, the other parameters in the order of their names,
// no slash at the end of the path. "www." is removed because no news site serves something else
// under the bare name; "m." and "amp." stay because some sites do. A URL of another scheme, or one
// that cannot be parsed, is returned unchanged.
func canonicalURL(s string) string {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || !IsWeb(u) || u.Hostname() == "" {
		return s
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if bare := strings.TrimPrefix(host, "www."); strings.Contains(bare, ".") {
		host = bare
	}
	switch port := u.Port(); {
	case port == "" || port == "80" || port == "443":
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
	default:
		host = net.JoinHostPort(host, port)
	}
	canonical := "https://" + host + strings.TrimRight(u.EscapedPath(), "/")
	if query := canonicalQuery(u.RawQuery); query != "" {
		canonical += "?" + query
	}
	return canonical
}

func canonicalQuery(raw string) string {
	var kept []string
	for part := range strings.SplitSeq(raw, "&") {
		name, _, _ := strings.Cut(part, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if part != "" && !isTracking(strings.ToLower(name)) {
			kept = append(kept, part)
		}
	}
	slices.SortStableFunc(kept, func(a, b string) int {
		a, _, _ = strings.Cut(a, "=")
		b, _, _ = strings.Cut(b, "=")
		return strings.Compare(a, b)
	})
	return strings.Join(kept, "&")
}

func isTracking(name string) bool {
	return slices.ContainsFunc(tracking, func(pattern string) bool {
		if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
			return strings.HasPrefix(name, prefix)
		}
		return name == pattern
	})
}

// sourceOf returns the outlet that a URL names: its host without "www.".
func sourceOf(s string) string {
	u, err := url.Parse(s)
	if err != nil || !IsWeb(u) {
		return ""
	}
	return Clip(strings.TrimPrefix(strings.ToLower(u.Hostname()), "www."), MaxSource)
}

// contentSpace is the UUID namespace of ids that are derived from content.
var contentSpace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("throughline:article:content"))

// deriveID returns the id of an article that has none: a UUIDv5 of its canonical URL, or else of
// source, title (unless derived) and text. The date does not count, so that an article keeps its id
// when its date is corrected. It counts for a headline without text ("Morning briefing"), because
// nothing else distinguishes it from the next one.
func deriveID(a *Article) string {
	if a.URL != "" {
		return uuid.NewSHA1(uuid.NameSpaceURL, []byte(canonicalURL(a.URL))).String()
	}
	parts := []string{a.Source, "", a.Text()}
	if !a.TitleDerived {
		parts[1] = a.Title
	}
	if len(a.Sections) == 0 && !a.Published.IsZero() {
		parts = append(parts, a.Published.UTC().Format(time.RFC3339Nano))
	}
	return uuid.NewSHA1(contentSpace, []byte(strings.Join(parts, "\x00"))).String()
}

// languages maps the English names that some crawlers write to the codes.
var languages = map[string]string{
	"arabic": "ar", "bengali": "bn", "bulgarian": "bg", "chinese": "zh", "croatian": "hr", "czech": "cs", "danish": "da", "dutch": "nl",
	"english": "en", "estonian": "et", "finnish": "fi", "french": "fr", "german": "de", "greek": "el", "hebrew": "he", "hindi": "hi",
	"hungarian": "hu", "indonesian": "id", "italian": "it", "japanese": "ja", "korean": "ko", "latvian": "lv", "lithuanian": "lt",
	"norwegian": "no", "persian": "fa", "polish": "pl", "portuguese": "pt", "romanian": "ro", "russian": "ru", "serbian": "sr",
	"slovak": "sk", "slovenian": "sl", "spanish": "es", "swedish": "sv", "thai": "th", "turkish": "tr", "ukrainian": "uk", "vietnamese": "vi",
}

// LanguageCode returns the primary subtag of a language tag: "en-US", "en_GB.UTF-8" and "English"
// are all "en". Filters and tokenizers use no more of it.
func LanguageCode(s string) (string, error) {
	s = strings.ToLower(s)
	if code, ok := languages[s]; ok || s == "" {
		return code, nil
	}
	code, _, _ := strings.Cut(strings.NewReplacer("_", "-", ".", "-").Replace(s), "-")
	switch {
	case code == "und" || code == "mul" || code == "zxx":
		return "", nil
	case (len(code) == 2 || len(code) == 3) && strings.Trim(code, "abcdefghijklmnopqrstuvwxyz") == "":
		return code, nil
	}
	return "", FieldError("language", ErrField, fmt.Sprintf("%s is not a language code such as en", Quote(s)))
}
