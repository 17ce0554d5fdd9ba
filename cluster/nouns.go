package cluster

import "strings"

// usage counts how a phrase in small letters is used in sentences: nouns follow determiners and
// prepositions, verbs and adjectives do not. Titles do not count, because they drop determiners.
type usage struct {
	all        int32 // occurrences
	determined int32 // at the end of a phrase that a determiner, a number or a possessive begins
	governed   int32 // right after a preposition, and no content word follows
	verb       int32 // as a verb: "will cut", "quake struck the"
	modifies   int32 // between a determiner and a content word: "the federal court", "the bank failed"
	led        int32 // right after a determiner, a number or a possessive
}

func (u *usage) add(v usage) {
	u.all += v.all
	u.determined += v.determined
	u.governed += v.governed
	u.verb += v.verb
	u.modifies += v.modifies
	u.led += v.led
}

// note counts the occurrence of words i to j of a run.
func (u *usage) note(run []*word, owned bool, i, j int) {
	var before, next word
	led := i == 0 && owned
	if i > 0 {
		before = *run[i-1]
		led = before.determines
	}
	if j < len(run) {
		next = *run[j]
	}
	content := func(w *word) bool { return w.number > 0 && !w.stop && !w.determines }
	described := content(&before) && (i > 1 && run[i-2].determines || i == 1 && owned) // "the strong earthquake"
	closed := !content(&next)
	u.all++
	if led {
		u.led++
	}
	switch {
	case (led || described) && closed:
		u.determined++
	case led:
		u.modifies++
	case before.verbal, before.to && (j-i > 1 || !closed), content(&before) && next.determiner:
		u.verb++
	case before.preposition && closed:
		u.governed++
	}
}

func determines(w string) bool { return determiners[w] || w != "" && '0' <= w[0] && w[0] <= '9' }

func (u usage) noun() int32 { return u.determined + u.governed }

// direct returns the uses right after a determiner, with no content word behind: "the flooding". Of
// "a man drowning" it takes no notice.
func (u usage) direct() int32 { return u.led - u.modifies }

// mostlyNoun reports whether the uses as a noun prevail, in case of doubt or of little text.
func (u usage) mostlyNoun() bool { return 2*u.noun()+fewUses >= 2*u.verb+u.modifies }

// fewUses are uses too few to say that a word is no noun.
const fewUses = 3

// nominal reports whether a phrase can stand for a thing: a name that is no adjective of a people,
// or words in small letters that end in a noun and begin with no verb.
func nominal(key string, name bool, of func(key string) usage) bool {
	words := strings.Fields(key)
	if name {
		return len(words) > 1 || !adjectives[key] && !peoples[key]
	}
	u, head := of(key), words[len(words)-1]
	if len(words) == 1 {
		return isNoun(head, u)
	}
	for i, w := range words {
		switch verbal := past(w) || gerund(w); {
		case adverbial(w), verbal && 0 < i && i < len(words)-1:
			return false
		case i == 0 && verbal && 3*u.led <= u.all, i == 0 && adjectives[w] && u.all == 0:
			return false // a determiner shows that it describes the noun: "the fallen tree"
		case i == 0 && strings.HasSuffix(w, "s") && listed(w) && !adjectives[w]:
			return false // a verb: "seeks asylum"
		}
	}
	if listed(head) || past(head) || gerund(head) || u.all == 0 {
		return isNoun(head, of(head))
	}
	return u.mostlyNoun() && (3*u.noun() >= u.all || isNoun(head, of(head)))
}

// isNoun reports whether a word is used like a noun. Of a word that few sentences have, its ending
// and the lists decide.
func isNoun(w string, u usage) bool {
	switch {
	case peoples[w], past(w):
		return false
	case strings.HasSuffix(w, "-old"):
		return false
	case adverbial(w), gerund(w):
		return u.direct() >= 2 && u.direct() > u.verb && 4*u.direct() > u.all
	case listed(w):
		noun := u.direct() + u.governed
		return noun > 3*u.verb+2*u.modifies+listedMargin && 3*noun > u.all
	case adjectival(w) && u.noun() == 0:
		return false
	}
	return u.mostlyNoun() && 10*(u.noun()+fewUses) >= u.all
}

// listed reports whether adjectives has a word, or the word with the ending of a third person.
func listed(w string) bool {
	return adjectives[w] || adjectives[strings.TrimSuffix(w, "s")] || adjectives[strings.TrimSuffix(w, "es")]
}

// listedMargin is how many more uses as a noun make a noun of a word that seldom is one.
const listedMargin = 5

// adverbial reports whether a word has the ending of an adverb.
func adverbial(w string) bool { return len(w) > 4 && strings.HasSuffix(w, "ly") }

