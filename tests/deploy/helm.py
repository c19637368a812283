"""Helm, asked by JSON on standard input, in a process of its own.

helm_python is Go in a shared library: two minutes after its first call Go's collector looked through the process
of the tests, and ended it.
"""

import json
import sys

import helm_python


def answer(asked, folder, values):
    """What Helm says of the chart in `folder` with these values."""
    if asked == "lint":
        return helm_python.lint(folder, values, strict=True)
    with helm_python.Chart.load(folder) as chart:
        chart.validate_schema(chart.merge_values(values))
        return chart.render(values, name="r", namespace="n")


if __name__ == "__main__":
    try:
        told = {"told": answer(**json.load(sys.stdin))}
    except helm_python.HelmError as error:
        told = {"refused": str(error)}
    json.dump(told, sys.stdout)
