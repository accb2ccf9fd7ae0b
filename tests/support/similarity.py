"""An embedding that needs no weights, registers of drawn works, and small ONNX models, sound and broken."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from governance.canonical import Digest, digest
from governance.testing.works import KEEPER, FakeWorkRegister
from governance.types import Pixels
from governance.work_making import WorkMaker
from governance.works import Printer, WorkAction
from governance_adapters.detectors.similarity.prints import SimilarityPrinter
from governance_adapters.marking.encoding import ImageEncoder


@dataclass
class ColourEmbedder:
    """Implements `Embedder`: the mean colours of 4 x 4 cells less the middle of all colours. `seen` counts pictures."""

    model: Digest = field(default_factory=lambda: digest(b"colours"))
    code: Digest = field(default_factory=lambda: digest(b"colours, run"))
    width: int = 48
    seen: int = 0

    def embed(self, picture: Pixels) -> NDArray[np.float32]:
        self.seen += 1
        cells = cv2.resize(np.ascontiguousarray(picture), (4, 4), interpolation=cv2.INTER_AREA)
        vector = cells.astype(np.float32).ravel() - 127.3
        return vector / np.linalg.norm(vector)


def picture(number: int, height: int = 120, width: int = 160) -> Pixels:
    """A picture with detail everywhere, another one for each number."""
    random = np.random.default_rng(number)
    coarse = random.integers(0, 256, (9, 12, 3), np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def drawing(ink: tuple[int, int, int], ground: tuple[int, int, int], side: int = 128) -> Pixels:
    """A flat drawing that PDQ gives a low quality."""
    drawn = np.full((side, side, 3), ground, np.uint8)
    drawn[side // 3 : side // 2, side // 3 : side * 2 // 3] = ink
    return drawn


def add_work(
    register: FakeWorkRegister, printer: Printer, *pictures: Pixels, action: WorkAction = WorkAction.REVIEW
) -> str:
    """The id of a new work of these pictures."""
    encoder = ImageEncoder()
    files = [(str(at), encoder.encode(one, "image/png")) for at, one in enumerate(pictures)]
    maker = WorkMaker(encoder, printer)
    new = maker.make(files, title="A work", owner="Example house", licence="LicenseRef-example", action=action)
    return register.add(new, KEEPER).id


def registered(*pictures: Pixels, action: WorkAction = WorkAction.REVIEW) -> tuple[FakeWorkRegister, list[str]]:
    """A register with a work for each picture, and their ids."""
    register, printer = FakeWorkRegister(), SimilarityPrinter(ColourEmbedder())
    return register, [add_work(register, printer, one, action=action) for one in pictures]


def save_onnx(
    path: Path, *, scale: float = 1.0, shape: tuple[object, ...] = (1, 3, 64, 64), pool: bool = True, beside: str = ""
) -> Path:
    """A model that flattens an 8 x 8 mean of its picture to 192 numbers and multiplies them with `scale`.

    Without `pool` it gives the whole picture back, which is no embedding. `beside` names a file that holds `scale` instead.
    """
    made = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, None)
    taken = helper.make_tensor_value_info("image", TensorProto.FLOAT, list(shape))
    factor = helper.make_tensor("factor", TensorProto.FLOAT, [], [scale])
    if beside:
        factor.ClearField("float_data")
        factor.data_location = TensorProto.EXTERNAL
        factor.external_data.add(key="location", value=beside)
    nodes = [helper.make_node("Mul", ["image", "factor"], ["scaled" if pool else "embedding"])]
    if pool:
        nodes.append(helper.make_node("AveragePool", ["scaled"], ["cells"], kernel_shape=[8, 8], strides=[8, 8]))
        nodes.append(helper.make_node("Flatten", ["cells"], ["embedding"]))
    graph = helper.make_graph(nodes, "small", [taken], [made], [factor])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path
