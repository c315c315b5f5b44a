"""Hints from a contact's address: in which states, provinces, time zones and country may this person be?

A hint only ever adds a region or zone whose calling hours must be kept; it never takes away those of the area
code. What cannot be read gives no hint. A postal code may narrow the zones of its own region, and only where the
state or province does not name another one.
"""

import re
from collections.abc import Container
from dataclasses import dataclass
from functools import lru_cache

from dialer_engine.contacts.countries import plain, read_country
from dialer_engine.core.numbers import NumberPlan

_STATES = (
    "AL Alabama|AK Alaska|AZ Arizona|AR Arkansas|CA California|CO Colorado|CT Connecticut|"
    "DE Delaware|DC District of Columbia|FL Florida|GA Georgia|HI Hawaii|ID Idaho|IL Illinois|"
    "IN Indiana|IA Iowa|KS Kansas|KY Kentucky|LA Louisiana|ME Maine|MD Maryland|MA Massachusetts|"
    "MI Michigan|MN Minnesota|MS Mississippi|MO Missouri|MT Montana|NE Nebraska|NV Nevada|"
    "NH New Hampshire|NJ New Jersey|NM New Mexico|NY New York|NC North Carolina|ND North Dakota|"
    "OH Ohio|OK Oklahoma|OR Oregon|PA Pennsylvania|RI Rhode Island|SC South Carolina|"
    "SD South Dakota|TN Tennessee|TX Texas|UT Utah|VT Vermont|VA Virginia|WA Washington|"
    "WV West Virginia|WI Wisconsin|WY Wyoming|PR Puerto Rico|VI Virgin Islands|GU Guam|"
    "AS American Samoa|MP Northern Mariana Islands|"
    # As people write them, the shortenings of newspapers among them.
    "AL Ala|AZ Ariz|AR Ark|CA Calif|CA Cal|CO Colo|CT Conn|DE Del|DC Washington DC|DC Washington D C|FL Fla|HI Hawai'i|"
    "IL Ill|IN Ind|KS Kan|KS Kans|MA Mass|MI Mich|MN Minn|MS Miss|MT Mont|NE Neb|NE Nebr|NV Nev|NM N Mexico|"
    "NC N Carolina|ND N Dakota|OK Okla|OR Ore|OR Oreg|PA Penn|PA Penna|SC S Carolina|SD S Dakota|TN Tenn|TX Tex|"
    "WA Wash|WV W Virginia|WV W Va|WV WVa|WI Wis|WI Wisc|WY Wyo|VI US Virgin Islands|VI USVI|MP CNMI"
)
_PROVINCES = (
    "AB Alberta|BC British Columbia|MB Manitoba|NB New Brunswick|NL Newfoundland and Labrador|"
    "NS Nova Scotia|NT Northwest Territories|NU Nunavut|ON Ontario|PE Prince Edward Island|"
    "QC Quebec|SK Saskatchewan|YT Yukon|NB Nouveau-Brunswick|NS Nouvelle-Écosse|"
    "BC Colombie-Britannique|NL Newfoundland|NL Labrador|NL NF|NL NFLD|NL Terre-Neuve|NL Terre-Neuve-et-Labrador|"
    "PE PEI|PE Île-du-Prince-Édouard|QC PQ|QC Que|QC Québec|YT Yukon Territory|YT YK|YT Territoire du Yukon|NT NWT|"
    "NT Territoires du Nord-Ouest|ON Ont|AB Alta|MB Man|SK Sask"
)
# Three-digit ZIP prefixes, first-last STATE.
_ZIP = (
    "005-005 NY 006-007 PR 008-008 VI 009-009 PR 010-027 MA 028-029 RI 030-038 NH 039-049 ME "
    "050-054 VT 055-055 MA 056-059 VT 060-069 CT 070-089 NJ 100-149 NY 150-196 PA 197-199 DE "
    "200-200 DC 201-201 VA 202-205 DC 206-219 MD 220-246 VA 247-268 WV 270-289 NC 290-299 SC "
    "300-319 GA 320-339 FL 341-349 FL 350-369 AL 370-385 TN 386-397 MS 398-399 GA 400-427 KY "
    "430-459 OH 460-479 IN 480-499 MI 500-528 IA 530-549 WI 550-567 MN 570-577 SD 580-588 ND "
    "590-599 MT 600-629 IL 630-658 MO 660-679 KS 680-693 NE 700-714 LA 716-729 AR 730-732 OK "
    "733-733 TX 734-749 OK 750-799 TX 800-816 CO 820-831 WY 832-838 ID 840-847 UT 850-865 AZ "
    "870-884 NM 885-885 TX 889-898 NV 900-961 CA 967-968 HI 969-969 GU 970-979 OR 980-994 WA "
    "995-999 AK"
)
_ODD_ZIP = {
    "06390": "NY",
    "83414": "WY",
    "96799": "AS",
    "96950": "MP",
    "96951": "MP",
    "96952": "MP",
}
"""Codes whose first three digits name another place."""
_POSTAL = {
    **dict(zip("ABCEGHJ", ("NL", "NS", "PE", "NB", "QC", "QC", "QC"), strict=True)),
    **dict(zip("KLMNPRSTVY", ("ON", "ON", "ON", "ON", "ON", "MB", "SK", "AB", "BC", "YT"), strict=True)),
}
_ZONES = {
    "eastern": "America/New_York",
    "central": "America/Chicago",
    "mountain": "America/Denver",
    "pacific": "America/Los_Angeles",
    "alaska": "America/Anchorage",
    "hawaii": "Pacific/Honolulu",
    "atlantic": "America/Halifax",
    "newfoundland": "America/St_Johns",
}
_SHORT = {"E": "eastern", "C": "central", "M": "mountain", "P": "pacific", "AK": "alaska", "A": "atlantic"}


