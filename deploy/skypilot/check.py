"""Reads the tasks by SkyPilot's own schema, which needs neither its server nor credentials.

python3 -m venv sky && sky/bin/pip install skypilot==0.14.1 && sky/bin/python deploy/skypilot/check.py
"""

import os
from pathlib import Path

import sky

# They must have values; which ones makes no difference here.
os.environ.update(RHONE_AUTHORITY="authority", RHONE_API_KEY="key")
for path in sorted(Path(__file__).parent.glob("*.yaml")):
    task = sky.Task.from_yaml(str(path))
    ready = task.service.readiness_path if task.service else "no service"
    print(path.name, task.num_nodes, "nodes,", task.resources, ready)
