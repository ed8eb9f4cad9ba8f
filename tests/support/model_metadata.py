"""TFLite Model Metadata, written by the field numbers of its published schema."""

import io
import zipfile

import flatbuffers


def _table(builder, n_fields, **fields):
    """Write a table; `_3=("offset", x)` and so on, numbered as in metadata_schema.fbs."""
    builder.StartObject(n_fields)
    for name, (kind, value) in fields.items():
        slot = int(name[1:])
        if kind == "offset":
            builder.PrependUOffsetTRelativeSlot(slot, value, 0)
        else:
            builder.PrependUint8Slot(slot, value, 0)
    return builder.EndObject()


def _vector(builder, offsets):
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _floats(builder, values):
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    return builder.EndVector()


def detector_buffer(anchors, scales=(10.0, 10.0, 5.0, 5.0), coordinates=4, keypoints=0, sigmoid=True):
    """Write MediaPipe's `ObjectDetectorOptions`; anchors [N, 4] are y, x, height, width, scales y, x, h, w."""
    builder = flatbuffers.Builder(1 << 16)
    rows = []
    for y, x, height, width in anchors:
        builder.StartObject(4)
        for slot, value in enumerate((x, y, width, height)):
            builder.PrependFloat32Slot(slot, float(value), 0.0)
        rows.append(builder.EndObject())
    schema = _table(builder, 1, _0=("offset", _vector(builder, rows)))
    ssd = _table(builder, 1, _0=("offset", schema))
    builder.StartObject(12)
    for slot, value in ((0, 7), (1, len(anchors)), (2, coordinates), (4, keypoints)):
        builder.PrependInt32Slot(slot, value, 0)
    y, x, height, width = scales
    for slot, value in ((6, x), (7, y), (8, width), (9, height)):
        builder.PrependFloat32Slot(slot, value, 0.0)
    builder.PrependBoolSlot(10, True, False)
    builder.PrependBoolSlot(11, sigmoid, False)
    decoding = builder.EndObject()
    builder.Finish(_table(builder, 3, _1=("offset", ssd), _2=("offset", decoding)), b"V001")
    return bytes(builder.Output())


def metadata_buffer(mean=None, std=None, label_file=None, detector=None):
    """Write TFLite Model Metadata by the field numbers of its published schema."""
    builder = flatbuffers.Builder(256)
    subgraph = {}
    if mean is not None:
        means, stds = _floats(builder, mean), _floats(builder, std)
        options = _table(builder, 2, _0=("offset", means), _1=("offset", stds))
        unit = _table(builder, 2, _0=("byte", 1), _1=("offset", options))
        tensor = _table(builder, 7, _4=("offset", _vector(builder, [unit])))
        subgraph["_2"] = ("offset", _vector(builder, [tensor]))
    if label_file is not None:
        name = builder.CreateString(label_file)
        file = _table(builder, 4, _0=("offset", name), _2=("byte", 3))
        tensor = _table(builder, 7, _6=("offset", _vector(builder, [file])))
        subgraph["_3"] = ("offset", _vector(builder, [tensor]))
    if detector is not None:
        name, data = builder.CreateString("DETECTOR_METADATA"), builder.CreateByteVector(detector)
        entry = _table(builder, 2, _0=("offset", name), _1=("offset", data))
        subgraph["_9"] = ("offset", _vector(builder, [entry]))
    graph = _table(builder, 10, **subgraph)
    builder.Finish(_table(builder, 8, _3=("offset", _vector(builder, [graph]))), b"M001")
    return bytes(builder.Output())


def with_archive(data, **members):
    """Append a zip archive; `__` in a member's name stands for the dot."""
    stream = io.BytesIO(data)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return stream.getvalue()
