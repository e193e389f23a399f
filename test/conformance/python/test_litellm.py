"""The litellm package, by the names that its users give to a server of their own."""

import asyncio

import litellm
import pytest
from given import MESSAGES, QUESTION, ROOM, WEATHER, Place

GREEDY = {"api_key": "none", "temperature": 0, "max_tokens": 24}


@pytest.fixture(scope="module", params=["openai/breeze", "hosted_vllm/breeze", "mistral/breeze"])
def named(request, v1):
    return {**GREEDY, "model": request.param, "api_base": v1}


@pytest.fixture(scope="module")
def as_openai(v1):
    return {**GREEDY, "model": "openai/breeze", "api_base": v1}


def test_a_chat_is_the_same_whole_and_streamed(named):
    whole = litellm.completion(**named, messages=MESSAGES)
    assert "Paris" in whole.choices[0].message.content
    assert whole.usage.total_tokens > 0
    chunks = list(litellm.completion(**named, messages=MESSAGES, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == whole.choices[0].message.content


def test_chats_run_asynchronously(named):
    async def together():
        return await asyncio.gather(*(litellm.acompletion(**named, messages=MESSAGES) for _ in range(3)))

    assert len({answer.choices[0].message.content for answer in asyncio.run(together())}) == 1


def test_a_required_call_is_made_and_its_result_is_taken(named):
    asked = {**named, "max_tokens": ROOM, "tools": [WEATHER], "tool_choice": "required"}
    message = litellm.completion(**asked, messages=MESSAGES).choices[0].message
    assert message.tool_calls
    results = []
    for call in message.tool_calls:
        Place.model_validate_json(call.function.arguments)
        results.append({"role": "tool", "tool_call_id": call.id, "name": "weather", "content": "22 degrees"})
    turns = [*MESSAGES, message.model_dump(), *results]
    assert litellm.completion(**named, messages=turns).choices[0].message.content


def test_structured_answers_keep_to_their_schema(named):
    answer = litellm.completion(**{**named, "max_tokens": ROOM}, messages=MESSAGES, response_format=Place)
    Place.model_validate_json(answer.choices[0].message.content)


def test_the_parts_of_a_stream_are_put_together(as_openai):
    asked = {**as_openai, "messages": MESSAGES, "stream": True, "stream_options": {"include_usage": True}}
    whole = litellm.stream_chunk_builder(list(litellm.completion(**asked)), messages=MESSAGES)
    assert "Paris" in whole.choices[0].message.content
    assert whole.usage.total_tokens == litellm.completion(**as_openai, messages=MESSAGES).usage.total_tokens


def test_texts_are_completed(v1):
    asked = {**GREEDY, "model": "text-completion-openai/breeze", "api_base": v1, "prompt": "The sea", "max_tokens": 4}
    assert litellm.text_completion(**asked).choices[0].text


def test_texts_are_embedded(v1):
    answer = litellm.embedding(model="openai/breeze", api_base=v1, api_key="none", input=["The sea", "A story"])
    assert sum(x * x for x in answer.data[0]["embedding"]) == pytest.approx(1, abs=1e-4)


def test_refusals_are_the_errors_of_the_package(as_openai):
    with pytest.raises(litellm.BadRequestError, match="temperature"):
        litellm.completion(**{**as_openai, "temperature": 3}, messages=MESSAGES)
    with pytest.raises(litellm.NotFoundError):
        litellm.completion(**{**as_openai, "model": "openai/no-such"}, messages=MESSAGES)
    with pytest.raises(litellm.BadRequestError, match="18008 tokens"):
        litellm.completion(**as_openai, messages=[{"role": "user", "content": "a b " * 9000}])


def test_responses_are_asked_for(as_openai):
    fields = {**as_openai, "max_output_tokens": 24}
    del fields["max_tokens"]
    answer = litellm.responses(**fields, input=QUESTION)
    assert "Paris" in answer.output[0].content[0].text
    kinds = [event.type for event in litellm.responses(**fields, input=QUESTION, stream=True)]
    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"


def test_messages_are_asked_for(url):
    asked = {**GREEDY, "model": "anthropic/breeze", "api_base": url, "messages": MESSAGES}
    whole = litellm.completion(**asked)
    assert "Paris" in whole.choices[0].message.content
    streamed = "".join(c.choices[0].delta.content or "" for c in litellm.completion(**asked, stream=True))
    assert streamed == whole.choices[0].message.content
