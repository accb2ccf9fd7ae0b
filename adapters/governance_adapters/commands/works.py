"""`governance works`: the register of protected works, which pictures are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from governance.canonical import Json
from governance.errors import GovernanceError, WorkError
from governance.types import Principal
from governance.work_checks import named
from governance.work_making import WorkMaker
from governance.works import MAX_LICENCE, NewWork, Work, WorkAction
from governance_adapters.commands.image_files import file_content, image_files
from governance_adapters.commands.output import (
    JsonFlag,
    err,
    one_line,
    out,
    print_fields,
    print_json,
    print_table,
    printable,
)
from governance_adapters.installation import ledger_for_appending
from governance_adapters.settings import Settings
from governance_adapters.storage.works import SqliteWorks
from governance_adapters.wiring import as_principal, open_work_maker, open_works, open_works_reader

app = typer.Typer(no_args_is_help=True, help="The register of protected works.")

ByOption = Annotated[str | None, typer.Option("--principal", help="Who does it. Default: from the settings.")]
WorkArgument = Annotated[str, typer.Argument(help="The work's id.")]


@app.command()
def add(
    images: Annotated[list[Path], typer.Argument(help="Image files, or folders of nothing else.")],
    owner: Annotated[str, typer.Option(help="Whose work it is.")],
    licence: Annotated[str, typer.Option(help="Its licence, best as SPDX: `CC-BY-4.0`, `LicenseRef-ours`.")],
    action: Annotated[WorkAction, typer.Option(help="What policy is to do with pictures that resemble it.")],
    title: Annotated[str | None, typer.Option(help="Its title. Required without --each.")] = None,
    each: Annotated[
        bool, typer.Option("--each", help="Make every image a work of its own, named like its file.")
    ] = False,
    principal: ByOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Add one work with all these images, or with --each one work per image. A work is added whole or not at all."""
    if each == (title is not None):
        raise WorkError("A work has one title.", remedy="Give either --title, or --each for a work per image.")
    settings = Settings.load()
    by = as_principal(principal, None, settings)
    files = list(image_files(images))
    made = _Maker(open_work_maker(settings), named(owner, "owner"), named(licence, "licence", MAX_LICENCE), action)
    with _register(settings) as register:
        if title is None:
            _add_each(register, made, files, by, as_json=as_json)
            return
        with err.status("printing the images"):
            new = made(title, files)
        work = register.add(new, by)
    _show(work, as_json=as_json)


@app.command("list")
def list_works(
    after: Annotated[str, typer.Option(help="Only works with a higher id: the cursor of a page.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")] = 50,
    as_json: JsonFlag = False,
) -> None:
    """List works, oldest first."""
    register = open_works_reader(Settings.load())
    page = register.list(after=after, limit=limit)
    if as_json:
        print_json([work.as_json() for work in page])
        return
    rows = [
        (work.id, work.action.value, str(len(work.images)), *map(printable, (work.licence, work.owner, work.title)))
        for work in page
    ]
    print_table(
        f"{len(page)} of {register.count()} works", ("work", "action", "images", "licence", "owner", "title"), rows
    )


@app.command()
def show(work: WorkArgument, as_json: JsonFlag = False) -> None:
    """Show a work. What was done to it, and by whom, is in `governance ledger show` of the same id."""
    _show(open_works_reader(Settings.load()).show(work), as_json=as_json)


@app.command()
def change(
    work: WorkArgument,
    title: Annotated[str | None, typer.Option(help="Its new title.")] = None,
    owner: Annotated[str | None, typer.Option(help="Whose work it is now.")] = None,
    licence: Annotated[str | None, typer.Option(help="Its new licence.")] = None,
    action: Annotated[WorkAction | None, typer.Option(help="What policy is to do from now on.")] = None,
    principal: ByOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Change what is said of a work. Its images stay: other images are another work."""
    settings = Settings.load()
    by = as_principal(principal, None, settings)
    with _register(settings) as register:
        known = register.show(work)
        after = replace(
            known,
            title=known.title if title is None else named(title, "title"),
            owner=known.owner if owner is None else named(owner, "owner"),
            licence=known.licence if licence is None else named(licence, "licence", MAX_LICENCE),
            action=action or known.action,
        )
        _show(register.change(after, by), as_json=as_json)


@app.command()
def remove(work: WorkArgument, principal: ByOption = None, as_json: JsonFlag = False) -> None:
    """Take a work out of the register, with its previews and prints. Its entries in the ledger stay."""
    settings = Settings.load()
    by = as_principal(principal, None, settings)
    with _register(settings) as register:
        removed = register.remove(work, by)
    if as_json:
        print_json({"removed": removed.as_json()})
    else:
        out.print(Text(f"removed {removed.id} {printable(removed.title)}"))


@app.command()
def reindex(
    everything: Annotated[
        bool, typer.Option("--all", help="Print every image anew, not only those that need it.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Print images anew, from their previews, after the embedding model was changed."""
    settings = Settings.load()
    maker, done = open_work_maker(settings), 0
    with _register(settings) as register, err.status("printing") as status:
        for done in maker.reindex(register, everything=everything):
            status.update(f"printed {done} images")
    if as_json:
        print_json({"printed": done})
    else:
        out.print(f"printed {done} images")


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes works of files, all of one owner, licence and action."""

    maker: WorkMaker
    owner: str
    licence: str
    action: WorkAction

    def __call__(self, title: str, paths: Iterable[Path]) -> NewWork:
        files = ((str(path), file_content(path)) for path in paths)
        return self.maker.make(files, title=title, owner=self.owner, licence=self.licence, action=self.action)


def _add_each(register: SqliteWorks, made: _Maker, files: Sequence[Path], by: Principal, *, as_json: bool) -> None:
    """A work per file; those that cannot be added are named, and the exit code says that there are some."""
    paths: dict[str, Path] = {}
    added: list[Json] = []
    failed: list[Json] = []

    def fail(path: Path, error: GovernanceError) -> None:
        failed.append({"file": printable(str(path)), "error": type(error).__name__, "message": one_line(str(error))})
        err.print(Text(f"not added: {printable(str(path))}: {one_line(str(error))}", style="red"))

    def news() -> Iterator[NewWork]:
        for path in files:
            try:
                new = made(path.stem, [path])
            except WorkError as error:
                fail(path, error)
            else:
                paths[new.work.id] = path
                yield new

    for one in register.add_all(news(), by):
        path = paths.pop(one.work.id)
        if one.error is not None:
            fail(path, one.error)
            continue
        added.append({"file": printable(str(path)), "id": one.work.id})
        if not as_json:
            out.print(Text(f"{one.work.id} {printable(str(path))}"))
    if as_json:
        print_json({"added": added, "failed": failed})
    else:
        out.print(f"{len(added)} works added, {len(failed)} not")
    raise typer.Exit(1 if failed else 0)


@contextmanager
def _register(settings: Settings) -> Iterator[SqliteWorks]:
    """The register, open for changes, with the ledger that they are written to."""
    with ledger_for_appending(settings) as ledger:
        yield open_works(settings, ledger)


def _show(work: Work, *, as_json: bool) -> None:
    if as_json:
        print_json(work.as_json())
        return
    images = {f"image {number}": image for number, image in enumerate(work.images)}
    texts = {"title": work.title, "owner": work.owner, "licence": work.licence}
    shown = {"work": work.id, **texts, "action": work.action.value, "added": work.added, **images}
    print_fields({name: printable(value) for name, value in shown.items()})
