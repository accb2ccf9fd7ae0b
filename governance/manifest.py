"""C2PA manifest definitions: what a released file says about itself, as plain JSON that any C2PA builder understands.

The words are those of the C2PA Technical Specification 2.x (sections "Actions", "Ingredient", "Soft binding") and, for
training and data mining, of the CAWG specification that took that assertion over when C2PA 2.0 dropped it.

A manifest is public and cannot be recalled: it names the intent entry, the decisions and the model, and never the
principal. It holds no prompt unless policy obliges its disclosure.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from governance.canonical import Digest, Json, canonical_bytes
from governance.errors import SigningError
from governance.ingredients import MODEL, InputIngredient, model_ingredient
from governance.types import Mode

PROVENANCE_LABEL: Final = "org.diffusion-governance.provenance"
ACTIONS_LABEL: Final = "c2pa.actions.v2"
SOFT_BINDING_LABEL: Final = "c2pa.soft-binding"
TRAINING_MINING_LABEL: Final = "cawg.training-mining"

CREATED_LABELS: Final = (
    # c2pa-rs matches actions and ingredients without their version.
    "c2pa.actions",
    ACTIONS_LABEL,
    "c2pa.ingredient",
    "c2pa.ingredient.v3",
    SOFT_BINDING_LABEL,
    TRAINING_MINING_LABEL,
    PROVENANCE_LABEL,
)
"""Labels that the claim lists as `created_assertions`, vouched for by the signer, rather than as `gathered_assertions`."""

TRAINED_ALGORITHMIC_MEDIA: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
COMPOSITE_ALGORITHMIC_MEDIA: Final = (
    "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
)
"""What a model made from pictures that it was given."""

TRAINING_USES: Final = ("cawg.ai_generative_training", "cawg.ai_inference", "cawg.ai_training", "cawg.data_mining")
TRAINING_PERMISSIONS: Final = ("allowed", "notAllowed")

_VERSION: Final = 1
_EXTENSIONS: Final = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "audio/wav": "wav",
}
_HEX_DIGITS: Final = frozenset("0123456789abcdef")


def _nothing_allowed() -> dict[str, str]:
    return dict.fromkeys(TRAINING_USES, "notAllowed")


@dataclass(frozen=True, slots=True, kw_only=True)
class WatermarkBinding:
    """The watermark that the pixels carry: 0 <= payload < 2^payload_bits, `payload_bits` a multiple of 8."""

    algorithm: str
    key_id: str
    payload: int
    payload_bits: int

    def __post_init__(self) -> None:
        if self.payload_bits % 8 or not 0 <= self.payload < 1 << self.payload_bits:
            raise SigningError(
                f"{self.payload} is not a watermark payload of {self.payload_bits} bits.",
                remedy="Pass the payload that was embedded, and its width in bits.",
            )

    @property
    def value(self) -> str:
        """The payload's bytes, most significant first, in base64: what a soft-binding lookup is asked for."""
        return base64.b64encode(self.payload.to_bytes(self.payload_bits // 8)).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Our own assertion: where the record of this file stands, and what stood behind it.

    `intent_leaf` is the leaf hash of the intent entry, SHA-256(0x00 || leaf) (RFC 9162, section 2.1.1). `components`
    are the digests of the model's parts, `model_digest` that of the whole ModelFacts. `disclosed` holds fields that
    policy obliged to put in the clear; empty otherwise. `mode` stands there only where it was shadow mode: then policy may have
    denied the file, and the record says whether it did.

    `caveat` is what nobody vouches for: of a sound, `governance.media.UNCHECKED_UNMARKED`; empty of all else.

    Raises:
        SigningError: a digest is not 64 lowercase hexadecimal digits, or something that must be named is empty.
    """

    asset_id: str
    intent_entry_id: str
    intent_leaf: Digest
    log_origin: str
    bundle_revision: Digest
    decision_ids: tuple[str, ...]
    model_digest: Digest
    components: Mapping[str, Digest]
    disclosed: Mapping[str, Json] = field(default_factory=dict)
    mode: Mode = Mode.ENFORCE
    caveat: str = ""

    def __post_init__(self) -> None:
        named = (self.asset_id, self.intent_entry_id, self.log_origin, self.components, self.decision_ids)
        if not all(named) or not all(self.decision_ids):
            raise SigningError(
                "A provenance assertion without asset, intent, log, model components or decisions would prove nothing.",
                remedy="Sign only what went down the whole line.",
            )
        for value in (self.intent_leaf, self.bundle_revision, self.model_digest, *self.components.values()):
            if not isinstance(value, str) or len(value) != 64 or not _HEX_DIGITS.issuperset(value):
                raise SigningError(
                    f"{value!r} is not a SHA-256 digest.", remedy="Write 64 lowercase hexadecimal digits."
                )

    def assertion(self) -> dict[str, Json]:
        """The data of the assertion `org.diffusion-governance.provenance`, version 1."""
        data: dict[str, Json] = {
            "version": _VERSION,
            "asset": self.asset_id,
            "intent": {"entry": self.intent_entry_id, "leaf": self.intent_leaf, "log": self.log_origin},
            "policy": {"bundle_revision": self.bundle_revision, "decision_ids": list(self.decision_ids)},
            "model": {"digest": self.model_digest, "components": dict(self.components)},
        }
        if self.disclosed:
            data["disclosed"] = dict(self.disclosed)
        if self.mode is not Mode.ENFORCE:
            data["mode"] = self.mode.value
        if self.caveat:
            data["caveat"] = self.caveat
        return data

    @classmethod
    def from_assertion(cls, data: Mapping[str, Json]) -> Provenance:
        """Read the assertion's data; members that version 1 does not know are ignored.

        Raises:
            SigningError: the data is not a provenance assertion of version 1.
        """
        if data.get("version") != _VERSION:
            raise SigningError(
                f"The provenance assertion has version {data.get('version')!r}; this program reads {_VERSION}.",
                remedy="Upgrade to the version that wrote the file.",
            )
        intent, policy, model = (_members(data, name) for name in ("intent", "policy", "model"))
        decisions = policy.get("decision_ids")
        return cls(
            asset_id=_text(data, "asset"),
            intent_entry_id=_text(intent, "entry"),
            intent_leaf=Digest(_text(intent, "leaf")),
            log_origin=_text(intent, "log"),
            bundle_revision=Digest(_text(policy, "bundle_revision")),
            decision_ids=tuple(str(item) for item in decisions) if isinstance(decisions, list) else (),
            model_digest=Digest(_text(model, "digest")),
            components={name: Digest(str(value)) for name, value in _members(model, "components").items()},
            disclosed=_members(data, "disclosed") if "disclosed" in data else {},
            mode=_mode(data),
            caveat=_text(data, "caveat"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenanceStatement(Provenance):
    """Everything that the manifest of one file says: made from a text alone, or from the pictures `inputs`, too.

    `created_at` is RFC 3339 in UTC. `model_name` names the pipeline's class for people. `generator_name` and
    `generator_version` name the installation (C2PA's claim generator). `visible_label` is the text drawn on the
    picture, None if there is none. `title` defaults to `<asset id>.<extension>`. `training_mining` maps each of
    `TRAINING_USES` to one of `TRAINING_PERMISSIONS`. At most one of `inputs` is opened.

    Raises:
        SigningError: see Provenance; or a media type or training permission is unknown, or two inputs are opened.
    """

    created_at: str
    model_name: str
    media_type: str
    generator_name: str
    generator_version: str
    watermark: WatermarkBinding | None = None
    visible_label: str | None = None
    title: str = ""
    training_mining: Mapping[str, str] = field(default_factory=_nothing_allowed)
    inputs: tuple[InputIngredient, ...] = ()

    def __post_init__(self) -> None:
        Provenance.__post_init__(self)
        if self.media_type not in _EXTENSIONS:
            raise SigningError(
                f"No manifest can be written for {self.media_type}.", remedy=f"Use one of {', '.join(_EXTENSIONS)}."
            )
        if sum(each.opened for each in self.inputs) > 1:
            raise SigningError(
                "A file cannot be the edited form of two pictures.", remedy="Name one input as the opened one."
            )
        for use, permission in self.training_mining.items():
            if use not in TRAINING_USES or permission not in TRAINING_PERMISSIONS:
                raise SigningError(
                    f"`{use}: {permission}` is not a training-mining entry.",
                    remedy=f"Uses are {', '.join(TRAINING_USES)}; each is {' or '.join(TRAINING_PERMISSIONS)}.",
                )


def manifest_definition(statement: ProvenanceStatement) -> dict[str, Json]:
    """The manifest definition for `statement`, ready for `ManifestSigner.sign`.

    Inputs that were bare pixels are in it; those that were files are for `sign` to add.

    Raises:
        CanonicalError: a name or a disclosed field holds text that is not valid Unicode, or a float.
    """
    assertions: list[Json] = [{"label": ACTIONS_LABEL, "data": {"actions": _actions(statement)}}]
    if statement.watermark is not None:
        assertions.append({"label": SOFT_BINDING_LABEL, "data": _soft_binding(statement.watermark)})
    uses = {use: {"use": permission} for use, permission in statement.training_mining.items()}
    assertions.append({"label": TRAINING_MINING_LABEL, "data": {"entries": uses}})
    assertions.append({"label": PROVENANCE_LABEL, "data": statement.assertion()})
    definition: dict[str, Json] = {
        "claim_version": 2,
        "claim_generator_info": [{"name": statement.generator_name, "version": statement.generator_version}],
        "title": statement.title or f"{statement.asset_id}.{_EXTENSIONS[statement.media_type]}",
        "format": statement.media_type,
        "instance_id": f"xmp:iid:{statement.asset_id}",
        "ingredients": [
            model_ingredient(statement.model_name, statement.components),
            *(each.definition() for each in statement.inputs if not each.media_type),
        ],
        "assertions": assertions,
    }
    canonical_bytes(definition)  # refuses what no JSON reader would agree on
    return definition


def provenance_of(definition: Mapping[str, Json]) -> Mapping[str, Json] | None:
    """The data of our own assertion in a manifest definition, None if it has none."""
    assertions = definition.get("assertions")
    for assertion in assertions if isinstance(assertions, list) else []:
        if isinstance(assertion, Mapping) and assertion.get("label") == PROVENANCE_LABEL:
            data = assertion.get("data")
            return data if isinstance(data, Mapping) else None
    return None


def _actions(statement: ProvenanceStatement) -> list[Json]:
    actions = _origin(statement)
    if statement.visible_label is not None:
        actions.append({"action": "c2pa.edited", "description": f"Visible label: {statement.visible_label}"})
    if statement.watermark is not None:
        actions.append({"action": "c2pa.watermarked.bound"})
    return actions


def _origin(statement: ProvenanceStatement) -> list[Json]:
    """How the picture came about: created, or one that was opened and then edited."""
    opened = [each.label for each in statement.inputs if each.opened]
    made: dict[str, Json] = {
        "when": statement.created_at,
        "digitalSourceType": COMPOSITE_ALGORITHMIC_MEDIA if statement.inputs else TRAINED_ALGORITHMIC_MEDIA,
        "softwareAgent": {"name": statement.model_name},
        "parameters": {"ingredientIds": [MODEL, *(each.label for each in statement.inputs if not each.opened)]},
    }
    if not opened:
        return [{"action": "c2pa.created", **made}]
    opening: dict[str, Json] = {"action": "c2pa.opened", "when": statement.created_at}
    return [{**opening, "parameters": {"ingredientIds": opened}}, {"action": "c2pa.edited", **made}]


def _soft_binding(watermark: WatermarkBinding) -> dict[str, Json]:
    # An empty scope is the whole picture; the key's id tells a rotated installation which key to look under.
    return {
        "alg": watermark.algorithm,
        "alg-params": watermark.key_id,
        "blocks": [{"scope": {}, "value": watermark.value}],
    }


def _members(data: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    value = data.get(name)
    return value if isinstance(value, Mapping) else {}


def _mode(data: Mapping[str, Json]) -> Mode:
    """The mode that an assertion names; one that names none was made while enforcing."""
    try:
        return Mode(str(data.get("mode", Mode.ENFORCE.value)))
    except ValueError as error:
        raise SigningError(
            f"The provenance assertion names the mode {data.get('mode')!r}, which this program does not know.",
            remedy="Upgrade to the version that wrote the file.",
        ) from error


def _text(data: Mapping[str, Json], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""
