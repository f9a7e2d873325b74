#!/usr/bin/env bash
# npm run bench:convert, npm run bench:quantize: side by side with MLX, in the environment of the conformance tests.
set -euo pipefail
cd "$(dirname "$0")"
. ../conformance/environment.sh
export MODELS=$MLX_CONVERT_MODELS
[ "$1" != convert ] || "$python" ../conformance/models.py "$MODELS"
exec "$python" "$1.py"
