"""The anthropic package."""

import asyncio

import anthropic
import pytest
from given import MESSAGES, MODEL, ROOM, Place, until

# The package has no argument for it.
GREEDY = {"model": MODEL, "max_tokens": 24, "extra_body": {"temperature": 0}}
TOOL = {"name": "weather", "description": "Forecast", "input_schema": Place.model_json_schema()}
CALLS = {**GREEDY, "max_tokens": ROOM, "messages": MESSAGES, "tools": [TOOL], "tool_choice": {"type": "any"}}


@pytest.fixture(scope="module")
def client(url):
    with anthropic.Anthropic(base_url=url, api_key="none", max_retries=0) as client:
        yield client


def read_tokens(message):
    """Tokens of the prompt, with those that the cache had."""
    return message.usage.input_tokens + (message.usage.cache_read_input_tokens or 0)


def ask(client, **fields):
    return client.messages.create(**{**GREEDY, "messages": MESSAGES, **fields})


def test_a_message_is_the_same_whole_streamed_and_asynchronous(client, url):
    async def ask_async():
        async with anthropic.AsyncAnthropic(base_url=url, api_key="none", max_retries=0) as other:
            return await ask(other)

    whole = ask(client)
    assert "Paris" in whole.content[0].text
    assert whole.stop_reason == "end_turn"
    with client.messages.stream(**GREEDY, messages=MESSAGES) as stream:
        assert "".join(stream.text_stream) == whole.content[0].text
        final = stream.get_final_message()
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert read_tokens(final) == read_tokens(whole)
    assert asyncio.run(ask_async()).content[0].text == whole.content[0].text


def test_events_come_in_order(client):
    kinds = [event.type for event in ask(client, stream=True)]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]


def test_system_and_blocks_are_taken_and_tokens_counted(client):
    turns = [
        {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
        {"role": "assistant", "content": "Hello!"},
        *MESSAGES,
    ]
    counted = client.messages.count_tokens(model=MODEL, system="Be brief.", messages=turns)
    answer = ask(client, system=[{"type": "text", "text": "Be brief."}], messages=turns)
    assert answer.content[0].text
    assert read_tokens(answer) == counted.input_tokens


def test_an_assistant_message_at_the_end_is_continued(client):
    answer = ask(client, messages=[*MESSAGES, {"role": "assistant", "content": "The capital of"}])
    assert answer.content[0].text.startswith(" France")


def test_stop_sequences_and_max_tokens_end_an_answer(client):
    stopped = ask(client, stop_sequences=["Paris"])
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "Paris")
    assert ask(client, max_tokens=2).stop_reason == "max_tokens"


def test_a_call_is_made_and_its_result_is_taken(client):
    asked = client.messages.create(**CALLS)
    assert asked.stop_reason == "tool_use"
    calls = [block for block in asked.content if block.type == "tool_use"]
    for call in calls:
        Place.model_validate(call.input)
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": "22 degrees"} for call in calls]
    turns = [*MESSAGES, {"role": "assistant", "content": asked.content}, {"role": "user", "content": results}]
    second = ask(client, messages=turns, tools=[TOOL], tool_choice={"type": "none"})
    assert second.content[0].text


def test_streamed_calls_are_those_of_the_whole_answer(client):
    whole = [block.input for block in client.messages.create(**CALLS).content if block.type == "tool_use"]
    with client.messages.stream(**CALLS) as stream:
        final = stream.get_final_message()
    assert [block.input for block in final.content if block.type == "tool_use"] == whole


def test_refusals_are_the_errors_of_the_package(client):
    with pytest.raises(anthropic.BadRequestError) as refused:
        ask(client, extra_body={"temperature": 3})
    assert refused.value.body["error"]["type"] == "invalid_request_error"
    with pytest.raises(anthropic.NotFoundError):
        ask(client, model="no-such")


def test_a_stream_that_is_left_ends_its_generation(client, running):
    with ask(client, max_tokens=400, stream=True, messages=[{"role": "user", "content": "Tell me a story."}]) as stream:
        next(iter(stream))
    until(running, [0])
