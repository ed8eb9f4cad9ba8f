"""Render records and rows: table, file, page. Nothing here measures or computes figures.

progress            bars, for a terminal and for a notebook
run_progress        how far a run is
content             the content of a command's output, in any format
consoles            the terminal, and the width of other output
plain               rows as JSON, CSV and Markdown
export              results as files
results             results as table, pivot, page or rows
console             the result table
fields              its columns with figures
published_table     published figures on a terminal
lines               rows with marks, labels and footnotes
shown               whether the mAPs of two rows differ, by their detections
notes               doubts about rows, as few footnotes
quick_rows          tables of thousands of rows, fast
pivot               models down, devices and delegates across
pivot_table         pivots on a terminal
device_table        devices
model_table         model cards
operator_tables     times of operators
comparison_summary  a comparison on a terminal and in a pull request
evaluation          the results of `harness evaluate`
class_match         how classes were matched, before the figures
detected_objects    what a model finds in images
inspection_sheet    an inspection
inspection_difference  two inspections side by side
diagnosis_sheet     a diagnosis
diagnosis_words     what is left of a loss, in words
notebook            a run as an object for notebooks
html                the page
"""
