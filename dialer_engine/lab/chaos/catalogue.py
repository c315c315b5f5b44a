"""All faults of the suite, by name, in the order of their importance."""

from __future__ import annotations

from dialer_engine.lab.chaos.asterisk_faults import asterisk_faults
from dialer_engine.lab.chaos.clock_faults import clock_faults
from dialer_engine.lab.chaos.config_faults import config_faults
from dialer_engine.lab.chaos.disk_faults import disk_faults
from dialer_engine.lab.chaos.engine_faults import engine_faults
from dialer_engine.lab.chaos.fault import Fault
from dialer_engine.lab.chaos.flood_faults import flood_faults
from dialer_engine.lab.chaos.link_faults import link_faults
from dialer_engine.lab.chaos.node_faults import node_faults
from dialer_engine.lab.chaos.phone_faults import phone_faults
from dialer_engine.lab.chaos.postgres_faults import postgres_faults
from dialer_engine.lab.chaos.split_faults import split_faults
from dialer_engine.lab.chaos.trunk_faults import trunk_faults
from dialer_engine.lab.place import LabError


def catalogue() -> dict[str, Fault]:
    """Every fault by its name."""
    groups = (
        engine_faults(),
        asterisk_faults(),
        postgres_faults(),
        link_faults(),
        phone_faults(),
        config_faults(),
        split_faults(),
        trunk_faults(),
        disk_faults(),
        clock_faults(),
        node_faults(),
        flood_faults(),
    )
    return {fault.name: fault for group in groups for fault in group}


def chosen(names: list[str]) -> list[Fault]:
    """The faults with these names, all without any; LabError names one that does not exist."""
    known = catalogue()
    for name in names:
        if name not in known:
            raise LabError(f"there is no fault {name!r}; see them with: dialer chaos --list")
    return [known[name] for name in names or known]
