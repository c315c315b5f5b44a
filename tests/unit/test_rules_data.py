"""The shipped rule files, the loader's errors, and the scripts that keep the files up to date."""

import csv
import shutil
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from gate_support import AREAS, BOOK, PLAN, RULES, area_zones, table

from dialer_engine.core.numbers import TERRITORY_REGIONS
from dialer_engine.settings import area_codes, holidays
from dialer_engine.settings.rules import SHIPPED, RulesError, load_rule_set, load_rules, rules_directory

pytestmark = pytest.mark.unit

RECENT = (
    "689 364 448 930 458 581 367 263 354 368 382 387 428 431 468 474 548 584 683 742 753 879 942 235 324 329"
    " 350 353 363 369 436 457 465 472 483 557 572 582 621 624 645 656 659 679 686 728 729 730 738 771 820 826"
    " 835 837 838 839 840 854 861 878 934 943 945 948 959 983 986"
)
OVERLAYS = [
    "205 659", "334 483", "870 327", "209 350", "213 323 738", "530 837", "559 357", "707 369", "909 840",
    "303 720 983", "970 748", "305 786 645", "407 689", "561 728", "813 656", "850 448", "904 324", "208 986",
    "309 861", "618 730", "812 930", "270 364", "318 457", "301 240 227", "313 679", "507 924", "662 471",
    "314 557", "573 235", "816 975", "845 329", "516 363", "716 624", "910 472", "440 436", "513 283",
    "405 572", "541 458", "484 610 835", "814 582", "864 821", "423 729", "713 281 832 346 621", "540 826",
    "804 686", "757 948", "608 353", "403 780 587 825 368", "250 236 257 672 778", "506 428", "709 879",
    "902 782", "519 226 548 382", "705 249 683", "905 289 365 742", "613 343 753", "416 647 437 942 387",
    "418 581 367 273", "514 438 263", "450 579 354", "819 873 468", "306 639 474", "204 431 584",
]  # fmt: skip


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A copy of the shipped rules that a test may spoil."""
    return Path(shutil.copytree(SHIPPED, tmp_path / "rules"))


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def problems(directory: Path) -> str:
    with pytest.raises(RulesError) as caught:
        load_rules(directory)
    return str(caught.value)


def test_every_state_and_province_has_a_rule_and_both_countries_a_federal_one() -> None:
    assert sum(country == "US" and code != "*" for country, code in RULES) == 56
    assert sum(country == "CA" and code != "*" for country, code in RULES) == 13
    assert {"US", "CA"} <= set(BOOK.regions)


def test_recent_area_codes_are_in_the_plan() -> None:
    assert set(RECENT.split()) <= set(PLAN.areas)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_area_codes_of_one_place_share_regions_and_own_zones(overlay: str) -> None:
    rows = [AREAS[npa] for npa in overlay.split()]
    assert len({row["regions"] for row in rows}) == 1
    parent = set(rows[0]["zones"].split())
    assert all(parent <= set(row["zones"].split()) for row in rows)


@pytest.mark.parametrize(
    ("npa", "zones"),
    [
        ("850", "America/New_York America/Chicago"),
        ("448", "America/New_York America/Chicago"),
        ("208", "America/Boise America/Los_Angeles"),
        ("458", "America/Los_Angeles America/Boise"),
        ("928", "America/Phoenix America/Denver"),
        ("775", "America/Los_Angeles America/Denver"),
        ("906", "America/Detroit America/Menominee"),
        ("807", "America/Toronto America/Chicago America/Winnipeg"),
        ("689", "America/New_York America/Chicago"),
        ("581", "America/Toronto America/Halifax America/Blanc-Sablon"),
        ("867", "America/Whitehorse America/Iqaluit America/Inuvik"),
    ],
)
def test_split_area_codes_have_all_their_zones(npa: str, zones: str) -> None:
    assert set(zones.split()) <= set(PLAN.areas[npa].zones)


def test_the_file_holds_the_union_with_the_installed_library() -> None:
    text = (SHIPPED / "area_codes.csv").read_text(encoding="utf-8")
    assert area_codes.refreshed(text) == text
    for npa, area in PLAN.areas.items():
        assert set(area_codes.library_zones(npa)) <= set(area.zones)
        assert set(area.zones) == area_zones(AREAS[npa])


def test_no_area_code_of_the_library_is_missing() -> None:
    assert area_codes.library_area_codes() <= set(PLAN.areas)
    text = (SHIPPED / "area_codes.csv").read_text(encoding="utf-8")
    lines = area_codes.differences(text)
    assert "729: the library does not know it" in lines
    assert not any("only the library knows it" in line for line in lines)


def test_area_code_script_reports_and_writes(rules: Path) -> None:
    file = rules / "area_codes.csv"
    assert area_codes.main([str(file)]) == 0
    edit(file, "689,US,US-FL,America/New_York,America/Chicago", "689,US,US-FL,America/New_York,")
    assert area_codes.main([str(file)]) == 1
    assert area_codes.main([str(file), "--write"]) == 0
    assert area_codes.main([str(file)]) == 0


def test_territories_are_listed_as_such_and_nowhere_else() -> None:
    listed = {npa for npa, area in PLAN.areas.items() if TERRITORY_REGIONS & set(area.regions)}
    assert listed == {"787", "939", "340", "671", "684", "670"}


def test_each_regions_window_lies_within_its_countrys() -> None:
    for region, rows in BOOK.regions.items():
        federal = BOOK.regions[region[:2]][0]
        for row in rows:
            for own, bound in zip(row.windows, federal.windows, strict=True):
                assert own is None or (bound is not None and bound[0] <= own[0] and own[1] <= bound[1])


@pytest.mark.parametrize(
    ("zone", "hours"),
    [("America/Vancouver", -7), ("America/Edmonton", -6), ("America/Winnipeg", -5), ("America/Inuvik", -6)],
)
def test_canada_keeps_its_clocks_in_december_2026(zone: str, hours: int) -> None:
    december = datetime(2026, 12, 8, 18, 0, tzinfo=UTC)
    assert december.astimezone(BOOK.zones[zone]).utcoffset() == timedelta(hours=hours)


def test_known_caps_and_dates() -> None:
    capped = {region for region, rows in BOOK.regions.items() if rows[-1].attempts_24h == 3}
    assert capped == {"US-FL", "US-MD", "US-OK", "US-OR"}
    oregon = BOOK.regions["US-OR"][0]
    assert oregon.effective_from == date(2026, 1, 1)
    assert BOOK.rule("US-OR", date(2025, 12, 31)) is None
    assert BOOK.rule("US-NY", date(1990, 1, 1)) is not None


def test_holidays_file_is_what_the_script_makes() -> None:
    shipped = [(row["region"], row["date"], row["kind"], row["name"]) for row in table("holidays")]
    assert shipped == holidays.rows(2026, 2030)
    assert BOOK.holiday_years == {2026, 2027, 2028, 2029, 2030}


@pytest.mark.parametrize(
    ("day", "region", "name"),
    [
        ("2026-04-03", "US-LA", "Good Friday"),
        ("2027-03-26", "US-PA", "Good Friday"),
        ("2026-02-17", "US-LA", "Mardi Gras"),
        ("2027-02-09", "US-AL", "Mardi Gras"),
        ("2026-05-25", "US-RI", "Memorial Day"),
        ("2026-11-26", "US-UT", "Thanksgiving Day"),
        ("2026-11-03", "US-PA", "Election Day"),
        ("2026-08-10", "US-RI", "Victory Day"),
        ("2026-07-24", "US-UT", "Pioneer Day"),
        ("2027-03-26", "US-UT", "Good Friday"),
        ("2026-06-15", "US-UT", "Juneteenth (observed)"),
        ("2026-06-19", "US-UT", "Juneteenth"),
        ("2027-06-21", "US-UT", "Juneteenth (observed)"),
        ("2027-12-31", "US-AL", "New Year's Day (observed)"),
    ],
)
def test_known_holidays(day: str, region: str, name: str) -> None:
    assert BOOK.holidays[region][date.fromisoformat(day)] == name


def test_holiday_script_prints_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert holidays.main(["2026", "2030"]) == 0
    assert capsys.readouterr().out == (SHIPPED / "holidays.csv").read_text(encoding="utf-8")


def test_version_names_every_file_and_changes_with_it(rules: Path) -> None:
    before = load_rules(rules)[0].version
    assert before == BOOK.version
    edit(rules / "calling_rules.csv", "Alabama,08:00,20:00", "Alabama,09:00,20:00")
    after = load_rules(rules)[0].version
    changed = [a != b for a, b in zip(before.split(), after.split(), strict=True)]
    assert changed == [True, False, False, False, False]
    edit(
        rules / "postal_zones.csv", "379,US-TN,America/New_York", "379,US-TN,America/Chicago America/New_York"
    )
    with_postal = load_rules(rules)[0].version
    changed = [a != b for a, b in zip(after.split(), with_postal.split(), strict=True)]
    assert changed == [False, False, True, False, False]


def test_dated_rows_change_at_local_midnight(rules: Path) -> None:
    file = rules / "calling_rules.csv"
    rows = list(csv.DictReader(file.open(encoding="utf-8", newline="")))
    old = next(row for row in rows if row["region_code"] == "NY")
    new = {**old, "weekday_start": "10:00", "effective_from": "2026-07-01"}
    old["effective_to"] = "2026-06-30"
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(old))
        writer.writeheader()
        writer.writerows([*rows, new])
    book, _ = load_rules(rules)
    before, after = book.rule("US-NY", date(2026, 6, 30)), book.rule("US-NY", date(2026, 7, 1))
    assert before is not None
    assert after is not None
    assert (before.windows[1], after.windows[2]) == ((480, 1260), (600, 1260))
    assert time(*divmod(600, 60)) == time(10)


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("calling_rules", "Alabama,08:00", "Alabama,8 am", "calling_rules.csv:4: '8 am' is not a time"),
        ("calling_rules", "Alabama,08:00,20:00", "Alabama,20:00,08:00", "ends before it begins"),
        ("calling_rules", "Alabama,08:00", "Alabama,closed", "closed in both cells"),
        ("calling_rules", "US,AL,", "UK,AL,", "'UK' is not one of US, CA"),
        ("calling_rules", "US,AL,", "US,AZ,", "a second row for US-AZ"),
        ("calling_rules", "US,AL,", "US,Ala,", "neither two capital letters"),
        ("calling_rules", "US,*,", "US,ZZ,", "no federal row (US,*)"),
        ("calling_rules", "no,3,yes", "no,0,yes", "at least 1"),
        ("calling_rules", ",high,2021-07-01,", ",high,1 July 2021,", "not a date like"),
        ("calling_rules", ",high,2021-07-01,,", ",high,2021-07-01,2020-01-01,", "before effective_from"),
        ("calling_rules", ",high,2021-07-01,", ",certain,2021-07-01,", "'certain' is not one of"),
        ("calling_rules", "effective_to,reviewed_by", "effective_to", "columns must be"),
        ("calling_rules", "Alabama,", "Alabama,extra,", "has 18 cells, 17 are needed"),
        ("area_codes", "201,US,US-NJ", "201,US,US-XX", "area_codes.csv:2: region 'US-XX' has no"),
        ("area_codes", "201,US,US-NJ", "201,CA,US-NJ", "no calling rule for CA"),
        ("area_codes", "201,US,US-NJ", "101,US,US-NJ", "not an area code"),
        ("area_codes", "202,US,US-DC", "201,US,US-DC", "listed twice"),
        ("area_codes", "US-NJ,America/New_York", "US-NJ,America/Gotham", "'America/Gotham' is not"),
        ("area_codes", "US-NJ,America/New_York", "US-NJ,", "one region and one zone"),
        ("postal_zones", "379,US-TN,", "37,US-TN,", "'37' is not how a postal code of US-TN begins"),
        ("postal_zones", "379,US-TN,", "379,CA-ON,", "'379' is not how a postal code of CA-ON begins"),
        ("postal_zones", "379,US-TN,", "379,US-XX,", "region 'US-XX' has no calling rule"),
        ("postal_zones", "379,US-TN,", "376,US-TN,", "376 of US-TN is listed twice"),
        ("postal_zones", "379,US-TN,America/New_York,", "379,US-TN,,", "needs at least one zone"),
        ("postal_zones", "379,US-TN,America/New_York", "379,US-TN,America/Gotham", "'America/Gotham' is not"),
        ("postal_zones", "379,US-TN,America/New_York", "379,US-TN,America/Denver", "is none of US-TN"),
        ("holidays", "US-AL,2026-01-01,date", "US-AL,2026-13-01,date", "holidays.csv:2: '2026-13-01'"),
        ("holidays", "US-AL,2026-01-01,date", "XX,2026-01-01,date", "region 'XX' has no calling rule"),
        ("holidays", "US-AL,2026-01-01,date", "US-AL,2026-01-01,day", "'day' is not one of"),
        ("holidays", "US-AL,2026-01-01,date", "US-AL,,date", "needs a date and a name"),
    ],
)  # fmt: skip
def test_a_spoiled_file_is_refused_with_file_and_line(
    rules: Path, file: str, old: str, new: str, words: str
) -> None:
    edit(rules / f"{file}.csv", old, new)
    assert words in problems(rules)


def test_all_errors_of_all_files_come_at_once(rules: Path) -> None:
    edit(rules / "calling_rules.csv", "Alabama,08:00", "Alabama,early")
    edit(rules / "holidays.csv", "US-AL,2026-01-01,date", "US-AL,soon,date")
    with pytest.raises(RulesError) as caught:
        load_rules(rules)
    assert [problem.file.stem for problem in caught.value.problems] == ["calling_rules", "holidays"]


def test_missing_unreadable_and_broken_files(rules: Path) -> None:
    (rules / "holidays.csv").unlink()
    (rules / "area_codes.csv").write_bytes(b"npa,\xff\xfe\n")
    edit(rules / "calling_rules.csv", "US,AL,Alabama", 'US,AL,"Alabama')
    text = problems(rules)
    assert "holidays.csv:0: cannot be read" in text
    assert "not UTF-8" in text
    assert "not valid CSV" in text


def test_a_year_counts_only_when_every_region_concerned_lists_it(rules: Path) -> None:
    edit(rules / "holidays.csv", "US-PA,2028-12-25,date,Christmas Day\n", "")
    assert load_rules(rules)[0].holiday_years == {2026, 2027, 2029, 2030}


def test_a_configuration_may_bring_its_own_rules(tmp_path: Path) -> None:
    assert rules_directory(tmp_path) == SHIPPED
    (tmp_path / "rules").mkdir()
    assert rules_directory(tmp_path) == tmp_path / "rules"


# --- the further files ----------------------------------------------------------------------------


def in_us(codes: str) -> set[str]:
    return {f"US-{code}" for code in codes.split()}


def test_five_states_want_consent_and_twelve_have_windows_for_devices() -> None:
    assert set(BOOK.automated) == {"US-CT", "US-FL", "US-MD", "US-OK", "US-WY"}
    assert set(BOOK.devices) == in_us("AL CA IL IN KY ME MI NE NV OK SD UT")
    assert [region for region, rows in BOOK.automated.items() if rows[0].manual_too] == ["US-CT"]


def test_terms_of_both_countries_and_puerto_rico() -> None:
    today = date(2026, 11, 23)
    us, canada = BOOK.terms_of("US", today), BOOK.terms_of("CA", today)
    assert us is not None
    assert canada is not None
    assert (us.abandon_limit, us.abandon_period, us.list_max_age_days) == (0.03, "30_days", 31)
    assert (canada.abandon_limit, canada.abandon_period, canada.list_warn_age_days) == (0.05, "month", 21)
    assert BOOK.ring_window(["US", "US-PR"], [today]) == (15, 28)
    assert BOOK.terms_of("US-TX", today) is None


def test_every_row_has_a_source_and_recording_consent() -> None:
    for table_ in (BOOK.regions, BOOK.automated, BOOK.devices, BOOK.terms):
        assert all(row.source and row.name for rows in table_.values() for row in rows)
    by_region = {region: rows[-1].recording for region, rows in BOOK.regions.items()}
    asked = {region for region, kind in by_region.items() if kind in ("yes", "mixed")}
    assert asked == in_us("CA CT DE FL IL MD MA MI MT NV NH PA WA")
    assert {by_region[f"CA-{code}"] for code in ("ON", "QC", "BC")} == {"notice"}


def test_what_is_coming_is_in_order_and_undated_things_come_last() -> None:
    upcoming = load_rule_set(SHIPPED).upcoming
    dated = [each.day for each in upcoming if each.day is not None]
    assert dated == sorted(dated)
    assert dated[0] == date(2027, 1, 31)
    assert upcoming[-1].day is None


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("automated_dialing", "US,FL,Florida,automated,", "US,FL,Florida,always,", ":3: 'always' is not one"),
        ("automated_dialing", "automated,express_written,no", "automated,spoken,no", "'spoken' is not"),
        ("automated_dialing", "automated,express_written,no", "automated,,no", "names no consent"),
        ("automated_dialing", "US,WY,", "US,OK,", ":6: a second row for US-OK"),
        ("automated_dialing", "US,FL,", "US,QQ,", ":3: region 'US-QQ' has no calling rule"),
        ("announcing_devices", "21:00,13:00,21:00,,291", "21:00,13:00,,,291", ":9: '' is not a time"),
        ("announcing_devices", "US,ME,Maine,09:00,17:00", "US,ME,Maine,17:00,09:00", ":7: the window"),
        ("dialing_terms", ",15,28,", ",30,28,", ":4: ring_min_s 30 is more than ring_max_s 28"),
        ("dialing_terms", "15,,3,30_days", "15,,3,", "needed together"),
        ("dialing_terms", "15,,3,30_days", "15,,3 percent,30_days", "not a percentage"),
        ("dialing_terms", "15,,3,30_days", "15,,100,30_days", "between 0 and 100"),
        ("dialing_terms", "15,,5,month", "15,,5,fortnight", ":3: 'fortnight' is not one of"),
        ("upcoming", "2027-01-31,US,", "soon,US,", "upcoming.csv:2: 'soon' is not a date"),
        ("upcoming", ',US-PA,"SB', ',US-QQ,"SB', "region 'US-QQ'"),
        ("calling_rules", ",47 CFR 64.1200(c)(1); 16 CFR 310.4(c),high", ",,high", "a rule needs its source"),
    ],
)  # fmt: skip
def test_a_spoiled_further_file_is_refused_too(
    rules: Path, file: str, old: str, new: str, words: str
) -> None:
    edit(rules / f"{file}.csv", old, new)
    assert words in problems(rules)


def test_the_files_texts_are_kept_by_name() -> None:
    found = load_rule_set(SHIPPED)
    assert {file.name for file in found.files} == set(found.texts)
    assert found.texts["holidays.csv"] == (SHIPPED / "holidays.csv").read_text(encoding="utf-8")
