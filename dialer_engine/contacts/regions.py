"""Hints from a contact's address: in which states, provinces and time zones may this person be?

A hint only ever adds a region or zone whose calling hours must be kept; it never takes away those of the area
code. What cannot be read gives no hint.
"""

import re
from collections.abc import Container
from functools import lru_cache

_STATES = (
    "AL Alabama|AK Alaska|AZ Arizona|AR Arkansas|CA California|CO Colorado|CT Connecticut|"
    "DE Delaware|DC District of Columbia|FL Florida|GA Georgia|HI Hawaii|ID Idaho|IL Illinois|"
    "IN Indiana|IA Iowa|KS Kansas|KY Kentucky|LA Louisiana|ME Maine|MD Maryland|MA Massachusetts|"
    "MI Michigan|MN Minnesota|MS Mississippi|MO Missouri|MT Montana|NE Nebraska|NV Nevada|"
    "NH New Hampshire|NJ New Jersey|NM New Mexico|NY New York|NC North Carolina|ND North Dakota|"
    "OH Ohio|OK Oklahoma|OR Oregon|PA Pennsylvania|RI Rhode Island|SC South Carolina|"
    "SD South Dakota|TN Tennessee|TX Texas|UT Utah|VT Vermont|VA Virginia|WA Washington|"
    "WV West Virginia|WI Wisconsin|WY Wyoming|PR Puerto Rico|VI Virgin Islands|GU Guam|"
    "AS American Samoa|MP Northern Mariana Islands"
)
_PROVINCES = (
    "AB Alberta|BC British Columbia|MB Manitoba|NB New Brunswick|NL Newfoundland and Labrador|"
    "NS Nova Scotia|NT Northwest Territories|NU Nunavut|ON Ontario|PE Prince Edward Island|"
    "QC Quebec|SK Saskatchewan|YT Yukon|QC Québec|NB Nouveau-Brunswick|NS Nouvelle-Écosse|"
    "BC Colombie-Britannique|NL Newfoundland"
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


def _table(text: str, country: str) -> dict[str, str]:
    pairs = [entry.split(" ", 1) for entry in text.split("|")]
    codes = {code.casefold(): f"{country}-{code}" for code, _ in pairs}
    return codes | {name.casefold(): f"{country}-{code}" for code, name in pairs}


_REGIONS = _table(_STATES, "US") | _table(_PROVINCES, "CA")


def _zip_table() -> dict[int, str]:
    words = _ZIP.split()
    spans = ((span.split("-"), state) for span, state in zip(words[::2], words[1::2], strict=True))
    return {
        prefix: f"US-{state}" for (first, last), state in spans for prefix in range(int(first), int(last) + 1)
    }


_ZIPS = _zip_table()


@lru_cache(maxsize=65536)
def region_hints(state: str, postal_code: str) -> tuple[str, ...]:
    """Return the regions that a state or province and a ZIP or postal code name, such as ('US-TX',)."""
    found = [_REGIONS.get(" ".join(state.replace(".", "").split()).casefold()), *_of_postal(postal_code)]
    return tuple(sorted({region for region in found if region}))


def _of_postal(text: str) -> tuple[str | None, ...]:
    code = text.strip().upper()
    zip_code = re.fullmatch(r"(\d{3,5})(?:\.0|-\d{4})?", code)
    if zip_code:
        # A spreadsheet takes the leading zeros off.
        return (_ZIPS.get(int(zip_code[1].zfill(5)[:3])),)
    if re.fullmatch(r"[A-Z]\d[A-Z] ?\d[A-Z]\d", code):
        if code[0] == "X":
            return ("CA-NT", "CA-NU")
        province = _POSTAL.get(code[0])
        return (f"CA-{province}" if province else None,)
    return (None,)


def zone_hints(text: str, known: Container[str]) -> tuple[str, ...]:
    """Return the IANA zone that a time zone column names, if it is a known one."""
    name = text.strip()
    if name in known:
        return (name,)
    word = name.casefold().removesuffix(" time").removesuffix(" standard").removesuffix(" daylight").strip()
    short = re.fullmatch(r"(AK|[ECMPA])[SD]?T", name.upper())
    zone = _ZONES.get(_SHORT[short[1]] if short else word)
    return (zone,) if zone in known and zone else ()
