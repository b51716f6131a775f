"""Reads /metrics as Prometheus does, and holds its conventions against it.

usage: metrics.py URL    prints `name{label="value",…} number`, one sample a line
"""

import sys
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

UNITS = ("celsius", "ratio", "pascals", "seconds", "bytes")
NO_BASE_UNITS = ("milliseconds", "microseconds", "minutes", "percent", "hpa", "kilobytes", "mib")

with urllib.request.urlopen(sys.argv[1], timeout=30) as answer:
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = answer.read().decode()

seen = set()
for family in text_string_to_metric_families(text):
    assert family.type in ("counter", "gauge"), family
    assert family.documentation, f"no help: {family.name}"
    assert family.name not in seen, f"twice: {family.name}"
    assert family.name.startswith("maison_"), family.name
    seen.add(family.name)
    words = family.name.split("_")
    assert not set(words) & set(NO_BASE_UNITS), f"not a base unit: {family.name}"
    for unit in UNITS:
        assert unit not in words or words[-1] == unit, f"a unit ends a name: {family.name}"
    labels = set()
    for sample in family.samples:
        name = family.name + ("_total" if family.type == "counter" else "")
        assert sample.name == name, sample
        key = tuple(sorted(sample.labels.items()))
        assert key not in labels, f"twice: {sample}"
        labels.add(key)
        shown = ",".join(f'{label}="{value}"' for label, value in sample.labels.items())
        print(f"{sample.name}{{{shown}}} {sample.value:g}")
print("end")
