"""The pydantic-ai package, by its model for chats and by its default for OpenAI, which asks for responses."""

import asyncio

import pytest
from given import MODEL, QUESTION, ROOM, Place
from pydantic_ai import Agent, ModelHTTPError, NativeOutput, ToolOutput
from pydantic_ai.direct import model_request_sync
from pydantic_ai.messages import ModelRequest, ToolCallPart, ToolReturnPart
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.tools import ToolDefinition

SHORT = {"temperature": 0, "max_tokens": 24}
ROOMY = {"temperature": 0, "max_tokens": ROOM}


@pytest.fixture(scope="module", params=["chat", "responses"])
def model_of(request, v1):
    kind = OpenAIChatModel if request.param == "chat" else OpenAIResponsesModel
    return lambda name=MODEL: kind(name, provider=OpenAIProvider(base_url=v1, api_key="none"))


def test_an_agent_answers_the_same_whole_and_streamed_with_its_usage(model_of):
    agent = Agent(model_of(), model_settings=SHORT)

    async def streamed():
        async with agent.run_stream(QUESTION) as result:
            return [text async for text in result.stream_text(delta=True)]

    whole = agent.run_sync(QUESTION)
    assert "Paris" in whole.output
    assert "".join(asyncio.run(streamed())) == whole.output
    usage = whole.usage() if callable(whole.usage) else whole.usage
    assert usage.total_tokens > 0


def test_a_conversation_goes_on(model_of):
    agent = Agent(model_of(), model_settings=SHORT, instructions="Be brief.")
    first = agent.run_sync(QUESTION)
    second = agent.run_sync("And of Germany?", message_history=first.all_messages())
    assert second.output
    assert len(second.all_messages()) == 4


@pytest.mark.parametrize("output", [ToolOutput, NativeOutput])
def test_an_agent_returns_an_object(model_of, output):
    agent = Agent(model_of(), output_type=output(Place), model_settings=ROOMY)
    assert isinstance(agent.run_sync(QUESTION).output, Place)


def test_a_call_is_made_and_its_result_is_taken(model_of):
    tool = ToolDefinition(name="weather", description="Forecast", parameters_json_schema=Place.model_json_schema())
    forced = ModelRequestParameters(function_tools=[tool], allow_text_output=False)
    asked = ModelRequest.user_text_prompt(QUESTION)
    answer = model_request_sync(model_of(), [asked], model_settings=ROOMY, model_request_parameters=forced)
    calls = [part for part in answer.parts if isinstance(part, ToolCallPart)]
    assert calls
    for call in calls:
        Place.model_validate(call.args_as_dict())
    results = ModelRequest([ToolReturnPart(call.tool_name, "22 degrees", call.tool_call_id) for call in calls])
    second = model_request_sync(model_of(), [asked, answer, results], model_settings=SHORT)
    assert second.text


def test_refusals_are_the_errors_of_the_package(model_of):
    with pytest.raises(ModelHTTPError) as refused:
        Agent(model_of("no-such")).run_sync(QUESTION)
    assert refused.value.status_code == 404
