"""English rules for the kind of a question. Patterns are RE2, tried without regard to case.

``*_IGNORE`` names phrases that look like the class and are not. They are taken out of the text before the patterns
are tried again, so "now that it is winter, what is the weather?" is still about the weather.
"""

from __future__ import annotations

_CODE_WORDS = (
    r"python|javascript|typescript|c\+\+|c#|golang|kotlin|php|sql|mysql|postgres(?:ql)?|sqlite|bash|powershell|html|css|"
    r"react|angular|vue|django|flask|fastapi|node(?:\.?js)?|numpy|pandas|pytorch|tensorflow|excel|vba|regex|json|yaml|xml"
)
_MONEY = (
    r"(?:dollars?|usd|euros?|eur|pounds?|gbp|sterling|yen|jpy|rupees?|inr|yuan|rmb|cny|vnd|dong|pesos?|francs?|chf|"
    r"lira|rubles?|zloty|ringgit|baht|bitcoins?)"
)

ABOUT_GIVEN_TEXT = (
    r"(?s)^\s*(?:please\s+|kindly\s+|(?:can|could|would) you (?:please )?)*"
    r"(?:translate|proofread|paraphrase|rephrase|rewrite|spell-?check|correct the (?:grammar|spelling)|classify|"
    r"(?:summari[sz]e|extract|label|rate|edit|improve|shorten)\b[^.?!\n]*(?:\b(?:following|below|this|these)\b|:))\b.*$",
)
"""The text is the matter, not the question: "translate: what is the weather today?" has the same answer for ever."""

ABOUT_CODE = (
    r"(?s)^.*```.*$",
    rf"(?s)^.*\b(?:in|with|using) (?:{_CODE_WORDS})\b.*$",
    rf"(?s)^.*\b(?:{_CODE_WORDS})\s+(?:code|script|function|query|snippet|program|formula)s?\b.*$",
    r"(?s)^.*\b(?:write|implement|create|build|debug|refactor|fix)\b[^.?!\n]*"
    r"\b(?:code|function|script|quer(?:y|ies)|regex|program|app|unit tests?|component|class|endpoint)\b.*$",
)
"""A question about code may speak of prices or of today without asking for them."""

