/**
 * Places that people name without saying that they are places: capitals, large cities of each continent, parts of cities, states by
 * their nicknames, seas, mountains and buildings that everybody knows. Written by hand, from general knowledge.
 */

/** Cities and towns, by their English names and those at home. */
export const knownCities = `
abidjan|abu dhabi|abuja|acapulco|accra|adana|addis ababa|adelaide|ahmedabad|akron|albany|albuquerque|alexandria|algiers|alicante|allentown|almaty|amarillo|amman|amsterdam|anaheim|anchorage|ankara|ann arbor|antalya
|antwerp|antwerpen|arlington|asheville|asuncion|athens|atlanta|atlantic city|auckland|augsburg|augusta|austin|baghdad|bakersfield|baku|bali|baltimore|bangalore|bengaluru|bangkok|barcelona|bari|barnsley|barranquilla|basel
|basildon|bath|baton rouge|beijing|beirut|belfast|belgrade|belo horizonte|bergen|berkeley|berlin|bern|beverly hills|bilbao|birmingham|blackburn|blackpool|bloomington|bogota|bogotá|boise|bologna|bolton|bonn|bordeaux
|boston|boulder|bournemouth|bradford|braga|brasilia|bratislava|bremen|bremerhaven|bridgeport|brighton|brisbane|bristol|brno|brooklyn|bruges|brugge|brussels|bucharest|budapest|buenos aires|buffalo|bursa|busan|cairo|calais|calgary
|cali|cambridge|canberra|cancun|cancún|cannes|cape town|caracas|cardiff|cartagena|casablanca|catania|cebu|chandigarh|charleston|charlotte|chattanooga|chelmsford|chengdu|chennai|chester|chesterfield|chiang mai|chicago|chittagong
|chongqing|christchurch|cincinnati|cleveland|cluj|cologne|colombo|colorado springs|columbia|columbus|compton|copenhagen|cordoba|cork|corpus christi|coventry|crawley|cusco|cuzco|daejeon|dakar|dallas|damascus|dar es salaam|darlington|darwin
|davao|dayton|daytona|debrecen|delhi|denver|derby|des moines|detroit|dhaka|doha|doncaster|dortmund|dover|dresden|dubai|dublin|dubrovnik|duisburg|dundee|durban|durham|dusseldorf|düsseldorf|eastbourne|edinburgh|edmonton|eindhoven|el paso
|essen|eugene|evansville|exeter|fairbanks|fargo|fayetteville|florence|fort lauderdale|fort wayne|fort worth|frankfurt|freetown|fremont|fresno|frisco|fukuoka|gainesville|galveston|galway|gary|gateshead|gdansk|gdańsk|geneva|genoa|ghent|gent
|gillingham|giza|glasgow|glendale|gloucester|goa|gold coast|gothenburg|göteborg|granada|grand rapids|graz|green bay|greenville|grenoble|grimsby|groningen|guadalajara|guangzhou|guatemala city|guayaquil|haifa|halifax|hamburg|hamilton|hampton
|hangzhou|hanoi|hannover|hanover|harare|harbin|harlow|harrisburg|hartford|hartlepool|harrogate|hastings|havana|heidelberg|helsinki|high wycombe|hiroshima|ho chi minh city|hobart|hollywood|hong kong|honolulu|houston|huddersfield|hull|huntsville
|hyderabad|ibadan|ibiza|incheon|indianapolis|innsbruck|inverness|ipswich|irvine|islamabad|istanbul|izmir|jackson|jacksonville|jaipur|jakarta|jeddah|jersey city|jerusalem|johannesburg|johor bahru|juneau|kabul|kaliningrad|kampala|kansas city
|kaohsiung|karachi|karlsruhe|kathmandu|katowice|kazan|key west|kharkiv|khartoum|kiev|kyiv|kigali|kingston|kinshasa|knoxville|kobe|kolkata|calcutta|krakow|kraków|kuala lumpur|kuching|kyoto|lafayette|lagos|lahore|lancaster|lansing|laredo|las vegas
|lausanne|leeds|leicester|leiden|leipzig|lexington|lille|lima|limerick|lincoln|linz|lisbon|lisboa|little rock|liverpool|ljubljana|lodz|łódź|london|long beach|los angeles|louisville|lubbock|lucerne|lucknow|luton|luxor|lviv|lyon|macau|madison|madrid
|madurai|maidstone|malaga|málaga|malmo|malmö|managua|manaus|manchester|manchester city|mandalay|manhattan|manila|mannheim|maputo|marbella|marrakech|marrakesh|marseille|mecca|medan|medellin|medellín|medina|melbourne|memphis|mesa|mexico city|miami
|middlesbrough|milan|milano|milton keynes|milwaukee|minneapolis|minsk|missoula|mobile|modesto|mogadishu|mombasa|monaco|mons|monterey|monterrey|montevideo|montgomery|montpellier|montreal|montréal|moscow|mumbai|bombay|munich|münchen|munster|nagasaki
|nagoya|nagpur|nairobi|nanjing|nantes|napa|naples|napoli|nashville|nassau|newark|newcastle|new delhi|new haven|new orleans|newport|new york|new york city|nice|norfolk|northampton|norwich|nottingham|novosibirsk|nuremberg|oakland|odesa|odessa|ogden
|oklahoma city|oldham|omaha|orlando|osaka|oslo|ottawa|oxford|palermo|palm springs|palo alto|panama city|paris|pasadena|pattaya|penang|pensacola|peoria|perth|peterborough|philadelphia|phnom penh|phoenix|phuket|pisa|pittsburgh|plano|plymouth|poole
|portland|porto|port louis|portsmouth|poznan|poznań|prague|praha|preston|pretoria|providence|provo|puebla|pune|pyongyang|quebec city|queens|quito|rabat|raleigh|reading|redding|regina|reno|reykjavik|reykjavík|richmond|riga|rio de janeiro|riverside
|riyadh|roanoke|rochdale|rochester|rockford|rome|roma|rosario|rotterdam|sacramento|saigon|saint louis|saint petersburg|salem|salford|salt lake city|salvador|salzburg|san antonio|san bernardino|san diego|san francisco|san jose|san juan|san salvador
|santa ana|santa barbara|santa cruz|santa fe|santa monica|santiago|santo domingo|sao paulo|são paulo|sapporo|sarajevo|sarasota|savannah|scarborough|scottsdale|scranton|seattle|sendai|seoul|seville|sevilla|shanghai|sheffield|shenzhen|shreveport
|singapore|sioux falls|skopje|slough|sofia|southampton|southend|southport|spokane|springfield|stamford|st louis|st. louis|st albans|st paul|st petersburg|stavanger|stevenage|stockholm|stockport|stockton|stoke-on-trent|stoke|strasbourg|stuttgart
|sunderland|surabaya|surat|swansea|swindon|sydney|syracuse|tacoma|taipei|tallahassee|tallinn|tampa|tampere|tangier|tashkent|tbilisi|tehran|telford|tel aviv|tempe|thessaloniki|tijuana|timbuktu|tirana|tokyo|toledo|topeka|toronto|toulouse|tripoli
|trondheim|troy|tucson|tulsa|tunis|turin|torino|turku|tuscaloosa|ulaanbaatar|uppsala|utrecht|valencia|valparaiso|vancouver|venice|venezia|verona|versailles|victoria|vienna|wien|vilnius|virginia beach|vladivostok|wakefield|walsall|warrington
|warsaw|warszawa|washington|washington dc|washington d.c.|waco|wellington|west palm beach|wichita|wigan|wilmington|winnipeg|wolverhampton|worcester|worthing|wroclaw|wrocław|wuhan|wuppertal|xian|xi'an|yangon|yerevan|yokohama|yonkers|york|zagreb
|zaragoza|zurich|zürich`.replaceAll("\n", "")

