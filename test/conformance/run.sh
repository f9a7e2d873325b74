#!/usr/bin/env bash
# The conformance tests: what mlx-convert makes, held against what the real tools make of the same input.
#
#   bash test/conformance/run.sh [pytest's arguments]        needs `npm run build:native` and `npm run build`
#
# Makes .venv/ from requirements.txt where it is missing or old; MLX_CONVERT_PYTHON_ENV names an environment to use instead.
# The models are kept in .venv/models, or in MLX_CONVERT_MODELS. Only pip asks the network. Report: reports/conformance.xml
set -euo pipefail
cd "$(dirname "$0")"

root=$(cd ../.. && pwd)
python=${MLX_CONVERT_PYTHON_ENV:-$root/.venv}/bin/python
export MLX_CONVERT_MODELS=${MLX_CONVERT_MODELS:-$root/.venv/models}
export PYTHONDONTWRITEBYTECODE=1 TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1 HF_HUB_DISABLE_PROGRESS_BARS=1

stamp=$root/.venv/requirements.txt
if [ -z "${MLX_CONVERT_PYTHON_ENV:-}" ] && ! cmp -s requirements.txt "$stamp"; then
  python3 -m venv "$root/.venv"
  "$python" -m pip install --quiet --disable-pip-version-check "$(grep '^torch==' requirements.txt)"
  "$python" -m pip install --quiet --disable-pip-version-check -r requirements.txt
  cp requirements.txt "$stamp"
fi

"$python" models.py "$MLX_CONVERT_MODELS"
exec "$python" -m pytest -q --tb short -p no:cacheprovider --rootdir . --durations 10 --junitxml "$root/reports/conformance.xml" "$@"