REALTIME = (
    # prices, stocks, rates
    r"\bprices?\b",
    r"\bhow much (?:is|are|does|do|did|would|will)\b[^.?!\n]*\b(?:costs?|worth|going for|trading|selling)\b",
    r"\b(?:stocks?|shares?)['’]?s? (?:prices?|quotes?|values?|rates?|ticker|index|news|updates?|performance)\b",
    r"\bstocks? (?:of|for|on|at)\b|^\W*(?:[\w.&']+\W+){1,4}stocks?\W*$",
    r"\b(?:how|what|where|is|are|did|show|check|tell|give|get|find|report)\b[^.?!\n]*\bstocks?\b[^.?!\n]*"
    r"\b(?:up|down|doing|trading|worth|going|at|rates?|values?|today|perform\w*|higher|lower)\b",
    r"\bstock ?markets? (?:today|now|doing|up|down|open|closed?|updates?|news)\b|\b(?:how|what)(?:['’]?s| is) the stock ?market\b",
    r"\b(?:in|out of|back in) stock\b|\btrading at\b|\bhow (?:much|many)\b[^.?!\n]*\bstocks?\b|\bstocks? (?:please|forecast)\b",
    r"\b(?:nasdaq|dow jones|nikkei|ftse|hang seng|vn-?index|sensex|nifty|s&p ?500)\b",
    r"\b(?:exchange|conversion|currency|forex|fx|dollar|euro|pound|rupee|yen|yuan|interbank) rates?\b",
    rf"\b(?:what(?:['’]?s| is| are)|how much|how many|convert|value|worth)\b[^.?!\n]*\b{_MONEY}\b[^.?!\n]*"
    r"\b(?:in|to|into|against|equals?|worth|versus|vs)\b",
    rf"\bhow many {_MONEY}\b|\b{_MONEY} (?:equivalent|ratio|rate)\b|\bcurrency conversion\b|\b(?:value|worth|price|rate) of\b[^.?!\n]*\b{_MONEY}\b|\b{_MONEY} (?:to|versus|vs|against) (?:the )?{_MONEY}\b",
    # weather
    r"\bweather\b|\bforecast (?:for|in|today|tomorrow|this)\b|\b(?:rain|snow|storm|weekend|week|day)['’]?s? forecast\b",
    r"\b(?:temperature|humidity|air quality|uv index|wind speed)\b[^.?!\n]*\b(?:in|outside|out|today|now|tonight|tomorrow|there|here)\b",
    r"\b(?:is|will|does|did) it\b[^.?!\n]*\b(?:rain|snow|hail|storm|sunny|hot|cold|warm|windy|cloudy|freez\w+|raining|snowing|rainy|humid)\b",
    r"\b(?:need|take|bring|carry|wear)\b[^.?!\n]*\b(?:umbrella|rain ?coat|rain ?boots|sun ?screen|sun ?block)\b|\bhow (?:hot|cold|warm|windy|humid) (?:is|will)\b",
    r"\b(?:chances? of|expect|will there be|is there|any) (?:any )?(?:rain|snow|storms?|thunder\w*|hail|fog)\b|\b(?:sunny|raining|snowing|cloudy) (?:in|there|outside)\b",
    # the clock and the calendar
    r"\bwhat time (?:is it|it is|now)\b|\btime is it\b|\b(?:what(?:['’]?s| is| will be)?|tell me|give me|show me|know) (?:is )?(?:the )?(?:exact )?time (?:is |now|in|for|there|here)\b|\b(?:current|local) (?:time|date)\b|\btell me the (?:time|date)\b",
    r"\bwhat(?:['’]?s| is) the (?:exact )?(?:time|date|day)(?: now| right now| today| there| here| in [\w ,]+)?\s*(?:$|[?.!,])",
    r"\bwhat (?:day|date) (?:is it|is today|it is|are we)\b|\bwhat(?:['’]?s| is) today\b",
    # now, today
    r"\b(?:right|just|as of|open|available|live|on) now\b|\bat (?:the|this) (?:moment|minute)\b|\bas we speak\b",
    r"\b(?:what|who|where|which|when|is|are|was|how(?:['’]?s| is| are| much| many))\b[^.?!\n]*\bnow\b|\bnow\s*(?:[?.!,;]|$)",
    r"\bnow (?:playing|showing|trading|open|available|in|at|on)\b",
    r"\btoday(?:['’]?s)?\b|\btonight(?:['’]?s)?\b|\bthis (?:morning|afternoon|evening)['’]?s\b",
    # what is happening
    r"\b(?:breaking|latest|current|recent|top|local|world|sports?|daily) (?:news|headlines?)\b|\bnews (?:about|on|from|headlines?|updates?|for|in|of|articles?|stor(?:y|ies))\b",
    r"\b(?:get|give|find|show|tell|read|provide|look up|what(?:['’]?s| is)?|any|check|play|morning|evening|headline|international|national|election)\b[^.?!\n]*\bnews\b",
    r"\bin the news\b|^\W*(?:the )?news\W*$|\bheadlines\b|\bwhat(?:['’]?s| is) trending\b|\bwhat(?:['’]?s| is) the news\b",
    r"\bwhat(?:['’]?s| is) (?:happening|going on) (?:in|around|at|near)\b",
    r"\b(?:live|final|game|match|cricket|football|soccer|baseball|basketball|nba|nfl|nhl|ipl) scores?\b|\bscore of the\b[^.?!\n]*\b(?:game|match)\b",
    r"\bwho(?:['’]?s| is) winning\b|\bwho won\b[^.?!\n]*\b(?:last night|yesterday|this (?:morning|weekend))\b",
    r"\btraffic\b",
    r"\b(?:flight|train|bus|server|service|system|site|network|delivery) status\b|\bis (?:the )?[\w.-]+ (?:down|offline)\b",
    r"\b(?:seats?|rooms?|tickets?|tables?|slots?|flights?) (?:left|still available|available)\b",
    r"\blive (?:prices?|rates?|updates?|results?|feed|coverage|data)\b|\breal[- ]time (?:prices?|quotes?|updates?|data|info\w*|rates?)\b",
)