// adjectival reports whether a word has the ending of an adjective, which some nouns have too.
func adjectival(w string) bool {
	for _, ending := range [...]string{"al", "ic", "ous", "ive", "ful", "less", "able", "ible", "ish"} {
		if len(w) > len(ending)+2 && strings.HasSuffix(w, ending) {
			return true
		}
	}
	return false
}

// past reports whether a word has the ending of a past participle.
func past(w string) bool {
	return len(w) > 4 && strings.HasSuffix(w, "ed") && !strings.HasSuffix(w, "eed") || strings.HasSuffix(w, "ied")
}

// gerund reports whether a word has the ending of a present participle.
func gerund(w string) bool { return len(w) > 5 && strings.HasSuffix(w, "ing") }

func wordSet(text string) map[string]bool {
	set := make(map[string]bool)
	for w := range strings.FieldsSeq(text) {
		set[w] = true
	}
	return set
}

// determiners come before a noun and its adjectives.
var determiners = wordSet(`a an another any both each every her his its my no our some such the their these this those your
two three four five six seven eight nine ten`)

var prepositions = wordSet(`about after against amid among as at before between by during for from in into of on over through under
until via with within without`)

// verbal words come before verbs.
var verbal = wordSet(`can cannot could couldn't didn't doesn't don't he i it may might must not shall she should they we who will
won't would wouldn't you`)

