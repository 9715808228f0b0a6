"""The documents that the demo's agent reads: the year's logs of a small ferry company that never was."""

from __future__ import annotations

__all__ = ["DOCUMENTS"]

DOCUMENTS = {
    "fuel-contract": """\
Fuel contract of the Sound Ferry Company, 2025.
The five boats bunker at the north quay only, on Mondays and Thursdays, from one supplier. The contract was
renewed in January after three offers had been compared; the cheapest offer was refused because its tank
truck could not pass the harbour gate. Price: 1.20 EUR per litre, delivered, fixed for the year. Waste oil
goes back to the supplier without charge. Invoices arrive at the end of each month and are paid within
thirty days.
""",
    "ferry-anna": """\
Log of the ferry Anna, 2025.
Anna is the oldest boat (built 1978, new engines 2011) and takes the short line to Holm. She carried school
classes every weekday in term and was out of the water for eleven days in April, when the hull was painted.
The crew reports that the starboard gangway still sticks in frost; a new hinge is ordered.
Crossings made: 2900. Crossings cancelled: 41. Fuel bought: 58000 litres. Passengers: 196400.
The harbour master asks for a second pair of fenders before the winter timetable begins.
""",
    "ferry-berta": """\
Log of the ferry Berta, 2025.
Berta runs the long line to the outer islands, in all weathers, with a crew of five. In February she towed a
fishing boat home, which cost her a day and brought a letter of thanks. Her radar was replaced in June under
warranty.
Crossings made: 1450. Crossings cancelled: 97. Fuel bought: 87000 litres. Passengers: 121800.
The mate notes that the northern buoy off Stenskar has moved some forty metres since the spring storms,
which the pilots have been told twice.
""",
    "ferry-cilla": """\
Log of the ferry Cilla, 2025.
Cilla is the summer boat. She sails from May to September, is laid up for the rest of the year, and carries
bicycles on the open deck. The kiosk on board was let to the sailing club, which kept it clean. One window
in the saloon was broken by a gull; nobody was hurt.
Crossings made: 1200. Crossings cancelled: 12. Fuel bought: 21000 litres. Passengers: 88900.
Her batteries are at the end of their life and should be on next year's budget.
""",
    "ferry-dagny": """\
Log of the ferry Dagny, 2025.
Dagny carries lorries and the weekly medicine for the islands. She is the only boat with a crane, and was
chartered for nine days by the lighthouse service. Her ramp was welded twice in the autumn; the yard doubts
that a third weld will hold.
Crossings made: 800. Crossings cancelled: 23. Fuel bought: 64000 litres. Passengers: 30200.
The lorry companies ask for a late sailing on Fridays, which the crew could serve if one more deckhand were
hired.
""",
    "ferry-edla": """\
Log of the ferry Edla, 2025.
Edla is the newest boat and the reserve: she sails when another is in the yard, and on Sundays for the
church at Holm. Her crew is lent by the other boats. The heating failed once, in March, and was mended by
the engineer with a part from the old Fridolf.
Crossings made: 520. Crossings cancelled: 8. Fuel bought: 26000 litres. Passengers: 21700.
The insurers have asked for a new survey of her life rafts before Easter.
""",
}