@dataclass(frozen=True, slots=True)
class Address:
    """What a state, a postal code and a country say.

    `regions` are such as ('US-TX',), sorted; `postal` is the region of the postal code and its first three characters
    where no other place is named; with `understood` nothing that stood there was left unread. `country` is one that is
    named without a region of it: `US`, `CA` or the two letters of another one.
    """

    regions: tuple[str, ...] = ()
    postal: tuple[str, str] | None = None
    understood: bool = True
    country: str = ""

    @property
    def abroad(self) -> bool:
        """Whether another country is named than the US, its territories and Canada."""
        return self.country not in ("", "US", "CA")

    def zones(self, plan: NumberPlan) -> tuple[str, ...]:
        """Return the zones of the postal code, if the plan knows them; else every zone of the regions counts."""
        return () if self.postal is None else plan.zones_of_postal(*self.postal)


def _table(text: str, country: str) -> dict[str, str]:
    pairs = [entry.split(" ", 1) for entry in text.split("|")]
    found: dict[str, str] = {}
    for code, name in pairs:
        for spelling in (code, f"{country} {code}", name):
            found[plain(spelling)] = f"{country}-{code}"
    return found


_REGIONS = _table(_STATES, "US") | _table(_PROVINCES, "CA")
_COUNTRY = re.compile(r" (usa?|united states( of america)?|canada)$")


def _zip_table() -> dict[int, str]:
    words = _ZIP.split()
    spans = ((span.split("-"), state) for span, state in zip(words[::2], words[1::2], strict=True))
    return {
        prefix: f"US-{state}" for (first, last), state in spans for prefix in range(int(first), int(last) + 1)
    }


_ZIPS = _zip_table()


@lru_cache(maxsize=65536)
def read_address(state: str, postal_code: str, country: str = "") -> Address:
    """Return what a state or province, a ZIP or postal code and a country name, in the spellings that people use."""
    region, land = _region(state), read_country(country)
    by_code, prefix = _of_postal(postal_code)
    # A territory, or a state that stands in the wrong column.
    other = _region(country) if land is None else land if "-" in land else None
    found = {*by_code, *(each for each in (region, other) if each)}
    if plain(country) == "ca" and any(each.startswith("US-") for each in found):
        found.add("US-CA")
    alone = "" if not land or land == other or any(each[:2] == land for each in found) else land
    regions = tuple(sorted(found))
    read = bool(region or not plain(state)) and (land is not None or other is not None)
    narrows = read and len(regions) == 1 and bool(by_code) and not alone
    understood = read and bool(by_code or not plain(postal_code))
    return Address(regions, (regions[0], prefix) if narrows else None, understood, alone)


def _region(text: str) -> str | None:
    """Return the state or province that a text names, such as `US-TX`."""
    name = plain(text)
    return _REGIONS.get(name) or _REGIONS.get(_COUNTRY.sub("", name))


def _of_postal(text: str) -> tuple[tuple[str, ...], str]:
    """Return the regions of a ZIP or postal code and its first three characters; neither when it is none."""
    code = re.sub(r"[\s\u2010-\u2015-]+", " ", text.upper()).strip().removesuffix(".0")
    zip_code = re.fullmatch(r"(\d{3,5})|(\d{4,5}) \d{4}|(\d{3,5})\d{4}", code, re.ASCII)
    if zip_code:
        # A spreadsheet takes the leading zeros off.
        five = next(part for part in zip_code.groups() if part).zfill(5)
        odd = _ODD_ZIP.get(five)
        state = f"US-{odd}" if odd else _ZIPS.get(int(five[:3]))
        return ((state,) if state else ()), five[:3]
    if re.fullmatch(r"[A-Z]\d[A-Z]( ?\d[A-Z]\d)?", code, re.ASCII):
        if code[0] == "X":
            return ("CA-NT", "CA-NU"), code[:3]
        province = _POSTAL.get(code[0])
        return ((f"CA-{province}",) if province else ()), code[:3]
    return (), ""


def zone_hints(text: str, known: Container[str]) -> tuple[str, ...]:
    """Return the known IANA zone that a time zone column names; the gate adds those of the same name."""
    name = text.strip()
    if name in known:
        return (name,)
    word = name.casefold().removesuffix(" time").removesuffix(" standard").removesuffix(" daylight").strip()
    short = re.fullmatch(r"(AK|[ECMPA])[SD]?T", name.upper())
    zone = _ZONES.get(_SHORT[short[1]] if short else word)
    return (zone,) if zone in known and zone else ()