// adjectives are words of news reports that are adjectives, adverbs or verbs more often than nouns.
var adjectives = wordSet(`
abandon able absent absolute abusive accept acceptable accessible accidental accountable accurate achieve acquire
active actual acute adapt add address adequate administrative admit adopt adverse advisory affect afford affordable
afraid aggressive agree alive allege allow alongside ambitious amongst angry annual anonymous anticipate apologise
apologize apparent appear appreciate appropriate approve argue arisen arrive artificial aside ask asleep assess assist
assistant assume assure attend attract attractive automatic available avoid await aware bad basic beat beaten
beautiful becomes believe beneficial benefit better beyond big bigger biggest bilateral bipartisan bitter bizarre blew
bloody bold bolster born borrow bought bound brazen brief bright brilliant brings broad broader broken brought brown
brutal build built busy buy calm cancel capable capture careful catastrophic caught cautious celebrate central certain
chaotic cheap cheaper choose chose chosen civil clarify clashed clean clear clinch clinical close closest coastal
coercive collect collective combine comfortable commercial commit common communicate comparable compete competitive
complain complete comprehensive concentrate conclude confident confidential confirm congressional connect conscious
consider considerable consistent constant constitutional consult contact contain contend contentious contingent
continue continuous contribute controversial conventional convert convince cool cooperate cooperative cope cordial
corporate correct corrupt create creative criminal critical crucial cry cumulative current dangerous dark dead
deadliest dealt decent decide decisive declare deep deepen deeper defend defensive define definitive deliberate
deliver democratic demonstrate denies deny depend dependent describe deserve desperate despite destroy destructive
detain determine develop die different difficult digital diplomatic dire direct disarm disciplinary disclose discover
discriminatory discuss disrupt distribute diverse domestic dominant dominate donate double downstairs downtown
downward dramatic draw drawn drew driven drove drunk dry dual dynamic eager earlier earn easier easy eat economic edit
educational effective efficient eighth elaborate elect electoral electronic elementary eligible eliminate embrace
emerge emotional employs empty enable encourage enforce engage enhance enjoy enormous ensure enter entire
environmental equal escape essential establish ethnic evacuate evaluate everywhere exact examine excellent except
excessive exclude exclusive exist expand expensive expire explain exploit explore explosive express extend extensive
external extraordinary extreme fail fair fake fallen false famous fantastic far fast faster fastest fatal favorable
favourable federal feel fellow felt festive fewer fierce fill financial find firmer fit flagrant flagship flat flee
flip flown follow forecast foreign forensic forever forget forgotten formal forth fought foul fourth fragile free
frequent fresh frozen full-time fundamental funny furious gather gay general generate generous genuine gets give given
glad global gone gonna good gotten grab grand grant grateful great greater greatest grey gross grow grown guarantee
guess guilty halt handle hang happen happy hard harder harmful hate healthy hear heard heavy help hid hidden hide high
higher highest highlight hire historic historical honest hopeful horrific hostile hot huge human humanitarian hung
hurt identical identify ignore ill illegal imagine immediate immense imminent impartial implement important impose
impossible impressive improper improve inadequate inappropriate include incredible independent indicate indict
industrial inevitable infamous influential inform informal initial innocent innovative insist install instant
institutional insufficient intelligent intend intense intensive intentional interact interactive interim internal
international intervene introduce invest investigate investigative involuntary involve irresponsible jobless join
judicial junk justify keen keeps key kill knew knows large larger largest learn leave legal legislative legitimate
lend lengthy listen live load local locate lone long-term longest longtime lord los lose lost loud love lower lowest
loyal lucrative lunar lure mad main mainstream maintain major malicious manage mandatory manufacture mass massive
master maximize maybe mayoral meaningful medical meet mental mention met miss mobile moderate modern modest monetary
monitor moral multiple municipal mutual narrow national nationwide natural naval nearby necessary negative negligent
negotiate neither nervous nice ninth nominal nominate nonpartisan normal northeast northern northwest nuclear numerous
obtain obvious occupy occur offset offshore older oldest online open operate operational oppose optimistic ordinary
original otherwise outright overall overcome overseas oversee overturn owns paid parallel parliamentary part-time
partial participate partisan pass pay payable peaceful perfect perform permanent permit persistent personal persuade
physical pick pivotal plain plead please plenty plus polar political poor poorest popular populous portable pose
positive possible powerful practical pray precious precise predict prefer pregnant preliminary prepare present
preserve presidential pretax pretty prevent preventable primary prime private pro probable procedural produce
profitable prohibit prominent promote prompt proper propose prosecute protect protectionist protective proud prove
proven provide provincial psychological publish pull punish pursue puts quadruple qualify quick quiet quit racial
racist radical ran random rapid rare raw reach react read ready real real-time realise realistic realize reasonable
rebuild recall receive reckless recognise recognize recommend reconsider recover recruit redeem redraw redrawn reduce
reflect refuse regain regardless regional register regret regular regulate regulatory reject relay relentless relevant
reliable religious reluctant remain remarkable remember remote remove rental reopen repay replace represent require
residential resign resist resolve respond responsible restore restrict restructure resume retail retain retaliate
retaliatory retire reveal reverse revise revive rid ridiculous risen rob robust romantic root run rural safe safeguard
sat satisfy save scare scary scientific scrap seasonal secondary secure seek seem sees seize select self sell send
senior senseless sensible sensitive sent separate serial serious serve settle seventh severe sexual shaken sharp shook
shoot short-term shot shown shows shut sick significant silent similar simple single sit sixth slain slim slow slower
sluggish small smaller smart social soft solar sold sole solid solve somehow sometimes somewhat sorry sought southern
spare speak special specialty specific specify speculate speculative spend spent spiritual spoke spoken spread
stabilise stabilize stable stark stay steady steal steep stellar stiff stimulate stole stolen stood stop
straightforward strategic stray strengthen strict strong stronger strongest struck stuck submit subsequent substantial
suburban successful sue suffer sufficient suggest suitable super superb supportive sure surrender survive suspend
suspicious sustain sustainable sweet sworn synthetic systematic tackle tactical takes tap teach technical tell
temporary tend tense terrible testify thank thankful therefore thin think thorough threaten threw throughout throw
thrown thus tight tighten tiny tore torn tough tougher traditional tragic transgender transparent treat tremendous
triple true turn typical ultimate unable unacceptable unavailable unaware unbeaten uncertain unclear unconstitutional
underage undergo underground undermine understand understood underway underwent unfair unfortunate unhappy unique
unknown unlawful unlike unnecessary unpopular unsuccessful unusual unveil upbeat upheld uphold upper upset upstairs
upward urban urge urgent useful usual valid valuable various vast verbal violate violent virtual visible vital vocal
volatile voluntary vulnerable wait wants warm warn weak weaken wear weigh welcome western wholesale wide wider
widespread wild wish withdraw withdrawn withdrew withheld withhold woke won wonderful wore worldwide worry worse
worsen worst worth write written wrong wrote yes younger youngest zero
`)

// peoples are adjectives of places and persuasions: they are spelled like names, but "Spanish" does
// not say what a topic is about.
var peoples = wordSet(`afghan african albanian algerian american arab argentine argentinian armenian asian australian austrian
azerbaijani baltic bangladeshi belarusian belgian bolivian bosnian brazilian british bulgarian burmese californian cambodian
canadian caribbean catalan catholic chilean chinese christian colombian conservative croatian cuban cypriot czech danish
democratic dutch ecuadorian egyptian english estonian ethiopian european finnish flemish french georgian german greek
haitian hindu hispanic hungarian icelandic indian indonesian iranian iraqi irish islamic islamist israeli italian jamaican
japanese jewish jordanian kashmiri kenyan korean kurdish kuwaiti latin latvian lebanese libyan lithuanian malaysian maltese
mediterranean mexican moroccan muslim nepalese nepali nigerian nordic norwegian olympic orthodox pakistani palestinian
persian peruvian philippine polish portuguese protestant qatari republican romanian russian saudi scandinavian scottish
serbian singaporean slovak slovenian somali soviet spanish sudanese swedish swiss syrian taiwanese texan thai tibetan tunisian
turkish ugandan ukrainian venezuelan vietnamese welsh western yemeni zimbabwean`)
