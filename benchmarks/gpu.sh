#!/usr/bin/env bash
# All that needs a GPU, in a few minutes: the tests marked gpu, one process and two under torchrun where there
# are two GPUs, and a stream.
set -euo pipefail
cd "$(dirname "$0")/.."
python -m pytest -q -m gpu -p no:cacheprovider tests
python benchmarks/workers.py --processes 1 --hidden-size 2000 --batch-size 4096 --steps 50 --rounds 1
if [ "$(python -c 'import torch; print(torch.cuda.device_count())')" -gt 1 ]; then
    python benchmarks/workers.py --processes 2 --hidden-size 2000 --batch-size 4096 --steps 50 --rounds 1
fi
python benchmarks/stream.py --rows 1000000
