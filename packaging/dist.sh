#!/bin/sh
# Builds the source distribution and the wheel into dist/, which is emptied first.
set -eu
cd "$(dirname "$0")/.."
rm -rf dist build/lib build/bdist.*
.venv/bin/python -m build --quiet --outdir dist .
