"""Why a quantized detector lost accuracy: how bad, where, why and what to do, each with its evidence.

Data flows one way: `runs` (the two models and their detections) → `loss` (how bad, and of what) → `layers` (where) →
`evidence` (all of it) → `causes` (why: `findings`, each with one of the `remedies`) → `diagnose` (everything, in order)
→ `attempt` (remedies carried out and measured) → `document` and `pictures` (what users get).
"""
