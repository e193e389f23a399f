"""The instructor package: each of its ways to get an object of a class."""

import instructor
import openai
import pytest
from given import MESSAGES, MODEL, ROOM, Place
from instructor.core import InstructorRetryException

ASKED = {"model": MODEL, "messages": MESSAGES, "temperature": 0, "max_tokens": ROOM, "max_retries": 0}


def client_of(v1, mode):
    client = openai.OpenAI(base_url=v1, api_key="none", max_retries=0)
    return instructor.from_openai(client, mode=instructor.Mode[mode])


@pytest.mark.parametrize("mode", ["TOOLS", "TOOLS_STRICT", "JSON_SCHEMA"])
def test_an_object_of_the_class_is_returned(v1, mode):
    assert isinstance(client_of(v1, mode).chat.completions.create(**ASKED, response_model=Place), Place)


def test_json_in_words_is_asked_for(v1):
    """Breeze answers any object; what matters is that it is JSON, which the package then finds wanting."""
    client = client_of(v1, "JSON")
    with pytest.raises(InstructorRetryException) as wanting:
        client.chat.completions.create(**ASKED, response_model=Place)
    assert "Invalid JSON" not in str(wanting.value)


@pytest.mark.parametrize("mode", ["TOOLS", "JSON_SCHEMA"])
def test_an_object_grows_in_a_stream(v1, mode):
    client = client_of(v1, mode)
    seen = list(client.chat.completions.create_partial(**ASKED, response_model=Place))
    assert seen
    Place.model_validate(seen[-1].model_dump())


@pytest.mark.parametrize("mode", ["TOOLS", "JSON_SCHEMA"])
def test_several_objects_come_one_by_one(v1, mode):
    client = client_of(v1, mode)
    places = list(client.chat.completions.create_iterable(**ASKED, response_model=Place))
    assert all(isinstance(place, Place) for place in places)


def test_the_answer_itself_comes_beside_the_object(v1):
    client = client_of(v1, "TOOLS")
    place, answer = client.chat.completions.create_with_completion(**ASKED, response_model=Place)
    assert isinstance(place, Place)
    assert answer.usage.total_tokens > 0
