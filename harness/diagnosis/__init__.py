"""Diagnose why a quantized detector lost accuracy: how bad, where, why and what to do, each with its evidence.

    request    what a user asks of a diagnosis
    classes    both models' classes matched with the data set's by name
    runs       the two models and their detections, also under changes
    loss       how much accuracy is lost, and of what the loss consists
    layers     where the error arises, tensor by tensor
    evidence   all measurements together
    findings   findings: cause, confidence, numbers, remedy
    remainder  what no cause explains, and what to do next
    causes     the causes: one file each
    remedies   what to do about a cause
    stated     what both sides state, compared without running anything
    diagnose   everything in order
    harm       classes that a remedy harms
    attempt    `--try`: remedies carried out and measured
    document   a diagnosis as plain values
    pictures   the images that the two models differ most on

Data flows one way, in that order.
"""