REALTIME_IGNORE = (
    *ABOUT_GIVEN_TEXT,
    *ABOUT_CODE,
    r"\bpric(?:e|es|ing) (?:polic(?:y|ies)|match\w*|tags?|models?|page|plans?|strateg\w+|elasticity|discrimination|breaks?|gouging|"
    r"guarantee|adjustments?|controls?|mechanism|point)\b",
    r"\b(?:affordable|reasonable|half|full|set|fixed|fair|hefty|purchase|any) prices?\b|\bprice (?:was|were|i paid|deducted|difference)\b",
    r"\b(?:who|what|how|why)\b[^.?!\n]*\b(?:decides?|determines?|determined|sets?|affects?|influences?|calculated?)\b[^.?!\n]*\b(?:prices?|rates?|stocks?)\b",
    r"\bwhy\b[^.?!\n]*\bprices?\b",
    r"\bhow (?:do|did|are|often|can|does)\b[^.?!\n]*\b(?:get|got|figure|come up|set|choose|determining|calculat\w+|change|decide|arrive|work(?: ?out)?|find out)\b"
    r"[^.?!\n]*\b(?:exchange|conversion|currency) rates?\b|\bexchange rates?\b[^.?!\n]*\b(?:change|fluctuate|based|the same)\b",
    r"\b(?:how (?:can|do|to|would|should) (?:i|we)|can (?:i|we)|could i|i (?:want|need|would like) to)\b[^.?!\n]*"
    r"\b(?:exchange|change|convert|transfer|swap|switch|hold|add)\b[^.?!\n]*",
    r"\bhow much (?:does|do|did|would|will|is) (?:it|that|this|they)\b[^.?!\n]*\bcosts?\b",
    r"\bhow (?:do|does|did)\b[^.?!\n]*\b(?:stocks?|stock ?markets?|exchange rates?|currency|weather|traffic)\b[^.?!\n]*\b(?:works?|form|affect|arise|worked)\b",
    r"\bwhat (?:is|are|does) (?:a |an |the )?(?:stocks?|stock ?markets?|exchange rates?|weather|traffic)(?: mean)?\s*[?.]?\s*$",
    r"\b(?:chicken|beef|vegetable|fish|bone|rolling) stock\b|\bstock (?:photos?|footage|options?|images?|pot|cube)\b",
    r"\b(?:meaning|definition|history|importance) of\b[^.?!\n]*\b(?:stocks?|prices?|weather|traffic|news)\b",
    r"\bexchange rates?\b[^.?!\n]*\b(?:wrong|wrongly|incorrect\w*|different|off|bad|inaccurate|not right|isn['’]t right|wasn['’]t right|applied|"
    r"calculated|determined|charged|used|polic(?:y|ies)|higher|lower|mistake|error|regime|risk|should have|correct\w*|messed|comes?|come from|basis|terrible|pulled)\b",
    r"\b(?:wrong|wrongly|incorrect\w*|bad|inaccurate|different|correct|right|polic(?:y|ies)|charged|over-?charged|mistake|error)\b[^.?!\n]*"
    r"\b(?:exchange|conversion|currency|dollar|euro|pound) rates?\b",
    r"\bweather (?:apis?|apps?|widgets?|data(?:set)?s?|stations?|balloons?|vanes?|channel|services?|patterns?|strip\w*)\b",
    r"\bunder the weather\b|\b(?:average|typical|usual) weather\b|\bweather (?:and|or|vs\.?|versus) climate\b|\bclimate (?:and|or|vs\.?|versus) weather\b",
    r"\b(?:causes|types of|difference between|affected by) (?:the )?weather\b",
    r"\btraffic (?:lights|signs?|laws?|rules?|tickets?|violations?|sources?|analysis|cones?|fines?|control\w*)\b|\b(?:a|the|red) traffic light\b",
    r"\b(?:web|website|site|blog|organic|network|internet|search|drug|human|http|user) traffic\b|\b(?:increase|drive|generate|more|get|boost) (?:\w+ )?traffic\b|"
    r"\btraffic (?:to|on) (?:my|your|our|a|the) (?:web ?site|site|blog|page|store)\b",
    r"\b(?:good|bad|fake|great) news\b|\bnews (?:anchors?|agenc\w+|channels?|casters?|reporters?)\b",
    r"\bnow that\b|\b(?:by|until|till|up to|from|for|before|than) now\b(?: on)?|\bnow and (?:then|again)\b|\bdo now\b|\bright now is\b",
    r"\b(?:and|but|so|am|it is|it['’]s|i['’]m|i am|we are|have|has) now\b|\bnow (?:i|i['’]m|i['’]ve|it|it['’]s|my|the|they|he|she|we|you|says?|want|getting|got)\b",
    r"\bhow (?:do|can|should|would|to) (?:i|we|you)\b[^.?!\n]*\bnow\b",
    r"\b(?:delete|close|shut|freeze|cancel|block|terminate|remove|refund)\b[^.?!\n]*\bnow\b",
    r"\b(?:process|possible|allow|way) (?:of|to)?\b[^.?!\n]*\b(?:chang|exchang|convert)\w*[^.?!\n]*",
    r"\b(?:where|why)\b[^.?!\n]*\bexchange rates?\b",
    r"\bi (?:want|need) (?:it|my|this|to (?:buy|cancel|activate|close|change|order|use|withdraw|pay|leave|go))\b[^.?!\n]*\bnow\b",
    r"\bi(?:['’]ve)? (?:got|have|received|lost|found)\b[^.?!\n]*\bnow\b|\b(?:cancelled|unblocked|fixed|refunded|sent|back) now\b",
    r"\b(?:minutes?|hours?|days?|weeks?|months?|years?|while|time|ago|is|are) now(?: \w+(?:ed|ing))?\b",
    r"\bat the moment i\b|\b(?:i am|i['’]m)\b[^.?!\n]*\bat the (?:moment|minute)\b",
    r"\b(?:earlier|later) today\b|\btoday,? (?:i|we|my)\b|\bin today['’]?s (?:world|society|age|economy|era|day and age|market|workplace)\b",
    r"\b(?:i|we|my)\b[^.?!\n]*\b(?:was|were|did|didn['’]?t|got|went|had|made|bought|withdrew|lost|found|tried|took|saw|sent|paid|"
    r"noticed|received|used|wasn['’]?t|stopped|declined|charged|happened|needed|gave|(?:not|n['’]t) work\w*)\b[^.?!\n]*\btoday\b",
)

