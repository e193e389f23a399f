"""Runs the tasks of this folder with lm-evaluation-harness against the gateway named on the command line.

Writes the score of each task as JSON to the second argument.
"""

import json
import os
import sys

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", HF_DATASETS_CACHE=os.environ["TMPDIR"])
os.chdir(os.path.dirname(os.path.abspath(__file__)))

from lm_eval import simple_evaluate  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402


def score(model, url, task, **more):
    results = simple_evaluate(
        model=model,
        model_args={"model": "breeze", "base_url": url, "num_concurrent": 4, "max_retries": 1},
        tasks=[task],
        task_manager=TaskManager(include_path=".", include_defaults=False),
        bootstrap_iters=0,
        **more,
    )["results"][task]
    return next(value for name, value in results.items() if name.startswith(("acc,", "exact_match,")))


if __name__ == "__main__":
    url, path = sys.argv[1:]
    scores = {
        "chosen": score("local-completions", f"{url}/v1/completions", "capitals_chosen"),
        "completed": score("local-completions", f"{url}/v1/completions", "capitals_completed"),
        "told": score("local-chat-completions", f"{url}/v1/chat/completions", "capitals_told", apply_chat_template=True),
    }
    with open(path, "w", encoding="utf8") as file:
        json.dump(scores, file)
