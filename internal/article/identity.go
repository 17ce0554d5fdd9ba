package article

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

// tracking are query parameters that name where a reader came from, not what he reads. Only names that are used for nothing else are
// listed: a wrong one would make two articles one. A trailing "*" stands for any rest.
var tracking = []string{
	"utm_*", "fbclid", "gclid", "gclsrc", "dclid", "gbraid", "wbraid", "msclkid", "yclid", "twclid", "ttclid", "igshid", "igsh",
	"mc_cid", "mc_eid", "mkt_tok", "_ga", "_gl", "_hsenc", "_hsmi", "vero_id", "oly_anon_id", "oly_enc_id", "wt.*", "at_medium", "at_campaign",
	"at_custom*", "at_link*", "at_format", "at_ptr_name", "at_bbc_team", "cmpid", "ns_mchannel", "ns_source", "ns_campaign", "ns_linkname",
	"ocid", "ncid", "smid", "smtyp", "smprod", "guccounter", "guce_referrer*", "ref_src", "ref_url", "soc_src", "soc_trk", "sr_share", "s_cid",
	"hpid", "xtor", "ftag", "spm", "clickid", "sharetype", "linkid", "rss_id", "traffic_source", "taid", "__twitter_impression",
}

// cleanURL checks a URL and gives it back as it is stored: as given, but for a missing scheme.
func cleanURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err == nil && u.Scheme == "" && u.Host == "" && looksLikeHost(s) {
		s = "https://" + s
		u, err = url.Parse(s)
	}
	if err != nil {
		return "", fieldError("url", ErrField, fmt.Sprintf("cannot read %s", quote(s)))
	}
	if u.Scheme == "" || (u.Host == "" && u.Opaque == "" && u.Path == "") {
		return "", fieldError("url", ErrField, fmt.Sprintf("%s is not absolute", quote(s)))
	}
	if web(u) && u.Hostname() == "" {
		return "", fieldError("url", ErrField, fmt.Sprintf("%s has no host", quote(s)))
	}
	return s, nil
}

func web(u *url.URL) bool {
	return strings.EqualFold(u.Scheme, "http") || strings.EqualFold(u.Scheme, "https")
}

// looksLikeHost: "example.com/path" and "www.example.com", but not "news/today" and not "index.html".
func looksLikeHost(s string) bool {
	host, path, _ := strings.Cut(s, "/")
	name, last, _ := cutLast(host, ".")
	if name == "" || len(last) < 2 || strings.ContainsFunc(last, func(r rune) bool { return !unicode.IsLetter(r) }) {
		return false
	}
	return path != "" || strings.HasPrefix(host, "www.")
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}

// CanonicalURL is the form by which two addresses of one article are recognised; it is hashed, never fetched. For http and https:
// scheme https, host in lower case without "www.", without user, default port, fragment and tracking parameters, remaining parameters in
// order of their names, no slash at the end of the path. "www." goes because no news site serves something else under the bare name;
// "m." and "amp." stay because some do. Another scheme's URL is returned as it is, as is one that cannot be parsed.
func CanonicalURL(s string) string {
	u, err := url.Parse(strings.TrimSpace(s))
	if err != nil || !web(u) || u.Hostname() == "" {
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

// sourceOf is the outlet that a URL names: its host without "www.".
func sourceOf(s string) string {
	u, err := url.Parse(s)
	if err != nil || !web(u) {
		return ""
	}
	return clip(strings.TrimPrefix(strings.ToLower(u.Hostname()), "www."), maxSource)
}

// contentSpace is the UUID namespace of ids that come from content: the UUIDv5 of a name of ours in the URL namespace.
var contentSpace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("throughline:article:content"))

// deriveID is the id of an article that has none: by its canonical URL, else by source, title (unless derived) and text. The date is
// left out, so that an article stays itself when its date is corrected, except for a bare headline ("Morning briefing"), which
// only its date tells from the next one.
func deriveID(a *Article) string {
	if a.URL != "" {
		return uuid.NewSHA1(uuid.NameSpaceURL, []byte(CanonicalURL(a.URL))).String()
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

// languages are the English names that some crawlers write instead of a code.
var languages = map[string]string{
	"arabic": "ar", "bengali": "bn", "bulgarian": "bg", "chinese": "zh", "croatian": "hr", "czech": "cs", "danish": "da", "dutch": "nl",
	"english": "en", "estonian": "et", "finnish": "fi", "french": "fr", "german": "de", "greek": "el", "hebrew": "he", "hindi": "hi",
	"hungarian": "hu", "indonesian": "id", "italian": "it", "japanese": "ja", "korean": "ko", "latvian": "lv", "lithuanian": "lt",
	"norwegian": "no", "persian": "fa", "polish": "pl", "portuguese": "pt", "romanian": "ro", "russian": "ru", "serbian": "sr",
	"slovak": "sk", "slovenian": "sl", "spanish": "es", "swedish": "sv", "thai": "th", "turkish": "tr", "ukrainian": "uk", "vietnamese": "vi",
}

// languageCode is the primary subtag of a language tag ("en-US", "en_GB.UTF-8" and "English" are all "en"): filters and tokenizers know
// no more.
func languageCode(s string) (string, error) {
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
	return "", fieldError("language", ErrField, fmt.Sprintf("%s is not a language code such as en", quote(s)))
}