/** Parts of cities and countries, seas, mountains, nicknames, and buildings and squares. */
export const knownSpots = `
alcatraz|alsace|amazon rainforest|andalucia|andalusia|andes|antarctica|appalachia|arabia|arctic|area 51|atlantic|bahamas|balkans|baltics|bavaria|bay area|bel air|benelux|big apple|big ben|black sea|bondi beach|bora bora|bourbon street|broadway|bronx
|brittany|buckingham palace|burgundy|california|camden town|canary wharf|capitol hill|caribbean|carpathians|catalonia|caucasus|central america|central asia|central park|champs elysees|champs-élysées|chelsea|chernobyl|chinatown|coney island|copacabana
|cornwall|corsica|costa del sol|cotswolds|covent garden|crete|crimea|cumbria|death valley|devon|dolomites|donbas|downing street|downtown la|east africa|east anglia|east coast|eastern europe|east end|east london|eiffel tower|everglades|far east
|fifth avenue|flanders|florida keys|fort bragg|fort hood|galapagos|gaza|gaza strip|gobi desert|golden gate bridge|golan heights|grand canyon|great barrier reef|great britain|great lakes|ground zero|guantanamo|guantanamo bay|gulf coast|gulf of mexico
|harlem|heathrow|hampshire|hertfordshire|highlands|himalayas|holy land|hyde park|iberia|indian ocean|inner mongolia|jersey shore|joshua tree|kashmir|kent|kosovo|kremlin|kurdistan|lake como|lake district|lake erie|lake huron|lake michigan|lake ontario
|lake superior|lake tahoe|lancashire|lapland|latin america|leicester square|levant|lincoln memorial|lombardy|long island|los alamos|lower manhattan|machu picchu|madison square garden|malibu|mallorca|majorca|martha's vineyard|mediterranean|melanesia
|mecklenburg|mesopotamia|miami beach|michigan|mid west|middle east|midlands|midwest|minnesota|mississippi|montana|mount everest|mount fuji|mount rushmore|mount vernon|mt everest|mykonos|myrtle beach|napa valley|new england|new south wales
|niagara falls|nola|norcal|normandy|north africa|north america|north carolina|north pole|north sea|north shore|northern england|northern ireland|northern territory|notting hill|nyc|orange county|oxford street|pacific northwest|palestine|patagonia
|pearl harbor|peloponnese|pennsylvania avenue|pentagon|persian gulf|philly|piccadilly|piccadilly circus|pompeii|provence|pudong|puerto rico|punjab|pyrenees|queensland|red sea|red square|rhineland|rikers island|rio grande|riviera|rockies|rocky mountains
|runnymede|rust belt|sahara|sahel|saint helena|san fernando valley|santorini|sardinia|saxony|scandinavia|scotland|sea world|seaworld|sherwood forest|shoreditch|siberia|sicily|silesia|silicon valley|sinai|skid row|smithsonian|snowdonia|socal|soho
|somerset|south africa|south america|south asia|south beach|south carolina|south dakota|south east asia|south london|south pole|south side|southeast asia|sri lanka|staten island|statue of liberty|stonehenge|suez|suez canal|suffolk|sunset boulevard
|surrey|sussex|taj mahal|tasmania|tenerife|texas|thames|hague|hamptons|tiananmen square|tibet|times square|tower bridge|trafalgar square|transylvania|trump tower|tuscany|twin towers|tyneside|tyrol|ulster|upstate new york|urals
|vatican|vegas|venice beach|vermont|waikiki|wales|wall street|walloonia|wembley|wembley stadium|west africa|west bank|west coast|west end|west point|west virginia|western australia|western europe|west hollywood|westminster|white house|wimbledon
|wisconsin|wuhan lab|wyoming|yellowstone|yorkshire|yosemite|yucatan|zanzibar`.replaceAll("\n", "")