FACTUAL = (
    r"\b(?:latest|newest|most recent|up[- ]to[- ]date (?:info\w*|news|version|list|data))\b",
    r"\b(?:what|who|which|when|where|how (?:much|many|is|are)|is|are|does|do|list|name|show|tell|give)\b[^.?!\n]*\bcurrent(?:ly)?\b",
    r"\bcurrent (?:version|release|president|prime minister|ceo|champions?|record|population|laws?|status|state|events?|affairs|rate|government|market|leader)\b",
    r"\bwho(?:['’]?s| is| are)\b[^.?!\n]*\b(?:president|prime minister|premier|chancellor|king|queen|emperor|pope|mayor|governor|minister|secretary|"
    r"senator|speaker|chair(?:man|woman|person)?|ceo|cfo|cto|coo|chief executive|head of|director|leader|chief|coach|captain|manager|owner|"
    r"champions?|monarch|ambassador|principal|dean|chief justice|governing|in charge|in power|in office)\b",
    r"\bwho (?:runs|leads|heads|owns|governs|rules|chairs|holds)\b|\b(?:name|tell me) (?:of )?the (?:president|prime minister|ceo|mayor|governor)\b",
    r"\bwhich (?:country|team|party|club|company) (?:holds|leads|owns|is (?:leading|ahead|top))\b",
    r"\b(?:world record|richest|league table|standings|rankings?|ranked|number one|highest[- ]paid|top[- ]rated|most followed|best[- ]selling)\b",
    r"\bwhen (?:is|are|will|does|do)\b[^.?!\n]*\b(?:next|releas\w+|launch\w*|come out|coming out|start\w*|election)\b",
    r"\b(?:next|upcoming) (?:election|world cup|olympics|game|match|episode|season|release|version|holiday|concert|event|flight|train|bus|eclipse|model)s?\b",
    r"\brecent (?:changes|developments?|advances|updates?|events?|releases?|studies|elections?|results?)\b",
    r"\b(?:what|who|which|when|is there|are there|any)\b[^.?!\n]*\b(?:tomorrow|yesterday|last night|"
    r"this (?:week|weekend|month|year|season)|next (?:week|weekend|month)|nowadays|these days|so far)\b",
    r"\b(?:interest|mortgage|inflation|unemployment|tax|base|growth|birth|death) rates?\b",
    r"\bstill (?:alive|available|in office|president|married|ceo|valid|supported|maintained|in business)\b",
)

