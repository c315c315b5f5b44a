"""nftables' `nft` in a root of its own, for tests and benchmarks of the firewall's rules; nothing else needs it.

It lies in DIALER_HOME/bundle/ID like Asterisk, and counts only with its marker.
"""

import re
from pathlib import Path

from dialer_engine.pbx.bundle import MARKER, Bundle, exclusive, fill_root, output_of
from dialer_engine.pbx.debian import BundleError, Progress, Wanted, architecture, multiarch, silent
from dialer_engine.settings.home import public_directory

RECIPE = "nft-forky-1"
NFTABLES = Wanted("nftables", ("nftables",), 5_000_000)


def install_nft_bundle(home: Path, progress: Progress = silent) -> Bundle:
    """Return the root with `nft`, downloading it first when it is missing; safe to repeat and to interrupt."""
    root = home / "bundle" / f"{RECIPE}-{architecture()}"
    if (root / MARKER).exists():
        return Bundle(root, multiarch())
    public_directory(root.parent)
    with exclusive(root.parent / ".lock", progress) as lock:
        if (root / MARKER).exists():
            return Bundle(root, multiarch())
        downloads, log = root.parent / "downloads-nft", home / "log" / "bundle.log"
        return fill_root(root, downloads, log, lock, progress, NFTABLES, nft_version)


def nft_version(bundle: Bundle) -> str:
    """What `nft --version` says, such as 1.1.6."""
    text = output_of(bundle, "nft", "--version")
    found = re.search(r"nftables v(\d+\.\d+(\.\d+)?)", text)
    if found is None:
        raise BundleError(f"{bundle.root}: `nft --version` names no version: {text[:80]!r}")
    return found[1]
