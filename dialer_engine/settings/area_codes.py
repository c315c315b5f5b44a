"""Bring the zones that `phonenumbers` knows into `area_codes.csv`, and say where it and our table differ.

Neither source is enough: the library has wrong or missing zones for young overlays, and our table knows whole
area codes only. The union is what the gate uses. `python -m dialer_engine.settings.area_codes FILE
[--write]`:
without `--write` it only reports, and the exit code says whether the file is up to date.
"""

import csv
import io
import re
import sys
from pathlib import Path

import phonenumbers
from phonenumbers.tzdata import TIMEZONE_DATA

COLUMNS = ("npa", "country", "regions", "zones", "library_zones")


def library_zones(npa: str) -> tuple[str, ...]:
    """Return every zone the library gives to an area code or any part of it; empty when it knows none."""
    prefix = f"1{npa}"
    zones = {zone for key, names in TIMEZONE_DATA.items() if key.startswith(prefix) for zone in names}
    return tuple(sorted(zones - {"Etc/Unknown"}))


def library_area_codes() -> set[str]:
    """Return the area codes the library takes for geographic in the US and Canada."""
    patterns = [_geographic(country) for country in ("US", "CA")]
    samples = [(f"{npa}", f"{npa}{exchange}1234") for npa in range(200, 1000) for exchange in (234, 456, 789)]
    return {npa for npa, number in samples if any(pattern.fullmatch(number) for pattern in patterns)}


def _geographic(country: str) -> re.Pattern[str]:
    data = phonenumbers.PhoneMetadata.metadata_for_region(country)
    pattern = (
        data.fixed_line.national_number_pattern if data is not None and data.fixed_line is not None else None
    )
    if pattern is None:
        raise LookupError(f"the phonenumbers package has no data for {country}")
    return re.compile(pattern)


def refreshed(text: str) -> str:
    """Return the file's text with the column `library_zones` as the installed library has it."""
    rows = list(csv.DictReader(io.StringIO(text)))
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        own = row["zones"].split()
        added = [zone for zone in library_zones(row["npa"]) if zone not in own]
        writer.writerow({**row, "library_zones": " ".join(added)})
    return out.getvalue()


def differences(text: str) -> list[str]:
    """Say in words which area codes only one side knows, and where the library has zones that we lack."""
    rows = {row["npa"]: row for row in csv.DictReader(io.StringIO(refreshed(text)))}
    known = library_area_codes()
    lines = [f"{npa}: only the library knows it; look it up and add it" for npa in sorted(known - set(rows))]
    lines += [f"{npa}: the library does not know it" for npa in sorted(set(rows) - known)]
    lines += [
        f"{npa}: the library adds {row['library_zones']}" for npa, row in rows.items() if row["library_zones"]
    ]
    return lines


def main(arguments: list[str]) -> int:
    """Report the differences; with `--write` bring the file up to date."""
    file = Path(arguments[0])
    text = file.read_text(encoding="utf-8")
    sys.stdout.writelines(line + "\n" for line in differences(text))
    fresh = refreshed(text)
    if "--write" in arguments[1:]:
        file.write_text(fresh, encoding="utf-8")
        return 0
    return 0 if fresh == text else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
