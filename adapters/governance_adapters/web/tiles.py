"""The log as standard monitors read it: checkpoint, tiles, and the entries themselves (C2SP tlog-tiles).

They stand at the server's root, because what a monitor is told is a prefix. Checkpoint and tiles hold hashes and are for
everybody; the entries are what an auditor may read.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Path
from starlette.responses import Response

from governance.merkle import HASH_BYTES, TILE_WIDTH
from governance.review_facts import Act
from governance.tile_paths import NUMBER_PATTERN, TilePath
from governance_adapters.web.problems import NOT_FOUND, ApiError
from governance_adapters.web.routes import PartsOf, operation, router

OCTETS: Final = "application/octet-stream"
TEXT: Final = "text/plain; charset=utf-8"
FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
"""What a tile holds once, it always holds."""
_LENGTH_BYTES: Final = 2

routes = router("log", prefix="")

_Level = Annotated[
    str,
    Path(description="The level of the tile, 0 to 63.", json_schema_extra={"pattern": "^([0-9]|[1-5][0-9]|6[0-3])$"}),
]
_Number = Annotated[
    str,
    Path(
        description="The tile's number in groups of three digits, all but the last with an x before, such as `x001/234`; "
        "then `.p/` and its width, where it is not full. The slashes are not encoded.",
        json_schema_extra={"pattern": f"^{NUMBER_PATTERN}$"},
        examples=["x001/x234/067", "000.p/5"],
    ),
]


def _bytes(description: str, media_type: str) -> dict[int | str, dict[str, Any]]:
    schema = {"type": "string"} if media_type == TEXT else {"type": "string", "format": "binary"}
    return {200: {"description": description, "content": {media_type: {"schema": schema}}}}


@routes.get(
    "/checkpoint",
    operation_id="readLogCheckpoint",
    summary="The newest checkpoint of the log, as a signed note.",
    response_class=Response,
    **operation(None, shown=_bytes("A C2SP checkpoint.", TEXT)),
)
def read_log_checkpoint(parts: PartsOf) -> Response:
    """For everybody. Keep it: it is what a rewritten log cannot match."""
    return Response(parts.ledger.checkpoint(), media_type=TEXT)


@routes.get(
    "/tile/entries/{number:path}",
    operation_id="readEntryBundle",
    summary="The entries of one tile, each behind its length.",
    response_class=Response,
    **operation(
        Act.LEDGER_READ, NOT_FOUND, shown=_bytes("Entries, each behind its length (uint16, big-endian).", OCTETS)
    ),
)
def read_entry_bundle(number: _Number, parts: PartsOf) -> Response:
    """For auditors. What an entry holds of people are commitments; still, it is not for everybody, and no cache keeps it."""
    path = _parsed(f"tile/entries/{number}")
    leaves = parts.ledger.leaves(path.number * TILE_WIDTH, path.width)
    if len(leaves) < path.width:
        raise _missing()
    return Response(b"".join(len(leaf).to_bytes(_LENGTH_BYTES, "big") + leaf for leaf in leaves), media_type=OCTETS)


@routes.get(
    "/tile/{level}/{number:path}",
    operation_id="readTile",
    summary="One tile of the log's tree.",
    response_class=Response,
    **operation(None, NOT_FOUND, shown=_bytes("Hashes of 32 bytes, as many as the tile is wide.", OCTETS)),
)
def read_tile(level: _Level, number: _Number, parts: PartsOf) -> Response:
    """For everybody. A tile that is not full is there in every width that the log ever had, and goes on growing."""
    path = _parsed(f"tile/{level}/{number}")
    tile = parts.ledger.tile(path.level, path.number)
    if len(tile) < path.width * HASH_BYTES:
        raise _missing()
    return Response(tile[: path.width * HASH_BYTES], media_type=OCTETS, headers=FOR_EVER)


def _parsed(address: str) -> TilePath:
    path = TilePath.parse(address)
    if path is None:
        raise _missing()
    return path


def _missing() -> ApiError:
    return ApiError(NOT_FOUND, "The log has no such tile. What it has follows from the size in its checkpoint.")
