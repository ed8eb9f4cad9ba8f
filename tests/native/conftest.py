"""The native worker, built."""

from tests.support.native_programs import programs, worker

__all__ = ["programs", "worker"]
