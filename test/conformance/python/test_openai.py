"""The openai package."""

import asyncio
import json

import httpx
import openai
import pytest
from given import GREEDY, MESSAGES, MODEL, ROOM, WEATHER, Place, until

CHATS = "/v1/chat/completions"
REQUIRED = {**GREEDY, "messages": MESSAGES, "max_tokens": ROOM, "tools": [WEATHER], "tool_choice": "required"}


@pytest.fixture(scope="module")
def client(v1):
    with openai.OpenAI(base_url=v1, api_key="none", max_retries=0) as client:
        yield client


def ask(client, **fields):
    return client.chat.completions.create(**{**GREEDY, "messages": MESSAGES, **fields})


def lines(count, max_tokens=16):
    """Requests of a batch; the last has a temperature that is refused."""
    bodies = [{**GREEDY, "messages": MESSAGES, "max_tokens": max_tokens} for _ in range(count)]
    bodies[-1]["temperature"] = 9
    requests = [{"custom_id": f"q{i}", "method": "POST", "url": CHATS, "body": body} for i, body in enumerate(bodies)]
    return "".join(json.dumps(request) + "\n" for request in requests).encode()


def upload(client, content):
    return client.files.create(file=("in.jsonl", content), purpose="batch")


def test_models_are_listed_and_retrieved(client):
    ids = [model.id for model in client.models.list()]
    assert client.models.retrieve(ids[0]).id == ids[0]


def test_a_chat_is_the_same_whole_and_streamed(client):
    whole = ask(client)
    assert "Paris" in whole.choices[0].message.content
    assert whole.choices[0].finish_reason == "stop"
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole.choices[0].message.content
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens


def test_the_stream_helper_puts_the_chunks_together(client):
    with client.chat.completions.stream(**GREEDY, messages=MESSAGES) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"content.delta", "content.done"} <= kinds
    assert final.choices[0].message.content == ask(client).choices[0].message.content


def test_four_chats_at_once_are_each_the_same(v1):
    async def together():
        async with openai.AsyncOpenAI(base_url=v1, api_key="none", max_retries=0) as client:
            return await asyncio.gather(*(ask(client) for _ in range(4)))

    assert len({answer.choices[0].message.content for answer in asyncio.run(together())}) == 1


def test_raw_answers_have_a_request_id(client):
    raw = client.chat.completions.with_raw_response.create(**GREEDY, messages=MESSAGES)
    assert raw.headers["x-request-id"] == raw.parse()._request_id


def test_logprobs_are_the_same_whole_and_streamed(client):
    whole = ask(client, logprobs=True, top_logprobs=3)
    content = whole.choices[0].logprobs.content
    assert len(content) == whole.usage.completion_tokens - 1  # the token that ends the answer has no text
    assert all(len(token.top_logprobs) == 3 for token in content)
    assert "".join(token.token for token in content) == whole.choices[0].message.content
    chunks = ask(client, logprobs=True, top_logprobs=3, stream=True)
    choices = [c.choices[0] for c in chunks if c.choices and c.choices[0].logprobs]
    streamed = [token.token for choice in choices for token in choice.logprobs.content]
    assert streamed == [token.token for token in content]


def test_n_seed_and_stop_are_obeyed(client):
    drawn = {"n": 3, "seed": -5, "max_tokens": 8, "temperature": 1.5}
    first, second = ask(client, **drawn), ask(client, **drawn)
    assert [c.message.content for c in first.choices] == [c.message.content for c in second.choices]
    assert len(first.choices) == 3
    stopped = ask(client, stop=["Paris"]).choices[0]
    assert stopped.finish_reason == "stop"
    assert "Paris" not in stopped.message.content


def test_other_fields_go_through_extra_body(client):
    answer = ask(client, extra_body={"top_k": 1, "return_token_ids": True}, temperature=1)
    assert answer.choices[0].message.content == ask(client).choices[0].message.content


def test_a_required_call_is_made_and_its_result_is_taken(client):
    asked = client.chat.completions.create(**REQUIRED).choices[0]
    assert asked.finish_reason == "tool_calls"
    results = []
    for call in asked.message.tool_calls:
        Place.model_validate_json(call.function.arguments)
        results.append({"role": "tool", "tool_call_id": call.id, "content": "22 degrees"})
    messages = [*MESSAGES, asked.message, *results]
    second = ask(client, messages=messages, tools=[WEATHER], tool_choice="none").choices[0]
    assert second.message.content
    assert second.message.tool_calls is None


def test_streamed_calls_are_those_of_the_whole_answer(client):
    whole = client.chat.completions.create(**REQUIRED).choices[0].message.tool_calls
    with client.chat.completions.stream(**REQUIRED) as stream:
        final = stream.get_final_completion().choices[0].message.tool_calls
    assert [c.function.arguments for c in final] == [c.function.arguments for c in whole]