/** What things that stand on a map are called: a name that ends so is a place. */
export const placeNouns =
  "airbase airfield airport aquarium arena avenue bay beach blvd boulevard borough bridge canyon castle cathedral cape cemetery coast county cove creek crossing dam desert district docks dunes estuary falls farm fjord forest fort gardens glacier gorge gulf harbor harbour heights highlands hill hills island islands isle isles jail jungle junction lagoon lake lakes lodge lighthouse mall manor marina marsh meadows memorial monument motorway mountain mountains museum neighborhood neighbourhood oasis ocean palace park parkway peak peninsula pier pines plains plantation plateau plaza pond port prairie prison quarter quay ranch rapids reef refinery reservation reservoir resort ridge river riverside ruins sanctuary sea shore shores sound speedway springs square stadium station strait street subdivision suburb suburbs summit temple terminal terrace tower towers town township trail turnpike valley village vineyard volcano wharf woods zoo ave rd hwy highway"

/** What names of places begin with. */
export const placeHeads = "lake mount mt fort cape port point camp isle"

/** Cities that are called like ordinary words. */
export const ordinaryCities =
  "reading bath mobile nice cork hull slough gary mesa stoke poole bend surat troy essen hastings regina mons bern dover bari worthing buffalo phoenix cali"

/** Countries that people write often: with two letters the wrong way round they count too. */
export const oftenMisspelt =
  "afghanistan argentina australia austria bangladesh belgium brazil britain bulgaria canada croatia denmark egypt england ethiopia europe finland france germany ghana greece hungary iceland indonesia ireland israel italy jamaica japan malaysia mexico morocco netherlands nigeria norway pakistan palestine philippines poland portugal romania russia scotland singapore somalia spain sweden switzerland taiwan thailand tunisia turkey ukraine venezuela vietnam zimbabwe"

/** Countries by names that the gazetteer lacks. */
export const knownCountries =
  "czech republic|united states|united states of america|united kingdom|republic of ireland|great britain|north korea|south korea|ivory coast|cape verde|east timor|burma|macedonia|swaziland|holland|people's republic of china|russian federation|soviet union"
