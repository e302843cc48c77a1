/** What there is to know about Port Selwyn, a town that does not exist: the documents and the questions are made of it. */

export interface Fact {
  readonly topic: "ferries" | "harbour" | "museum" | "town"
  readonly heading: string
  readonly says: string
  /** What the archive has instead: an older edition. */
  readonly before?: string
  readonly question: string
  /** What a right answer must say. */
  readonly answer: string
}

const fact = (
  topic: Fact["topic"],
  heading: string,
  question: string,
  answer: string,
  says: string,
  before?: string
): Fact => ({ topic, heading, question, answer, says, ...(before === undefined ? {} : { before }) })

export const facts: ReadonlyArray<Fact> = [
  fact(
    "ferries",
    "The ferry to Ost",
    "How long does the ferry to Ost take?",
    "40 minutes",
    "The ferry to Ost takes 40 minutes."
  ),
  fact(
    "ferries",
    "The ferry to Ost",
    "What does a ticket for the ferry to Ost cost?",
    "6 crowns",
    "A ticket for the ferry to Ost costs 6 crowns.",
    "A ticket for the ferry to Ost was 4 crowns in 2014."
  ),
  fact(
    "ferries",
    "The ferry to Ost",
    "When does the last ferry to Ost leave in the evening?",
    "21:30",
    "The last ferry to Ost leaves in the evening at 21:30.",
    "Until 2016 the last ferry to Ost left in the evening at 19:00."
  ),
  fact(
    "ferries",
    "The ferry to Marra",
    "From which pier does the ferry to Marra leave?",
    "pier 5",
    "The ferry to Marra leaves from pier 5.",
    "The ferry to Marra leaves from pier 2."
  ),
  fact(
    "ferries",
    "The ferry to Marra",
    "On which days does the ferry to Marra run in winter?",
    "Friday",
    "In winter the ferry to Marra runs on Friday and Sunday only."
  ),
  fact(
    "ferries",
    "The ferry to Marra",
    "How many cars fit on the ferry to Marra?",
    "24 cars",
    "The ferry to Marra has room for 24 cars.",
    "The old ferry to Marra had room for 12 cars, and was sold in 2018."
  ),
  fact(
    "ferries",
    "Bicycles and dogs",
    "What does a bicycle cost on a ferry?",
    "free",
    "A bicycle travels free on every ferry.",
    "A bicycle was 2 crowns on every ferry in 2013."
  ),
  fact(
    "ferries",
    "Bicycles and dogs",
    "Where may dogs stay on a ferry?",
    "open deck",
    "Dogs stay on the open deck of a ferry, on a lead."
  ),
  fact(
    "ferries",
    "Tickets",
    "Where can I buy ferry tickets on a Sunday?",
    "machine",
    "On a Sunday ferry tickets are sold by the machine beside the kiosk.",
    "On a Sunday ferry tickets are sold at the harbour office."
  ),
  fact(
    "ferries",
    "Tickets",
    "Until when can a ferry ticket be returned?",
    "two hours",
    "A ferry ticket can be returned until two hours before departure."
  ),
  fact(
    "ferries",
    "Tickets",
    "Who travels on the ferries at half price?",
    "students",
    "Children under 14 and students travel on the ferries at half price.",
    "Children under 14 travel on the ferries at half price."
  ),
  fact(
    "ferries",
    "Storms",
    "From which wind force do the ferries stay in port?",
    "force 9",
    "From wind force 9 on the ferries stay in port."
  ),
  fact(
    "harbour",
    "Berths",
    "What does a berth for a yacht cost a night?",
    "35 crowns",
    "A berth for a yacht costs 35 crowns a night.",
    "A berth for a yacht was 20 crowns a night in 2012."
  ),
  fact(
    "harbour",
    "Berths",
    "How many berths are kept for visiting yachts?",
    "60 berths",
    "60 berths are kept for visiting yachts.",
    "48 berths are kept for visiting yachts."
  ),
  fact(
    "harbour",
    "Berths",
    "How deep is the water in the yacht basin?",
    "4 metres",
    "The water in the yacht basin is 4 metres deep."
  ),
  fact(
    "harbour",
    "The harbour master",
    "On which radio channel does the harbour master listen?",
    "channel 12",
    "The harbour master listens on radio channel 12.",
    "Until 2015 the harbour master was to be called on radio channel 9."
  ),
  fact(
    "harbour",
    "The harbour master",
    "Who is the harbour master?",
    "Ilse Varn",
    "The harbour master is Ilse Varn.",
    "The harbour master was Joost Brandt until 2019."
  ),
  fact(
    "harbour",
    "The harbour master",
    "When is the harbour office open on Saturdays?",
    "9 to 13",
    "On Saturdays the harbour office is open from 9 to 13."
  ),
  fact(
    "harbour",
    "Fish",
    "At what hour does the fish auction begin?",
    "5:30",
    "The fish auction begins at 5:30 on working days.",
    "The fish auction begins at 4:00 on working days."
  ),
  fact(
    "harbour",
    "Fish",
    "Which fish is landed most at Port Selwyn?",
    "herring",
    "The fish that is landed most at Port Selwyn is herring."
  ),
  fact(
    "harbour",
    "Fish",
    "How many boats fish from the harbour?",
    "31 boats",
    "31 boats fish from the harbour.",
    "In 2010 there were 52 boats that fished from the harbour."
  ),
  fact(
    "harbour",
    "Fuel and water",
    "Where do boats take on diesel?",
    "south mole",
    "Boats take on diesel at the south mole."
  ),
  fact(
    "harbour",
    "Fuel and water",
    "What does drinking water for a boat cost?",
    "3 crowns",
    "Drinking water for a boat costs 3 crowns a cubic metre.",
    "Drinking water for a boat was included in the berth until 2017."
  ),
  fact("harbour", "The lighthouse", "How many steps has the lighthouse?", "187 steps", "The lighthouse has 187 steps."),
  fact(
    "museum",
    "Visiting the museum",
    "On which day is the museum closed?",
    "Tuesday",
    "The museum is closed on Tuesday.",
    "The museum is closed on Monday."
  ),
  fact(
    "museum",
    "Visiting the museum",
    "What is the price of admission to the museum?",
    "9 crowns",
    "The price of admission to the museum is 9 crowns.",
    "The price of admission to the museum was 5 crowns in 2011."
  ),
  fact(
    "museum",
    "Visiting the museum",
    "When is admission to the museum free?",
    "first Thursday",
    "Admission to the museum is free on the first Thursday of a month.",
    "Until 2014 admission to the museum was free on Sundays."
  ),
  fact(
    "museum",
    "Visiting the museum",
    "May visitors take photographs in the museum?",
    "without flash",
    "Visitors may take photographs in the museum without flash."
  ),
  fact(
    "museum",
    "The collection",
    "Which is the oldest ship model in the collection?",
    "the Halcyon",
    "The oldest ship model in the collection is the Halcyon of 1702.",
    "The oldest ship model in the collection was thought to be the Marigold of 1731, in 2009."
  ),
  fact(
    "museum",
    "The collection",
    "How many whale bones does the collection hold?",
    "212",
    "The collection holds 212 whale bones."
  ),
  fact(
    "museum",
    "The collection",
    "Who painted the great picture of the storm?",
    "Agnes Tollmer",
    "The great picture of the storm was painted by Agnes Tollmer."
  ),
  fact(
    "museum",
    "The collection",
    "In which room do the sea charts hang?",
    "room 8",
    "The sea charts hang in room 8.",
    "The sea charts hang in room 3."
  ),
  fact(
    "museum",
    "Guided tours",
    "When does the guided tour in English begin?",
    "14:00",
    "The guided tour in English begins at 14:00.",
    "In 2012 the guided tour in English was at 11:00."
  ),
  fact(
    "museum",
    "Guided tours",
    "How many people may join a guided tour?",
    "18 people",
    "A guided tour is for up to 18 people."
  ),
  fact(
    "museum",
    "Guided tours",
    "What does an audio guide cost?",
    "2 crowns",
    "An audio guide costs 2 crowns.",
    "An audio guide was 4 crowns in 2016."
  ),
  fact(
    "museum",
    "The café",
    "What is the museum café known for?",
    "rhubarb cake",
    "The museum café is known for its rhubarb cake."
  ),
  fact(
    "town",
    "The market",
    "On which days is the weekly market held?",
    "Wednesday",
    "The weekly market is held on Wednesday and Saturday.",
    "Until 2018 the weekly market was held on Friday."
  ),
  fact(
    "town",
    "The market",
    "On which square is the weekly market?",
    "Linden Square",
    "The weekly market is on Linden Square.",
    "The weekly market is on Church Square."
  ),
  fact(
    "town",
    "Getting about",
    "Which bus line goes to the hospital?",
    "line 7",
    "Bus line 7 goes to the hospital.",
    "In 2015 the bus to the hospital was line 3."
  ),
  fact(
    "town",
    "Getting about",
    "How much is a day ticket for the bus?",
    "8 crowns",
    "A day ticket for the bus is 8 crowns.",
    "A day ticket for the bus was 5 crowns in 2013."
  ),
  fact("town", "Getting about", "Where can bicycles be rented?", "station", "Bicycles can be rented at the station."),
  fact(
    "town",
    "Getting about",
    "How long may a car be parked on Linden Square?",
    "90 minutes",
    "A car may be parked on Linden Square for 90 minutes.",
    "A car may be parked on Linden Square for two hours."
  ),
  fact(
    "town",
    "The town hall",
    "On which floor is the registry office?",
    "third floor",
    "The registry office is on the third floor of the town hall."
  ),
  fact(
    "town",
    "The town hall",
    "Who is the mayor of Port Selwyn?",
    "Noor Achterberg",
    "The mayor of Port Selwyn is Noor Achterberg.",
    "The mayor of Port Selwyn was Piet Hallam until 2020."
  ),
  fact("town", "The town hall", "When was the town hall built?", "1884", "The town hall was built in 1884."),
  fact(
    "town",
    "The library",
    "For how many weeks can a book be borrowed from the library?",
    "five weeks",
    "A book can be borrowed from the library for five weeks.",
    "A book can be borrowed from the library for three weeks."
  ),
  fact(
    "town",
    "The library",
    "What does a library card cost for adults?",
    "12 crowns",
    "A library card costs 12 crowns for adults.",
    "A library card was 10 crowns for adults in 2017."
  ),
  fact(
    "town",
    "The library",
    "Since when does the library lend musical instruments?",
    "2021",
    "Since 2021 the library lends musical instruments."
  )
]
