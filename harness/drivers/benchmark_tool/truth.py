"""What may be claimed of a run: no row names a delegate that did not run (law 1).

The tool ends with exit code 0 whether the delegate ran or not. In order of strength the evidence is: the runtime
graph, then what the log says of nodes and partitions. That a delegate was created proves nothing. Where two sources
disagree, the one that denies counts; a line that gives all nodes back undoes what the log claims before it. Standard
error is read after standard output, so what the tool itself says is undone by any such line. Only the graph outweighs
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from harness.delegates import CPU, CPU_REFERENCE, EXTERNAL, GPU, KINDS, NNAPI, UNKNOWN, XNNPACK, Delegate
from harness.drivers.benchmark_tool.facts import Mention, MentionKind, RuntimeGraph, ToolOutput
from harness.drivers.benchmark_tool.flags import WITHOUT_THEM, flag_name
from harness.vocabulary import Status

_DELEGATE_FLAGS = frozenset(
    {"external_delegate_path", "nnapi_accelerator_name", "hexagon_lib_path", "dispatch_library_path"}
)
_SAYS_OF_NODES = frozenset(
    {MentionKind.COMPLETE, MentionKind.PARTIAL, MentionKind.REPLACED, MentionKind.COUNTED}
)
_COUNTS = frozenset({MentionKind.REPLACED, MentionKind.COUNTED})
_REFERENCE = "nnapi-reference"
_BY_OPENGL = "gpu:gl"
_MAX_ERRORS = 4


@dataclass(frozen=True)
class Truth:
    """What may be claimed.

    Attributes:
        status: `ok`, `partial`, `fallback`, `failed` or `timeout`.
        actual: What ran: a delegate's name, `xnnpack`, `cpu-reference`, `cpu` (which of the two is not known) or
            `unknown`.
        delegated_nodes: Nodes that ran on the delegate that was asked for.
        total_nodes: Nodes of the model.
        evidence: What this rests on.
        reasons: Why it is not `ok`.
    """

    status: Status
    actual: str
    delegated_nodes: int | None = None
    total_nodes: int | None = None
    evidence: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


def judge(delegate: Delegate, output: ToolOutput, missing: Sequence[str] = ()) -> Truth:
    """Say what a run proves about the delegate that was asked for.

    Args:
        delegate: What was asked for.
        output: What the run left.
        missing: Libraries of the delegate that are not on the device.
    """
    found = Truth(Status.OK, UNKNOWN, evidence=_evidence(output))
    if output.status != Status.OK:
        return replace(found, status=output.status, reasons=output.reasons)
    if missing:
        reason = (
            f"{delegate} needs {', '.join(missing)}, not found on the device; the tool says nothing of it"
        )
        return replace(found, status=Status.FAILED, reasons=(reason,))
    misunderstood = [f for f in output.unconsumed if not (_chooses(f) or flag_name(f) in WITHOUT_THEM)]
    lacks_it = not delegate.is_cpu and any(_chooses(f) for f in output.unconsumed)
    if misunderstood and not lacks_it:
        reason = (
            f"this benchmark_model does not know {', '.join(misunderstood)}, so it measured something else"
        )
        return replace(found, status=Status.FAILED, reasons=(f"{reason}; use a newer one",))
    ran = (_judge_cpu if delegate.is_cpu else _judge_accelerator)(delegate, output, found)
    ran = _by_opengl(delegate, output, ran)
    told = [line for line in output.log.errors if all(line not in reason for reason in ran.reasons)]
    return replace(ran, reasons=(*ran.reasons, *told[:_MAX_ERRORS]))


def kind_of(name: str) -> str | None:
    """Return our name for a delegate that a log or a graph names; None for one that is not known."""
    small = name.lower()
    return next(
        (kind.runs_as for kind in KINDS.values() if any(part in small for part in kind.log_names)), None
    )


def _chooses(flag: str) -> bool:
    """Tell whether a flag chooses a delegate: without it the CPU runs."""
    return flag_name(flag).startswith("use_") or flag_name(flag) in _DELEGATE_FLAGS


def _evidence(output: ToolOutput) -> tuple[str, ...]:
    lines = [f"Unconsumed cmdline flags: {flag}" for flag in output.unconsumed]
    lines += [_graph_sentence(output.graph)] if output.graph else []
    return tuple(dict.fromkeys([*lines, *(mention.text for mention in output.log.mentions)]))


def _graph_sentence(graph: RuntimeGraph) -> str:
    shares = ", ".join(f"{s.delegate} {s.nodes} in {s.partitions} partition(s)" for s in graph.shares)
    return f"runtime graph: of {graph.total_nodes} nodes {shares or 'no delegate took any'}"


def _judge_cpu(delegate: Delegate, output: ToolOutput, found: Truth) -> Truth:
    """XNNPACK or the builtin kernels: whichever is proven; the row is a fallback where it is the other one."""
    actual, nodes, total = _cpu_runner(output)
    if actual == UNKNOWN and output.graph is None and _taken_back(output):
        actual, nodes = CPU_REFERENCE, 0  # no delegate but XNNPACK was there to be taken back
    ran = replace(found, actual=actual, delegated_nodes=nodes, total_nodes=total)
    if actual in {delegate.traits.runs_as, UNKNOWN}:
        return ran
    return replace(ran, status=Status.FALLBACK, reasons=(_sentence(delegate, f"{actual} ran", found),))


def _cpu_runner(output: ToolOutput) -> tuple[str, int | None, int | None]:
    """Return what ran on the CPU, the nodes XNNPACK took, and all nodes."""
    graph = output.graph
    if graph is not None:
        nodes = _nodes(graph, lambda name: kind_of(name) == XNNPACK)
        return XNNPACK if nodes else CPU_REFERENCE, nodes, graph.total_nodes
    before, after = _around_taking_back(output)
    undone = before and (_all_reverted(output) or any(map(_claims_xnnpack, before)))
    if undone and not any(map(_claims_xnnpack, after)):
        return CPU_REFERENCE, 0, _counted(filter(_claims_xnnpack, before))[1]
    mentions = [m for m in after if kind_of(m.delegate) == XNNPACK]
    if any(m.kind == MentionKind.NONE for m in mentions):
        return CPU_REFERENCE, 0, None
    if any(m.kind in _SAYS_OF_NODES for m in mentions):
        return XNNPACK, *_counted(mentions)
    switched_off = ("Use xnnpack", "0") in output.log.switches
    return CPU_REFERENCE if switched_off and not mentions else UNKNOWN, None, None


def _judge_accelerator(delegate: Delegate, output: ToolOutput, found: Truth) -> Truth:
    denial = _denial(delegate, output)
    if denial is not None:
        return _fallback(delegate, output, found, denial)
    if output.graph is not None:
        return _by_graph(delegate, output, output.graph, found)
    mentions = [m for m in _around_taking_back(output)[1] if _claims(delegate, m)]
    taken_back = _taken_back(output)
    if not mentions and taken_back is not None:
        return _fallback(delegate, output, found, taken_back)
    if not mentions:
        reason = "neither the log nor a runtime graph shows that it took a node"
        return _unshown(delegate, output, found, reason)
    return _by_log(delegate, mentions, found)


def _denial(delegate: Delegate, output: ToolOutput) -> str | None:
    """Return the line that says that the delegate did not run."""
    for flag in output.unconsumed:
        if _chooses(flag):
            return f"the tool does not know {flag}"
    for mention in output.log.mentions:
        if mention.kind in {MentionKind.NONE, MentionKind.REFUSED} and _is_it(delegate, mention.delegate):
            return mention.text
    offered = set(output.log.accelerators)
    if delegate.kind == NNAPI and (offered == {_REFERENCE} or delegate.option("accelerator") == _REFERENCE):
        return f"the only accelerator is {_REFERENCE}, which is code for the CPU"
    return None


def _taken_back(output: ToolOutput) -> str | None:
    """Return the line by which every node was given back; None where there is none."""
    lines = (m.text for m in output.log.mentions if m.kind == MentionKind.TAKEN_BACK)
    return next(lines, None)


def _all_reverted(output: ToolOutput) -> bool:
    return any(m.kind == MentionKind.TAKEN_BACK and "reverted" in m.text for m in output.log.mentions)


def _around_taking_back(output: ToolOutput) -> tuple[tuple[Mention, ...], tuple[Mention, ...]]:
    """Part the lines at the last one by which all nodes were given back; it ends the first part."""
    mentions = output.log.mentions
    last = max((at for at, m in enumerate(mentions, 1) if m.kind == MentionKind.TAKEN_BACK), default=0)
    return mentions[:last], mentions[last:]


def _claims_xnnpack(mention: Mention) -> bool:
    return mention.kind in _SAYS_OF_NODES and kind_of(mention.delegate) == XNNPACK


def _claims(delegate: Delegate, mention: Mention) -> bool:
    """Tell whether a line says that the delegate asked for took nodes."""
    if mention.kind not in _SAYS_OF_NODES or mention.nodes == 0:
        return False
    named = mention.kind in _COUNTS and delegate.traits.from_library and _is_a_library(mention.delegate)
    return named or _is_it(delegate, mention.delegate)


def _is_a_library(name: str) -> bool:
    """Tell whether a name in a log can be that of a delegate from a library, which has the name its maker gave it."""
    kind = kind_of(name)
    return "flex" not in name.lower() and (kind is None or (kind in KINDS and KINDS[kind].from_library))


def _unshown(delegate: Delegate, output: ToolOutput, found: Truth, reason: str) -> Truth:
    """Nothing shows the delegate; what the log counts of XNNPACK says what ran."""
    runner, _, total = _cpu_runner(output)
    sentence = f"{delegate} was asked for, but {reason}"
    counted = runner == XNNPACK and total is not None
    ran = replace(found, actual=XNNPACK, delegated_nodes=0, total_nodes=total) if counted else found
    return replace(ran, status=Status.FALLBACK, reasons=(sentence,))


def _fallback(delegate: Delegate, output: ToolOutput, found: Truth, denial: str) -> Truth:
    """The delegate did not run, so the CPU did; by which kernels stands in the graph or, at times, in the log."""
    runner, _, total = _cpu_runner(output)
    actual = CPU if runner == UNKNOWN else runner
    reason = _sentence(delegate, denial, found)
    return replace(
        found, status=Status.FALLBACK, actual=actual, delegated_nodes=0, total_nodes=total, reasons=(reason,)
    )


def _by_graph(delegate: Delegate, output: ToolOutput, graph: RuntimeGraph, found: Truth) -> Truth:
    nodes = _nodes(graph, lambda name: _is_node_of(delegate, name))
    if nodes == 0:
        return _fallback(delegate, output, found, "it took no node of the runtime graph")
    ran = replace(found, actual=delegate.kind, delegated_nodes=nodes, total_nodes=graph.total_nodes)
    if nodes >= graph.total_nodes:
        return ran
    reason = f"{delegate} took {nodes} of {graph.total_nodes} nodes, the rest ran on the CPU"
    return replace(ran, status=Status.PARTIAL, reasons=(reason,))


def _by_opengl(delegate: Delegate, output: ToolOutput, ran: Truth) -> Truth:
    """A GPU that was asked for by OpenCL and reached by OpenGL is another one."""
    line = next((m.text for m in output.log.mentions if m.kind == MentionKind.OPENGL), None)
    if line is None or delegate.kind != GPU or ran.actual != GPU:
        return ran
    if delegate.option("backend") != "cl":
        return replace(ran, reasons=(*ran.reasons, line))
    return replace(
        ran, status=Status.FALLBACK, actual=_BY_OPENGL, reasons=(_sentence(delegate, line, ran), *ran.reasons)
    )


def _by_log(delegate: Delegate, mentions: Sequence[Mention], found: Truth) -> Truth:
    nodes, total = _counted(mentions)
    ran = replace(found, actual=delegate.kind, delegated_nodes=nodes, total_nodes=total)
    whole = nodes is not None and nodes == total
    if any(m.kind == MentionKind.PARTIAL for m in mentions) or not (
        whole or any(m.kind == MentionKind.COMPLETE for m in mentions)
    ):
        counted = (
            f"{nodes} of {total} nodes" if nodes is not None and total is not None else "a part of the graph"
        )
        return replace(
            ran, status=Status.PARTIAL, reasons=(f"{delegate} took {counted}, the rest ran on the CPU",)
        )
    return ran


def _counted(mentions: Iterable[Mention]) -> tuple[int | None, int | None]:
    """Add up the nodes of the lines that count them; a line that is told twice counts once.

    What a delegate means to take is told before what it took: where both are there, the latter counts.
    """
    counting = {m.text: m for m in mentions if m.kind in _COUNTS and m.nodes is not None}.values()
    replaced = [m for m in counting if m.kind == MentionKind.REPLACED]
    meant = [m for m in counting if m.kind == MentionKind.COUNTED]
    if (
        replaced
        and any(m.total is None for m in replaced)
        and {m.nodes for m in meant} == {m.nodes for m in replaced}
    ):
        replaced = meant  # an old runtime tells no total, the delegate does
    lines = replaced or meant
    if not lines:
        return None, None
    totals = {m.total for m in lines}
    return sum(m.nodes or 0 for m in lines), totals.pop() if len(totals) == 1 else None


def _nodes(graph: RuntimeGraph, wanted: Callable[[str], bool]) -> int:
    return sum(share.nodes for share in graph.shares if wanted(share.delegate))


def _is_it(delegate: Delegate, name: str) -> bool:
    """Tell whether a name in a log is that of the delegate asked for."""
    kind = kind_of(name)
    return kind == delegate.kind or (kind == EXTERNAL and delegate.traits.from_library)


def _is_node_of(delegate: Delegate, name: str) -> bool:
    """Tell the same of a delegate's node in the runtime graph, which a library may call as it likes."""
    if delegate.traits.from_library:
        return kind_of(name) != XNNPACK and "flex" not in name.lower()
    return kind_of(name) == delegate.kind


def _sentence(delegate: Delegate, what: str, found: Truth) -> str:
    told = f" ({found.evidence[0]})" if found.evidence and what not in found.evidence[0] else ""
    return f"{delegate} was asked for, but {what}{told}"
