"""Checks of clients in Python against the gateway at RHONE_URL.

With RHONE_REPORT each check writes a line of JSON to that file: script, name, outcome and reason.
"""

import json
import os
import re

import httpx
import pytest

# Nothing is fetched: tables of prices, tokenizers and templates that a client would look for on the network.
os.environ.update(LITELLM_LOCAL_MODEL_COST_MAP="True", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1")
# Keys and addresses of the person who runs the tests must not reach the clients.
for name in list(os.environ):
    if re.match(r"(OPENAI|ANTHROPIC|MISTRAL|LANGCHAIN|LANGSMITH|LITELLM_(?!LOCAL))", name):
        del os.environ[name]


@pytest.fixture(scope="session")
def url():
    """The gateway, without a path: what Mistral's and Anthropic's clients want."""
    return os.environ["RHONE_URL"]


@pytest.fixture(scope="session")
def v1(url):
    """What OpenAI's clients want."""
    return f"{url}/v1"


@pytest.fixture
def running(url):
    """Number of requests that the gateway has in hand."""

    def read():
        page = httpx.get(f"{url}/metrics").text
        return int(re.search(r"^rhone_requests_running(?:\{.*\})? (\d+)$", page, re.M).group(1))

    return read


def pytest_runtest_logreport(report):
    path = os.environ.get("RHONE_REPORT")
    if path is None or (report.when != "call" and report.passed):
        return
    script, _, check = report.nodeid.partition("::")
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr or "")
    line = {
        "script": os.path.basename(script),
        "name": check.partition("[")[0].removeprefix("test_"),
        "outcome": report.outcome,
        "reason": reason,
    }
    with open(path, "a", encoding="utf8") as file:
        file.write(json.dumps(line) + "\n")