FACTUAL_IGNORE = (
    *ABOUT_GIVEN_TEXT,
    ABOUT_CODE[-1],
    r"\bmy (?:latest|newest|most recent|current)\b|\b(?:at the|by the) latest\b|\blatest (?:atm|charge|payment|transfer|transaction|withdrawal)\b",
    r"\bcurrent(?:[- ]account|ly (?:i|my|broken|waiting))\w*\b|\bi(?:['’]m| am| have| do| live)? (?:not )?currently\b",
    r"\bcurrent (?:director(?:y|ies)|folder|line|row|file|branch|card|address|phone|device|accounts?|employer|job|password|pin|user|location|one|balance|"
    r"session|through|flow\w*|densit\w+|carrying|and voltage|in (?:a|an|the) (?:circuit|wire|conductor|inductor))\b",
    r"\b(?:electric(?:al)?|alternating|direct|eddy|ocean|induced|load|leakage) currents?\b",
    r"\b(?:first|second|third|fourth|fifth|\d+(?:st|nd|rd|th)|founding|former|late|longest[- ]serving|youngest) (?:ever )?"
    r"(?:\w+ )?(?:president|prime minister|king|queen|emperor|pope|mayor|governor|ceo|chancellor|minister|champion)\b",
    r"\bexchange rates?\b|\b(?:exchange|conversion) rate\b",
)

OPINION = (
    r"\bwhat do you (?:think|recommend|suggest|prefer|like)\b|\b(?:do|would|can|could) you (?:think|recommend|suggest|prefer)\b",
    r"\bwhat(?:['’]?s| is| are) your (?:opinion|view|take|favou?rite|thoughts?|recommendations?|advice)\b|\bin your (?:opinion|view)\b",
    r"\b(?:opinions?|thoughts?|views?) (?:on|about|of)\b|\bfavou?rite\b",
    r"\b(?:better|worse|best|worst|greatest|nicest|funniest|coolest|prettiest)\b|\bmost (?:beautiful|overrated|underrated|interesting|inspiring|important)\b",
    r"\bshould (?:i|we) (?:buy|choose|learn|use|get|watch|read|visit|study|invest|wear|pick|major|marry|quit|move|try)\b",
    r"\bis it (?:worth|a good idea|good|ok(?:ay)?|wise|bad|safe) to\b|\bworth (?:it|buying|reading|watching|visiting|learning|the money)\b",
    r"\bpros and cons\b|\badvantages and disadvantages\b|\brecommend\w*\b|\bsuggestions?\b|\btop (?:\d+|ten|five|three)\b|\bwould you rather\b",
)

OPINION_IGNORE = (
    *ABOUT_CODE,
    r"\bbest (?:regards|wishes|before)\b|\bto the best of\b|\bat best\b|\bbetter (?:half|business bureau)\b",
)

CODE = (
    r"```|\bdef \w+\(|\bfunction \w*\(|\bfrom [\w.]+ import\b|#include\b|\bconsole\.log\b|\bprintf?\(|</\w+>|\bpublic (?:static )?void\b",
    r"\bselect\s[\w*.,\s]+\sfrom\s+\w+\s*(?:where|limit|join|group|order|;|$)",
    rf"\b(?:in|using|with|for) (?:{_CODE_WORDS}|java|rust|ruby|scala|haskell|matlab|perl|c|r|linux|docker|kubernetes|git|spring)\b",
    rf"\b(?:{_CODE_WORDS}|java|rust|ruby|linux|docker|kubernetes|git|kubectl|npm|pip)\b[^.?!\n]*\b(?:code|scripts?|functions?|methods?|class(?:es)?|program\w*|"
    r"errors?|exceptions?|lists?|dict\w*|arrays?|strings?|loops?|librar(?:y|ies)|modules?|packages?|syntax|quer(?:y|ies)|formats?|types?|objects?|variables?|"
    r"files?|install\w*|commands?|api|frameworks?|decorators?|import\w*|parse|sort\w*|convert|reverse|columns?|tables?|joins?|threads?)\b",
    r"\b(?:write|implement|debug|refactor|compile|fix)\b[^.?!\n]*\b(?:code|functions? (?:that|which|to|for|in|called)|scripts?|program|quer(?:y|ies)|class|methods?|regex|algorithm|bugs?|"
    r"unit tests?|api|endpoint|component|dockerfile|makefile|snippet)\b",
    r"\b(?:stack ?trace|traceback|segfault|segmentation fault|null ?pointer|(?:syntax|type|value|key|index|import|attribute|compil\w+|runtime) ?errors?|"
    r"undefined (?:reference|variable|is not)|pip install|apt-get|git (?:commit|push|pull|merge|rebase|clone|checkout|branch|stash)|crontab|"
    r"regex\w*|regular expressions?|unit tests?|source code|pull request|http status|json schema|primary key|foreign key|time complexity|"
    r"data structures?|binary (?:search|tree)|linked list|hash ?map|leetcode|programming languages?|dockerfile)\b",
    r"\bapis?\b|\b\w+(?:error|exception):|\b(?:algorithm|recursion|multithreading|asyncio)\b",
)

