"""Load a configuration directory: all of it or nothing, with every error of every file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from dialer_engine.core.carrier_codes import CarrierCodes
from dialer_engine.core.gate import RuleBook
from dialer_engine.core.numbers import NumberPlan
from dialer_engine.settings.base import Model
from dialer_engine.settings.campaign import Campaign
from dialer_engine.settings.carriers import CarrierTable, carriers_file, load_carriers
from dialer_engine.settings.crosscheck import check_campaign, check_engine
from dialer_engine.settings.explain import explain
from dialer_engine.settings.models import Settings
from dialer_engine.settings.problems import Problem, SettingsError, in_order
from dialer_engine.settings.risks import find_risks
from dialer_engine.settings.rules import (
    RulesError,
    RuleSet,
    load_rule_set,
    own_rules_file,
    rules_directory,
)
from dialer_engine.settings.text_file import UnreadableError
from dialer_engine.settings.yaml_text import Document, read_document

__all__ = ["DEFAULT_DIRECTORY", "ENGINE_FILE", "Config", "Problem", "SettingsError", "load_config"]

ENGINE_FILE = "dialer.yaml"
DEFAULT_DIRECTORY = Path("config")
M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Config:
    """A checked configuration; `warnings` are risks that do not stop its use."""

    settings: Settings
    campaigns: Mapping[str, Campaign]
    rules: RuleBook
    plan: NumberPlan
    directory: Path
    carriers: CarrierCodes = CarrierCodes({})  # noqa: RUF009
    files: tuple[Path, ...] = ()
    rule_texts: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = field(default=(), compare=False)


def load_config(directory: Path) -> Config:
    """Read and check `dialer.yaml`, `campaigns/*.yaml` and the rules; SettingsError holds all errors."""
    directory = Path(directory)
    _check_directory(directory)
    return _Loading(directory).run()


def _check_directory(directory: Path) -> None:
    what = ""
    if directory.is_file():
        what = f"this is a file; name the directory that holds {ENGINE_FILE}"
    elif not directory.is_dir():
        what = f"there is no such directory; write an example with: dialer init {directory}"
    elif not (directory / ENGINE_FILE).exists():
        what = f"this directory has no {ENGINE_FILE}; write an example with: dialer init {directory}"
    if what:
        raise SettingsError([Problem(directory, 0, 0, "", what)])


class _Loading:
    """One pass over a directory; collects problems until everything has been looked at."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.problems: list[Problem] = []
        self.documents: list[Document] = []

    def run(self) -> Config:
        rules = self._rules()
        plan = rules.plan if rules else None
        carriers = self._carriers()
        engine = self._read(self.directory / ENGINE_FILE)
        settings = self._validate(engine, Settings) if engine else None
        if engine:
            self.problems += check_engine(
                engine, plan, None if carriers.problems else carriers.codes.providers
            )
        campaigns = self._campaigns(engine, plan)
        if self.problems or settings is None or rules is None:
            raise SettingsError(self.problems)
        return self._config(settings, campaigns, rules, carriers)

    def _config(
        self, settings: Settings, campaigns: dict[str, Campaign], rules: RuleSet, carriers: CarrierTable
    ) -> Config:
        files = (*(d.file for d in self.documents), *rules.files, carriers.file)
        risks = in_order(find_risks(self.documents[0], self.documents[1:], settings, campaigns))
        return Config(
            settings,
            campaigns,
            rules.book,
            rules.plan,
            self.directory,
            carriers.codes,
            files,
            rules.texts,
            risks,
        )

    def _carriers(self) -> CarrierTable:
        carriers = load_carriers(carriers_file(self.directory))
        self.problems += [Problem(p.file, p.line, min(p.line, 1), "", p.what) for p in carriers.problems]
        return carriers

    def _rules(self) -> RuleSet | None:
        try:
            return load_rule_set(rules_directory(self.directory), own_rules_file(self.directory))
        except RulesError as error:
            self.problems += [Problem(p.file, p.line, min(p.line, 1), "", p.what) for p in error.problems]
            return None

    def _read(self, file: Path) -> Document | None:
        try:
            document, problems = read_document(file)
        except UnreadableError as error:
            self.problems.append(error.problem)
            return None
        self.problems += problems
        self.documents.append(document)
        return document

    def _validate(self, document: Document, model: type[M], **more: str) -> M | None:
        content = more | document.content
        try:
            return model.model_validate(content, context={"directory": document.file.parent})
        except ValidationError as error:
            self.problems += explain(document, model, error)
            return None

    def _campaigns(self, engine: Document | None, plan: NumberPlan | None) -> dict[str, Campaign]:
        lab = bool(engine and engine.content.get("lab"))
        found: dict[str, Campaign] = {}
        for file in self._campaign_files():
            document = self._read(file)
            if document is None:
                continue
            self.problems += check_campaign(document, engine, plan, lab)
            campaign = self._validate(document, Campaign, name=file.stem)
            if campaign is not None:
                found[campaign.name] = campaign
        return found

    def _campaign_files(self) -> list[Path]:
        try:
            entries = sorted((self.directory / "campaigns").iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            place = self.directory / "campaigns"
            self.problems.append(
                Problem(place, 0, 0, "", f"this cannot be read: {error.strerror}", "a directory")
            )
            return []
        for entry in entries:
            if entry.suffix == ".yml":
                self.problems.append(
                    Problem(entry, 0, 0, "", "this file would be ignored", "a name in .yaml")
                )
        return [entry for entry in entries if entry.suffix == ".yaml" and not entry.name.startswith(".")]
