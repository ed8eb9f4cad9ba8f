"""The bundled float model with its detections written out in other layouts, by operators appended to its graph.

The detections stay what they are, so each layout's mAP is that of the bundled model.
"""

import io
import zipfile

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as s

from tests.support.model_metadata import metadata_buffer
from tests.support.paths import MODELS

SIDE, ROWS, CLASSES = 144, 150, 6
NAMES = ("circle", "square", "triangle", "star", "cross", "ring")
STRIDES = (8, 16, 32)
CELLS = sum((SIDE // stride) ** 2 for stride in STRIDES)
YX, XY = [1, 0, 3, 2], [0, 1, 2, 3]
_TYPES = {"float32": 0, "int32": 2, "int64": 4}
_TINY = 1e-6


class Layout:
    """The bundled model, open at its end: detections as tensors, and operators to rewrite them."""

    def __init__(self):
        data = (MODELS / "shapes" / "shapes_float32.tflite").read_bytes()
        self.model = s.ModelT.InitFromObj(s.Model.GetRootAs(data, 0))
        self.graph = self.model.subgraphs[0]
        self.model.metadata = []
        self.model.signatureDefs = []
        last = self.graph.operators[-1]
        self.boxes, self.classes, self.scores, self.count = (
            self._shaped(index, shape)
            for index, shape in zip(last.outputs, ([1, ROWS, 4], [1, ROWS], [1, ROWS], [1]), strict=True)
        )

    def _shaped(self, index, shape):
        self.graph.tensors[index].shape = list(shape)
        return int(index)

    def shape(self, index):
        return [int(n) for n in self.graph.tensors[index].shape]

    def tensor(self, shape, dtype="float32", data=None, name=None):
        tensor = s.TensorT()
        tensor.name = name or f"layout{len(self.graph.tensors)}"
        tensor.shape, tensor.type, tensor.buffer = list(shape), _TYPES[dtype], 0
        if data is not None:
            buffer = s.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data, dtype).tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, values, dtype="float32"):
        values = np.asarray(values, dtype)
        return self.tensor(values.shape, dtype, values)

    def operator(self, name, inputs, shape, dtype="float32", options=None, version=1):
        code = s.OperatorCodeT()
        code.builtinCode = getattr(s.BuiltinOperator, name)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), version
        self.model.operatorCodes.append(code)
        operator = s.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = list(inputs), [self.tensor(shape, dtype)]
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(s.BuiltinOptions, kind)
            operator.builtinOptions = options
        self.graph.operators.append(operator)
        return operator.outputs[0]

    def binary(self, name, a, b):
        b = b if isinstance(b, int) else self.constant(b)
        shape = np.broadcast_shapes(self.shape(a), self.shape(b))
        options = {"MUL": s.MulOptionsT, "ADD": s.AddOptionsT, "SUB": s.SubOptionsT}.get(name)
        return self.operator(name, [a, b], shape, options=options() if options else None)

    def unary(self, name, a):
        return self.operator(name, [a], self.shape(a))

    def linear(self, a, weights):
        """Multiply the last axis: [..., in] by weights [out, in], a FULLY_CONNECTED."""
        options = s.FullyConnectedOptionsT()
        options.keepNumDims = True
        weights = np.asarray(weights, np.float32)
        bias = self.constant(np.zeros(len(weights)))
        shape = [*self.shape(a)[:-1], len(weights)]
        return self.operator(
            "FULLY_CONNECTED", [a, self.constant(weights), bias], shape, options=options, version=5
        )

    def concat(self, parts, axis=-1):
        options = s.ConcatenationOptionsT()
        options.axis = axis
        shape = self.shape(parts[0])
        shape[axis] = sum(self.shape(part)[axis] for part in parts)
        return self.operator("CONCATENATION", parts, shape, options=options)

    def reshape(self, a, shape):
        options = s.ReshapeOptionsT()
        options.newShape = list(shape)
        return self.operator("RESHAPE", [a, self.constant(shape, "int32")], shape, options=options)

    def transpose(self, a, order):
        shape = [self.shape(a)[axis] for axis in order]
        return self.operator(
            "TRANSPOSE", [a, self.constant(order, "int32")], shape, options=s.TransposeOptionsT()
        )

    def pad(self, a, rows):
        """Fill up with rows of zeros: behind the others, in a grid's table between them, over all its strides."""
        n = self.shape(a)[1]
        widths = [[0, 0] for _ in self.shape(a)]
        widths[1][1] = rows - n if rows < CELLS else 1
        shape = [1, n + widths[1][1], *self.shape(a)[2:]]
        padded = self.operator("PAD", [a, self.constant(widths, "int32")], shape, options=s.PadOptionsT())
        if rows < CELLS:
            return padded
        places = np.full(rows, n)
        places[np.linspace(0, rows - 1, n).astype(int)] = np.arange(n)
        options = s.GatherOptionsT()
        options.axis = 1
        return self.operator(
            "GATHER", [padded, self.constant(places, "int32")], [1, rows, *shape[2:]], options=options
        )

    def columns(self, a, wanted):
        """Pick columns of the last axis."""
        options = s.GatherOptionsT()
        options.axis = len(self.shape(a)) - 1
        shape = [*self.shape(a)[:-1], len(wanted)]
        return self.operator("GATHER", [a, self.constant(wanted, "int32")], shape, options=options)

    def integers(self, a):
        return self.operator("CAST", [a], self.shape(a), "int32", options=s.CastOptionsT())

    # the detections in the words of exporters

    def box(self, form="xyxy", scale=1.0):
        """Boxes [1, ROWS, 4] in a form, ended by a product as decoded boxes are."""
        rows = {
            "yxyx": np.eye(4),
            "xyxy": np.eye(4)[YX],
            "xywh": [[0, 0.5, 0, 0.5], [0.5, 0, 0.5, 0], [0, -1, 0, 1], [-1, 0, 1, 0]],
            "ltwh": [[0, 1, 0, 0], [1, 0, 0, 0], [0, -1, 0, 1], [-1, 0, 1, 0]],
        }[form]
        return self.binary("MUL", self.linear(self.boxes, rows), np.full(4, scale, np.float32))

    def column(self, a):
        return self.reshape(a, [1, ROWS, 1])

    def one_hot(self):
        """Class scores [1, ROWS, CLASSES]: each row's score in the column of its class."""
        options = s.OneHotOptionsT()
        options.axis = -1
        inputs = [
            self.integers(self.classes),
            self.constant(CLASSES, "int32"),
            self.constant(1.0),
            self.constant(0.0),
        ]
        hot = self.operator("ONE_HOT", inputs, [1, ROWS, CLASSES], options=options)
        return self.binary("MUL", hot, self.column(self.scores))

    def logits(self, scores=None):
        """The scores before their sigmoid, ended by a FULLY_CONNECTED as a head is."""
        scores = self.one_hot() if scores is None else scores
        inside = self.binary("MINIMUM", self.binary("MAXIMUM", scores, _TINY), 1 - _TINY)
        other = self.binary("ADD", self.binary("MUL", inside, -1.0), 1.0)
        found = self.binary("SUB", self.unary("LOG", inside), self.unary("LOG", other))
        return self.linear(found, np.eye(self.shape(found)[-1]))

    def activated(self, scores=None):
        """The scores out of a sigmoid."""
        return self.unary("LOGISTIC", self.logits(scores))

    def ones(self, rows=ROWS):
        return self.constant(np.ones((1, rows, 1)))

    def raw_grid(self, n=CELLS, apart=False):
        """Boxes relative to the cells of YOLOX's grid, [1, n, 4]."""
        cells, steps = grid(apart)
        boxes = self.pad(self.box("xywh", SIDE), n)
        boxes = self.binary("MUL", boxes, (1 / steps)[None])
        centers = self.binary("SUB", self.columns(boxes, [0, 1]), cells[None])
        sizes = self.unary("LOG", self.binary("MAXIMUM", self.columns(boxes, [2, 3]), _TINY))
        return self.linear(self.concat([centers, sizes]), np.eye(4))

    def write(self, path, outputs, names=(), *, said=None, output_names=(), detector=None):
        """Write the model with these outputs.

        Args:
            path: Where to.
            outputs: Tensors.
            names: Class names in an Ultralytics file behind the model; () for no such file.
            said: What else that file says.
            output_names: Names of the outputs.
            detector: MediaPipe's metadata.
        """
        self.graph.outputs = list(outputs)
        for index, name in zip(outputs, output_names, strict=False):
            self.graph.tensors[index].name = name
        entry, buffer = s.MetadataT(), s.BufferT()
        buffer.data = np.frombuffer(metadata_buffer([127.5], [127.5], detector=detector), np.uint8)
        self.model.buffers.append(buffer)
        entry.name, entry.buffer = "TFLITE_METADATA", len(self.model.buffers) - 1
        self.model.metadata = [entry]
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        stream = io.BytesIO(bytes(builder.Output()))
        if names:
            stream.seek(0, io.SEEK_END)
            with zipfile.ZipFile(stream, "a") as archive:
                archive.writestr("temp_meta.txt", str({"names": dict(enumerate(names)), **(said or {})}))
        path.write_bytes(stream.getvalue())


def grid(apart=False):
    """Cells [CELLS, 2] and strides [CELLS, 1] of the input's grids; as grids apart they divide the input evenly."""
    cells, steps = [], []
    for stride in STRIDES:
        side = SIDE // stride
        y, x = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
        cells.append(np.stack([x, y], axis=-1).reshape(-1, 2))
        steps.append(np.full((side * side, 1), SIDE / side if apart else stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(steps).astype(np.float32)