CODE_IGNORE = (
    r"\b(?:pin|zip|postal|post|sort|area|country|promo\w*|discount|coupon|voucher|referral|verification|security|activation|qr|bar|dress|swift|building|tax|"
    r"penal|civil|morse|access|invite|otp|sms|confirmation|booking|colou?r|pass|one-time|\d-digit) ?codes?\b|\bcodes? of (?:conduct|ethics|practice)\b",
)

_POLICY_OF = (
    r"refunds?|returns?|privacy|cookies?|cancell?ation|shipping|delivery|warranty|pric(?:e|es|ing)|exchange rate|exchange|payment|transfer|withdrawal|"
    r"top-?up|cash|check-?cashing|data|retention|security|password|leave|vacation|holiday|sick|parental|attendance|dress|travel|expense|remote|overtime|"
    r"baggage|luggage|pet|smoking|booking|no-show|deposit|late|complaints?|membership|loyalty|acceptable use|fair use|moderation|content|hr|company|store|"
    r"bank|hotel|airline|school|guest|your|our|their"
)

STATIC = (
    rf"\b(?:{_POLICY_OF})\b['’]?s?(?: (?:and|or|[\w-]+)){{0,2}} polic(?:y|ies)\b",
    r"\b(?:what(?:['’]?s| is| are)|explain|know|have|tell me) (?:the|a|any|your) polic(?:y|ies)\b|\bbank policy\b",
    r"\bpolic(?:y|ies) (?:on|for|of|about|regarding) (?:[\w-]+ ){0,2}(?:refund|return|exchang|withdraw|transfer|card|fee|charge|cancel|privacy|leave|expens|data|pet|smok)\w*",
    r"\bterms (?:of (?:service|use|sale|business|the (?:agreement|contract))|and conditions|& conditions)\b|\bt&cs?\b|\b(?:privacy|cookie) (?:notice|statement)\b",
    r"\bgdpr\b|\beula\b|\bcode of conduct\b|\b(?:licen[cs]e|user|service|membership|customer) agreements?\b|\bservice[- ]level agreements?\b",
    r"\bwarrant(?:y|ies)\b|\bmoney[- ]back guarantee\b|\b(?:refund|return|cancellation|shipping|delivery) (?:rules|conditions|window|period|terms)\b",
    r"\brules (?:for|on) (?:[\w-]+ ){0,2}(?:cards?|transfer\w*|fees?|top-?ups?|withdraw\w*|beneficiar\w+|returns?|refunds?|payments?|accounts?|guests?)\b",
    r"\babout (?:us|(?:your|the|this) (?:company|business|organi[sz]ation|team|bank|service|mission|store|firm))\W*$|\btell me (?:a (?:little|bit) |more )?about (?:you|yourself)\W*$",
    r"\bwho are you\W*$|\bwho founded (?:your|this|the) (?:company|bank|business|store|firm)\b|\bwhat (?:does|is) your company\b|\bmission statement\b|\bcompany history\b",
    r"\bwhere (?:are you|is your company) (?:based|located|headquartered)\b|\byour (?:headquarters|registered office|mission|company address)\b",
)

STATIC_IGNORE = (
    r"\b(?:foreign|monetary|fiscal|economic|public|immigration|trade|government|insurance|health|life|new|energy|bank of \w+)\W+polic(?:y|ies)\b",
    r"\bin terms of\b|\bthink about (?:us|you)\b|\bcare about (?:us|you)\b",
)
