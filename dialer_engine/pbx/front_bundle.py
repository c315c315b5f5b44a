"""The bundled Kamailio: Debian's packages in a root of their own, as for Asterisk.

It lies in DIALER_HOME/bundle/ID and counts only with its marker. DIALER_FRONT_ROOT names another root ("/" in the
containers).
"""

import os
import re
from pathlib import Path

from dialer_engine.pbx.bundle import MARKER, Bundle, exclusive, fill_root, output_of
from dialer_engine.pbx.debian import (
    BundleError,
    Progress,
    Wanted,
    architecture,
    multiarch,
    silent,
)
from dialer_engine.settings.home import public_directory

MINIMUM_VERSION = (6, 1)
RECIPE = "front-forky-1"
KAMAILIO = Wanted("Kamailio", ("kamailio", "kamailio-sqlite-modules"), 35_000_000)


def find_front_bundle(home: Path) -> Bundle | None:
    """The complete root of this home, or the one DIALER_FRONT_ROOT names; None when there is none."""
    named = os.environ.get("DIALER_FRONT_ROOT")
    if named:
        return _checked(Bundle(Path(named), multiarch()))
    root = _place(home)
    return Bundle(root, multiarch()) if (root / MARKER).exists() else None


def install_front_bundle(home: Path, progress: Progress = silent) -> Bundle:
    """Return the root with Kamailio, downloading it first when it is missing; safe to repeat and to interrupt."""
    present = find_front_bundle(home)
    if present is not None:
        return present
    root = _place(home)
    public_directory(root.parent)
    with exclusive(root.parent / ".lock", progress) as lock:
        return find_front_bundle(home) or _install(root, home / "log" / "bundle.log", lock, progress)


def kamailio_version(bundle: Bundle) -> str:
    """What `kamailio -v` says, such as 6.1.5."""
    text = output_of(bundle, "kamailio", "-v")
    found = re.search(r"version: kamailio (\d+\.\d+\.\d+)", text)
    if found is None:
        raise BundleError(f"{bundle.root}: `kamailio -v` names no version: {text[:80]!r}")
    return found[1]


def kamailio_modules(bundle: Bundle) -> Path:
    """The directory of Kamailio's loadable modules."""
    return bundle.libraries / "kamailio" / "modules"


def location_schema(bundle: Bundle) -> list[Path]:
    """The scripts that make the tables of Kamailio's location file, in their order."""
    place = bundle.root / "usr/share/kamailio/db_sqlite"
    return [place / "standard-create.sql", place / "usrloc-create.sql"]


def _install(root: Path, log: Path, lock: int, progress: Progress) -> Bundle:
    downloads = root.parent / "downloads-front"
    return fill_root(
        root, downloads, log, lock, progress, KAMAILIO, lambda made: kamailio_version(_checked(made))
    )


def _checked(bundle: Bundle) -> Bundle:
    version = kamailio_version(bundle)
    if tuple(int(part) for part in version.split("."))[:2] < MINIMUM_VERSION:
        wanted = ".".join(str(part) for part in MINIMUM_VERSION)
        raise BundleError(f"{bundle.root}: Kamailio {version} is too old, {wanted} or later is needed")
    missing = [str(path) for path in location_schema(bundle) if not path.exists()]
    if missing:
        raise BundleError(f"{missing[0]}: is missing; install kamailio-sqlite-modules beside kamailio")
    return bundle


def _place(home: Path) -> Path:
    return home / "bundle" / f"{RECIPE}-{architecture()}"
