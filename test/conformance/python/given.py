"""What the checks of several clients ask for."""

import time
from typing import Literal

from pydantic import BaseModel, Field

MODEL = "breeze"
QUESTION = "What is the capital of France?"
MESSAGES = [{"role": "user", "content": QUESTION}]
GREEDY = {"model": MODEL, "temperature": 0, "max_tokens": 24}
# Two or three calls: Breeze repeats one that it must make until the answer is full.
ROOM = 120


class Place(BaseModel):
    """A place to go to."""

    city: Literal["Paris", "Lyon"]
    days: int = Field(ge=1, le=9)


WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "Forecast", "parameters": Place.model_json_schema()},
}


def until(read, wanted, seconds=60):
    """Reads until the value is one of those wanted; returns it."""
    deadline = time.monotonic() + seconds
    while (value := read()) not in wanted:
        assert time.monotonic() < deadline, f"it is {value} after {seconds} s; wanted was one of {wanted}"
        time.sleep(0.05)
    return value
