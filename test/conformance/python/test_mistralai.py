"""The mistralai package."""

import asyncio
import json

import pytest
from given import GREEDY, MESSAGES, MODEL, ROOM, WEATHER, Place, until
from mistralai.client import Mistral
from mistralai.client.errors import SDKError

CHATS = "/v1/chat/completions"
REQUIRED = {**GREEDY, "messages": MESSAGES, "max_tokens": ROOM, "tools": [WEATHER], "tool_choice": "any"}


@pytest.fixture(scope="module")
def client(url):
    with Mistral(server_url=url, api_key="none") as client:
        yield client


def lines(count, max_tokens=16):
    bodies = [{"messages": MESSAGES, "max_tokens": max_tokens, "temperature": 0} for _ in range(count)]
    bodies[-1]["temperature"] = 9
    requests = [{"custom_id": f"q{i}", "body": body} for i, body in enumerate(bodies)]
    return "".join(json.dumps(request) + "\n" for request in requests).encode()


def upload(client, content):
    return client.files.upload(file={"file_name": "in.jsonl", "content": content}, purpose="batch")


def test_models_are_listed_and_retrieved(client):
    (model,) = client.models.list().data
    assert client.models.retrieve(model_id=model.id).id == model.id


def test_a_chat_is_the_same_whole_and_streamed_with_its_usage(client):
    whole = client.chat.complete(**GREEDY, messages=MESSAGES)
    assert "Paris" in whole.choices[0].message.content
    chunks = [event.data for event in client.chat.stream(**GREEDY, messages=MESSAGES)]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == whole.choices[0].message.content
    assert chunks[-1].usage.total_tokens == whole.usage.total_tokens


def test_chats_run_asynchronously(client):
    async def together():
        asked = (client.chat.complete_async(**GREEDY, messages=MESSAGES) for _ in range(4))
        return await asyncio.gather(*asked)

    assert len({answer.choices[0].message.content for answer in asyncio.run(together())}) == 1


def test_random_seed_safe_prompt_stop_and_prefix_are_obeyed(client):
    drawn = {"model": MODEL, "messages": MESSAGES, "random_seed": 9, "max_tokens": 8, "temperature": 1}
    first, second = client.chat.complete(**drawn), client.chat.complete(**drawn)
    assert first.choices[0].message.content == second.choices[0].message.content
    safe = client.chat.complete(**GREEDY, messages=MESSAGES, safe_prompt=True)
    assert safe.usage.prompt_tokens > first.usage.prompt_tokens
    stopped = client.chat.complete(**GREEDY, messages=MESSAGES, stop="Paris").choices[0]
    assert "Paris" not in stopped.message.content
    opened = [*MESSAGES, {"role": "assistant", "content": "The capital of", "prefix": True}]
    went_on = client.chat.complete(**GREEDY, messages=opened).choices[0].message.content
    assert went_on.startswith("The capital of France is Paris")


def test_calls_are_made_and_their_results_taken(client):
    asked = client.chat.complete(**REQUIRED).choices[0]
    assert asked.finish_reason == "tool_calls"
    results = []
    for call in asked.message.tool_calls:
        Place.model_validate_json(call.function.arguments)
        results.append({"role": "tool", "name": "weather", "tool_call_id": call.id, "content": "22 degrees"})
    messages = [*MESSAGES, asked.message, *results]
    second = client.chat.complete(**GREEDY, messages=messages, tools=[WEATHER], tool_choice="none")
    assert second.choices[0].message.content


def test_streamed_calls_are_those_of_the_whole_answer(client):
    whole = client.chat.complete(**REQUIRED).choices[0].message.tool_calls
    deltas = [event.data.choices[0].delta for event in client.chat.stream(**REQUIRED) if event.data.choices]
    streamed = [call for delta in deltas for call in delta.tool_calls or []]
    assert [c.function.arguments for c in streamed] == [c.function.arguments for c in whole]


def test_structured_answers_are_parsed(client):
    answer = client.chat.parse(Place, model=MODEL, messages=MESSAGES, max_tokens=ROOM, random_seed=3)
    assert isinstance(answer.choices[0].message.parsed, Place)


def test_embeddings_have_length_1(client):
    (one, other) = client.embeddings.create(model=MODEL, inputs=["The sea", "A story"]).data
    assert sum(x * x for x in one.embedding) == pytest.approx(1, abs=1e-4)
    assert len(one.embedding) == len(other.embedding)


def test_files_go_up_are_listed_come_back_and_go(client):
    content = lines(3)
    file = upload(client, content)
    assert client.files.retrieve(file_id=file.id).num_lines == 3
    assert file.id in [each.id for each in client.files.list(purpose="batch").data]
    assert client.files.download(file_id=file.id).read() == content
    assert client.files.delete(file_id=file.id).deleted


def test_a_job_runs_to_its_end(client):
    file = upload(client, lines(3))
    order = {"endpoint": CHATS, "model": MODEL, "metadata": {"run": "7"}}
    made = client.batch.jobs.create(input_files=[file.id], **order)
    until(lambda: client.batch.jobs.get(job_id=made.id).status, ["SUCCESS"])
    job = client.batch.jobs.get(job_id=made.id)
    assert (job.total_requests, job.succeeded_requests, job.failed_requests) == (3, 2, 1)
    answers = client.files.download(file_id=job.output_file).read().decode().splitlines()
    assert sorted(json.loads(line)["custom_id"] for line in answers) == ["q0", "q1"]
    assert made.id in [each.id for each in client.batch.jobs.list(model=MODEL).data]


def test_requests_may_be_in_the_job(client):
    requests = [{"custom_id": name, "body": {"messages": MESSAGES, "max_tokens": 8}} for name in ("a", "b")]
    made = client.batch.jobs.create(requests=requests, endpoint=CHATS, model=MODEL)
    until(lambda: client.batch.jobs.get(job_id=made.id).status, ["SUCCESS"])
    job = client.batch.jobs.get(job_id=made.id, inline=True)
    assert sorted(answer["custom_id"] for answer in job.outputs) == ["a", "b"]


def test_a_job_is_cancelled(client):
    file = upload(client, lines(2000, 200))
    made = client.batch.jobs.create(input_files=[file.id], endpoint=CHATS, model=MODEL)
    assert client.batch.jobs.cancel(job_id=made.id).status.startswith("CANCEL")
    until(lambda: client.batch.jobs.get(job_id=made.id).status, ["CANCELLED"])


def test_refusals_are_the_errors_of_the_package(client):
    with pytest.raises(SDKError) as refused:
        client.chat.complete(**{**GREEDY, "temperature": 3}, messages=MESSAGES)
    assert refused.value.status_code == 400
    assert "temperature" in refused.value.body
    with pytest.raises(SDKError) as gap:
        client.fim.complete(model=MODEL, prompt="def f(", suffix="return")
    assert "[SUFFIX]" in gap.value.body
