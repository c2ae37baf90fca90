"""LlamaIndex through Pennyworth: a reply, a stream, a tool.

Its packages ask for openai < 3, which runs on httpx: in process, that is what the ``legacy`` clients are for.

python llama_index_chat.py http://127.0.0.1:8080/v1   # through a running gateway
python llama_index_chat.py                            # in this process, without one
"""

import sys

from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike

from pennyworth import Pennyworth


def weather(city: str) -> str:
    """The weather in a city."""
    return "rain"


def converse(llm: OpenAILike) -> None:
    print("reply:", llm.chat([ChatMessage("What is an umbrella for?")]).message.content)
    print("stream:", "".join(part.delta or "" for part in llm.stream_chat([ChatMessage("What is a raincoat for?")])))
    tool = FunctionTool.from_defaults(weather)
    question = ChatMessage("Shall I take an umbrella in Oslo?")
    wish = llm.chat_with_tools([tool], chat_history=[question])
    calls = llm.get_tool_calls_from_response(wish)
    results = [
        ChatMessage(tool(**call.tool_kwargs).content, role="tool", tool_call_id=call.tool_id, name=call.tool_name)
        for call in calls
    ]
    print("tools:", [call.tool_name for call in calls])
    print("after:", llm.chat_with_tools([tool], chat_history=[question, wish.message, *results]).message.content)


def open_ai_like(**where: object) -> OpenAILike:
    return OpenAILike(
        model="gpt-4o-mini",
        temperature=0,  # 0.1 by default, and sampled answers are not kept unless the route says so
        is_chat_model=True,
        is_function_calling_model=True,
        **where,
    )


if __name__ == "__main__":
    if sys.argv[1:]:
        converse(open_ai_like(api_base=sys.argv[1], api_key="any"))
    else:
        with Pennyworth() as pw:
            clients = {"http_client": pw.legacy_http_client(), "async_http_client": pw.legacy_async_http_client()}
            converse(open_ai_like(api_base="http://in.process/v1", api_key="unused", **clients))
            print("saved:", pw.stats()["process"]["saved"]["usd"])