def test_structured_answers_are_parsed(client):
    asked = {**GREEDY, "messages": MESSAGES, "max_tokens": ROOM, "response_format": Place}
    whole = client.chat.completions.parse(**asked).choices[0].message.parsed
    assert isinstance(whole, Place)
    with client.chat.completions.stream(**asked) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == whole


def test_strict_functions_are_parsed(client):
    tool = openai.pydantic_function_tool(Place, name="weather")
    answer = client.chat.completions.parse(**{**REQUIRED, "tools": [tool]})
    calls = answer.choices[0].message.tool_calls
    assert calls
    assert all(isinstance(call.function.parsed_arguments, Place) for call in calls)


def test_completions_of_texts_and_token_ids_are_the_same_whole_and_streamed(client, url):
    asked = {**GREEDY, "max_tokens": 6}
    whole = client.completions.create(prompt="The", **asked).choices[0].text
    assert "".join(c.choices[0].text for c in client.completions.create(prompt="The", stream=True, **asked)) == whole
    ids = httpx.post(f"{url}/tokenize", json={"prompt": "The"}).json()["tokens"]
    assert client.completions.create(prompt=ids, **asked).choices[0].text == whole


def test_completions_have_logprobs_echo_and_several_prompts(client):
    asked = {**GREEDY, "max_tokens": 2, "logprobs": 2, "echo": True}
    first, second = client.completions.create(prompt=["The sea", "A"], **asked).choices
    assert first.text.startswith("The sea")
    assert second.index == 1
    assert first.logprobs.token_logprobs[0] is None
    assert first.text.strip() in "".join(first.logprobs.tokens)
    assert first.logprobs.text_offset[0] == 0


def test_embeddings_are_the_same_as_floats_and_base64(client):
    texts = ["What is the capital of France?", "Tell me a story."]
    packed = client.embeddings.create(model=MODEL, input=texts).data
    floats = client.embeddings.create(model=MODEL, input=texts, encoding_format="float").data
    for one, other in zip(packed, floats, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-3)
        assert sum(x * x for x in one.embedding) == pytest.approx(1, abs=1e-4)


def test_files_go_up_are_listed_come_back_and_go(client):
    content = lines(3)
    file = upload(client, content)
    assert (file.purpose, file.bytes) == ("batch", len(content))
    assert client.files.retrieve(file.id) == file
    assert file.id in [each.id for each in client.files.list(purpose="batch", limit=1)]
    assert client.files.content(file.id).read() == content
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)


def test_a_batch_runs_to_its_end(client):
    order = {"endpoint": CHATS, "completion_window": "24h", "metadata": {"run": "7"}}
    made = client.batches.create(input_file_id=upload(client, lines(3)).id, **order)
    until(lambda: client.batches.retrieve(made.id).status, ["completed"])
    batch = client.batches.retrieve(made.id)
    counts = batch.request_counts
    assert (counts.total, counts.completed, counts.failed) == (3, 2, 1)
    answers = [json.loads(line) for line in client.files.content(batch.output_file_id).text.splitlines()]
    assert sorted(answer["custom_id"] for answer in answers) == ["q0", "q1"]
    assert json.loads(client.files.content(batch.error_file_id).text)["response"]["status_code"] == 400
    assert made.id in [each.id for each in client.batches.list(limit=1)]
    for file in (batch.input_file_id, batch.output_file_id, batch.error_file_id):
        assert client.files.delete(file).deleted


def test_a_batch_is_cancelled(client):
    file = upload(client, lines(2000, 200))
    made = client.batches.create(input_file_id=file.id, endpoint=CHATS, completion_window="24h")
    assert client.batches.cancel(made.id).status in ("cancelling", "cancelled")
    until(lambda: client.batches.retrieve(made.id).status, ["cancelled"])


def test_refusals_are_the_errors_of_the_package(client):
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, temperature=3)
    assert (refused.value.param, refused.value.code) == ("temperature", "invalid_value")
    with pytest.raises(openai.NotFoundError):
        ask(client, model="no-such")
    with pytest.raises(openai.BadRequestError) as long:
        ask(client, messages=[{"role": "user", "content": "a b " * 9000}], stream=True)
    assert long.value.code == "context_length_exceeded"


def test_a_client_that_stops_waiting_ends_its_generation(client, running):
    endless = {"model": MODEL, "prompt": "The", "max_tokens": 4000, "extra_body": {"ignore_eos": True}}
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.3).completions.create(**endless)
    until(running, [0])


def test_a_stream_that_is_left_ends_its_generation(client, running):
    with client.completions.create(
        model=MODEL, prompt="The", max_tokens=4000, stream=True, extra_body={"ignore_eos": True}
    ) as stream:
        next(iter(stream))
    until(running, [0])


def test_a_repeat_with_an_idempotency_key_gets_the_first_answer(client):
    drawn = {"temperature": 2, "extra_headers": {"Idempotency-Key": "python-openai-1"}}
    assert ask(client, **drawn).id == ask(client, **drawn).id
