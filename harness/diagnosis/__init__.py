"""Why a quantized detector lost accuracy: how bad, where, why and what to do, each with its evidence.

Data flows one way: `sides` (the two models) → `runs` (their detections) → `loss` (how bad) → `attribution` (of what) →
`layers` (where) → `evidence` (all of it) → `causes` (why) → `diagnose` (everything, in order).
"""
