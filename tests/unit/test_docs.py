"""The reference names everything that there is, in the words of the code, and nothing that there is not."""

import importlib
import json
import pkgutil
import re
import shlex
import warnings
from dataclasses import fields

import pytest
import typer

import governance
import governance.testing
import governance_adapters
from governance import ports, regeneration, works
from governance.errors import GovernanceError
from governance.facts import MAX_IMAGES
from governance.normalise import MAX_PROMPT_CHARACTERS
from governance.obligations import Obligations
from governance_adapters import cli, reference
from governance_adapters.commands.reasons import markdown_table
from governance_adapters.marking.keys import create_insecure_keys
from governance_adapters.policy.annotations import read_annotations, reason_codes, undocumented
from governance_adapters.policy.bundle import Bundle, default_bundle_path
from governance_adapters.settings import TOML_FILE, Settings
from support.markdown import DOCUMENTS, ROOT, blocks, command_lines, headings, inline_code, names, section, table

REFERENCE = (ROOT / "docs" / "reference.md").read_text()
README = (ROOT / "README.md").read_text()
DESIGN = (ROOT / "docs" / "design.md").read_text()
POLICIES = default_bundle_path()

OTHER_WORDS = {"data", "model", "policy"}
"""First parts of reason codes that begin other names in the documents too: `data.json`, `model.digest`."""


def assert_rows(found, expected):
    """Cell by cell; on a difference the whole table stands in the message, to be pasted."""
    paste = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in expected)
    assert found == expected, f"the table should be:\n{paste}"


def commands(group=None, path=("governance",)):
    """Every command of the app by its words, in the order of `--help`."""
    for name, command in (group or typer.main.get_command(cli.app)).commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = {" ".join(path): command for path, command in commands()}


def parse(line):
    """Parse a command line as the app would, and run nothing."""
    words = shlex.split(line)[1:]
    command = typer.main.get_command(cli.app)
    while hasattr(command, "commands"):
        assert words, f"{line!r} names no command"
        command = command.commands[words.pop(0)]
    return command.make_context(line, words)


def option_row(parameter):
    if parameter.param_type_name == "argument":
        return [f"`{parameter.name.upper()}`", "required" if parameter.required else "", parameter.help]
    spelt = ", ".join(f"`{option}`" for option in (*parameter.opts, *parameter.secondary_opts))
    default = parameter.default
    shown = "required" if parameter.required else "" if default in (None, False, "") else f"`{default}`"
    return [spelt, "on" if default is True else shown, parameter.help]


