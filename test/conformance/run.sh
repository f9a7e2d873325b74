#!/usr/bin/env bash
# The conformance tests: what mlx-convert makes, held against what the real tools make of the same input.
#
#   bash test/conformance/run.sh [pytest's arguments]        needs `npm run build:native` and `npm run build`
#
# The environment and the models are those of environment.sh. Report: reports/conformance.xml
set -euo pipefail
cd "$(dirname "$0")"

. ./environment.sh
"$python" models.py "$MLX_CONVERT_MODELS"
exec "$python" -m pytest -q --tb short -p no:cacheprovider --rootdir . --durations 10 --junitxml "$repository/reports/conformance.xml" "$@"
