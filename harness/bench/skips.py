"""Why a cell is known not to work before it is tried."""

from __future__ import annotations

from harness.bench.engines.choose import measured_by, why_worker_lacks
from harness.bench.request import Request
from harness.bench.stations import Station
from harness.bench.subjects import Subject
from harness.delegates import EXTERNAL, GPU, NPU, Delegate, parse_delegate
from harness.drivers.coral.delegate import why_mismatched, why_unavailable
from harness.settings import Settings
from harness.vocabulary import EngineName


def why_skip(station: Station, subject: Subject, delegate: Delegate, request: Request) -> str | None:
    """Say why a cell is known not to work; a native tool that was given is asked itself what it can do."""
    mismatch = why_mismatched(subject.model.file.name, subject.facts.edgetpu, delegate)
    if mismatch is not None:
        return mismatch
    for fact in station.profile.data.facts:
        if not fact.works and parse_delegate(fact.delegate).kind == delegate.kind:
            source = f" ({fact.source})" if fact.source else ""
            return f"{delegate.kind} on {station.device.name}: {fact.reason}{source}"
    if station.absent is not None:
        return station.absent
    return _why_not_here(station, subject, delegate, request)


def _why_not_here(station: Station, subject: Subject, delegate: Delegate, request: Request) -> str | None:
    if station.info.is_emulated:
        return _why_not_emulated(station, subject, delegate, request)
    lacking = why_worker_lacks(station, request, delegate)
    if lacking is not None:
        return lacking
    if delegate.kind == EXTERNAL:
        return None  # its library is the user's own; whether it works shows when it is loaded
    if request.benchmark_binary or station.profile.data.benchmark_binary:
        return None
    return _why_not_offered(station, delegate)


def _why_not_emulated(station: Station, subject: Subject, delegate: Delegate, request: Request) -> str | None:
    """Say why an emulator has nothing to give: it has an accuracy, and no latency."""
    if not request.settings.accuracy or subject.dataset is None:
        return f"{station.device.name} emulates a chip and has no latency: name a --dataset for its accuracy"
    if delegate.kind == NPU and delegate.options:
        return f"{delegate}: {station.device.name} has an NPU of its own, spelt {NPU} alone"
    return _why_not_offered(station, delegate)


def why_no_samples(station: Station, settings: Settings, request: Request, delegate: Delegate) -> str | None:
    """Say why a cell cannot be measured as it is asked to be, with a tool that keeps its samples to itself."""
    if not settings.latency or not (settings.mlperf or settings.switch_models):
        return None
    engine = measured_by(station, request, delegate)
    if engine == EngineName.NATIVE_WORKER and settings.switch_models:
        return (
            f"--switch-models needs two models in one process; {station.device.name} is measured with our own worker "
            "in C, which runs one. Leave --switch-models out here"
        )
    if engine != EngineName.BENCHMARK_MODEL:
        return None
    needs = {
        "--mlperf": (settings.mlperf, "needs every sample, which benchmark_model keeps to itself"),
        "--switch-models": (
            settings.switch_models,
            "needs two models in one process, and benchmark_model runs one",
        ),
    }
    for option, (asked, why) in needs.items():
        if asked:
            return (
                f"{option} {why}; {station.device.name} is measured with it. Our own worker can: on this computer "
                "without --benchmark-binary, on a board whose Python has a TFLite runtime, and where LiteRT's library "
                f"is at hand (--litert-library). Leave {option} out here"
            )
    return None


def _why_not_offered(station: Station, delegate: Delegate) -> str | None:
    """Say why a device does not offer a delegate; this computer's GPU and TPU are looked for when asked for."""
    if delegate.traits.plugged_in and station.info.on_host_hardware and not station.far:
        return why_unavailable(delegate)
    if delegate.kind == GPU and station.info.on_host_hardware and not station.far:
        from harness.drivers import local_gpu  # late, as the next: few plans ask for it

        return local_gpu.why_unavailable(delegate)
    if delegate.kind == NPU and station.info.on_host_hardware and not station.far:
        from harness.drivers import local_npu

        return local_npu.why_unavailable(delegate)
    if delegate.option("maker") is not None:
        return f"{delegate} is a part of LiteRT on a PC, not on {station.device.name}"
    offered = {parse_delegate(text).kind for text in station.info.delegates}
    if delegate.kind in offered:
        return None
    return f"{station.device.name} offers {', '.join(station.info.delegates)}, not {delegate.kind}"
