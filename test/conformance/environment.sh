# Sourced: makes .venv/ from requirements.txt where it is missing or old, and sets `python` and where the models are kept.
# MLX_CONVERT_PYTHON_ENV names an environment to use instead, MLX_CONVERT_MODELS another place. Only pip asks the network.
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
python=${MLX_CONVERT_PYTHON_ENV:-$repository/.venv}/bin/python
export MLX_CONVERT_MODELS=${MLX_CONVERT_MODELS:-$repository/.venv/models}
export PYTHONDONTWRITEBYTECODE=1 TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1 HF_HUB_DISABLE_PROGRESS_BARS=1

requirements=$repository/test/conformance/requirements.txt
if [ -z "${MLX_CONVERT_PYTHON_ENV:-}" ] && ! cmp -s "$requirements" "$repository/.venv/requirements.txt"; then
  python3 -m venv "$repository/.venv"
  # torch first and alone, by this exact version: pip then takes its small build for the CPU.
  "$python" -m pip install --quiet --disable-pip-version-check "$(grep '^torch==' "$requirements")"
  "$python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$repository/.venv/requirements.txt"
fi
