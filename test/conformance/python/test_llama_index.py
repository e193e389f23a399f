"""The llama-index-llms-openai-like package."""

import asyncio

import pytest
from given import MODEL, QUESTION, ROOM, Place
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike


CHAT = {"model": MODEL, "max_tokens": 24, "is_chat_model": True, "is_function_calling_model": True}


@pytest.fixture(scope="module")
def client_of(v1):
    def make(**fields):
        return OpenAILike(
            api_base=v1,
            api_key="none",
            temperature=0,
            max_retries=0,
            **{**CHAT, **fields},
        )

    return make


ASKED = [ChatMessage(role="user", content=QUESTION)]


def test_a_chat_is_the_same_whole_streamed_and_asynchronous(client_of):
    whole = client_of().chat(ASKED).message.content
    assert "Paris" in whole
    assert "".join(part.delta or "" for part in client_of().stream_chat(ASKED)) == whole
    assert asyncio.run(client_of().achat(ASKED)).message.content == whole


def test_a_chat_answers_what_is_to_be_completed(client_of):
    assert "Paris" in client_of().complete(QUESTION).text


def test_texts_are_completed_whole_and_streamed(client_of):
    client = client_of(is_chat_model=False, is_function_calling_model=False)
    whole = client.complete("The sea").text
    assert whole
    assert "".join(part.delta or "" for part in client.stream_complete("The sea")) == whole


def test_calls_are_made(client_of):
    def weather(city: str, days: int) -> str:
        """Forecast"""
        return "22 degrees"

    tool = FunctionTool.from_defaults(weather)
    client = client_of(max_tokens=ROOM)
    answer = client.chat_with_tools([tool], chat_history=ASKED, tool_required=True)
    calls = client.get_tool_calls_from_response(answer)
    assert [call.tool_name for call in calls][:1] == ["weather"]
    assert set(calls[0].tool_kwargs) == {"city", "days"}


def test_structured_answers_are_parsed(client_of):
    structured = client_of(max_tokens=ROOM).as_structured_llm(Place)
    assert isinstance(structured.chat(ASKED).raw, Place)


def test_structured_answers_by_schema_are_parsed(client_of):
    structured = client_of(max_tokens=ROOM, should_use_structured_outputs=True).as_structured_llm(Place)
    assert isinstance(structured.chat(ASKED).raw, Place)


def test_refusals_show_their_message(client_of):
    with pytest.raises(Exception, match="no-such"):
        client_of(model="no-such").chat(ASKED)
