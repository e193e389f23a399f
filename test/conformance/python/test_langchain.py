"""The langchain-openai and langchain-mistralai packages."""

import pytest
from given import MODEL, QUESTION, Place
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_mistralai import ChatMistralAI
from langchain_openai import ChatOpenAI, OpenAI, OpenAIEmbeddings

GREEDY = {"model": MODEL, "api_key": "none", "temperature": 0, "max_tokens": 24, "max_retries": 0}


@tool
def weather(city: str, days: int) -> str:
    """Forecast"""
    return "22 degrees"


@pytest.fixture(scope="module", params=["openai", "mistralai"])
def client_of(request, v1):
    """A client with fields of its own."""

    def make(**fields):
        if request.param == "mistralai":
            return ChatMistralAI(endpoint=v1, **{**GREEDY, **fields})
        return ChatOpenAI(base_url=v1, **{**GREEDY, **fields})

    return make


def test_a_chat_is_the_same_whole_and_streamed_with_its_usage(client_of):
    whole = client_of().invoke(QUESTION)
    assert "Paris" in whole.text
    assert whole.usage_metadata["total_tokens"] > 0
    chunks = list(client_of().stream(QUESTION))
    assert "".join(chunk.text for chunk in chunks) == whole.text
    usages = [chunk.usage_metadata["total_tokens"] for chunk in chunks if chunk.usage_metadata]
    assert sum(usages) == whole.usage_metadata["total_tokens"]


def test_several_questions_are_asked_at_once(client_of):
    answers = client_of().batch([QUESTION, [SystemMessage("Be brief."), HumanMessage(QUESTION)]])
    assert all(answer.text for answer in answers)


def test_a_call_is_made_and_its_result_is_taken(client_of):
    client = client_of(max_tokens=300)
    asked = client.bind_tools([weather], tool_choice="any").invoke([HumanMessage(QUESTION)])
    assert asked.tool_calls
    results = [ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"]) for call in asked.tool_calls]
    second = client_of().invoke([HumanMessage(QUESTION), asked, *results])
    assert second.text
    assert second.tool_calls == []


def test_streamed_calls_are_those_of_the_whole_answer(client_of):
    bound = client_of(max_tokens=300).bind_tools([weather], tool_choice="any")
    whole = bound.invoke(QUESTION)
    first, *rest = bound.stream(QUESTION)
    for chunk in rest:
        first += chunk
    assert [call["args"] for call in first.tool_calls] == [call["args"] for call in whole.tool_calls]


@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
def test_structured_answers_are_parsed(client_of, method):
    client = client_of(max_tokens=300).with_structured_output(Place, method=method)
    assert isinstance(client.invoke(QUESTION), Place)


def test_logprobs_are_in_the_metadata(v1):
    answer = ChatOpenAI(base_url=v1, **GREEDY, logprobs=True, top_logprobs=2).invoke(QUESTION)
    content = answer.response_metadata["logprobs"]["content"]
    assert "".join(piece["token"] for piece in content) == answer.content
    # The end token is counted, and not shown.
    assert answer.usage_metadata["output_tokens"] - len(content) in (0, 1)


def test_texts_are_completed_whole_and_streamed(v1):
    client = OpenAI(base_url=v1, **GREEDY)
    assert "".join(client.stream("The sea")) == client.invoke("The sea") != ""


def test_texts_are_embedded(v1):
    client = OpenAIEmbeddings(base_url=v1, api_key="none", model=MODEL, check_embedding_ctx_length=False)
    one, _ = client.embed_documents(["The sea", "A story"])
    assert sum(x * x for x in one) == pytest.approx(1, abs=1e-4)
    assert client.embed_query("The sea") == pytest.approx(one, abs=1e-3)


def test_refusals_show_their_message(client_of):
    with pytest.raises(Exception, match="no-such"):
        client_of(model="no-such").invoke(QUESTION)


def test_responses_are_asked_for(v1):
    client = ChatOpenAI(base_url=v1, **GREEDY, use_responses_api=True)
    whole = client.invoke(QUESTION)
    assert "Paris" in whole.text
    assert "".join(chunk.text for chunk in client.stream(QUESTION)) == whole.text
    roomy = ChatOpenAI(base_url=v1, **{**GREEDY, "max_tokens": 300}, use_responses_api=True)
    assert roomy.bind_tools([weather], tool_choice="any").invoke(QUESTION).tool_calls
    assert isinstance(roomy.with_structured_output(Place, method="json_schema").invoke(QUESTION), Place)
