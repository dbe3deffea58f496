"""Which of four networks can be retrained on a Jetson TX2 that has 4 GiB to spare, at which batch, and why.

python examples/retrain_on_tx2.py
"""

from pathlib import Path

from graphcost.api import run
from graphcost.training import TrainingOptions
from graphcost.training.plan import train_plan

MEMORY_BYTES = 4 << 30
MODELS = Path(__file__).parent / "models" / "train"
WANTED_BATCH = 32


def main() -> None:
    options = TrainingOptions(optimizer="adam")
    for name in ("resnet18", "mobilenet_v2", "squeezenet1_1", "vgg11"):
        model = MODELS / f"{name}.onnx"
        plan = train_plan(model, "tx2", MEMORY_BYTES, options)
        step = run(model, "tx2", training=options, batch=WANTED_BATCH).report.totals.training
        assert step is not None
        held = sorted(step.at_peak.items(), key=lambda part: -part[1])[:3]
        print(f"{name}: " + ", ".join(f"{row.name} {row.batch or 'does not fit'}" for row in plan))
        print(f"  at batch {WANTED_BATCH}: {step.needed_bytes / 2**30:.2f} GiB with the context, of which "
              + ", ".join(f"{kind} {size / 2**20:.0f} MiB" for kind, size in held)
              + f"; {step.step_ms:.0f} ms a step")  # fmt: skip


if __name__ == "__main__":
    main()