def test_every_command_is_documented():
    documented = [title.strip("`") for level, title in headings(section(REFERENCE, "Commands")) if level == 3]
    assert documented == list(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_is_documented_in_its_own_words(path):
    assert_rows(table(section(REFERENCE, f"`{path}`")), [option_row(item) for item in COMMANDS[path].params])


def test_every_exit_code_is_documented():
    from governance_adapters.commands.verify import CANNOT_CHECK

    codes = {0, CANNOT_CHECK} | {value for name, value in vars(cli).items() if name.startswith("EXIT_")}
    assert names(section(REFERENCE, "Exit codes")) == {str(code) for code in codes}


def setting_row(name, field):
    default = field.default
    if field.default_factory is not None:
        shown = "the user's data directory"
    elif default in (None, "", ()):
        shown = ""
    else:
        plain = [str(item) for item in default] if isinstance(default, tuple) else default
        shown = f"`{json.dumps(plain) if isinstance(plain, list) else plain}`"
    return [f"`{name}`", f"`GOVERNANCE_{name.upper()}`", shown, field.description]


def test_every_setting_is_documented_in_its_own_words():
    expected = [setting_row(name, field) for name, field in Settings.model_fields.items()]
    assert_rows(table(section(REFERENCE, "Settings")), expected)


def test_the_readme_names_every_setting():
    assert names(section(README, "Settings")) == set(Settings.model_fields)


def test_every_reason_code_is_documented_in_the_words_of_the_policy():
    policies = Bundle.load(POLICIES).policies
    assert undocumented(policies) == []
    printed = markdown_table(reason_codes(read_annotations(policies)))
    assert printed in section(REFERENCE, "Reason codes"), f"`governance policy reasons --markdown` prints:\n{printed}"
    assert_rows(table(section(REFERENCE, "Reason codes")), table(printed))


SAID_ELSEWHERE = {"obligations", "roles.<name>.budget", "roles.<name>.limits"}
"""Tables whose keys are those of another one: the obligations, the general limits and the general budgets."""


def data_keys(schema, path=""):
    """Every key of `data.json` with its description, `<name>` for keys that the reader chooses."""
    for name, child in schema.get("properties", {}).items():
        yield f"{path}{name}", child.get("description")
        if f"{path}{name}" not in SAID_ELSEWHERE:
            yield from data_keys(child, f"{path}{name}.")
    if isinstance(others := schema.get("additionalProperties"), dict):
        yield f"{path}<name>", None
        yield from data_keys(others, f"{path}<name>.")


def test_every_key_of_the_policy_data_is_documented():
    schema = json.loads((POLICIES / "schemas" / "data.schema.json").read_text())
    keys = dict(data_keys(schema))
    documented = {row[0].strip("`"): row[1] for row in table(section(REFERENCE, "Policy data"))}
    assert list(documented) == list(keys)
    for key, description in keys.items():
        assert documented[key], key
        assert description in (None, documented[key]), key
    assert set(json.loads((POLICIES / "data.json").read_text())) == set(schema["properties"])


def test_the_limits_before_policy_are_those_of_the_code():
    limits = section(REFERENCE, "Policy data")
    assert f"Above {MAX_PROMPT_CHARACTERS} characters" in limits
    assert f"Above {MAX_IMAGES} images" in limits


def test_every_obligation_is_documented():
    known = {field.name for field in fields(Obligations)}
    assert names(section(REFERENCE, "Obligations")) == known
    schema = json.loads((POLICIES / "schemas" / "data.schema.json").read_text())
    # The day's budget follows from data.budgets and the principal's roles, and what becomes of a hold from data.review;
    # nobody writes these as obligations.
    assert set(schema["properties"]["obligations"]["properties"]) == known - {
        "day_budget", "queue", "due_hours", "expire_hours"
    }  # fmt: skip
    role = schema["properties"]["roles"]["additionalProperties"]["properties"]
    assert role["limits"]["properties"] == schema["properties"]["limits"]["properties"]
    assert role["budget"]["properties"] == schema["properties"]["budgets"]["properties"]


def summary(documented):
    """The first line of a docstring."""
    return documented.__doc__.splitlines()[0]


@pytest.mark.parametrize("package", [governance, governance.testing, governance_adapters, reference])
def test_every_public_name_is_documented(package):
    rows = table(section(REFERENCE, f"`{package.__name__}`"))
    assert [row[0] for row in rows] == [f"`{name}`" for name in package.__all__]
    for name, row in zip(package.__all__, rows, strict=True):
        value = getattr(package, name)
        # A constant has no docstring of its own.
        assert row[1] == (summary(value) if callable(value) else row[1] or "a meaning"), name


def modules():
    """Every module but the programs that train the reference model and the migrations."""
    for package in (governance, governance_adapters):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if ".reference" not in found.name and ".migrations" not in found.name and ".pipelines" not in found.name:
                yield importlib.import_module(found.name)


def subclasses(kind):
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def test_every_error_is_documented_under_its_parent():
    list(modules())
    kinds = [
        kind for kind in (GovernanceError, *subclasses(GovernanceError)) if kind.__module__.startswith("governance")
    ]
    rows = [[f"`{kind.__name__}`", f"`{kind.__base__.__name__}`", summary(kind)] for kind in kinds]
    assert_rows(sorted(table(section(REFERENCE, "Errors"))), sorted(rows))


def test_every_key_file_is_documented(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        create_insecure_keys(tmp_path / "keys")
    made = {path.name for path in (tmp_path / "keys").iterdir()}
    assert names(section(REFERENCE, "Key folder")) == made | {"models-key.pem", "models-key.pub", "tsa-roots.pem"}


def test_every_port_is_described():
    defined = {
        name
        for module in (ports, regeneration, works)
        for name, value in vars(module).items()
        if isinstance(value, type) and getattr(value, "_is_protocol", False) and value.__module__ == module.__name__
    }
    assert names(section(DESIGN, "Ports and their adapters")) == defined


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
class TestNamesInProse:
    def test_commands_exist(self, document):
        text = document.read_text()
        for line in (code for code in inline_code(text) if code.startswith("governance ")):
            assert any(f"{line} ".startswith(f"{path} ") for path in COMMANDS), line
        for line in command_lines(text):
            parse(line)

    def test_options_exist(self, document):
        options = [item for command in COMMANDS.values() for item in command.params]
        spelt = {spelling for item in options for spelling in (*item.opts, *item.secondary_opts)} | {
            "--help",
            "--no-deps",
        }
        used = {word for code in inline_code(document.read_text()) for word in re.findall(r"(?<!\S)--[a-z-]+", code)}
        assert used <= spelt

    def test_variables_are_settings(self, document):
        used = set(re.findall(r"GOVERNANCE_[A-Z_]*[A-Z]", document.read_text()))
        assert used <= {f"GOVERNANCE_{name.upper()}" for name in Settings.model_fields}

    def test_python_names_exist(self, document):
        for name in {code.partition("(")[0] for code in inline_code(document.read_text())} - {TOML_FILE}:
            if re.fullmatch(r"governance(_adapters)?(\.[A-Za-z_]\w*)+", name):
                assert pkgutil.resolve_name(name) is not None

    def test_errors_exist(self, document):
        list(modules())
        known = {kind.__name__ for kind in subclasses(Exception)}
        used = {code for code in inline_code(document.read_text()) if re.fullmatch(r"\w+(Error|Warning)", code)}
        assert used <= known

    def test_paths_exist(self, document):
        for code in inline_code(document.read_text()):
            if re.match(r"(governance|adapters|policies|docs|tests|benchmarks)/[\w./-]+$", code):
                assert (ROOT / code).exists(), code

    def test_reason_codes_exist(self, document):
        known = names(section(REFERENCE, "Reason codes"))
        keys = {row[0].strip("`") for row in table(section(REFERENCE, "Policy data"))}
        stems = "|".join({code.partition(".")[0] for code in known} - OTHER_WORDS)
        assert {
            code for code in inline_code(document.read_text()) if re.fullmatch(rf"({stems})\.[a-z_]+", code)
        } <= known | keys

    def test_nothing_says_that_a_picture_was_made_by_people(self, document):
        # Absence of marks proves nothing, and no document of ours may sound as if it did.
        assert not re.search(
            r"human[- ]made|made by (a )?humans?|not AI\b|AI[- ]free", document.read_text(), re.IGNORECASE
        )


def test_the_documents_are_there():
    assert {path.name for path in DOCUMENTS} >= {"README.md", "CHANGELOG.md", "records.md", "reference.md", "design.md"}
    assert blocks(README, "python")
