"""The openai package against /v1/responses."""

import openai
import pytest
from given import MODEL, QUESTION, ROOM, WEATHER, Place, until

GREEDY = {"model": MODEL, "temperature": 0, "max_output_tokens": 24}
ENDLESS = {"ignore_eos": True}
TOOL = {"type": "function", "strict": False, **WEATHER["function"]}
CALLS = {**GREEDY, "max_output_tokens": ROOM, "input": QUESTION, "tools": [TOOL], "tool_choice": "required"}


@pytest.fixture(scope="module")
def client(v1):
    with openai.OpenAI(base_url=v1, api_key="none", max_retries=0) as client:
        yield client


def test_a_text_is_answered_whole_and_streamed(client):
    whole = client.responses.create(**GREEDY, input=QUESTION)
    assert "Paris" in whole.output_text
    assert whole.status == "completed"
    events = list(client.responses.create(**GREEDY, input=QUESTION, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == whole.output_text == events[-1].response.output_text
    assert events[-1].response.usage.total_tokens == whole.usage.total_tokens


def test_the_stream_helper_puts_the_events_together(client):
    with client.responses.stream(**GREEDY, input=QUESTION) as stream:
        for _ in stream:
            pass
        assert "Paris" in stream.get_final_response().output_text


def test_messages_items_and_instructions_are_taken(client):
    turns = [
        {"role": "user", "content": "Hello"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello!"}]},
        {"role": "user", "content": [{"type": "input_text", "text": QUESTION}]},
    ]
    answer = client.responses.create(**GREEDY, instructions="Answer in one sentence.", input=turns)
    assert answer.output_text
    assert answer.instructions == "Answer in one sentence."


def test_a_conversation_goes_on_from_the_response_before(client):
    first = client.responses.create(**GREEDY, input=QUESTION)
    second = client.responses.create(**GREEDY, input="And of Germany?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    assert second.usage.input_tokens > first.usage.input_tokens


def test_responses_are_retrieved_with_their_items_and_deleted(client):
    made = client.responses.create(**GREEDY, input=QUESTION)
    assert client.responses.retrieve(made.id).output_text == made.output_text
    items = list(client.responses.input_items.list(made.id))
    assert items[0].content[0].text == QUESTION
    client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_what_is_not_stored_is_not_found(client):
    made = client.responses.create(**GREEDY, input=QUESTION, store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(made.id)


def test_a_required_call_is_made_and_its_output_is_taken(client):
    asked = client.responses.create(**CALLS)
    calls = [item for item in asked.output if item.type == "function_call"]
    assert calls
    for call in calls:
        Place.model_validate_json(call.arguments)
    outputs = [{"type": "function_call_output", "call_id": call.call_id, "output": "22 degrees"} for call in calls]
    by_id = client.responses.create(
        **GREEDY, input=outputs, previous_response_id=asked.id, tools=[TOOL], tool_choice="none"
    )
    assert by_id.output_text
    turns = [{"role": "user", "content": QUESTION}, *asked.output, *outputs]
    whole = client.responses.create(**GREEDY, input=turns, tools=[TOOL], tool_choice="none")
    assert whole.output_text == by_id.output_text


def test_streamed_calls_are_those_of_the_whole_response(client):
    whole = [item.arguments for item in client.responses.create(**CALLS).output]
    events = list(client.responses.create(**CALLS, stream=True))
    done = [event.arguments for event in events if event.type == "response.function_call_arguments.done"]
    assert done == whole


def test_structured_answers_are_parsed(client):
    asked = {**GREEDY, "max_output_tokens": ROOM, "input": QUESTION, "text_format": Place}
    assert isinstance(client.responses.parse(**asked).output_parsed, Place)
    with client.responses.stream(**asked) as stream:
        assert isinstance(stream.get_final_response().output_parsed, Place)


def test_a_response_in_the_background_is_polled_and_cancelled(client):
    made = client.responses.create(**GREEDY, input=QUESTION, background=True)
    assert made.status in ("queued", "in_progress", "completed")
    until(lambda: client.responses.retrieve(made.id).status, ["completed"])
    assert "Paris" in client.responses.retrieve(made.id).output_text
    long = client.responses.create(**{**GREEDY, "max_output_tokens": 400}, input=QUESTION, background=True, extra_body=ENDLESS)
    client.responses.cancel(long.id)
    until(lambda: client.responses.retrieve(long.id).status, ["cancelled"])


def test_an_answer_that_is_cut_short_is_incomplete(client):
    cut = client.responses.create(model=MODEL, temperature=0, max_output_tokens=2, input=QUESTION)
    assert (cut.status, cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")


def test_refusals_are_the_errors_of_the_package(client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=MODEL, input=QUESTION, temperature=3)
    assert refused.value.param == "temperature"
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="no-such", input=QUESTION)
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model=MODEL, input=QUESTION, tools=[{"type": "web_search"}])
